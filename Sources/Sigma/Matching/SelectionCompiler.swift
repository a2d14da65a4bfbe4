/// Turns detections as written into expressions over predicates.
struct SelectionCompiler {
    var table: PredicateTable
    var placeholders: [String: [String]]

    mutating func compile(_ detection: DetectionDocument) throws(DocumentFault) -> Expression {
        var selections: [String: Expression?] = [:]
        for selection in detection.selections {
            selections[selection.name] = .some(try compile(selection))
        }
        let names = detection.selections.map(\.name)
        var alternatives: [Expression?] = []
        for text in detection.conditions {
            let condition = try Condition(parsing: text)
            alternatives.append(try compile(condition, selections, names: names, line: text.line))
        }
        guard let result = Self.joined(alternatives, all: false) else {
            throw DocumentFault(
                detection.conditions.first?.line ?? 0, "nothing is left of the rule: a pipeline dropped all its items")
        }
        return result
    }

    /// - Returns: `nil` when nothing is left of what the condition names: pipelines can drop items.
    private func compile(
        _ condition: Condition, _ selections: [String: Expression?], names: [String], line: Int
    ) throws(DocumentFault) -> Expression? {
        switch condition {
        case .selection(let name):
            guard let selection = selections[name] else {
                throw DocumentFault(line, "the condition names '\(name)', which is not defined")
            }
            return selection
        case .quantified(let all, let pattern):
            let wanted = Condition.names(matching: pattern, in: names)
            guard !wanted.isEmpty else {
                throw DocumentFault(line, "no selection is named like '\(pattern)'")
            }
            return Self.joined(wanted.map { selections[$0] ?? nil }, all: all)
        case .and(let parts):
            var result: [Expression?] = []
            for part in parts { result.append(try compile(part, selections, names: names, line: line)) }
            return Self.joined(result, all: true)
        case .or(let parts):
            var result: [Expression?] = []
            for part in parts { result.append(try compile(part, selections, names: names, line: line)) }
            return Self.joined(result, all: false)
        case .not(let inner):
            return try compile(inner, selections, names: names, line: line).map { .not($0) }
        }
    }

    /// What is not there takes no part.
    private static func joined(_ parts: [Expression?], all: Bool) -> Expression? {
        let present = parts.compactMap { $0 }
        if present.isEmpty { return nil }
        return all ? .allOf(present) : .anyOf(present)
    }

    private mutating func compile(_ selection: SelectionDocument) throws(DocumentFault) -> Expression? {
        var alternatives: [Expression?] = []
        for items in selection.alternatives {
            var parts: [Expression?] = []
            for item in items { parts.append(try compile(item)) }
            alternatives.append(Self.joined(parts, all: true))
        }
        return Self.joined(alternatives, all: false)
    }

    private mutating func compile(_ item: DetectionItem) throws(DocumentFault) -> Expression {
        let first = try expression(of: item)
        guard !item.others.isEmpty else { return first }
        var parts = [first]
        for other in item.others { parts.append(try expression(of: other)) }
        // That a field is not something, or not there, is only true of it when it is of all that it became.
        return item.isAboutAbsence ? .allOf(parts) : .anyOf(parts)
    }

    /// Of one item, those that may hold in its place aside.
    mutating func expression(of item: DetectionItem) throws(DocumentFault) -> Expression {
        let modifiers = try ItemModifiers(item)
        let field = item.field.isEmpty ? nil : try table.intern(field: item.field, line: item.line)
        var parts: [Expression] = []
        for value in try expand(item, modifiers) {
            parts.append(try compile(value, of: field, modifiers))
        }
        let joined: Expression = modifiers.all ? .allOf(parts) : .anyOf(parts)
        return modifiers.isNegated ? .not(joined) : joined
    }

    private mutating func compile(
        _ value: DetectionValue, of field: FieldID?, _ modifiers: ItemModifiers
    ) throws(DocumentFault) -> Expression {
        let operation = modifiers.operation ?? (field == nil ? .contains : .equals)
        if modifiers.isReference, let field {
            let other = try table.intern(field: value.text, line: value.line)
            let position: Predicate.Position =
                switch operation {
                case .startsWith: .start
                case .endsWith: .end
                case .contains: .anywhere
                default: .whole
                }
            return intern(field, .reference(other, position, cased: modifiers.isCased))
        }
        if value.kind == .null {
            guard operation == .equals, modifiers.encodings.isEmpty, let field else {
                throw DocumentFault(value.line, "null goes with a field and no modifier but 'neq'")
            }
            return intern(field, .null)
        }
        switch operation {
        case .exists:
            guard let field, value.kind == .boolean else {
                throw DocumentFault(value.line, "'exists' is true or false")
            }
            let exists = intern(field, .exists)
            return value.text.lowercased() == "true" ? exists : .not(exists)
        case .cidr:
            guard let range = CIDR(value.text) else {
                throw DocumentFault(value.line, "'\(value.text)' is not an address range")
            }
            return intern(field, .cidr(range))
        case .compare(let comparison):
            guard let number = Double(value.text), number.isFinite else {
                throw DocumentFault(value.line, "'\(value.text)' is not a number")
            }
            return intern(field, .compare(comparison, number))
        case .regex:
            var source = modifiers.regex
            source.text = value.text
            try table.intern(source, line: value.line)
            return intern(field, .regex(source))
        case .equals, .contains, .startsWith, .endsWith:
            if field == nil, value.text.isEmpty {
                throw DocumentFault(value.line, "an empty keyword would match every event")
            }
            return .anyOf(
                try patterns(value, modifiers).map { pattern in
                    intern(field, Self.test(pattern, operation, cased: modifiers.isCased))
                }
            )
        }
    }

