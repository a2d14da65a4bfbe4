import Sigma
import Testing

/// Fields of one test event, in order; `nil` is null.
typealias TestFields = [(name: String, value: String?)]

/// One class that admits everything, so that tests say nothing of log sources unless they are about them.
let anyClass = [EventClass()]

/// Wraps selections and a condition into a rule.
func rule(_ detection: String, id: String = "r", logsource: String = "{product: test}") -> String {
    let lines = detection.split(separator: "\n", omittingEmptySubsequences: false).map { "  " + $0 }
    return """
        title: \(id)
        id: \(id)
        logsource: \(logsource)
        detection:
        \(lines.joined(separator: "\n"))
        """
}

func compile(_ text: String, placeholders: [String: [String]] = [:]) -> RuleSet {
    RuleSet.compile(
        RuleLoader.load(text: text, file: "test.yml"), classes: anyClass, wellKnownFields: ["message"],
        placeholders: placeholders
    )
}

extension EventTable {
    /// Adds an event whose line is all its values joined, unless one is given. Values lie apart from the line.
    mutating func add(
        _ fields: TestFields, names: FieldNames, line: String? = nil, time: Int64 = 0, position: UInt64 = 0,
        latest: Int64 = .max, weight: Int = 1
    ) {
        let joined = line ?? fields.compactMap(\.value).joined(separator: " ")
        let lineSlice = append(bytes: joined.utf8.span)
        beginEvent(line: lineSlice, time: time, origin: 7, position: position, latest: latest)
        setWeight(weight)
        for field in fields {
            let value = append(bytes: (field.value ?? "").utf8.span)
            let kind: FieldKind = field.value == nil ? .null : .string
            if let id = names.find(field.name) {
                add(id, value, kind: kind)
            } else {
                add(.unnamed, value, kind: kind, name: append(bytes: field.name.utf8.span))
            }
        }
        endEvent(class: EventClassID(0))
    }
}

/// Whether the rules match one event: by the engine, having checked that the plain evaluator agrees.
func matchedRules(_ ruleSet: RuleSet, _ fields: TestFields, line: String? = nil) -> [Int] {
    var table = EventTable()
    table.add(fields, names: ruleSet.fieldNames, line: line)
    var engine = RuleEngine(ruleSet)
    var matches: [Match] = []
    engine.evaluate(table, into: &matches)
    let plain = PlainEvaluator(ruleSet)
    let expected = ruleSet.rules.indices.filter { plain.matches(rule: $0, table, event: 0) }
    #expect(matches.map(\.rule) == expected, "index and plain evaluation differ on \(fields)")
    return matches.map(\.rule)
}

func matches(_ detection: String, _ fields: TestFields, line: String? = nil) -> Bool {
    let ruleSet = compile(rule(detection))
    #expect(ruleSet.faults == [], "\(detection)")
    return !matchedRules(ruleSet, fields, line: line).isEmpty
}
