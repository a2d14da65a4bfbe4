import Foundation
import Sigma
import Testing

/// The index against plain evaluation, on random rules and random events made of the same few words.
@Suite struct IndexSoundness {
    private struct Random: RandomNumberGenerator {
        var state: UInt64

        mutating func next() -> UInt64 {
            state ^= state << 13
            state ^= state >> 7
            state ^= state << 17
            return state
        }
    }

    private static let isDeep = ProcessInfo.processInfo.environment["IRONPOST_DEEP"] != nil

    private static let words = [
        "root", "Failed", "password", "192.0.2.1", "Ünder", "ſtraße", "sh", "x", "", "-e", "curl http://", "a*b",
        "ROOT",
        "../../", "passwd", "é", "\u{212A}elvin", "401", "12", "admin admin", "aaaa", "aaaaa", "\n",
    ]
    private static let fields = ["message", "user", "src", "cmd"]

    private func value(_ random: inout Random) -> String {
        (0..<Int.random(in: 1...4, using: &random)).map { _ in
            Self.words.randomElement(using: &random) ?? ""
        }.joined(separator: Bool.random(using: &random) ? " " : "")
    }

    private func item(_ random: inout Random) -> String {
        let field = Self.fields.randomElement(using: &random) ?? ""
        let modifiers = [
            "", "|contains", "|startswith", "|endswith", "|contains|all", "|cased", "|contains|cased", "|neq", "|re",
            "|re|i", "|exists", "|gt", "|cidr", "|fieldref", "|null", "|wild", "|windash|contains",
            "|base64offset|contains",
        ]
        let modifier = modifiers.randomElement(using: &random) ?? ""
        func quoted() -> String {
            var word = Self.words.randomElement(using: &random) ?? ""
            if modifier.hasPrefix("|re") {
                word = word.replacing("*", with: ".*").replacing("(", with: "")
                if Bool.random(using: &random) { word += "(a|b|[0-9]+)?" }
                if Bool.random(using: &random) { word = "o?" + word }
            } else if modifier == "|wild" {
                word = "*" + word + ["*", "?", "*o?", ""][Int.random(in: 0..<4, using: &random)]
            } else if modifier.contains("base64") {
                word = word.replacing("*", with: "")
            }
            return "\"" + word.replacing("\\", with: "\\\\").replacing("\n", with: "\\n") + "\""
        }
        switch modifier {
        case "|exists": return "\(field)|exists: \(Bool.random(using: &random))"
        case "|gt": return "\(field)|gt: 100"
        case "|cidr": return "\(field)|cidr: 192.0.2.0/24"
        case "|fieldref": return "\(field)|fieldref: \(Self.fields.randomElement(using: &random) ?? "")"
        case "|null": return "\(field): null"
        case "|wild": return "\(field): \(quoted())"
        default:
            let list = (0..<Int.random(in: 1...3, using: &random)).map { _ in quoted() }
            return "\(field)\(modifier): [\(list.joined(separator: ", "))]"
        }
    }

    private func randomRule(_ number: Int, _ random: inout Random) -> String {
        var lines: [String] = []
        for name in ["a", "b", "c"] {
            switch Int.random(in: 0..<5, using: &random) {
            case 0:
                lines.append("\(name):")
                let word = Self.words.filter { !$0.isEmpty }.randomElement(using: &random) ?? "x"
                lines.append("  - \"\(word.replacing("\n", with: "\\n"))\"")
            case 1:
                lines.append("\(name):")
                lines.append("  - \(item(&random))")
                lines.append("  - \(item(&random))")
            default:
                lines.append("\(name):")
                let first = item(&random)
                lines.append("  \(first)")
                let second = item(&random)
                if second.prefix(while: { $0 != ":" }) != first.prefix(while: { $0 != ":" }) {
                    lines.append("  \(second)")
                }
            }
        }
        let conditions = [
            "a", "a and b", "a or b", "a and not b", "not a", "not (a and b) or c", "1 of them", "all of them",
            "a and (b or not c)", "(a or b) and c", "not a and not b", "a and not (b or c)",
        ]
        lines.append("condition: \(conditions.randomElement(using: &random) ?? "a")")
        return rule(lines.joined(separator: "\n"), id: "r\(number)")
    }

