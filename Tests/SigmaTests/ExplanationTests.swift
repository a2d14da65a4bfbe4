import Sigma
import Testing

/// What is said of a rule and an event.
struct ExplanationTests {
    typealias Part = RuleExplanation.Part

    private static func explain(
        _ ruleSet: RuleSet, _ fields: TestFields, rule: Int = 0
    ) -> RuleExplanation {
        var table = EventTable()
        table.add(fields, names: ruleSet.fieldNames)
        let explanation = RuleExplanation(rule, of: ruleSet, table, event: 0)
        // The engine and the explanation never differ.
        if ruleSet.rules[rule].document.correlation == nil {
            #expect((explanation.matches == true) == matchedRules(ruleSet, fields).contains(rule), "\(fields)")
        }
        return explanation
    }

    private static func items(_ part: Part?) -> [Part] {
        guard let part else { return [] }
        return part.kind == .item ? [part] : part.parts.flatMap { items($0) }
    }

    static let detection = """
        sel:
          cmd|contains|all: [one, two]
          user: [root, 'adm*']
        alt:
          - code: 4
          - code|gt: 9
            kind|exists: true
        filter_a: {lab|neq: yes}
        filter_b: {note: null}
        condition: sel and 1 of alt and not all of filter_*
        """

    @Test func inWords() throws {
        let explanation = RuleExplanation(0, of: compile(rule(Self.detection)))
        #expect(explanation.fields == ["cmd", "user", "code", "kind", "lab", "note"])
        // Only that a field is there can be looked for: its texts are too short.
        #expect(explanation.texts == [])
        #expect(RuleExplanation(0, of: compile(rule("s: {a|contains: EVIL}\ncondition: s"))).texts == ["evil"])
        #expect(RuleExplanation(0, of: compile(rule("s: {a: x}\ncondition: not s"))).texts == nil)
        let condition = try #require(explanation.condition)
        #expect(condition.kind == .and && condition.parts.map(\.kind) == [.selection, .selection, .not])
        #expect(condition.parts.map(\.name) == ["sel", "alt", ""])
        #expect(condition.parts[2].parts.first?.text == "all of filter_*")
        #expect(
            Self.items(condition).map(\.text) == [
                "cmd contains \"one\" and \"two\"", "user is \"root\" or \"adm*\"", "code is 4", "code is more than 9",
                "kind is there", "not: lab is \"yes\"", "note is absent or null",
            ])
        #expect(Self.items(condition).allSatisfy { $0.held == nil && $0.reason == nil && $0.item?.found == nil })
        #expect(explanation.matches == nil && explanation.isTried == nil)
    }

    @Test func ofAnEvent() throws {
        let ruleSet = compile(rule(Self.detection))
        let event: TestFields = [
            ("cmd", "two then ONE"), ("user", "bob"), ("user", "Admin"), ("code", "12"), ("kind", nil), ("lab", "yes"),
        ]
        let explanation = Self.explain(ruleSet, event)
        #expect(explanation.matches == true && explanation.isTried == true)
        let items = Self.items(explanation.condition)
        #expect(items.map(\.held) == [true, true, false, true, true, false, true])
        #expect(
            items.map(\.reason) == [
                "cmd is \"two then ONE\": \"one\", \"two\"", "user is \"bob\", \"Admin\": \"adm*\"", "code is \"12\"",
                "code is \"12\"", "kind is null", "lab is \"yes\"", "note is absent",
            ])
        #expect(items[1].item?.found == ["bob", "Admin"] && items[1].item?.matched == ["adm*"])
        #expect(explanation.condition?.parts.map(\.held) == [true, true, true])
        // Every part is asked, also when the outcome is known.
        let other = Self.explain(ruleSet, [("cmd", "two"), ("code", "4"), ("note", "x"), ("lab", "no")])
        #expect(other.matches == false)
        #expect(Self.items(other.condition).map(\.held) == [false, false, true, false, false, true, false])
        #expect(Self.items(other.condition)[0].reason == "cmd is \"two\": \"two\"")
        #expect(Self.items(other.condition)[1].reason == "user is absent")
        #expect(other.condition?.parts.map(\.held) == [false, true, true])
    }

    /// What a pipeline made of a rule is what is explained, each way that it may hold.
    @Test func afterPipelines() throws {
        let ruleSet = try PipelineTests.adapt(
            rule("s: {a|neq: x, b|expand: '%v%'}\ncondition: s"),
            [PipelineTests.step("type: field_name_mapping\nmapping: {a: [a1, a2]}")], placeholders: ["v": ["1", "2"]])
        let explanation = Self.explain(ruleSet, [("a1", "y"), ("a2", "x"), ("b", "2")])
        #expect(explanation.fields == ["a1", "a2", "b"])
        #expect(explanation.matches == false)
        let parts = try #require(explanation.condition?.parts)
        #expect(parts.map(\.kind) == [.and, .item] && parts.map(\.held) == [false, true])
        #expect(parts[0].parts.map(\.held) == [true, false])
        #expect(parts[1].reason == "b is \"2\"")
    }

    @Test(
        arguments: [
            ("s: [evil, worse]\ncondition: s", [("a", "an EVIL one")], true, "the event holds \"evil\""),
            ("s: [evil, worse]\ncondition: s", [("a", "a good one")], false, "nowhere in the event"),
            ("s: {a|fieldref: b}\ncondition: s", [("a", "1"), ("b", "2")], false, "a is \"1\", b is \"2\""),
            ("s: {a|fieldref: b}\ncondition: s", [("a", "1")], false, "a is \"1\", b is absent"),
            ("s: {a: null}\ncondition: s", [("a", "null")], false, "a is \"null\""),
            ("s: {a|re: '^x.z$'}\ncondition: s", [("a", "xyz")], true, "a is \"xyz\""),
            ("s: {a|cidr: 10.0.0.0/8}\ncondition: s", [("a", "11.0.0.1")], false, "a is \"11.0.0.1\""),
        ] as [(String, [(String, String)], Bool, String)])
    func reasons(detection: String, event: [(String, String)], held: Bool, reason: String) {
        let explanation = Self.explain(compile(rule(detection)), event.map { ($0.0, $0.1) })
        #expect(explanation.matches == held)
        #expect(Self.items(explanation.condition).first?.reason == reason)
    }

    @Test func otherLogs() {
        let classes = [EventClass(product: "linux", services: ["sshd"]), EventClass(product: "windows")]
        let text = rule("s: {a: x}\ncondition: s", logsource: "{product: windows}")
        let ruleSet = RuleSet.compile(
            RuleLoader.load(text: text, file: "t.yml"), classes: classes, wellKnownFields: [])
        var table = EventTable()
        table.add([("a", "x")], names: ruleSet.fieldNames)
        let explanation = RuleExplanation(0, of: ruleSet, table, event: 0)
        #expect(explanation.isTried == false && explanation.matches == false && explanation.condition?.held == true)
    }

    @Test func correlations() throws {
        let text =
            rule("s: {a: x}\ncondition: s", id: "one") + "\n---\n"
            + "title: many\nid: many\ncorrelation:\n  type: event_count\n  rules: [one]\n  group-by: [ip]\n"
            + "  timespan: 1m\n  condition: {gte: 2}\n"
        let ruleSet = compile(text)
        let plain = RuleExplanation(1, of: ruleSet)
        #expect(plain.counted.map(\.rule) == [0] && plain.fields == ["ip"] && plain.condition == nil)
        #expect(Self.explain(ruleSet, [("a", "x"), ("ip", "1")], rule: 1).matches == true)
        let lacking = Self.explain(ruleSet, [("a", "x")], rule: 1)
        #expect(lacking.matches == false && lacking.lacking == ["ip"])
        #expect(lacking.counted.first?.explanation.matches == true)
        let other = Self.explain(ruleSet, [("a", "y"), ("ip", "1")], rule: 1)
        #expect(other.matches == false && other.lacking.isEmpty)
    }

    @Test func whatIsLargeIsCut() throws {
        let values = (0..<5_000).map { "v\($0)" }.joined(separator: ", ")
        let ruleSet = compile(rule("s: {a: [\(values)]}\ncondition: s"))
        let event: TestFields = (0..<50).map { ("a", $0 == 0 ? "v4" : String(repeating: "z", count: 5_000)) }
        let item = try #require(Self.items(Self.explain(ruleSet, event).condition).first)
        #expect(item.item?.values.count == RuleExplanation.valuesMax && item.item?.valueCount == 5_000)
        #expect(item.item?.found?.count == RuleExplanation.foundMax)
        #expect(item.item?.found?.last?.utf8.count == RuleExplanation.valueBytesMax)
        #expect(item.text == "a is \"v0\", \"v1\", \"v2\", \"v3\", \"v4\" or 4995 more")
        #expect((item.reason?.count ?? .max) < 3_000)
    }
}
