extension Pipeline {
    /// Steps within steps nested deeper are refused.
    static let nestingMax = 8
    /// Steps of one file beyond this many are refused.
    static let stepsMax = 10_000

    /// - Parameter warn: called with the line and text of what does not keep the pipeline from being used.
    init(file: String, yaml: YAMLNode, warn: (Int, String) -> Void) throws(DocumentFault) {
        var keys = try PipelineKeys(yaml, subject: "a pipeline")
        self.file = file
        name = try keys.text("name") ?? ""
        priority = 0
        if let node = keys.take("priority") {
            guard let number = node.scalar.flatMap({ Int($0) }) else {
                throw DocumentFault(node.line, "'priority' must be a whole number")
            }
            priority = number
        }
        variables = [:]
        if let node = keys.take("vars") {
            guard let pairs = node.mapping else { throw DocumentFault(node.line, "'vars' must be a mapping") }
            for pair in pairs { variables[pair.key] = try PipelineKeys.texts(pair.value, "'\(pair.key)'") }
        }
        if let node = keys.take("allowed_backends"), let names = node.sequence, !names.isEmpty {
            let list = names.compactMap(\.scalar).joined(separator: ", ")
            warn(node.line, "this pipeline is written for other backends (\(list)); it is applied all the same")
        }
        for key in ["postprocessing", "finalizers"] {
            if let node = keys.take(key), node.sequence?.isEmpty != true {
                throw DocumentFault(
                    node.line, "'\(key)' cannot be used: rules are run here, there is no query to change")
            }
        }
        var budget = Self.stepsMax
        if let node = keys.take("transformations") {
            steps = try PipelineStep.list(node, depth: 0, budget: &budget)
        } else {
            steps = []
        }
        try keys.finish()
    }
}

extension PipelineStep {
    static func list(_ yaml: YAMLNode, depth: Int, budget: inout Int) throws(DocumentFault) -> [PipelineStep] {
        guard let nodes = yaml.sequence else {
            throw DocumentFault(yaml.line, "a list of transformations was expected")
        }
        guard depth < Pipeline.nestingMax else {
            throw DocumentFault(yaml.line, "transformations nested deeper than \(Pipeline.nestingMax)")
        }
        var steps: [PipelineStep] = []
        for node in nodes {
            budget -= 1
            guard budget >= 0 else {
                throw DocumentFault(node.line, "more than \(Pipeline.stepsMax) transformations in one file")
            }
            steps.append(try PipelineStep(node, depth: depth, budget: &budget))
        }
        return steps
    }

    private init(_ yaml: YAMLNode, depth: Int, budget: inout Int) throws(DocumentFault) {
        guard let type = yaml["type"]?.scalar else {
            throw DocumentFault(yaml.line, "a transformation lacks its 'type'")
        }
        var keys = try PipelineKeys(yaml, subject: "the transformation '\(type)'")
        _ = keys.take("type")
        line = yaml.line
        id = try keys.text("id")
        rules = try PipelineConditions(&keys, "rule", RuleQuestion.init)
        items = try PipelineConditions(&keys, "detection_item", ItemQuestion.init)
        fields = try PipelineConditions(&keys, "field_name", FieldQuestion.init)
        action = try PipelineAction(type, &keys, depth: depth, budget: &budget)
        try keys.finish()
        guard items.questions.isEmpty && fields.questions.isEmpty || action.isAboutItems else {
            throw DocumentFault(
                line,
                "'\(type)' is about whole rules: conditions on detection items or field names have no effect on it")
        }
    }
}

extension PipelineAction {
    /// Whether conditions on items and field names mean anything for it.
    fileprivate var isAboutItems: Bool {
        switch self {
        case .mapFields, .mapPrefixes, .prefixFields, .suffixFields, .dropItems, .replaceText, .mapTexts, .changeCase,
            .setValue, .fillPlaceholders, .splitHashes, .failItem:
            true
        case .addCondition, .changeLogSource, .failRule, .setState, .setShownFields, .nest: false
        }
    }

    /// Known to pySigma, and why not here.
    private static let unsupported: [String: String] = [
        "query_expression_placeholders":
            "there is no query to put an expression into; give values with value_placeholders or detection.placeholders",
        "file_placeholders": "a pipeline reads nothing else; give values with vars or detection.placeholders",
        "http_placeholders": "a pipeline fetches nothing; give values with vars or detection.placeholders",
        "command_placeholders": "a pipeline starts nothing; give values with vars or detection.placeholders",
        "field_name_transform": "its function can only be written in Python",
        "extract_fields": "not yet",
        "regex": "texts are compared without case here anyway; leave it out",
        "convert_type": "numbers and texts are compared alike here; leave it out",
        "set_custom_attribute": "there is no backend that reads it",
        "strict_field_mapping_failure": "not yet; use rule_failure with conditions",
    ]

