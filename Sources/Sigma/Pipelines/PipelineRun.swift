/// Takes one rule through the steps of all pipelines.
struct PipelineRun {
    var document: RuleDocument
    /// Values by name, for placeholders.
    let variables: [String: [String]]
    /// The log sources of the rules that a correlation is about.
    let sources: [LogSource]
    /// Steps that were applied to the rule, and to each field name outside of selections.
    private var applied: Set<String> = []
    private var appliedToName: [String: Set<String>] = [:]
    private var state: [String: String] = [:]
    private var namesAdded = 0

    init(_ document: RuleDocument, variables: [String: [String]], sources: [LogSource]) {
        self.document = document
        self.variables = variables
        self.sources = sources
    }

    mutating func apply(_ pipeline: Pipeline) throws(DocumentFault) {
        try apply(pipeline.steps, of: pipeline)
    }

    private mutating func apply(_ steps: [PipelineStep], of pipeline: Pipeline) throws(DocumentFault) {
        for step in steps {
            guard try step.rules.hold({ (question) throws(DocumentFault) in answer(question) }) else { continue }
            do throws(DocumentFault) {
                try apply(step, of: pipeline)
            } catch {
                // Of a step within a step, the inner one has said it.
                if case .nest = step.action { throw error }
                throw DocumentFault(
                    document.line, "\(error.message) (by the pipeline \(pipeline.label), line \(step.line))")
            }
            if let id = step.id { applied.insert(id) }
        }
    }

    private mutating func apply(_ step: PipelineStep, of pipeline: Pipeline) throws(DocumentFault) {
        switch step.action {
        case .mapFields(let names): try renameFields(step) { names[$0] }
        case .mapPrefixes(let prefixes):
            try renameFields(step) { name in
                guard let entry = prefixes.first(where: { !name.isEmpty && name.hasPrefix($0.prefix) }) else {
                    return nil
                }
                return entry.new.map { $0 + name.dropFirst(entry.prefix.count) }
            }
        case .prefixFields(let prefix): try renameFields(step) { $0.isEmpty ? nil : [prefix + $0] }
        case .suffixFields(let suffix): try renameFields(step) { $0.isEmpty ? nil : [$0 + suffix] }
        case .dropItems: try changeItems(step) { _ throws(DocumentFault) in [] }
        case .addCondition(let added): try add(added)
        case .changeLogSource(let source): if document.correlation == nil { document.logSource = source }
        case .replaceText(let replacement):
            try changeTexts(step, numbersToo: true) { pattern throws(DocumentFault) in
                [try replacement.apply(to: pattern)]
            }
        case .mapTexts(let texts):
            try changeTexts(step) { pattern throws(DocumentFault) in texts[pattern.shown]?.map { Pattern(parsing: $0) }
            }
        case .changeCase(let toUpper):
            try changeTexts(step) { pattern throws(DocumentFault) in [pattern.changingCase(toUpper: toUpper)] }
        case .setValue(let value):
            try changeItems(step) { item throws(DocumentFault) in
                var item = item
                item.values = [DetectionValue(kind: value.kind, text: value.text, line: item.line)]
                item.modifiers.removeAll { $0 != "neq" }
                return [item]
            }
        case .fillPlaceholders(let choice, let wildcard):
            let variables = variables
            try changeItems(step) { item throws(DocumentFault) in
                try Self.fill(item, choice, wildcard: wildcard, variables: variables).map { [$0] }
            }
        case .splitHashes(let hashes):
            try changeItems(step) { item throws(DocumentFault) in try hashes.split(item) }
        case .failRule(let message): throw DocumentFault(0, message)
        case .failItem(let message):
            try changeItems(step) { _ throws(DocumentFault) in throw DocumentFault(0, message) }
        case .setState(let key, let value): state[key] = value
        case .setShownFields(.add(let names)): document.fields += names
        case .setShownFields(.remove(let names)): document.fields.removeAll { names.contains($0) }
        case .setShownFields(.set(let names)): document.fields = names
        case .nest(let steps): try apply(steps, of: pipeline)
        }
    }

