import Foundation
import Sigma
import Testing

/// What pipelines do to rules, and what they are refused for.
struct PipelineTests {
    /// Files of one test.
    final class Folder {
        let path: String

        init() throws {
            path = NSTemporaryDirectory() + "pipelines-\(UUID().uuidString)"
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        }

        deinit { try? FileManager.default.removeItem(atPath: path) }

        func write(_ text: String, _ name: String) throws -> String {
            try text.write(toFile: path + "/" + name, atomically: true, encoding: .utf8)
            return path + "/" + name
        }
    }

    static func adapt(
        _ rules: String, _ pipelines: [String], placeholders: [String: [String]] = [:]
    ) throws -> RuleSet {
        let folder = try Folder()
        let paths = try pipelines.enumerated().map { try folder.write($0.element, "p\($0.offset).yml") }
        let load = PipelineSet.load(paths: paths)
            .apply(to: RuleLoader.load(text: rules, file: "test.yml"), placeholders: placeholders)
        return RuleSet.compile(
            load, classes: anyClass, wellKnownFields: ["message"], placeholders: placeholders)
    }

    static func step(_ text: String) -> String {
        "name: p\ntransformations:\n  - id: x\n"
            + text.split(separator: "\n", omittingEmptySubsequences: false).map { "    " + $0 }.joined(separator: "\n")
    }

    struct Case: Sendable, CustomTestStringConvertible {
        var name: String
        var detection: String
        /// One step, without its dash.
        var step: String
        var hits: [TestFields]
        var misses: [TestFields]

        var testDescription: String { name }
    }

