internal import Yams

/// A YAML document as written: scalars keep their text (`0x40810000`, `1e5` and `no` stay as they are), and every node
/// knows its line.
struct YAMLNode {
    /// Nesting beyond this is refused.
    static let depthMax = 32
    /// Nodes of one document, aliases expanded, beyond this many are refused.
    static let nodesMax = 200_000
    /// Uses of aliases in one document; few, since their expansions multiply.
    static let aliasesMax = 20

    enum Content {
        /// `isPlain` is whether it was written without quotes, so that it may be a number, a boolean or null.
        case scalar(String, isPlain: Bool)
        case sequence([YAMLNode])
        case mapping([(key: String, line: Int, value: YAMLNode)])
    }

    var line: Int
    var content: Content

    var isNull: Bool {
        guard case .scalar(let text, isPlain: true) = content else { return false }
        return ["", "~", "null", "Null", "NULL"].contains(text)
    }

    var scalar: String? {
        guard case .scalar(let text, _) = content, !isNull else { return nil }
        return text
    }

    var sequence: [YAMLNode]? {
        guard case .sequence(let nodes) = content else { return nil }
        return nodes
    }

    var mapping: [(key: String, line: Int, value: YAMLNode)]? {
        guard case .mapping(let pairs) = content else { return nil }
        return pairs
    }

    subscript(key: String) -> YAMLNode? {
        mapping?.first { $0.key == key }?.value
    }

    /// Parses one document.
    ///
    /// - Parameter firstLine: the line of the file at which `text` begins.
    /// - Returns: `nil` for a document without content.
    static func parse(_ text: String, firstLine: Int) throws(DocumentFault) -> YAMLNode? {
        guard aliasUses(in: text) <= aliasesMax else {
            throw DocumentFault(firstLine, "more than \(aliasesMax) YAML aliases")
        }
        let root: Node?
        do {
            root = try Yams.compose(yaml: text)
        } catch let error as YamlError {
            throw describe(error, firstLine: firstLine)
        } catch {
            throw DocumentFault(firstLine, "not YAML: \(error)")
        }
        guard let root else { return nil }
        var budget = nodesMax
        let node = try convert(root, offset: firstLine - 1, depth: 0, budget: &budget)
        return node.isNull ? nil : node
    }

    private static func convert(
        _ node: Node, offset: Int, depth: Int, budget: inout Int
    ) throws(DocumentFault) -> YAMLNode {
        let line = (node.mark?.line ?? 1) + offset
        budget -= 1
        guard budget >= 0 else { throw DocumentFault(line, "more than \(nodesMax) YAML nodes") }
        guard depth < depthMax else { throw DocumentFault(line, "YAML nested deeper than \(depthMax)") }
        switch node {
        case .scalar(let scalar):
            return YAMLNode(line: line, content: .scalar(scalar.string, isPlain: scalar.style == .plain))
        case .sequence(let sequence):
            var nodes: [YAMLNode] = []
            for child in sequence {
                nodes.append(try convert(child, offset: offset, depth: depth + 1, budget: &budget))
            }
            return YAMLNode(line: line, content: .sequence(nodes))
        case .mapping(let mapping):
            var pairs: [(key: String, line: Int, value: YAMLNode)] = []
            for (key, value) in mapping {
                let keyLine = (key.mark?.line ?? 1) + offset
                guard case .scalar(let scalar) = key else { throw DocumentFault(keyLine, "a key must be plain text") }
                let child = try convert(value, offset: offset, depth: depth + 1, budget: &budget)
                pairs.append((scalar.string, keyLine, child))
            }
            return YAMLNode(line: line, content: .mapping(pairs))
        case .alias:
            throw DocumentFault(line, "unresolved YAML alias")
        }
    }

    private static func describe(_ error: YamlError, firstLine: Int) -> DocumentFault {
        switch error {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
            .composer(_, let problem, let mark, _):
            return DocumentFault(firstLine + mark.line - 1, "not YAML: \(problem)")
        case .duplicatedKeysInMapping(let keys, let context):
            let names = keys.joined(separator: "', '")
            return DocumentFault(firstLine + context.mark.line - 1, "'\(names)' is written twice in one mapping")
        default:
            return DocumentFault(firstLine, "not YAML")
        }
    }

    /// How often `*name` is used for a name that `&name` anchors: an upper bound, since quotes are not looked at.
    ///
    /// It is counted before parsing because the parser hashes keys, and a key made of aliases of aliases never ends.
    private static func aliasUses(in text: String) -> Int {
        var anchors: Set<String> = []
        var uses: [String] = []
        let bytes = text.utf8
        var index = bytes.startIndex
        var previous = UInt8(ascii: "\n")
        while index != bytes.endIndex {
            let byte = bytes[index]
            let next = bytes.index(after: index)
            if byte == UInt8(ascii: "&") || byte == UInt8(ascii: "*"), opensToken(previous) {
                let name = bytes[next...].prefix { !closesToken($0) }
                if !name.isEmpty {
                    let key = String(decoding: name, as: UTF8.self)
                    if byte == UInt8(ascii: "&") { anchors.insert(key) } else { uses.append(key) }
                }
            }
            previous = byte
            index = next
        }
        return uses.count { anchors.contains($0) }
    }

    private static func opensToken(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\n"), UInt8(ascii: "\r"), UInt8(ascii: "["),
            UInt8(ascii: "{"), UInt8(ascii: ","), UInt8(ascii: ":"), UInt8(ascii: "-"), UInt8(ascii: "?"):
            true
        default: false
        }
    }

    private static func closesToken(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\n"), UInt8(ascii: "\r"), UInt8(ascii: "]"),
            UInt8(ascii: "}"), UInt8(ascii: ","), UInt8(ascii: ":"):
            true
        default: false
        }
    }
}