    // MARK: - Items

    /// Calls `body` with every item that the step's conditions are true of; it gives what stands in its place: nothing,
    /// one item, several of which any may hold, or `nil` for the item as it is.
    private mutating func changeItems(
        _ step: PipelineStep, _ body: (DetectionItem) throws(DocumentFault) -> [DetectionItem]?
    ) throws(DocumentFault) {
        guard var detection = document.detection else { return }
        let valuesMax = max(Self.valuesMax, Self.valueCount(detection))
        var count = 0
        for selection in detection.selections.indices {
            for alternative in detection.selections[selection].alternatives.indices {
                var items: [DetectionItem] = []
                for item in detection.selections[selection].alternatives[alternative] {
                    var group: [DetectionItem] = []
                    for single in item.group {
                        guard try holds(step, single), var new = try body(single) else {
                            count += single.values.count + 1
                            group.append(single)
                            continue
                        }
                        for item in new { count += item.values.count + 1 }
                        guard count <= valuesMax else { throw Self.tooMany("values") }
                        if let id = step.id { for index in new.indices { new[index].applied.insert(id) } }
                        group += new
                    }
                    if let joined = DetectionItem(anyOf: group) { items.append(joined) }
                }
                detection.selections[selection].alternatives[alternative] = items
            }
        }
        document.body = .detection(detection)
    }

    /// Values that a step may make of a rule's, unless it had as many before.
    static let valuesMax = 100_000
    /// Names that a step may make of a rule's shown and grouping fields.
    static let namesMax = 1_000

    private static func tooMany(_ what: String) -> DocumentFault {
        DocumentFault(0, "the rule would have more than \(what == "values" ? valuesMax : namesMax) \(what)")
    }

    private static func valueCount(_ detection: DetectionDocument) -> Int {
        detection.selections.reduce(0) { count, selection in
            selection.alternatives.joined().reduce(count) { count, item in
                item.group.reduce(count) { $0 + $1.values.count + 1 }
            }
        }
    }

    private mutating func changeTexts(
        _ step: PipelineStep, numbersToo: Bool = false, _ body: (Pattern) throws(DocumentFault) -> [Pattern]?
    ) throws(DocumentFault) {
        try changeItems(step) { item throws(DocumentFault) in
            var item = item
            return try item.replaceTexts(numbersToo: numbersToo) { (pattern) throws(DocumentFault) in try body(pattern)
            } ? [item] : nil
        }
    }

    /// - Parameter names: what a name becomes; `nil` for what it is. The empty name is that of keywords.
    private mutating func renameFields(
        _ step: PipelineStep, _ names: (String) -> [String]?
    ) throws(DocumentFault) {
        func renamed(_ run: PipelineRun, _ name: String) throws(DocumentFault) -> [String]? {
            guard let new = names(name),
                try step.fields.hold({ (question) throws(DocumentFault) in run.answer(question, name: name) })
            else { return nil }
            return new
        }
        let before = self
        try changeItems(step) { item throws(DocumentFault) in
            var item = item
            var isChanged = false
            if item.modifiers.contains("fieldref") {
                var values: [DetectionValue] = []
                for value in item.values {
                    let new = try renamed(before, value.text)
                    if new != nil { isChanged = true }
                    values += (new ?? [value.text]).map { DetectionValue(kind: .string, text: $0, line: value.line) }
                    guard values.count <= Self.valuesMax else { throw Self.tooMany("values") }
                }
                item.values = values
            }
            guard let new = try renamed(before, item.field) else { return isChanged ? [item] : nil }
            // Keywords are looked for within texts, and so they are in the field.
            if item.field.isEmpty {
                _ = try item.replaceTexts { [$0.wrapped(leading: true, trailing: true)] }
            }
            return new.map { name in
                var copy = item
                copy.field = name
                return copy
            }
        }
        func mapped(_ name: String) throws(DocumentFault) -> [String] {
            guard let new = try renamed(before, name) else { return [name] }
            if let id = step.id { for name in new { appliedToName[name, default: []].insert(id) } }
            return new
        }
        var fields: [String] = []
        for name in document.fields {
            fields += try mapped(name)
            guard fields.count <= max(Self.namesMax, document.fields.count) else { throw Self.tooMany("fields") }
        }
        document.fields = fields
        guard var correlation = document.correlation else { return }
        var groupBy: [String] = []
        for name in correlation.groupBy {
            groupBy += try mapped(name)
            guard groupBy.count <= Self.namesMax else { throw Self.tooMany("fields") }
        }
        correlation.groupBy = groupBy
        var counted: [String] = []
        for name in correlation.valueFields {
            let new = try mapped(name)
            guard new.count == 1 else {
                throw DocumentFault(0, "the counted field '\(name)' would become several fields")
            }
            counted += new
        }
        correlation.valueFields = counted
        document.body = .correlation(correlation)
    }