    static let cases: [Case] = [
        Case(
            name: "a name for a name", detection: "s: {CommandLine|contains: evil}\ncondition: s",
            step: "type: field_name_mapping\nmapping: {CommandLine: process.command_line}",
            hits: [[("process.command_line", "an evil one")]], misses: [[("CommandLine", "an evil one")]]
        ),
        Case(
            name: "a name for several", detection: "s: {a: x, b: y}\ncondition: s",
            step: "type: field_name_mapping\nmapping: {a: [a1, a2]}",
            hits: [[("a1", "x"), ("b", "y")], [("a2", "x"), ("b", "y")]],
            misses: [[("a1", "x")], [("a", "x"), ("b", "y")], [("a1", "z"), ("a2", "z"), ("b", "y")]]
        ),
        Case(
            name: "what must not be is in none of several", detection: "s: {a|neq: x, b: y}\ncondition: s",
            step: "type: field_name_mapping\nmapping: {a: [a1, a2]}",
            hits: [[("a1", "z"), ("b", "y")], [("b", "y")]],
            misses: [[("a1", "x"), ("b", "y")], [("a2", "x"), ("b", "y")], [("a1", "z"), ("a2", "x"), ("b", "y")]]
        ),
        Case(
            name: "what must be absent is so in all of several", detection: "s: {a: null, b: y}\ncondition: s",
            step: "type: field_name_mapping\nmapping: {a: [a1, a2]}",
            hits: [[("b", "y")]], misses: [[("a1", "z"), ("b", "y")], [("a2", "z"), ("b", "y")]]
        ),
        Case(
            name: "keywords become a field, and stay within its text", detection: "s: [evil, bad]\ncondition: s",
            step: "type: field_name_mapping\nmapping: {null: text}",
            hits: [[("text", "an evil one")]], misses: [[("other", "an evil one")]]
        ),
        Case(
            name: "fields that are compared with", detection: "s: {a|fieldref: b}\ncondition: s",
            step: "type: field_name_mapping\nmapping: {b: c}",
            hits: [[("a", "1"), ("c", "1")]], misses: [[("a", "1"), ("b", "1")]]
        ),
        Case(
            name: "a prefix for a prefix", detection: "s: {win.a: x, other: y}\ncondition: s",
            step: "type: field_name_prefix_mapping\nmapping: {win.: [w., v.]}",
            hits: [[("w.a", "x"), ("other", "y")], [("v.a", "x"), ("other", "y")]],
            misses: [[("win.a", "x"), ("other", "y")]]
        ),
        Case(
            name: "a prefix, but for some", detection: "s: {a: x, b: y}\ncondition: s",
            step: """
                type: field_name_prefix
                prefix: event.
                field_name_conditions: [{type: exclude_fields, fields: [b]}]
                """,
            hits: [[("event.a", "x"), ("b", "y")]], misses: [[("event.a", "x"), ("event.b", "y")]]
        ),
        Case(
            name: "a suffix, for names of a form", detection: "s: {abc: x, xabc: y}\ncondition: s",
            step: """
                type: field_name_suffix
                suffix: .keyword
                field_name_conditions: [{type: include_fields, fields: ['ab.'], mode: re}]
                """,
            hits: [[("abc.keyword", "x"), ("xabc", "y")]], misses: [[("abc.keyword", "x"), ("xabc.keyword", "y")]]
        ),
        Case(
            name: "an item less", detection: "s: {a: x, b: y}\nf: {b: z}\ncondition: s and not f",
            step: """
                type: drop_detection_item
                field_name_conditions: [{type: include_fields, fields: [b]}]
                """,
            hits: [[("a", "x")], [("a", "x"), ("b", "z")]], misses: [[("b", "y")]]
        ),
        Case(
            name: "a condition more, of every condition", detection: "s: {a: x}\nt: {a: y}\ncondition: [s, t]",
            step: "type: add_condition\nconditions: {index|startswith: '$product-'}\ntemplate: true",
            hits: [[("a", "x"), ("index", "test-1")], [("a", "y"), ("index", "test-1")]],
            misses: [[("a", "x")], [("a", "y"), ("index", "tes")]]
        ),
        Case(
            name: "a condition that must not hold", detection: "s: {a: x}\nt: {b: y}\ncondition: s or t",
            step: "type: add_condition\nconditions: {lab: [yes, true]}\nnegated: true",
            hits: [[("a", "x")], [("b", "y"), ("lab", "no")]], misses: [[("b", "y"), ("lab", "yes")]]
        ),
        Case(
            name: "text for text, wildcards included", detection: "s: {p|endswith: '\\bin\\sh'}\ncondition: s",
            step: #"type: replace_string\#nregex: '\\'\#nreplacement: '/'"#,
            hits: [[("p", "/usr/bin/sh")]], misses: [[("p", #"\usr\bin\sh"#)], [("p", "/bin/shell")]]
        ),
        Case(
            name: "text for text, with groups", detection: "s: {p: 'a-*-c'}\ncondition: s",
            step: #"type: replace_string\#nregex: '^(?P<one>\w+)-(.*)$'\#nreplacement: '\2/\g<one>'"#,
            hits: [[("p", "zz-c/a")]], misses: [[("p", "a-zz-c")]]
        ),
        Case(
            name: "text for text, but no wildcards", detection: "s: {p: 'a*b'}\ncondition: s",
            step: #"type: replace_string\#nregex: '\*|a'\#nreplacement: '*'\#nskip_special: true"#,
            hits: [[("p", "*zzb")]], misses: [[("p", "azzb")], [("p", "zzb")]]
        ),
        Case(
            name: "text for text, taking little", detection: "s: {p: 'aXbXc'}\ncondition: s",
            step: #"type: replace_string\#nregex: '^(.*?)X|(?i:C)$'\#nreplacement: '<\1>'"#,
            hits: [[("p", "<a>bX<>")]], misses: [[("p", "aXbXc")], [("p", "<aXb><>")]]
        ),
        Case(
            name: "text for text, the first way that leads anywhere", detection: "s: {p: 'foobar foo é'}\ncondition: s",
            step: #"type: replace_string\#nregex: '(foo|foobar)(bar)?(?= )?\b|(é)'\#nreplacement: '[\1|\2|\3]'"#
                .replacingOccurrences(of: "(?= )?", with: ""),
            hits: [[("p", "[foo|bar|] [foo||] [||é]")]], misses: [[("p", "[foobar||] [foo||] [||é]")]]
        ),
        Case(
            name: "nothing for text, and then what follows it", detection: "s: {p: 'aab'}\ncondition: s",
            step: #"type: replace_string\#nregex: 'a*?'\#nreplacement: '-'"#,
            hits: [[("p", "-----b-")]], misses: [[("p", "aab")]]
        ),
        Case(
            name: "nothing for text, wherever nothing is", detection: "s: {p: 'abc'}\ncondition: s",
            step: #"type: replace_string\#nregex: 'x*'\#nreplacement: '-'"#,
            hits: [[("p", "-a-b-c-")]], misses: [[("p", "abc")]]
        ),
        Case(
            name: "a text for others", detection: "s: {a: [one, two]}\ncondition: s",
            step: "type: map_string\nmapping: {one: [eins, 'un*']}",
            hits: [[("a", "eins")], [("a", "undo")], [("a", "two")]], misses: [[("a", "one")]]
        ),
        Case(
            name: "a value", detection: "s: {a|contains: [one, two], b: y}\ncondition: s",
            step: """
                type: set_value
                value: 5
                field_name_conditions: [{type: include_fields, fields: [a]}]
                """,
            hits: [[("a", "5"), ("b", "y")]], misses: [[("a", "55"), ("b", "y")], [("a", "one"), ("b", "y")]]
        ),
        Case(
            name: "only values of a form", detection: "s: {a: 'C:*', b: 'D:1'}\ncondition: s",
            step: """
                type: field_name_suffix
                suffix: .path
                detection_item_conditions: [{type: match_string, cond: any, pattern: 'C:'}]
                """,
            hits: [[("a.path", "C:x"), ("b", "D:1")]], misses: [[("a", "C:x"), ("b", "D:1")]]
        ),
        Case(
            name: "only values with wildcards, and those of 'contains' are some",
            detection: "s: {a|contains: x, b: y, c: null}\ncondition: s",
            step: """
                type: field_name_suffix
                suffix: .text
                detection_item_cond_op: or
                detection_item_conditions: [{type: contains_wildcard, cond: all}, {type: is_null, cond: any}]
                """,
            hits: [[("a.text", "axa"), ("b", "y"), ("c", "1")]],
            misses: [[("a", "axa"), ("b", "y")], [("a.text", "axa"), ("b", "y"), ("c.text", "1")]]
        ),
        Case(
            name: "hashes of each kind", detection: "s: {Hashes|contains: ['MD5=AA', 'SHA1=BB']}\ncondition: s",
            step: "type: hashes_fields\nvalid_hash_algos: [MD5, SHA1]\nfield_prefix: File",
            hits: [[("FileMD5", "aa")], [("FileSHA1", "bb")]], misses: [[("Hashes", "MD5=AA")], [("FileMD5", "bb")]]
        ),
        Case(
            name: "steps within a step, for rules of a kind", detection: "s: {a: x}\ncondition: s",
            step: """
                type: nest
                rule_conditions: [{type: logsource, product: test}]
                items:
                  - {type: field_name_mapping, mapping: {a: b}}
                  - {type: field_name_prefix, prefix: p.}
                """,
            hits: [[("p.b", "x")]], misses: [[("a", "x")], [("b", "x")]]
        ),
        Case(
            name: "not for rules of another kind", detection: "s: {a: x}\ncondition: s",
            step: """
                type: field_name_mapping
                mapping: {a: b}
                rule_conditions:
                  kind: {type: logsource, product: windows}
                  tagged: {type: tag, tag: attack.t1}
                  high: {type: rule_attribute, attribute: title, value: r, op: ne}
                rule_cond_expr: kind or (tagged and high)
                """,
            hits: [[("a", "x")]], misses: [[("b", "x")]]
        ),
        Case(
            name: "for rules that are not of another kind", detection: "s: {a: x}\ncondition: s",
            step: """
                type: field_name_mapping
                mapping: {a: b}
                rule_cond_not: true
                rule_conditions: [{type: contains_detection_item, field: a, value: y}]
                """,
            hits: [[("b", "x")]], misses: [[("a", "x")]]
        ),
        Case(
            name: "for rules with an item", detection: "s: {a|contains: x}\ncondition: s",
            step: """
                type: field_name_mapping
                mapping: {a: b}
                rule_conditions: [{type: contains_detection_item, field: a, value: '*x*'}, {type: is_sigma_rule}]
                """,
            hits: [[("b", "x")]], misses: [[("a", "x")]]
        ),
    ]

    @Test(arguments: cases)
    func steps(_ example: Case) throws {
        let ruleSet = try Self.adapt(rule(example.detection), [Self.step(example.step)])
        #expect(ruleSet.faults == [])
        for event in example.hits { #expect(matchedRules(ruleSet, event) == [0], "\(event) should match") }
        for event in example.misses { #expect(matchedRules(ruleSet, event) == [], "\(event) should not match") }
        // Without it, the rule means something else: the step does something.
        let plain = compile(rule(example.detection))
        if example.name.hasPrefix("not ") { return }
        #expect(
            !example.hits.allSatisfy { matchedRules(plain, $0) == [0] }
                || !example.misses.allSatisfy { matchedRules(plain, $0) == [] })
    }

    @Test func placeholders() throws {
        let text = rule("s: {u|expand: '%admins%', p|contains|expand: 'C:\\%dirs%x'}\ncondition: s")
        let values = "vars: {admins: [root, 'adm*']}\n" + Self.step("type: value_placeholders\ninclude: [admins]")
        // A backslash before a placeholder is none before a wildcard.
        let wild = Self.step("type: wildcard_placeholders\nexclude: [admins]")
        let ruleSet = try Self.adapt(text, [values, wild])
        #expect(ruleSet.faults == [])
        #expect(matchedRules(ruleSet, [("u", "admin7"), ("p", "-C:\\somex-")]) == [0])
        #expect(matchedRules(ruleSet, [("u", "bob"), ("p", "C:\\somex")]) == [])
        #expect(matchedRules(ruleSet, [("u", "root"), ("p", "C:\\some")]) == [])
        // What no pipeline fills is left to the configuration, which pipelines know of as well.
        let left = try Self.adapt(text, [values], placeholders: ["dirs": ["a", "b"], "admins": ["eve"]])
        #expect(left.faults == [])
        #expect(matchedRules(left, [("u", "root"), ("p", "C:\\bx")]) == [0])
        #expect(matchedRules(left, [("u", "eve"), ("p", "C:\\bx")]) == [])
        let all = try Self.adapt(
            text, [Self.step("type: value_placeholders")], placeholders: ["dirs": ["a"], "admins": ["eve"]])
        #expect(matchedRules(all, [("u", "eve"), ("p", "C:\\ax")]) == [0])
        let missing = try Self.adapt(text, [Self.step("type: value_placeholders")])
        #expect(missing.rules.isEmpty)
        #expect(missing.faults.first?.message.contains("no values are given for the placeholder '%admins%'") == true)
    }

    @Test("what was filled in is text, whatever it looks like")
    func filled() throws {
        let text = rule("s: {a|expand: '%x%'}\ncondition: s")
        let pipeline = "vars: {x: ['50%z%', 'q']}\n" + Self.step("type: value_placeholders")
        for placeholders in [[:], ["z": ["root"]]] {
            let ruleSet = try Self.adapt(
                text, [pipeline, Self.step("type: value_placeholders")], placeholders: placeholders)
            #expect(ruleSet.faults == [])
            #expect(matchedRules(ruleSet, [("a", "50%z%")]) == [0])
            #expect(matchedRules(ruleSet, [("a", "50root")]) == [])
        }
    }

    @Test(
        "steps that multiply end at a bound, and the rule is refused",
        arguments: [
            ("s: {a: b}", "{type: field_name_mapping, mapping: {a: [a,a,a,a,a,a,a,a,a,a]}}", "more than 100000 values"),
            ("s: {a: b}", "{type: map_string, mapping: {b: [b,b,b,b,b,b,b,b,b,b]}}", "more than 100000 values"),
            (
                "s: {a|fieldref: f}", "{type: field_name_mapping, mapping: {f: [f,f,f,f,f,f,f,f,f,f]}}",
                "more than 100000 values"
            ),
            ("s: {c: d}", "{type: field_name_mapping, mapping: {g: [g,g,g,g,g,g,g,g,g,g]}}", "more than 1000 fields"),
        ])
    func bounded(_ selection: String, _ step: String, _ fault: String) throws {
        let text = rule("\(selection)\ncondition: s") + "\nfields: [g]\n"
        let pipeline = "name: p\ntransformations:\n" + String(repeating: "  - \(step)\n", count: 9)
        let ruleSet = try Self.adapt(text, [pipeline])
        #expect(ruleSet.rules.isEmpty)
        #expect(ruleSet.faults.first?.message.contains(fault) == true, "\(ruleSet.faults)")
    }

    /// Lower numbers first, then the order given: one renames what the other made.
    @Test func priority() throws {
        func pipeline(_ priority: Int, _ from: String, _ to: String) -> String {
            "priority: \(priority)\n" + Self.step("type: field_name_mapping\nmapping: {\(from): \(to)}")
        }
        let text = rule("s: {a: x}\ncondition: s")
        func field(_ pipelines: [String]) throws -> [String] {
            let ruleSet = try Self.adapt(text, pipelines)
            return ["a", "b", "c"].filter { matchedRules(ruleSet, [($0, "x")]) == [0] }
        }
        #expect(try field([pipeline(20, "b", "c"), pipeline(10, "a", "b")]) == ["c"])
        #expect(try field([pipeline(10, "b", "c"), pipeline(20, "a", "b")]) == ["b"])
        #expect(try field([pipeline(5, "a", "b"), pipeline(5, "b", "c")]) == ["c"])
        #expect(try field([pipeline(5, "b", "c"), pipeline(5, "a", "b")]) == ["b"])
    }

    @Test func correlationsAreMappedToo() throws {
        let text =
            rule("s: {user: x}\ncondition: s", id: "one") + "\n---\n" + """
                title: many
                id: many
                correlation:
                    type: event_count
                    rules: [one]
                    group-by: [ip]
                    timespan: 1m
                    condition: {gte: 2}
                """
        let mapping = Self.step(
            "type: field_name_mapping\nmapping: {ip: source.ip, user: u}\n"
                + "rule_conditions: [{type: logsource, product: test}]")
        let ruleSet = try Self.adapt(text, [mapping])
        #expect(ruleSet.faults == [])
        var table = EventTable()
        for ip in ["1", "2", "1"] { table.add([("u", "x"), ("source.ip", ip)], names: ruleSet.fieldNames) }
        var engine = RuleEngine(ruleSet)
        var matches: [Match] = []
        engine.evaluate(table, into: &matches)
        #expect(matches.map(\.event) == [2])
        #expect(matches.first?.correlation?.group.map(\.field) == ["source.ip"])
        let rulesOnly = Self.step(
            "type: rule_failure\nmessage: no counting here\nrule_conditions: [{type: is_sigma_correlation_rule}]")
        let refused = try Self.adapt(text, [rulesOnly])
        #expect(refused.rules.map(\.title) == ["one"])
        #expect(refused.faults.count == 1 && refused.faults[0].rule == "many")
    }

    @Test func logSourcesChangeForStepsThatFollow() throws {
        let steps = """
            transformations:
              - {type: change_logsource, product: linux, service: sshd}
              - type: rule_failure
                message: only sshd
                rule_cond_not: true
                rule_conditions: [{type: logsource, service: sshd}]
            """
        let ruleSet = try Self.adapt(rule("s: {a: x}\ncondition: s"), [steps])
        #expect(ruleSet.faults == [])
        #expect(ruleSet.rules.first?.document.logSource == LogSource(product: "linux", service: "sshd"))
    }

    /// The usual end of a pipeline: whatever it has not taken care of, it refuses.
    @Test func whatWasNotMappedIsRefused() throws {
        let steps = """
            name: strict
            transformations:
              - {id: known, type: field_name_mapping, mapping: {a: b}}
              - {id: seen, type: set_state, key: phase, val: 2}
              - type: detection_item_failure
                message: this field is not mapped
                field_name_cond_not: true
                field_name_conditions: [{type: processing_item_applied, processing_item_id: known}]
                rule_conditions:
                  - {type: processing_item_applied, processing_item_id: seen}
                  - {type: processing_state, key: phase, val: 1, op: gt}
            """
        #expect(try Self.adapt(rule("s: {a: x}\ncondition: s"), [steps]).faults == [])
        let faults = try Self.adapt(rule("s: {a: x}\nt: {c: y}\ncondition: s or t"), [steps]).faults
        #expect(faults.count == 1)
        #expect(faults.first?.file == "test.yml" && faults.first?.line == 1)
        #expect(faults.first?.message.hasPrefix("this field is not mapped (by the pipeline strict (") == true)
        #expect(faults.first?.message.hasSuffix("line 5)") == true)
    }

    /// Some expressions try as many ways as there are: it is the rule that is refused, and soon.
    @Test func replacingGivesUp() throws {
        let text = rule("s: {p: '\(String(repeating: "a", count: 60))!'}\ncondition: s")
        let ruleSet = try Self.adapt(text, [Self.step("type: replace_string\nregex: '^(a+)+$'\nreplacement: x")])
        #expect(ruleSet.faults.first?.message.contains("too many steps") == true)
        let long = rule("s: {p: '\(String(repeating: "ab", count: 20_000))'}\ncondition: s")
        let deep = try Self.adapt(long, [Self.step("type: replace_string\nregex: '(ab)*c'\nreplacement: x")])
        #expect(deep.faults.first?.message.contains("too many steps") == true)
    }

    @Test func nothingLeftIsAFault() throws {
        let ruleSet = try Self.adapt(rule("s: {a: x}\ncondition: not s"), [Self.step("type: drop_detection_item")])
        #expect(ruleSet.rules.isEmpty)
        #expect(ruleSet.faults.first?.message.contains("nothing is left of the rule") == true)
    }

    /// What stands wrong in a file, the line, and what is said of it.
    static let faulty: [(text: String, line: Int, says: String)] = [
        ("- a", 1, "a pipeline must be a mapping"), ("name: x\nnonsense: 1", 2, "has no 'nonsense'"),
        ("name: x\npriority: high", 2, "whole number"), ("transformations: {a: b}", 1, "list of transformations"),
        ("transformations:\n- id: x", 2, "lacks its 'type'"),
        ("transformations:\n- type: magic", 2, "unknown transformation 'magic'"),
        ("transformations:\n- type: query_expression_placeholders\n  expression: x", 2, "there is no query"),
        ("transformations:\n- type: command_placeholders", 2, "starts nothing"),
        ("transformations:\n- type: field_name_mapping\n  mapping: {a: b}\n  maping: 1", 4, "has no 'maping'"),
        ("transformations:\n- type: field_name_mapping", 2, "lacks 'mapping'"),
        ("transformations:\n- type: field_name_mapping\n  mapping:\n    a: []", 4, "empty list"),
        ("transformations:\n- type: replace_string\n  regex: '('\n  replacement: x", 2, "cannot be used"),
        ("transformations:\n- type: replace_string\n  regex: 'a'\n  replacement: '\\1'", 4, "the group '1'"),
        (
            "transformations:\n- type: drop_detection_item\n  field_name_conditions:\n  - type: glob", 4,
            "unknown field name"
        ),
        (
            "transformations:\n- type: drop_detection_item\n  detection_item_conditions:\n"
                + "  - {type: match_string, cond: some, pattern: a}", 4, "any or all"
        ),
        (
            "transformations:\n- type: drop_detection_item\n  field_name_conditions:\n  - {type: include_fields}", 4,
            "lacks 'fields'"
        ),
        ("transformations:\n- type: drop_detection_item\n  field_name_cond_not: true", 2, "could be negated"),
        (
            "transformations:\n- type: drop_detection_item\n  rule_cond_op: xor\n"
                + "  rule_conditions: [{type: is_sigma_rule}]", 3, "'and' or 'or'"
        ),
        (
            "transformations:\n- type: rule_failure\n  message: no\n  field_name_conditions:\n"
                + "  - {type: include_fields, fields: [a]}", 2, "about whole rules"
        ),
        (
            "transformations:\n- type: rule_failure\n  message: no\n  rule_conditions: {a: {type: is_sigma_rule}}\n"
                + "  rule_cond_expr: a and b", 5, "names 'b'"
        ),
        (
            "transformations:\n- type: rule_failure\n  message: no\n  rule_conditions:\n"
                + "  - {type: rule_attribute, attribute: colour, value: red}", 5, "is not known"
        ),
        (
            "transformations:\n- type: rule_failure\n  message: no\n  rule_conditions:\n"
                + "  - {type: rule_attribute, attribute: level, value: grave}", 5, "is one of"
        ),
        ("transformations:\n- type: add_condition\n  conditions: {'a|sounds': b}", 3, "unknown modifier"),
        ("transformations:\n- type: change_logsource", 2, "names no product"),
        ("transformations:\n- type: case\n  method: snake_case", 2, "lower or upper"),
        ("postprocessing:\n- type: embed", 2, "no query to change"), ("a: b\n---\nc: d", 2, "second one"),
        ("vars: [1]", 1, "must be a mapping"), ("x: ]", 1, "not YAML"), ("", 0, "nothing in it"),
    ]

    @Test(arguments: faulty.indices)
    func faults(_ number: Int) throws {
        let (text, line, says) = Self.faulty[number]
        let folder = try Folder()
        let path = try folder.write(text, "p.yml")
        let set = PipelineSet.load(paths: [path])
        #expect(set.isEmpty)
        #expect(set.faults.count == 1, "\(text)")
        let fault = try #require(set.faults.first)
        #expect(fault.file == path && fault.line == line && !fault.isWarning, "\(fault)\n\(text)")
        #expect(fault.message.contains(says), "\(fault)")
    }

    @Test func nestingAndNumbersAreBounded() throws {
        var nested = "{type: rule_failure, message: x}"
        for _ in 0..<10 { nested = "{type: nest, items: [\(nested)]}" }
        let folder = try Folder()
        let deep = try folder.write("transformations: [\(nested)]", "deep.yml")
        let many = try folder.write(
            "transformations: [" + String(repeating: "{type: case},", count: 10_001) + "]", "many.yml")
        let faults = PipelineSet.load(paths: [deep, many]).faults.map(\.message)
        #expect(faults.count == 2)
        #expect(faults.first?.contains("nested deeper") == true)
        #expect(faults.last?.contains("more than 10000") == true)
        let product = try Self.adapt(
            rule("s: {a|expand: '%x%%x%%x%'}\ncondition: s"), [], placeholders: ["x": (0..<50).map(String.init)])
        #expect(product.faults.first?.message.contains("too many values") == true)
    }
}
