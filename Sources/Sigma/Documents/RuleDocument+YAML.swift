extension RuleDocument {
    /// Reads one YAML document as a rule or a correlation.
    init(file: String, line: Int, yaml: YAMLNode) throws(DocumentFault) {
        guard yaml.mapping != nil else { throw DocumentFault(line, "a rule must be a mapping") }
        if let action = yaml["action"] {
            throw DocumentFault(
                action.line, "'action' documents are not supported: write the shared parts into each rule")
        }
        if let filter = yaml["filter"] {
            throw DocumentFault(filter.line, "filter documents are not supported yet")
        }
        switch (yaml["detection"], yaml["correlation"]) {
        case (let detection?, nil):
            body = .detection(try DetectionDocument(yaml: detection))
        case (nil, let correlation?):
            body = .correlation(try CorrelationDocument(yaml: correlation, generate: yaml["generate"]))
        case (.some, .some):
            throw DocumentFault(line, "a document has either 'detection' or 'correlation', not both")
        case (nil, nil):
            throw DocumentFault(line, "neither 'detection' nor 'correlation'")
        }
        self.file = file
        self.line = line
        id = yaml["id"]?.scalar
        title = yaml["title"]?.scalar ?? ""
        name = yaml["name"]?.scalar
        description = yaml["description"]?.scalar
        author = yaml["author"]?.scalar
        license = yaml["license"]?.scalar
        status = yaml["status"]?.scalar
        date = yaml["date"]?.scalar
        modified = yaml["modified"]?.scalar
        if let node = yaml["level"], let text = node.scalar {
            guard let known = RuleLevel(rawValue: text.lowercased()) else {
                throw DocumentFault(node.line, "unknown level '\(text)'")
            }
            level = known
        }
        references = Self.texts(yaml["references"])
        tags = Self.texts(yaml["tags"])
        falsePositives = Self.texts(yaml["falsepositives"])
        fields = Self.texts(yaml["fields"])
        logSourceLine = yaml["logsource"]?.line ?? line
        if let node = yaml["logsource"] {
            guard node.mapping != nil else { throw DocumentFault(node.line, "'logsource' must be a mapping") }
            logSource = LogSource(
                product: node["product"]?.scalar?.lowercased(),
                category: node["category"]?.scalar?.lowercased(),
                service: node["service"]?.scalar?.lowercased()
            )
        } else if case .detection = body {
            throw DocumentFault(line, "'logsource' is missing")
        }
    }

    private static func texts(_ node: YAMLNode?) -> [String] {
        if let text = node?.scalar { return [text] }
        return node?.sequence?.compactMap(\.scalar) ?? []
    }
}

extension DetectionDocument {
    init(yaml: YAMLNode) throws(DocumentFault) {
        guard let pairs = yaml.mapping else { throw DocumentFault(yaml.line, "'detection' must be a mapping") }
        selections = []
        conditions = []
        for pair in pairs {
            switch pair.key {
            case "condition":
                for node in pair.value.sequence ?? [pair.value] {
                    guard let text = node.scalar else { throw DocumentFault(node.line, "a condition must be text") }
                    conditions.append(Located(text: text, line: node.line))
                }
            case "timeframe":
                throw DocumentFault(pair.line, "'timeframe' is obsolete: write a correlation")
            default:
                selections.append(try SelectionDocument(name: pair.key, line: pair.line, yaml: pair.value))
            }
        }
        guard !conditions.isEmpty else { throw DocumentFault(yaml.line, "'condition' is missing") }
    }
}

extension SelectionDocument {
    init(name: String, line: Int, yaml: YAMLNode) throws(DocumentFault) {
        self.name = name
        self.line = line
        switch yaml.content {
        case .mapping(let pairs):
            alternatives = [try Self.items(pairs)]
        case .sequence(let nodes):
            guard !nodes.isEmpty else { throw DocumentFault(yaml.line, "selection '\(name)' is empty") }
            alternatives = []
            var keywords: [DetectionValue] = []
            for node in nodes {
                if let pairs = node.mapping {
                    alternatives.append(try Self.items(pairs))
                } else {
                    keywords.append(try DetectionValue(yaml: node))
                }
            }
            if !keywords.isEmpty {
                alternatives.append([DetectionItem(field: "", modifiers: [], values: keywords, line: yaml.line)])
            }
        case .scalar:
            guard !yaml.isNull else { throw DocumentFault(line, "selection '\(name)' is empty") }
            let value = try DetectionValue(yaml: yaml)
            alternatives = [[DetectionItem(field: "", modifiers: [], values: [value], line: yaml.line)]]
        }
    }