    private mutating func intern(_ field: FieldID?, _ test: Predicate.Test) -> Expression {
        table.intern(Predicate(field: field, test: test))
    }

    /// The cheapest test that means the same as the pattern.
    private static func test(
        _ pattern: Pattern, _ operation: ItemModifiers.Operation, cased: Bool
    ) -> Predicate.Test {
        let whole = pattern.wrapped(
            leading: operation == .contains || operation == .endsWith,
            trailing: operation == .contains || operation == .startsWith
        )
        let prepared = cased ? whole : whole.folded()
        var core = prepared.tokens
        let leads = core.first == .star
        if leads { core.removeFirst() }
        let trails = core.last == .star || (leads && core.isEmpty)
        if core.last == .star { core.removeLast() }
        guard let literal = Pattern(tokens: core).literal else { return .glob(prepared, cased: cased) }
        return switch (leads, trails) {
        case (false, false): .exact(literal, cased: cased)
        case (false, true): .prefix(literal, cased: cased)
        case (true, false): .suffix(literal, cased: cased)
        case (true, true): .contains(literal, cased: cased)
        }
    }

    /// The patterns that a value stands for: one, or three for `base64offset`.
    private func patterns(_ value: DetectionValue, _ modifiers: ItemModifiers) throws(DocumentFault) -> [Pattern] {
        var patterns = [
            value.kind == .string
                ? Pattern(parsing: value.text) : Pattern(tokens: value.text.utf8.map(Pattern.Token.byte))
        ]
        for encoding in modifiers.encodings {
            if encoding == .dashes {
                patterns = patterns.map { $0.withDashes() }
                continue
            }
            var encoded: [Pattern] = []
            for pattern in patterns {
                guard let bytes = pattern.literal else {
                    throw DocumentFault(value.line, "wildcards cannot be encoded")
                }
                encoded += Encodings.encode(bytes, encoding).map { Pattern(tokens: $0.map(Pattern.Token.byte)) }
            }
            patterns = encoded
        }
        return patterns
    }

    /// Replaces `%name%` by the values given for it, for items with `expand`.
    private func expand(_ item: DetectionItem, _ modifiers: ItemModifiers) throws(DocumentFault) -> [DetectionValue] {
        guard modifiers.expands else { return item.values }
        var result: [DetectionValue] = []
        for value in item.values {
            guard !value.isFilled else {
                result.append(value)
                continue
            }
            let texts = try Placeholder.fill(value.text) { (name) throws(DocumentFault) in
                guard let values = placeholders[name], !values.isEmpty else {
                    throw DocumentFault(value.line, "no values are given for the placeholder '%\(name)%'")
                }
                return values
            }
            result += texts.map { DetectionValue(kind: .string, text: $0, line: value.line) }
        }
        return result
    }
}

extension DetectionItem {
    /// Whether it holds of an event that lacks the field.
    var isAboutAbsence: Bool {
        let isNegated = modifiers.contains("neq")
        if modifiers.contains("exists") { return values.first?.text.lowercased() == "false" }
        return (values.first?.kind == .null) != isNegated
    }
}

extension Expression {
    /// Nested conjunctions become one, constants are folded.
    static func allOf(_ parts: [Expression]) -> Expression {
        var result: [Expression] = []
        for part in parts {
            switch part {
            case .and(let inner): result += inner
            case .constant(true): break
            case .constant(false): return .constant(false)
            default: result.append(part)
            }
        }
        return result.isEmpty ? .constant(true) : result.count == 1 ? result[0] : .and(result)
    }

    static func anyOf(_ parts: [Expression]) -> Expression {
        var result: [Expression] = []
        for part in parts {
            switch part {
            case .or(let inner): result += inner
            case .constant(false): break
            case .constant(true): return .constant(true)
            default: result.append(part)
            }
        }
        return result.isEmpty ? .constant(false) : result.count == 1 ? result[0] : .or(result)
    }
}
