/// Turns a rule as written into its explanation.
struct ExplanationMaker {
    private let ruleSet: RuleSet
    private let event: ExplainedEvent?
    /// Gives every item the predicates that it has in the rule set already.
    private var compiler: SelectionCompiler
    private(set) var fields: [String] = []

    init(_ ruleSet: RuleSet, _ event: ExplainedEvent?) {
        self.ruleSet = ruleSet
        self.event = event
        compiler = SelectionCompiler(table: ruleSet.table, placeholders: ruleSet.placeholders)
    }

    typealias Part = RuleExplanation.Part

    mutating func part(_ detection: DetectionDocument) -> Part? {
        var selections: [String: Part] = [:]
        for selection in detection.selections { selections[selection.name] = part(selection) }
        let names = detection.selections.map(\.name)
        // A rule that is in the set was compiled: there is no fault to be had here.
        let conditions = detection.conditions.compactMap { text in
            (try? Condition(parsing: text)).flatMap { part($0, selections, names) }
        }
        return Self.join(conditions, .or, "any of these conditions")
    }

    private func part(_ condition: Condition, _ selections: [String: Part], _ names: [String]) -> Part? {
        switch condition {
        case .selection(let name): return selections[name]
        case .quantified(let all, let pattern):
            let parts = Condition.names(matching: pattern, in: names).compactMap { selections[$0] }
            return Self.join(parts, all ? .and : .or, "\(all ? "all" : "1") of \(pattern)")
        case .and(let parts): return Self.join(parts.compactMap { part($0, selections, names) }, .and, "all of")
        case .or(let parts): return Self.join(parts.compactMap { part($0, selections, names) }, .or, "any of")
        case .not(let inner):
            return part(inner, selections, names).map { inner in
                Part(kind: .not, name: "", text: "not", parts: [inner], held: inner.held.map { !$0 })
            }
        }
    }

    private mutating func part(_ selection: SelectionDocument) -> Part? {
        var alternatives: [Part] = []
        for items in selection.alternatives {
            if let part = Self.join(items.map { part($0) }, .and, "all of") { alternatives.append(part) }
        }
        guard let part = Self.join(alternatives, .or, "any of") else { return nil }
        // What holds the selection together is said by it, and not once more below it.
        let parts = part.kind == .item ? [part] : part.parts
        let text = parts.count == 1 ? selection.name : "\(selection.name): \(part.text)"
        return Part(kind: .selection, name: selection.name, text: text, parts: parts, held: part.held)
    }

    private static func join(_ parts: [Part], _ kind: Part.Kind, _ text: String) -> Part? {
        guard parts.count > 1 else { return parts.first }
        let answers = parts.compactMap(\.held)
        let held: Bool? =
            answers.count < parts.count
            ? nil : kind == .and ? answers.allSatisfy { $0 } : answers.contains(true)
        return Part(kind: kind, name: "", text: text, parts: parts, held: held)
    }

    private mutating func part(_ item: DetectionItem) -> Part {
        let group = item.group
        guard group.count > 1 else { return single(item) }
        let parts = group.map { single($0) }
        let kind: Part.Kind = item.isAboutAbsence ? .and : .or
        return Self.join(parts, kind, kind == .and ? "all of" : "any of") ?? single(item)
    }

    private mutating func single(_ item: DetectionItem) -> Part {
        var names = item.field.isEmpty ? [] : [item.field]
        if item.modifiers.contains("fieldref") { names += item.values.map(\.text) }
        for name in names where !fields.contains(name) { fields.append(name) }
        let shown = item.values.prefix(RuleExplanation.valuesMax)
        var explained = RuleExplanation.Item(
            field: item.field, modifiers: item.modifiers, values: shown.map(\.text), valueCount: item.values.count,
            found: nil, matched: []
        )
        var part = Part(kind: .item, name: "", text: ItemWords(item).text, parts: [])
        if let event {
            part.held = holds(item, event)
            // Not whether the negation held, but which values were there.
            var positive = item
            positive.modifiers.removeAll { $0 == "neq" }
            for value in shown {
                var alone = positive
                alone.values = [value]
                if holds(alone, event) { explained.matched.append(value.text) }
            }
            let found = item.field.isEmpty ? nil : event.values(of: item.field)
            explained.found = found.map { values in
                values.prefix(RuleExplanation.foundMax).map { value in
                    value.map { String(decoding: $0.prefix(RuleExplanation.valueBytesMax), as: UTF8.self) } ?? "null"
                }
            }
            part.reason = Self.reason(item, explained, hasNull: found?.contains { $0 == nil } ?? false, event)
        }
        part.item = explained
        return part
    }