    fileprivate init(
        _ type: String, _ keys: inout PipelineKeys, depth: Int, budget: inout Int
    ) throws(DocumentFault) {
        switch type {
        case "field_name_mapping":
            var names: [String: [String]] = [:]
            for entry in try keys.mapping("mapping") {
                // Keywords have no field: pySigma writes a null for that.
                let name = ["null", "~"].contains(entry.key) ? "" : entry.key
                names[name] = try Self.names(entry.values, line: entry.line)
            }
            self = .mapFields(names)
        case "field_name_prefix_mapping":
            var prefixes: [(prefix: String, new: [String])] = []
            for entry in try keys.mapping("mapping") { prefixes.append((entry.key, entry.values)) }
            self = .mapPrefixes(prefixes)
        case "field_name_prefix": self = .prefixFields(try keys.requireText("prefix"))
        case "field_name_suffix": self = .suffixFields(try keys.requireText("suffix"))
        case "drop_detection_item": self = .dropItems
        case "add_condition": self = .addCondition(try AddedCondition(&keys))
        case "change_logsource":
            let source = try LogSource(pipeline: &keys)
            self = .changeLogSource(source)
        case "replace_string": self = .replaceText(try TextReplacement(&keys))
        case "map_string":
            var texts: [String: [String]] = [:]
            for entry in try keys.mapping("mapping") { texts[entry.key] = entry.values }
            self = .mapTexts(texts)
        case "case":
            let method = try keys.text("method") ?? "lower"
            guard ["lower", "upper"].contains(method) else {
                throw DocumentFault(keys.line, "'method' is lower or upper, not '\(method)'")
            }
            self = .changeCase(toUpper: method == "upper")
        case "set_value": self = .setValue(try Self.value(&keys))
        case "value_placeholders", "wildcard_placeholders":
            let choice = PlaceholderChoice(include: try keys.texts("include"), exclude: try keys.texts("exclude"))
            guard choice.include == nil || choice.exclude == nil else {
                throw DocumentFault(keys.line, "'include' and 'exclude' do not go together")
            }
            self = .fillPlaceholders(choice, wildcard: type == "wildcard_placeholders")
        case "hashes_fields":
            let algorithms = try keys.texts("valid_hash_algos") ?? []
            guard !algorithms.isEmpty else { throw DocumentFault(keys.line, "'valid_hash_algos' is missing") }
            self = .splitHashes(
                HashFields(
                    algorithms: algorithms.map { $0.uppercased() }, prefix: try keys.text("field_prefix") ?? "",
                    leavesOutAlgorithm: try keys.flag("drop_algo_prefix"),
                    fields: try keys.texts("field_to_parse") ?? ["Hashes", "Hash"]
                )
            )
        case "rule_failure": self = .failRule(try keys.requireText("message"))
        case "detection_item_failure": self = .failItem(try keys.requireText("message"))
        case "set_state": self = .setState(key: try keys.requireText("key"), value: try keys.requireText("val"))
        case "add_field": self = .setShownFields(.add(try PipelineKeys.texts(keys.require("field"), "'field'")))
        case "remove_field": self = .setShownFields(.remove(try PipelineKeys.texts(keys.require("field"), "'field'")))
        case "set_field": self = .setShownFields(.set(try PipelineKeys.texts(keys.require("fields"), "'fields'")))
        case "nest":
            self = .nest(try PipelineStep.list(keys.require("items"), depth: depth + 1, budget: &budget))
        default:
            if let reason = Self.unsupported[type] {
                throw DocumentFault(keys.line, "the transformation '\(type)' is not supported: \(reason)")
            }
            throw DocumentFault(keys.line, "unknown transformation '\(type)'")
        }
    }

    private static func names(_ names: [String], line: Int) throws(DocumentFault) -> [String] {
        guard !names.contains("") else { throw DocumentFault(line, "a field needs a name") }
        return names
    }

    private static func value(_ keys: inout PipelineKeys) throws(DocumentFault) -> DetectionValue {
        guard let node = keys.takeEvenNull("value") else {
            throw DocumentFault(keys.line, "\(keys.subject) lacks 'value'")
        }
        var value = try DetectionValue(yaml: node)
        switch try keys.text("force_type") {
        case nil: break
        case "str"?:
            guard value.kind != .null else { throw DocumentFault(node.line, "null cannot be forced to be text") }
            value.kind = .string
        case "num"?:
            guard Double(value.text) != nil else { throw DocumentFault(node.line, "'\(value.text)' is not a number") }
            value.kind = .number
        case let other?: throw DocumentFault(keys.line, "'force_type' is str or num, not '\(other)'")
        }
        return value
    }
}

extension AddedCondition {
    fileprivate init(_ keys: inout PipelineKeys) throws(DocumentFault) {
        let node = try keys.require("conditions")
        guard node.mapping?.isEmpty == false else {
            throw DocumentFault(node.line, "'conditions' must be a mapping with something in it")
        }
        let selection = try SelectionDocument(name: "", line: node.line, yaml: node)
        items = selection.alternatives.first ?? []
        for item in items {
            // Found out here, where it is written, instead of in every rule.
            _ = try ItemModifiers(item)
        }
        name = try keys.text("name")
        isTemplate = try keys.flag("template")
        isNegated = try keys.flag("negated")
    }
}

extension LogSource {
    /// At least one of its parts must be there.
    init(pipeline keys: inout PipelineKeys) throws(DocumentFault) {
        self.init(
            product: try keys.text("product")?.lowercased(), category: try keys.text("category")?.lowercased(),
            service: try keys.text("service")?.lowercased()
        )
        guard self != LogSource() else {
            throw DocumentFault(keys.line, "\(keys.subject) names no product, category or service")
        }
    }
}
