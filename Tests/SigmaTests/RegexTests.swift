import Sigma
import Testing

@Suite struct Regex {
    @Test(arguments: [
        ItemCase("f|re: 'fo+bar'", "xxfooobar", true),
        ItemCase("f|re: 'fo+bar'", "xxfbar", false),
        ItemCase("f|re: 'Fo+bar'", "foobar", false),
        ItemCase("f|re|i: 'Fo+bar'", "fOObar", true),
        ItemCase("f|re: '(?i)Fo+bar'", "fOObar", true),
        ItemCase("f|re: '(?i:F)oobar'", "foobar", true),
        ItemCase("f|re: '(?i:F)oobar'", "fOobar", false),
        ItemCase("f|re: '^foo$'", "foo", true),
        ItemCase("f|re: '^foo$'", "xfoo", false),
        ItemCase("f|re: '^foo$'", "foox", false),
        ItemCase("f|re: '^foo$'", "a\nfoo\nb", false),
        ItemCase("f|re|m: '^foo$'", "a\nfoo\nb", true),
        ItemCase("f|re: 'a.b'", "a\nb", false),
        ItemCase("f|re|s: 'a.b'", "a\nb", true),
        ItemCase("f|re: 'a.b'", "aéb", true),
        ItemCase("f|re: '^a..b$'", "aéb", false),
        ItemCase("f|re: '^[^x]{3}$'", "aéb", true),
        ItemCase("f|re: '^[^é]$'", "é", false),
        ItemCase("f|re: '[à-ü]'", "é", true),
        ItemCase("f|re: '\\d{3,4}-\\w+'", "x1234-abc", true),
        ItemCase("f|re: '\\d{3,4}-\\w+'", "x12-abc", false),
        ItemCase("f|re: '^\\d{3,4}-'", "12345-", false),
        ItemCase("f|re: '\\bnc\\b'", "run nc -e", true),
        ItemCase("f|re: '\\bnc\\b'", "sync -e", false),
        ItemCase("f|re: '\\Bnc'", "sync", true),
        ItemCase("f|re: 'a|b|cd'", "xcd", true),
        ItemCase("f|re: '(ab|cd)+ef'", "ababcdef", true),
        ItemCase("f|re: '(ab|cd)+ef'", "abaef", false),
        ItemCase("f|re: 'a{2}'", "xaax", true),
        ItemCase("f|re: 'a{,2}b'", "b", true),
        ItemCase("f|re: 'a{x}'", "a{x}", true),
        ItemCase("f|re: '[a-c\\d]+\\.'", "ab1.", true),
        ItemCase("f|re: '[]a]'", "]", true),
        ItemCase("f|re: '[[:digit:]]x'", "5x", true),
        ItemCase("f|re: 'a*?b'", "aab", true),
        ItemCase("f|re: '(?:a*)*b'", "aaaa", false),
        ItemCase("f|re: '(?P<n>a)b'", "ab", true),
        ItemCase("f|re: '\\x41\\u0042'", "AB", true),
        ItemCase("f|re: ':[^ \\\\]'", #"a:b"#, true),
        ItemCase("f|re: ''", "", true),
        ItemCase("f|re: '$'", "abc", true),
        ItemCase("f|re|i: 'σ'", "ς", true),
        ItemCase("f|re: 'login.*shell'", "login \u{0} shell", true),
    ])
    func matching(_ test: ItemCase) {
        #expect(matches("s:\n  \(test.item)\ncondition: s", [("f", test.value)]) == test.isMatch)
    }

    /// An attacker's stray byte between two parts must not hide them.
    @Test func invalidUTF8IsRunOver() {
        let ruleSet = compile(rule("s:\n  f|re: 'login.*shell'\ncondition: s"))
        var table = EventTable()
        let value = table.append(bytes: (Array("login ".utf8) + [0x80, 0xFF] + Array(" shell".utf8)).span)
        table.beginEvent(line: value, time: 0, origin: 0, position: 0)
        if let id = ruleSet.fieldNames.find("f") { table.add(id, value) }
        table.endEvent(class: EventClassID(0))
        var engine = RuleEngine(ruleSet)
        var found: [Match] = []
        engine.evaluate(table, into: &found)
        #expect(found.count == 1)
    }

    /// Exponential for engines that backtrack.
    @Test func timeIsLinear() {
        let value = String(repeating: "a", count: 50_000)
        let clock = ContinuousClock()
        let time = clock.measure {
            #expect(!matches("s:\n  f|re: '^(a|a|aa)*(a*)*$b'\ncondition: s", [("f", value)]))
        }
        #expect(time < .seconds(5))
    }

    /// More states than are kept: they are forgotten, and the answer stays right.
    @Test func statesAreBounded() {
        var text = ""
        var random = SystemRandomNumberGenerator()
        for _ in 0..<20_000 { text += Bool.random(using: &random) ? "a" : "b" }
        #expect(
            matches(
                "s:\n  f|re: 'a[ab]{14}c'\ncondition: s", [("f", text + "a" + String(repeating: "b", count: 14) + "c")])
        )
        #expect(!matches("s:\n  f|re: 'a[ab]{14}d'\ncondition: s", [("f", text)]))
    }
}