    private mutating func holds(_ item: DetectionItem, _ event: ExplainedEvent) -> Bool {
        guard let expression = try? compiler.expression(of: item) else { return false }
        return event.holds(expression, ruleSet)
    }

    private static func reason(
        _ item: DetectionItem, _ explained: RuleExplanation.Item, hasNull: Bool, _ event: ExplainedEvent
    ) -> String {
        let matched = explained.matched.prefix(ItemWords.valuesShownMax).map(ItemWords.quoted).joined(separator: ", ")
        guard !item.field.isEmpty else {
            return matched.isEmpty ? "nowhere in the event" : "the event holds \(matched)"
        }
        guard let found = explained.found else { return "\(item.field) is absent" }
        let values = found.map { hasNull && $0 == "null" ? $0 : ItemWords.quoted($0) }.joined(separator: ", ")
        var reason = "\(item.field) is \(values)"
        if item.modifiers.contains("fieldref") {
            for name in item.values.map(\.text) {
                let other = event.values(of: name)?.compactMap { $0 }.map { String(decoding: $0, as: UTF8.self) }
                reason += ", \(name) is \(other.map { $0.map(ItemWords.quoted).joined(separator: ", ") } ?? "absent")"
            }
        } else if explained.valueCount > 1, !matched.isEmpty {
            reason += ": \(matched)"
        }
        return reason
    }
}

/// An item in words.
struct ItemWords {
    /// Values beyond this many are counted.
    static let valuesShownMax = 5
    /// Characters of one value that are shown.
    static let charactersMax = 160

    let text: String

    init(_ item: DetectionItem) {
        let modifiers = Set(item.modifiers)
        let subject = item.field.isEmpty ? "the event" : item.field
        let isNegated = modifiers.contains("neq")
        if modifiers.contains("exists") {
            let isThere = item.values.first?.text.lowercased() == "true"
            text = "\(subject) is \(isThere ? "there" : "not there")"
            return
        }
        if item.values.first?.kind == .null {
            text = "\(subject) is \(isNegated ? "there and not null" : "absent or null")"
            return
        }
        var verb = "is"
        for (name, words) in Self.verbs where modifiers.contains(name) { verb = words }
        if item.field.isEmpty, verb == "is" { verb = "holds" }
        if modifiers.contains("fieldref") { verb += " the value of" }
        var notes: [String] = []
        if modifiers.contains("cased") { notes.append("with case") }
        for name in Self.encodings where modifiers.contains(name) { notes.append("as \(name)") }
        if !modifiers.isDisjoint(with: ["i", "ignorecase"]) { notes.append("without case") }
        var values = item.values.prefix(Self.valuesShownMax).map { value in
            value.kind == .string && !modifiers.contains("fieldref") ? Self.quoted(value.text) : value.text
        }
        let more = item.values.count - values.count
        if more > 0 { values.append("\(more) more") }
        let link = modifiers.contains("all") ? "and" : "or"
        let list =
            values.count > 1
            ? values.dropLast().joined(separator: ", ") + " \(link) \(values[values.count - 1])" : values.joined()
        text =
            "\(isNegated ? "not: " : "")\(subject) \(verb) \(list)"
            + (notes.isEmpty ? "" : " (\(notes.joined(separator: ", ")))")
    }

    private static let verbs: [(String, String)] = [
        ("contains", "contains"), ("startswith", "starts with"), ("endswith", "ends with"),
        ("re", "matches the regular expression"), ("cidr", "is an address in"), ("lt", "is less than"),
        ("lte", "is at most"), ("gt", "is more than"), ("gte", "is at least"),
    ]
    private static let encodings = ["base64", "base64offset", "utf16le", "wide", "utf16be", "utf16", "windash"]

    static func quoted(_ text: String) -> String {
        let cut = text.prefix(charactersMax)
        return "\"\(cut)\(cut.count < text.count ? "…" : "")\""
    }
}
