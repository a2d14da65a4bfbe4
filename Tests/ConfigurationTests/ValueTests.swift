import Testing

@testable import IronpostCore

@Suite("Single values")
struct ValueTests {
    @Test(arguments: [
        ("250ms", 250), ("90s", 90_000), ("10m", 600_000), ("4h", 14_400_000), ("30d", 2_592_000_000), ("0", 0),
        ("7", 7000), ("1h30m", 5_400_000), ("1m1ms", 60_001), ("0s", 0), ("3650d", 315_360_000_000),
    ])
    func duration(text: String, milliseconds: Int64) throws {
        let parsed = try #require(DurationText.parse(text))
        #expect(parsed == .milliseconds(milliseconds))
        #expect(DurationText.parse(DurationText.format(parsed)) == parsed)
    }

    @Test(arguments: [
        "", " ", "s", "1 s", "1x", "-1s", "+1s", "1.5h", "30m1h", "1s1s", "1h30", "3651d", "9223372036854775807",
        "9223372036854775808s", "١s", "1S", "5ms1s", "365000000000d1ms",
    ])
    func noDuration(text: String) {
        #expect(DurationText.parse(text) == nil)
    }

    @Test(arguments: [(0, "0s"), (1, "1ms"), (1000, "1s"), (90_000, "90s"), (60_000, "1m"), (86_400_000, "1d")])
    func durationForm(milliseconds: Int64, text: String) {
        #expect(DurationText.format(.milliseconds(milliseconds)) == text)
    }

    @Test(arguments: [
        ("127.0.0.1:9477", "127.0.0.1", 9477), ("[::1]:0", "::1", 0), ("localhost:65535", "localhost", 65535),
        ("[fe80::1%eth0]:5", "fe80::1%eth0", 5), ("my-host.example:1", "my-host.example", 1),
    ])
    func address(text: String, host: String, port: UInt16) throws {
        let address = try #require(ListenAddress(text))
        #expect(address == ListenAddress(host: host, port: port))
        #expect(address.description == text)
    }

    @Test(arguments: [
        "", ":", "a:", ":1", "a", "a:65536", "a:-1", "a:+1", "a:1a", "::1:80", "[::1]", "[]:1", "[a]:1", "a b:1",
        "a:000001", "http://a:1", "[::1:1",
    ])
    func noAddress(text: String) {
        #expect(ListenAddress(text) == nil)
    }

    @Test(
        arguments: [
            ("log_levl", ["log_format", "log_level"], "log_level"), ("lsiten", ["listen", "token"], "listen"),
            ("xyz", ["log_level"], nil), ("", ["a"], "a"), ("batchsize", ["batch_size"], "batch_size"),
            ("LOG", ["log_level"], nil),
        ] as [(String, [String], String?)])
    func nearest(name: String, candidates: [String], expected: String?) {
        #expect(NearestName.find(name, among: candidates) == expected)
    }

    @Test(arguments: [
        ("", "", 0), ("a", "", 1), ("", "abc", 3), ("kitten", "sitting", 3), ("ab", "ba", 1), ("abc", "acb", 1),
    ])
    func distance(left: String, right: String, expected: Int) {
        #expect(NearestName.distance(left, right) == expected)
        #expect(NearestName.distance(right, left) == expected)
    }

    @Test("TOML keeps values and places")
    func toml() throws {
        let members = try TOMLDocument.parse(Array("a = [1, 'x\u{e9}']\n[b.c]\nd = \"\\u0000é\"".utf8))
        let list = try #require(members.first { $0.name == "a" })
        #expect(list.node.position == TextPosition(line: 1, column: 1))
        #expect(
            list.node.value
                == .array([
                    TOMLNode(value: .integer(1), position: TextPosition(line: 1, column: 6)),
                    TOMLNode(value: .string("xé"), position: TextPosition(line: 1, column: 9)),
                ])
        )
        guard case .table(let outer) = try #require(members.first { $0.name == "b" }).node.value,
            case .table(let inner) = try #require(outer.first).node.value
        else {
            Issue.record("no tables")
            return
        }
        #expect(inner.map(\.name) == ["d"])
        #expect(inner.first?.node == TOMLNode(value: .string("\0é"), position: TextPosition(line: 3, column: 1)))
        #expect(try TOMLDocument.parse([]).isEmpty)
    }

    @Test(
        "A stray letter outside of ASCII is a plain syntax error",
        arguments: ["Ç", "ҙ", "\u{A0}", "\u{3000}", "🂡"])
    func strayLetter(letter: String) {
        for text in [letter, "a \(letter)= 1", "a = \(letter)", "a = 1 \(letter)", "[a]\(letter)"] {
            #expect(throws: TOMLSyntaxError.self, "\(text)") { try TOMLDocument.parse(Array(text.utf8)) }
        }
    }

    @Test("Nesting is bounded")
    func nesting() {
        let deep = "a = " + String(repeating: "[", count: 100_000)
        #expect(throws: TOMLSyntaxError.self) { try TOMLDocument.parse(Array(deep.utf8)) }
    }
}