    @Test(arguments: isDeep ? [1, 2, 3, 4] : [1, 2] as [UInt64])
    func indexAgreesWithPlainEvaluation(seed: UInt64) {
        var random = Random(state: seed &* 0x9E37_79B9_7F4A_7C15)
        var comparisons = 0
        var found = 0
        for round in 0..<20 {
            let text = (0..<25).map { randomRule($0, &random) }.joined(separator: "\n---\n")
            let ruleSet = compile(text)
            #expect(ruleSet.faults == [])
            var engine = RuleEngine(ruleSet)
            let plain = PlainEvaluator(ruleSet)
            for batch in 0..<10 {
                var table = EventTable()
                for _ in 0..<26 {
                    var fields: TestFields = []
                    for _ in 0..<Int.random(in: 0...5, using: &random) {
                        let name = (Self.fields + ["other"]).randomElement(using: &random) ?? ""
                        fields.append((name, Int.random(in: 0..<12, using: &random) == 0 ? nil : value(&random)))
                    }
                    // Some lines hold nothing of the fields, and some fields lie within the line.
                    table.add(
                        fields, names: ruleSet.fieldNames, line: Bool.random(using: &random) ? value(&random) : nil)
                }
                var matches: [Match] = []
                engine.evaluate(table, into: &matches)
                var position = 0
                for event in 0..<table.count {
                    for number in ruleSet.rules.indices {
                        let expected = plain.matches(rule: number, table, event: event)
                        let isNext =
                            position < matches.count && matches[position].event == event
                            && matches[position].rule == number
                        if isNext { position += 1 }
                        comparisons += 1
                        found += expected ? 1 : 0
                        if isNext != expected {
                            let fields = table.fields(of: event).map {
                                (ruleSet.fieldNames.name(of: $0.id), table.text($0.value))
                            }
                            Issue.record(
                                "round \(round)/\(batch): rule \(number) \(expected), index \(isNext) on \(fields)\n\(text)"
                            )
                            return
                        }
                    }
                }
            }
        }
        // 5,200 events against 25 rules each, for each seed.
        #expect(comparisons == 130_000)
        #expect(found > 10_000)
        #expect(found < 120_000)
    }

    /// Fields that are slices of the line are scanned with it, once.
    @Test func fieldsWithinTheLine() {
        let ruleSet = compile(rule("s:\n  user: root\n  message|contains: 'password for'\ncondition: s"))
        var table = EventTable()
        let line = table.append(bytes: "sshd: Failed PASSWORD for root".utf8.span)
        table.beginEvent(line: line, time: 0, origin: 0, position: 0)
        table.add(FieldID(0), ByteSlice(offset: line.start + 6, length: 24))
        if let user = ruleSet.fieldNames.find("user") { table.add(user, ByteSlice(offset: line.end - 4, length: 4)) }
        table.endEvent(class: EventClassID(0))
        var engine = RuleEngine(ruleSet)
        var matches: [Match] = []
        engine.evaluate(table, into: &matches)
        #expect(matches.count == 1)
        #expect(engine.evaluations == 1)
    }

    /// Only a contradiction excludes: classes and rules that leave something unsaid go with everything.
    @Test func rulesAreOnlyTriedOnClassesThatAdmitThem() {
        let rules = [
            rule("s:\n  f: a\ncondition: s", id: "sshd", logsource: "{product: linux, service: sshd}"),
            rule("s:\n  f: a\ncondition: s", id: "any", logsource: "{product: linux}"),
            rule("s:\n  f: a\ncondition: s", id: "web", logsource: "{category: webserver}"),
            rule("s:\n  f: a\ncondition: s", id: "windows", logsource: "{product: windows}"),
        ].joined(separator: "\n---\n")
        let classes = [
            EventClass(product: "linux", services: ["sshd", "auth"]), EventClass(category: "webserver"),
            EventClass(product: "linux", services: ["cron"]),
        ]
        let ruleSet = RuleSet.compile(
            RuleLoader.load(text: rules, file: "x"), classes: classes, wellKnownFields: ["f"]
        )
        #expect(ruleSet.rules.map { $0.classes.map(\.index) } == [[0, 1], [0, 1, 2], [0, 1, 2], [1]])
        var table = EventTable()
        for number in 0..<4 {
            let value = table.append(bytes: "a".utf8.span)
            table.beginEvent(line: value, time: 0, origin: 0, position: 0)
            table.add(FieldID(0), value)
            table.endEvent(class: EventClassID(UInt16(number)))
        }
        var engine = RuleEngine(ruleSet)
        var matches: [Match] = []
        engine.evaluate(table, into: &matches)
        #expect(
            matches.map { [$0.event, $0.rule] }
                == [[0, 0], [0, 1], [0, 2], [1, 0], [1, 1], [1, 2], [1, 3], [2, 1], [2, 2]]
        )
    }
}
