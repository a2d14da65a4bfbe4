/// Reads a mapping key by key; what was not asked for is refused, so that nothing written is without effect.
struct PipelineKeys {
    let line: Int
    /// What the mapping is, for faults: "the transformation 'field_name_mapping'".
    let subject: String
    private var rest: [(key: String, line: Int, value: YAMLNode)]

    init(_ yaml: YAMLNode, subject: String) throws(DocumentFault) {
        guard let pairs = yaml.mapping else { throw DocumentFault(yaml.line, "\(subject) must be a mapping") }
        line = yaml.line
        self.subject = subject
        rest = pairs
    }

    /// Takes a key's value; an explicit null counts as absent.
    mutating func take(_ key: String) -> YAMLNode? {
        guard let index = rest.firstIndex(where: { $0.key == key }) else { return nil }
        let node = rest.remove(at: index).value
        return node.isNull ? nil : node
    }

    mutating func takeEvenNull(_ key: String) -> YAMLNode? {
        rest.firstIndex { $0.key == key }.map { rest.remove(at: $0).value }
    }

    mutating func require(_ key: String) throws(DocumentFault) -> YAMLNode {
        guard let node = take(key) else { throw DocumentFault(line, "\(subject) lacks '\(key)'") }
        return node
    }

    mutating func text(_ key: String) throws(DocumentFault) -> String? {
        guard let node = take(key) else { return nil }
        guard let text = node.scalar else { throw DocumentFault(node.line, "'\(key)' must be text") }
        return text
    }

    mutating func requireText(_ key: String) throws(DocumentFault) -> String {
        let node = try require(key)
        guard let text = node.scalar else { throw DocumentFault(node.line, "'\(key)' must be text") }
        return text
    }

    /// A list of texts, or a single one.
    mutating func texts(_ key: String) throws(DocumentFault) -> [String]? {
        try take(key).map { node throws(DocumentFault) in try Self.texts(node, "'\(key)'") }
    }

    mutating func flag(_ key: String) throws(DocumentFault) -> Bool {
        guard let node = take(key) else { return false }
        switch node.scalar?.lowercased() {
        case "true"?, "yes"?: return true
        case "false"?, "no"?: return false
        default: throw DocumentFault(node.line, "'\(key)' is true or false")
        }
    }

    /// Names to one or more names each.
    mutating func mapping(_ key: String) throws(DocumentFault) -> [(key: String, line: Int, values: [String])] {
        let node = try require(key)
        guard let pairs = node.mapping, !pairs.isEmpty else {
            throw DocumentFault(node.line, "'\(key)' must be a mapping with something in it")
        }
        var result: [(key: String, line: Int, values: [String])] = []
        for pair in pairs {
            result.append((pair.key, pair.line, try Self.texts(pair.value, "'\(pair.key)'")))
        }
        return result
    }

    /// Refuses whatever was not taken.
    func finish() throws(DocumentFault) {
        guard let first = rest.first else { return }
        throw DocumentFault(first.line, "\(subject) has no '\(first.key)'")
    }

    static func texts(_ node: YAMLNode, _ subject: String) throws(DocumentFault) -> [String] {
        let nodes = node.sequence ?? [node]
        guard !nodes.isEmpty else { throw DocumentFault(node.line, "\(subject) is an empty list") }
        var texts: [String] = []
        for node in nodes {
            guard let text = node.scalar else {
                throw DocumentFault(node.line, "\(subject) must be text or a list of texts")
            }
            texts.append(text)
        }
        return texts
    }
}