    /// - Returns: `nil` when there was nothing to fill.
    private static func fill(
        _ item: DetectionItem, _ choice: PlaceholderChoice, wildcard: Bool, variables: [String: [String]]
    ) throws(DocumentFault) -> DetectionItem? {
        guard item.modifiers.contains("expand") else { return nil }
        var item = item
        var isChanged = false
        var values: [DetectionValue] = []
        for value in item.values {
            guard !value.isFilled else {
                values.append(value)
                continue
            }
            var (isFilled, isWhole) = (false, true)
            let texts = try Placeholder.fill(value.text) { (name) throws(DocumentFault) in
                guard choice.covers(name) else {
                    isWhole = false
                    return nil
                }
                isFilled = true
                if wildcard { return ["*"] }
                guard let values = variables[name] else {
                    throw DocumentFault(0, "no values are given for the placeholder '%\(name)%'")
                }
                return values
            }
            isChanged = isChanged || isFilled
            values += texts.map {
                DetectionValue(kind: .string, text: $0, line: value.line, isFilled: isFilled && isWhole)
            }
        }
        item.values = values
        return isChanged ? item : nil
    }

    private mutating func add(_ added: AddedCondition) throws(DocumentFault) {
        guard var detection = document.detection else { return }
        let known = Set(detection.selections.map(\.name))
        var name = added.name ?? ""
        if added.name == nil {
            repeat {
                namesAdded += 1
                name = "_cond_\(namesAdded)"
            } while known.contains(name)
        }
        guard !known.contains(name) else {
            throw DocumentFault(0, "the rule has a selection '\(name)' already")
        }
        var items = added.items
        for index in items.indices {
            items[index].line = document.line
            for value in items[index].values.indices {
                items[index].values[value].line = document.line
                if added.isTemplate {
                    items[index].values[value].text = try filled(items[index].values[value].text)
                }
            }
        }
        detection.selections.append(SelectionDocument(name: name, line: document.line, alternatives: [items]))
        for index in detection.conditions.indices {
            let old = detection.conditions[index].text
            detection.conditions[index].text = "\(added.isNegated ? "not " : "")\(name) and (\(old))"
        }
        document.body = .detection(detection)
    }

    /// Replaces `$product`, `${product}` and the like; `$$` is `$`, and every other `$` stays.
    private func filled(_ template: String) throws(DocumentFault) -> String {
        var result = ""
        var rest = Substring(template)
        let parts = [
            ("product", document.logSource.product), ("category", document.logSource.category),
            ("service", document.logSource.service),
        ]
        scan: while let character = rest.popFirst() {
            guard character == "$" else {
                result.append(character)
                continue
            }
            if rest.first == "$" {
                result.append("$")
                rest.removeFirst()
                continue
            }
            for (name, value) in parts {
                for form in ["{\(name)}", name] where rest.hasPrefix(form) {
                    let after = rest.dropFirst(form.count)
                    if form == name, let next = after.first, next.isLetter || next.isNumber || next == "_" { continue }
                    guard let value else {
                        throw DocumentFault(0, "the rule's logsource has no \(name) for '$\(name)'")
                    }
                    result += value
                    rest = after
                    continue scan
                }
            }
            result.append(character)
        }
        return result
    }

    // MARK: - Conditions

