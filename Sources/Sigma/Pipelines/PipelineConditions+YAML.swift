extension PipelineConditions {
    /// Reads `<prefix>_conditions`, `<prefix>_cond_op`, `<prefix>_cond_not` and `<prefix>_cond_expr`.
    init(
        _ keys: inout PipelineKeys, _ prefix: String,
        _ read: (String, inout PipelineKeys) throws(DocumentFault) -> Question
    ) throws(DocumentFault) {
        let list = keys.take("\(prefix)_conditions")
        let operation = keys.take("\(prefix)_cond_op")
        let expression = keys.take("\(prefix)_cond_expr")
        let negation = try keys.flag("\(prefix)_cond_not")
        guard let list else {
            if let lonely = operation ?? expression {
                throw DocumentFault(lonely.line, "there are no \(prefix)_conditions that it could link")
            }
            guard !negation else {
                throw DocumentFault(keys.line, "there are no \(prefix)_conditions that could be negated")
            }
            return
        }
        isNegated = negation
        if let pairs = list.mapping {
            for pair in pairs { questions.append((pair.key, try Self.question(pair.value, read))) }
        } else if let nodes = list.sequence {
            for (index, node) in nodes.enumerated() {
                questions.append((String(index), try Self.question(node, read)))
            }
        }
        guard !questions.isEmpty else {
            throw DocumentFault(list.line, "'\(prefix)_conditions' must hold at least one condition")
        }
        if let operation {
            switch operation.scalar?.lowercased() {
            case "and"?: linking = .all
            case "or"?: linking = .any
            default: throw DocumentFault(operation.line, "'\(prefix)_cond_op' is 'and' or 'or'")
            }
        }
        if let expression {
            guard operation == nil else {
                throw DocumentFault(
                    expression.line, "'\(prefix)_cond_op' and '\(prefix)_cond_expr' do not go together")
            }
            guard list.mapping != nil, let text = expression.scalar else {
                throw DocumentFault(expression.line, "an expression needs conditions with names (a mapping)")
            }
            linking = .expression(try Self.expression(text, line: expression.line, names: Set(questions.map(\.name))))
        }
    }

    private static func question(
        _ yaml: YAMLNode, _ read: (String, inout PipelineKeys) throws(DocumentFault) -> Question
    ) throws(DocumentFault) -> Question {
        guard let type = yaml["type"]?.scalar else { throw DocumentFault(yaml.line, "a condition lacks its 'type'") }
        var keys = try PipelineKeys(yaml, subject: "the condition '\(type)'")
        _ = keys.take("type")
        let question = try read(type, &keys)
        try keys.finish()
        return question
    }

    private static func expression(
        _ text: String, line: Int, names: Set<String>
    ) throws(DocumentFault) -> Condition {
        let condition = try Condition(parsing: DetectionDocument.Located(text: text, line: line))
        var used: Set<String> = []
        try collect(condition, line: line, into: &used)
        if let unknown = used.subtracting(names).min() {
            throw DocumentFault(line, "the expression names '\(unknown)', which is no condition")
        }
        if let unused = names.subtracting(used).min() {
            throw DocumentFault(line, "the expression does not use the condition '\(unused)'")
        }
        return condition
    }

    private static func collect(
        _ condition: Condition, line: Int, into names: inout Set<String>
    ) throws(DocumentFault) {
        switch condition {
        case .selection(let name): names.insert(name)
        case .and(let parts), .or(let parts): for part in parts { try collect(part, line: line, into: &names) }
        case .not(let inner): try collect(inner, line: line, into: &names)
        case .quantified(_, let pattern): throw DocumentFault(line, "'of \(pattern)' has no meaning here")
        }
    }
}

