import IronpostCore
import Testing

@testable import ironpost

struct RenderingTests {
    private static let plain = Terminal(width: 80, hasColor: false)

    @Test(arguments: [
        ("plain", "plain"), ("a\u{1B}[31mred", "a\\e[31mred"), ("a\nb\tc\rd", "a\\nb\\tc\\rd"), ("\u{0}", "\\u{0}"),
        ("\u{9B}31m", "\\u{9b}31m"), ("abc\u{202E}def", "abc\\u{202e}def"),
        ("\u{2066}x\u{2069}", "\\u{2066}x\\u{2069}"),
        ("zero\u{200B}width", "zero\\u{200b}width"), ("\u{2028}", "\\u{2028}"), ("\u{7F}", "\\u{7f}"),
        ("größe 日本", "größe 日本"),
    ])
    func foreignTextIsEscaped(text: String, shown: String) {
        #expect(Escaping.line(text) == shown)
    }

    @Test func tableCellsAreEscaped() {
        var table = Table([.init("A"), .init("B")])
        table.add([.init("x\u{1B}]0;title\u{7}"), .init("two\nlines")])
        #expect(table.lines(Self.plain) == ["A                 B", "x\\e]0;title\\u{7}  two\\nlines"])
    }

    @Test func aTableFitsItsWidth() {
        var table = Table([.init("ID"), .init("TITLE", canShrink: true), .init("N")])
        table.add([.init("0123456789"), .init(String(repeating: "w", count: 300)), .init("12")])
        table.add([.init("1"), .init("日本語日本語日本語日本語日本語日本語日本語日本語日本語日本語"), .init("3")])
        let lines = table.lines(Terminal(width: 50, hasColor: false))
        #expect(lines.allSatisfy { TextWidth.of($0) <= 50 })
        #expect(lines[1].contains("…") && lines[1].hasSuffix("12") && lines[2].hasSuffix("3"))
        #expect(TextWidth.of(lines[1]) == 50)
    }

    @Test func coloursAreOnlyThereWhenAskedFor() {
        #expect(Self.plain.paint("x", .red) == "x")
        #expect(Terminal(width: 80, hasColor: true).paint("x", .red) == "\u{1B}[31mx\u{1B}[0m")
        var table = Table([.init("A"), .init("B")])
        table.add([.init("x", .red), .init("y")])
        let lines = table.lines(Terminal(width: 80, hasColor: true))
        #expect(lines[1] == "\u{1B}[31mx\u{1B}[0m  y")
    }

    @Test func textIsWrapped() {
        #expect(TextWidth.wrap("aa bb cc", to: 5) == ["aa bb", "cc"])
        #expect(TextWidth.wrap("abcdefgh ij", to: 3) == ["abc", "def", "gh", "ij"])
        #expect(TextWidth.wrap("", to: 3) == [""])
        #expect(TextWidth.wrap("日本語", to: 1) == ["日本語"])
    }

    @Test func statusNamesWhatIsWrong() {
        let status = StatusDocument(
            DaemonStatus(
                pid: 7, version: "1", uptime: .seconds(7300), generation: 2, health: .degraded("x"),
                modules: [
                    ModuleStatus(
                        name: "log-pipeline", isEnabled: true, state: .running, health: .degraded("no \u{1B}journal"),
                        details: [Field("watches", "/var/log/auth.log")]
                    ),
                    ModuleStatus(name: "ebpf-engine", isEnabled: false, state: .created, health: .healthy, details: []),
                ],
                ledger: [
                    LedgerEntry(hop: "detect", accepted: 5, stored: 3, dropped: ["full": 1]),
                    LedgerEntry(hop: "source:file", accepted: 5, stored: 5, dropped: [:]),
                ],
                isReady: false
            )
        )
        let lines = StatusRendering.lines(status, isVerbose: true, terminal: Self.plain)
        #expect(lines[0] == "ironpost 1 is degraded, pid 7, up 2 hours, configuration 2")
        #expect(lines.contains("log-pipeline  running  degraded  no \\ejournal"))
        #expect(lines.contains("ebpf-engine   off      -"))
        #expect(lines.contains("  watches  /var/log/auth.log"))
        let hops = lines.filter { $0.hasPrefix("source:file") || $0.hasPrefix("detect") }
        #expect(hops.first?.hasPrefix("source:file") == true)
        #expect(hops.last?.hasSuffix("1 full") == true)
    }
}