    private func answer(_ question: RuleQuestion) -> Bool {
        switch question {
        case .logSource(let wanted):
            return (document.correlation == nil ? [document.logSource] : sources).contains { $0.isWithin(wanted) }
        case .containsItem(let field, let value):
            return items.contains { item in
                item.field == field && item.values.contains { Self.equal($0, value, in: item) }
            }
        case .containsField(let field): return items.contains { $0.field == field }
        case .isRule: return document.correlation == nil
        case .isCorrelation: return document.correlation != nil
        case .hasTag(let tag): return document.tags.contains(tag)
        case .attribute(let name, let relation, let value):
            return RuleAttribute.holds(name, relation, value, document)
        case .wasProcessed(let step): return applied.contains(step)
        case .state(let key, let relation, let value): return holds(key, relation, value)
        }
    }

    private var items: [DetectionItem] {
        document.detection?.selections.flatMap { $0.alternatives.flatMap { $0.flatMap(\.group) } } ?? []
    }

    private func holds(_ key: String, _ relation: Relation, _ value: String) -> Bool {
        guard let own = state[key] else { return false }
        if let left = Double(own), let right = Double(value) { return relation.holds(left, right) }
        return relation.holds(own, value)
    }

    private func holds(_ step: PipelineStep, _ item: DetectionItem) throws(DocumentFault) -> Bool {
        guard try step.items.hold({ (question) throws(DocumentFault) in answer(question, item) }) else { return false }
        return try step.fields.hold { (question) throws(DocumentFault) in
            switch question {
            case .wasProcessed(let step): return item.applied.contains(step)
            default: break
            }
            if answer(question, name: item.field) { return true }
            return item.modifiers.contains("fieldref") && item.values.contains { answer(question, name: $0.text) }
        }
    }

    private func answer(_ question: ItemQuestion, _ item: DetectionItem) -> Bool {
        switch question {
        case .values(let test, let all):
            func holds(_ value: DetectionValue) -> Bool {
                switch test {
                case .matches(let program, let isNegated):
                    guard let pattern = item.pattern(of: value) else { return isNegated }
                    return program.matches(pattern.shown) != isNegated
                case .equals(let wanted): return Self.equal(value, wanted, in: item)
                case .hasWildcard: return item.pattern(of: value)?.hasWildcard ?? false
                case .isNull: return value.kind == .null
                }
            }
            return all ? item.values.allSatisfy(holds) : item.values.contains(where: holds)
        case .wasProcessed(let step): return item.applied.contains(step)
        case .state(let key, let relation, let value): return self.holds(key, relation, value)
        }
    }

    private func answer(_ question: FieldQuestion, name: String) -> Bool {
        switch question {
        case .isOne(let names): !name.isEmpty && names.contains(name)
        case .matchesOne(let programs): !name.isEmpty && programs.contains { $0.matches(name) }
        case .not(let inner): !answer(inner, name: name)
        case .wasProcessed(let step): appliedToName[name]?.contains(step) ?? false
        case .state(let key, let relation, let value): holds(key, relation, value)
        }
    }

    /// Numbers equal numbers, and texts texts with the same wildcards.
    private static func equal(_ value: DetectionValue, _ wanted: DetectionValue, in item: DetectionItem) -> Bool {
        switch wanted.kind {
        case .number: value.kind == .number && Double(value.text) == Double(wanted.text)
        case .boolean: value.kind == .boolean && value.text.lowercased() == wanted.text.lowercased()
        case .null: value.kind == .null
        case .string: item.pattern(of: value)?.tokens == Pattern(parsing: wanted.text).tokens
        }
    }
}

extension RegexProgram {
    fileprivate func matches(_ text: String) -> Bool {
        var matcher = RegexMatcher(self)
        let bytes = Array(text.utf8)
        return matcher.matches(bytes.span, from: 0, to: bytes.count)
    }
}

extension LogSource {
    /// Whether it says all that `other` says.
    fileprivate func isWithin(_ other: LogSource) -> Bool {
        (other.product == nil || other.product == product) && (other.category == nil || other.category == category)
            && (other.service == nil || other.service == service)
    }
}