extension RuleQuestion {
    init(_ type: String, _ keys: inout PipelineKeys) throws(DocumentFault) {
        switch type {
        case "logsource": self = .logSource(try LogSource(pipeline: &keys))
        case "contains_detection_item":
            self = .containsItem(
                field: try keys.requireText("field"), value: try DetectionValue(yaml: keys.require("value")))
        case "contains_field": self = .containsField(try keys.requireText("field"))
        case "is_sigma_rule": self = .isRule
        case "is_sigma_correlation_rule": self = .isCorrelation
        case "tag": self = .hasTag(try keys.requireText("tag"))
        case "rule_attribute":
            let name = try keys.requireText("attribute")
            let relation = try Relation(&keys)
            let value = try keys.requireText("value")
            try RuleAttribute.check(name, relation, value, line: keys.line)
            self = .attribute(name: name, relation, value: value)
        case "processing_item_applied": self = .wasProcessed(step: try keys.requireText("processing_item_id"))
        case "processing_state":
            self = .state(key: try keys.requireText("key"), try Relation(&keys), value: try keys.requireText("val"))
        default: throw DocumentFault(keys.line, "unknown rule condition '\(type)'")
        }
    }
}

extension ItemQuestion {
    init(_ type: String, _ keys: inout PipelineKeys) throws(DocumentFault) {
        switch type {
        case "match_string":
            let program = try RegexProgram(pipeline: keys.requireText("pattern"), line: keys.line)
            self = .values(.matches(program, isNegated: try keys.flag("negate")), all: try Self.all(&keys))
        case "match_value":
            self = .values(.equals(try DetectionValue(yaml: keys.require("value"))), all: try Self.all(&keys))
        case "contains_wildcard": self = .values(.hasWildcard, all: try Self.all(&keys))
        case "is_null": self = .values(.isNull, all: try Self.all(&keys))
        case "processing_item_applied": self = .wasProcessed(step: try keys.requireText("processing_item_id"))
        case "processing_state":
            self = .state(key: try keys.requireText("key"), try Relation(&keys), value: try keys.requireText("val"))
        default: throw DocumentFault(keys.line, "unknown detection item condition '\(type)'")
        }
    }

    private static func all(_ keys: inout PipelineKeys) throws(DocumentFault) -> Bool {
        switch try keys.requireText("cond") {
        case "all": true
        case "any": false
        case let other: throw DocumentFault(keys.line, "'cond' is any or all, not '\(other)'")
        }
    }
}

extension FieldQuestion {
    init(_ type: String, _ keys: inout PipelineKeys) throws(DocumentFault) {
        switch type {
        case "include_fields": self = try Self.fields(&keys)
        case "exclude_fields": self = .not(try Self.fields(&keys))
        case "processing_item_applied": self = .wasProcessed(step: try keys.requireText("processing_item_id"))
        case "processing_state":
            self = .state(key: try keys.requireText("key"), try Relation(&keys), value: try keys.requireText("val"))
        default: throw DocumentFault(keys.line, "unknown field name condition '\(type)'")
        }
    }

    private static func fields(_ keys: inout PipelineKeys) throws(DocumentFault) -> FieldQuestion {
        let names = try PipelineKeys.texts(keys.require("fields"), "'fields'")
        switch try keys.text("mode") ?? "plain" {
        case "plain": return .isOne(of: Set(names))
        case "re":
            var programs: [RegexProgram] = []
            for name in names { programs.append(try RegexProgram(pipeline: name, line: keys.line)) }
            return .matchesOne(of: programs)
        case let other: throw DocumentFault(keys.line, "'mode' is plain or re, not '\(other)'")
        }
    }
}

extension Relation {
    fileprivate init(_ keys: inout PipelineKeys) throws(DocumentFault) {
        let word = try keys.text("op") ?? "eq"
        guard let relation = Relation(rawValue: word) else {
            let known = Relation.allCases.map(\.rawValue).joined(separator: ", ")
            throw DocumentFault(keys.line, "unknown 'op' '\(word)'; there are: \(known)")
        }
        self = relation
    }
}

extension RegexProgram {
    /// Of a pipeline's pattern, which is matched from the start of a text on.
    fileprivate init(pipeline pattern: String, line: Int) throws(DocumentFault) {
        do throws(RegexFault) {
            // Alone first: a parenthesis too many must not close ours.
            _ = try RegexParser.parse(RegexSource(text: pattern))
            try self.init(RegexSource(text: "^(?:\(pattern))"))
        } catch {
            throw DocumentFault(line, "the regular expression '\(pattern)' cannot be used: \(error.message)")
        }
    }
}
