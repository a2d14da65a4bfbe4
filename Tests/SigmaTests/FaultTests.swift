import Sigma
import Testing

@Suite struct Faults {
    /// A detection, the line its fault is on (the detection begins in line 5), and a part of the message.
    @Test(arguments: [
        ("s:\n  f|contians: a\ncondition: s", 6, "unknown modifier 'contians'"),
        ("s:\n  f|cidr|contains: a\ncondition: s", 6, "contradicts"),
        ("s:\n  f|re|contains: a\ncondition: s", 6, "contradicts"),
        ("s:\n  f|i: a\ncondition: s", 6, "must follow 're'"),
        ("s:\n  f|re|cased: a\ncondition: s", 6, "'cased'"),
        ("s:\n  f|contains|contains: a\ncondition: s", 6, "twice"),
        ("s:\n  f|cidr: 300.1.1.1/8\ncondition: s", 6, "address range"),
        ("s:\n  f|gt: many\ncondition: s", 6, "not a number"),
        ("s:\n  f|exists: maybe\ncondition: s", 6, "true or false"),
        ("s:\n  f|hour: 3\ncondition: s", 6, "not supported yet"),
        ("s:\n  f|re: '(?=x)'\ncondition: s", 6, "look-ahead"),
        ("s:\n  f|re: '(a)\\1'\ncondition: s", 6, "back references"),
        ("s:\n  f|re: '(a'\ncondition: s", 6, "missing"),
        ("s:\n  f|re: '(((((a{1000}){1000}){1000}){1000}){1000})'\ncondition: s", 6, "states"),
        ("s:\n  f|re: '(((((){1000}){1000}){1000}){1000})'\ncondition: s", 6, "too far"),
        ("s:\n  f|base64: 'a*b'\ncondition: s", 6, "wildcards"),
        ("s:\n  f: []\ncondition: s", 6, "empty list"),
        ("s:\n  f: {a: b}\ncondition: s", 6, "a value must be"),
        ("s: ''\ncondition: s", 5, "empty keyword"),
        ("s:\n  - a\n  - ''\ncondition: s", 7, "empty keyword"),
        ("s:\n  f: [x, null]\ncondition: s", 6, "null cannot stand in a list"),
        ("s:\n  f: a\ncondition: t", 7, "'t', which is not defined"),
        ("s:\n  f: a\ncondition: 1 of t*", 7, "no selection"),
        ("s:\n  f: a\ncondition: s and", 7, "breaks off"),
        ("s:\n  f: a\ncondition: s s", 7, "ends before 's'"),
        ("s:\n  f: a\ncondition: (s", 7, "')' is missing"),
        ("s:\n  f: a\ncondition: 2 of s*", 7, "'2 of'"),
        ("s:\n  f: a\ncondition: s | count() > 5", 7, "obsolete"),
        ("s:\n  f: a", 5, "'condition' is missing"),
        ("s:\n  f: a\n  f: b\ncondition: s", 6, "twice"),
    ])
    func ruleIsRefused(_ detection: String, line: Int, message: String) {
        let bad = rule(detection, id: "bad")
        let good = rule("s:\n  f: a\ncondition: s", id: "good")
        let ruleSet = compile(bad + "\n---\n" + good)
        #expect(ruleSet.faults.count == 1)
        let fault = ruleSet.faults.first
        #expect(fault?.line == line, "\(fault.map(String.init(describing:)) ?? "none")")
        #expect(fault?.message.contains(message) == true, "\(fault.map(String.init(describing:)) ?? "none")")
        #expect(fault?.file == "test.yml")
        // The other document runs.
        #expect(ruleSet.rules.map(\.id) == ["good"])
    }

    @Test func documentsThatAreNotYAMLSpoilNoOther() {
        let good = rule("s:\n  f: a\ncondition: s", id: "good")
        let load = RuleLoader.load(text: "a: [\n---\n\(good)\n---\n\t:\n", file: "x.yml")
        #expect(load.documents.map(\.id) == ["good"])
        #expect(load.faults.count == 2)
    }

    @Test func aliasBombsAreRefused() {
        var text = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n"
        for level in 1..<9 {
            let uses = [String](repeating: "*a\(level - 1)", count: 9).joined(separator: ",")
            text += "a\(level): &a\(level) [\(uses)]\n"
        }
        let load = RuleLoader.load(text: text, file: "bomb.yml")
        #expect(load.faults.first?.message.contains("aliases") == true)
    }

    @Test func deepNestingIsRefused() {
        let deep = String(repeating: "[", count: 500) + String(repeating: "]", count: 500)
        let load = RuleLoader.load(text: "a: \(deep)", file: "deep.yml")
        #expect(load.faults.count == 1)
    }

    @Test func globalDocumentsAreRefused() {
        let load = RuleLoader.load(text: "action: global\nlogsource: {product: x}\n", file: "g.yml")
        #expect(load.faults.first?.message.contains("'action'") == true)
    }

    @Test func anIdIsUsedOnce() {
        let text = rule("s:\n  f: a\ncondition: s", id: "one")
        let ruleSet = compile(text + "\n---\n" + text)
        #expect(ruleSet.rules.count == 1)
        #expect(ruleSet.faults.first?.message.contains("already") == true)
    }
}