    private static func items(
        _ pairs: [(key: String, line: Int, value: YAMLNode)]
    ) throws(DocumentFault) -> [DetectionItem] {
        guard !pairs.isEmpty else { throw DocumentFault(0, "a selection is empty") }
        var items: [DetectionItem] = []
        for pair in pairs {
            let parts = pair.key.split(separator: "|", omittingEmptySubsequences: false).map(String.init)
            var values: [DetectionValue] = []
            if let nodes = pair.value.sequence {
                guard !nodes.isEmpty else { throw DocumentFault(pair.line, "'\(pair.key)' has an empty list") }
                for node in nodes {
                    let value = try DetectionValue(yaml: node)
                    guard value.kind != .null || nodes.count == 1 else {
                        throw DocumentFault(
                            node.line, "null cannot stand in a list: write a selection of its own for it")
                    }
                    values.append(value)
                }
            } else {
                values = [try DetectionValue(yaml: pair.value)]
            }
            items.append(
                DetectionItem(
                    field: parts.first ?? "",
                    modifiers: parts.dropFirst().map { $0.lowercased() },
                    values: values,
                    line: pair.line
                )
            )
        }
        return items
    }
}

extension DetectionValue {
    init(yaml: YAMLNode) throws(DocumentFault) {
        guard case .scalar(let text, let isPlain) = yaml.content else {
            throw DocumentFault(yaml.line, "a value must be text, a number or null")
        }
        self.text = text
        line = yaml.line
        if yaml.isNull {
            kind = .null
        } else if isPlain, ["true", "false"].contains(text.lowercased()) {
            kind = .boolean
        } else if isPlain, Double(text) != nil, text.utf8.allSatisfy({ $0 < 0x3A }) {
            kind = .number
        } else {
            kind = .string
        }
    }
}

extension CorrelationDocument {
    init(yaml: YAMLNode, generate: YAMLNode?) throws(DocumentFault) {
        guard yaml.mapping != nil else { throw DocumentFault(yaml.line, "'correlation' must be a mapping") }
        line = yaml.line
        guard let type = yaml["type"]?.scalar else { throw DocumentFault(yaml.line, "'type' is missing") }
        self.type = type
        rules = []
        if let node = yaml["rules"] {
            for rule in node.sequence ?? [node] {
                guard let text = rule.scalar else { throw DocumentFault(rule.line, "a rule is named by text") }
                rules.append(DetectionDocument.Located(text: text, line: rule.line))
            }
        }
        guard !rules.isEmpty else { throw DocumentFault(yaml.line, "'rules' is missing or empty") }
        aliasesLine = yaml["aliases"]?.line
        groupBy = []
        if let node = yaml["group-by"] {
            for field in node.sequence ?? [node] {
                guard let text = field.scalar else { throw DocumentFault(field.line, "a field is named by text") }
                groupBy.append(text)
            }
        }
        guard let timespan = yaml["timespan"]?.scalar else { throw DocumentFault(yaml.line, "'timespan' is missing") }
        self.timespan = timespan
        comparisons = []
        valueFields = []
        for pair in yaml["condition"]?.mapping ?? [] {
            if pair.key == "field" {
                let nodes = pair.value.sequence ?? [pair.value]
                valueFields = nodes.compactMap(\.scalar)
                continue
            }
            guard let value = pair.value.scalar else { throw DocumentFault(pair.line, "'\(pair.key)' needs a number") }
            comparisons.append(Comparison(name: pair.key, value: value, line: pair.line))
        }
        let flag = (generate ?? yaml["generate"])
        switch flag?.scalar?.lowercased() {
        case nil, "false", "no": self.generate = false
        case "true", "yes": self.generate = true
        case let text?: throw DocumentFault(flag?.line ?? yaml.line, "'generate' is true or false, not '\(text)'")
        }
    }
}
