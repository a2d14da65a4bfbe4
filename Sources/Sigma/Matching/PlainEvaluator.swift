/// Evaluates a rule on an event as literally as possible: no index, no shared results, no folding ahead. It is slow,
/// and exists to say what the engine must answer.
public struct PlainEvaluator {
    private let ruleSet: RuleSet

    public init(_ ruleSet: RuleSet) {
        self.ruleSet = ruleSet
    }

    /// Whether a rule on single events matches; always `false` for correlations, and for rules of other logs.
    public func matches(rule: Int, _ table: borrowing EventTable, event: Int) -> Bool {
        guard let expression = ruleSet.expressions[rule] else { return false }
        let classNumber = Int(table.events[event].eventClass.index)
        guard classNumber < ruleSet.classes.count,
            ruleSet.classes[classNumber].admits(ruleSet.rules[rule].document.logSource)
        else { return false }
        var values: [(id: FieldID, value: [UInt8]?)] = []
        for field in table.fields(of: event) {
            let bytes = Array(table.bytes[field.value.start..<field.value.end])
            values.append((field.id, field.kind == .null ? nil : bytes))
        }
        let line = table.events[event].line
        return holds(expression, values, Array(table.bytes[line.start..<line.end]))
    }

    func holds(_ expression: Expression, _ values: [(id: FieldID, value: [UInt8]?)], _ line: [UInt8]) -> Bool {
        switch expression {
        case .constant(let value): value
        case .not(let inner): !holds(inner, values, line)
        case .and(let parts): parts.allSatisfy { holds($0, values, line) }
        case .or(let parts): parts.contains { holds($0, values, line) }
        case .predicate(let number): holds(ruleSet.table.predicates[number], values, line)
        }
    }

    private func holds(
        _ predicate: Predicate, _ values: [(id: FieldID, value: [UInt8]?)], _ line: [UInt8]
    ) -> Bool {
        guard let field = predicate.field else {
            return (values.compactMap(\.value) + [line]).contains { test(predicate.test, $0, values) }
        }
        let own = values.filter { $0.id == field }
        switch predicate.test {
        case .exists: return !own.isEmpty
        case .null: return own.isEmpty || own.contains { $0.value == nil }
        default: return own.compactMap(\.value).contains { test(predicate.test, $0, values) }
        }
    }

    private func test(
        _ test: Predicate.Test, _ value: [UInt8], _ values: [(id: FieldID, value: [UInt8]?)]
    ) -> Bool {
        func prepared(_ cased: Bool) -> [UInt8] { cased ? value : Folding.fold(value) }
        switch test {
        case .exact(let wanted, let cased): return prepared(cased) == wanted
        case .prefix(let wanted, let cased): return prepared(cased).starts(with: wanted)
        case .suffix(let wanted, let cased): return prepared(cased).reversed().starts(with: wanted.reversed())
        case .contains(let wanted, let cased): return Self.contains(prepared(cased), wanted)
        case .glob(let pattern, let cased):
            return Self.glob(pattern.tokens[...], prepared(cased)[...])
        case .regex(let source):
            guard let number = ruleSet.table.programNumbers[source] else { return false }
            var matcher = RegexMatcher(ruleSet.table.programs[number])
            return matcher.matches(value.span, from: 0, to: value.count)
        case .cidr(let range):
            var address = IPAddress()
            return address.parse(value.span, from: 0, to: value.count) && range.contains(address)
        case .compare(let comparison, let wanted):
            guard let number = Number.parse(value.span, from: 0, to: value.count) else { return false }
            return switch comparison {
            case .lt: number < wanted
            case .lte: number <= wanted
            case .gt: number > wanted
            case .gte: number >= wanted
            }
        case .reference(let other, let position, let cased):
            let own = prepared(cased)
            return values.filter { $0.id == other }.compactMap(\.value).contains { bytes in
                let wanted = cased ? bytes : Folding.fold(bytes)
                return switch position {
                case .whole: own == wanted
                case .start: own.starts(with: wanted)
                case .end: own.reversed().starts(with: wanted.reversed())
                case .anywhere: Self.contains(own, wanted)
                }
            }
        case .null, .exists: return false
        }
    }

    private static func contains(_ value: [UInt8], _ wanted: [UInt8]) -> Bool {
        guard !wanted.isEmpty else { return true }
        guard value.count >= wanted.count else { return false }
        return (0...value.count - wanted.count).contains { value[$0...].starts(with: wanted) }
    }

    private static func glob(_ tokens: ArraySlice<Pattern.Token>, _ value: ArraySlice<UInt8>) -> Bool {
        guard let token = tokens.first else { return value.isEmpty }
        let rest = tokens.dropFirst()
        switch token {
        case .star:
            return glob(rest, value) || (!value.isEmpty && glob(tokens, value.dropFirst(character(value))))
        case .any: return !value.isEmpty && glob(rest, value.dropFirst(character(value)))
        case .byte(let byte): return value.first == byte && glob(rest, value.dropFirst())
        case .dash:
            let dashes: [[UInt8]] = [[0x2D], [0x2F], [0xE2, 0x80, 0x93], [0xE2, 0x80, 0x94], [0xE2, 0x80, 0x95]]
            return dashes.contains { value.starts(with: $0) && glob(rest, value.dropFirst($0.count)) }
        }
    }

    private static func character(_ value: ArraySlice<UInt8>) -> Int {
        let bytes = Array(value.prefix(4))
        return max(1, Folding.decode(bytes.span, at: 0, end: bytes.count).length)
    }
}
