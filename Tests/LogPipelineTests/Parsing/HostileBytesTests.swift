import LogPipeline
import Sigma
import Testing

/// Whatever the bytes, a line becomes one event whose fields lie inside the batch, and nothing traps.
@Suite struct HostileBytesTests {
    static let seeds: [String] =
        SshdTests.shapes.map { "Nov 23 01:22:37 host sshd[42]: " + $0.message }
        + ProgramTests.shapes.map { "<38>Nov  3 01:22:37 host \($0.program)[42]: \($0.message)" }
        + SyslogTests.rfc3164.map(\.line) + FormatTests.json.map(\.line) + FormatTests.access.map(\.line)
        + FormatTests.errors.map(\.line) + AuditTests.records.map(\.line) + ForgeryTests.access.map(\.line)
        + ForgeryTests.errors.map(\.line)
        + [
            #"<13>1 2026-11-23T01:22:37.5Z h app - - [a@1 x="1" y="q\"b\\c\]d\e"][b][c z=""] text"#,
            #"time=2026-11-23T01:22:37Z level=info msg="a \"b\"" n=1 empty= x="y z""#,
        ]

    /// Parses a line in a batch that has only it, and checks the event.
    static func check(
        _ bytes: [UInt8], _ format: LineFormat, _ parser: inout LogParser, _ table: inout EventTable
    ) -> Bool {
        table.removeAll()
        let line = table.append(bytes: bytes.span)
        table.beginEvent(line: line, time: 5, origin: 0, position: 0)
        parser.parse(line: line, format: format, receivedAt: ParsedLine.receivedAt, into: &table)
        guard table.count == 1, Int(table.events[0].eventClass.index) < EventClasses.all.count else { return false }
        return table.fields(of: 0).allSatisfy { field in
            field.value.end <= table.bytes.count && field.name.end <= table.bytes.count
                && (field.id == .unnamed || Int(field.id.index) < Fields.names.count)
        }
    }

    @Test func `50,000 mutated lines`() {
        var random = SplitMix(state: 0x1DEA)
        var parser = LogParser(fieldNames: FieldNames(wellKnown: Fields.names), zone: .offset(seconds: 0))
        var table = EventTable()
        let seeds =
            Self.seeds.map { Array($0.utf8) }
            + [FormatTests.record([("SYSLOG_IDENTIFIER", "sshd"), ("MESSAGE", FormatTests.failed)])]
        let special = Array("\"\\{}[]<>:=; %\u{0}\n\r\t0123456789".utf8) + [0xFF, 0xC0, 0x80, 0xEF]
        var bad = 0
        for _ in 0..<50_000 {
            var bytes = seeds[random.next(below: seeds.count)]
            for _ in 0...random.next(below: 4) {
                let at = random.next(below: bytes.count + 1)
                switch random.next(below: 6) {
                case 0 where at < bytes.count: bytes[at] = UInt8(random.next(below: 256))
                case 1 where at < bytes.count: bytes.remove(at: at)
                case 2: bytes.insert(special[random.next(below: special.count)], at: at)
                case 3: bytes.removeSubrange(at...)
                case 4: bytes.removeSubrange(..<at)
                default:
                    let other = seeds[random.next(below: seeds.count)]
                    bytes.replaceSubrange(at..., with: other[random.next(below: other.count + 1)...])
                }
            }
            let format = LineFormat.allCases[random.next(below: LineFormat.allCases.count)]
            for format in [LineFormat.auto, format] where !Self.check(bytes, format, &parser, &table) { bad += 1 }
        }
        #expect(bad == 0)
    }

    @Test(arguments: LineFormat.allCases)
    func `every prefix of every seed`(format: LineFormat) {
        var parser = LogParser(fieldNames: FieldNames(wellKnown: Fields.names), zone: .offset(seconds: 0))
        var table = EventTable()
        var bad = 0
        for seed in Self.seeds {
            let bytes = Array(seed.utf8)
            for end in 0...bytes.count where !Self.check(Array(bytes[..<end]), format, &parser, &table) { bad += 1 }
        }
        #expect(bad == 0)
    }

    @Test func `a slice outside the batch, and a batch without an event`() {
        var parser = LogParser(fieldNames: FieldNames(wellKnown: Fields.names), zone: .offset(seconds: 0))
        var table = EventTable()
        parser.parse(line: ByteSlice(offset: 0, length: 9), format: .auto, receivedAt: 0, into: &table)
        #expect(table.count == 0)
        _ = table.append(bytes: Array("abc".utf8).span)
        for (offset, length) in [(0, 9), (2, 9), (3, 1), (1000, 1000), (Int(UInt32.max), Int(UInt32.max))] {
            table.beginEvent(line: .empty, time: 0, origin: 0, position: 0)
            let slice = ByteSlice(offset: offset, length: length)
            parser.parse(line: slice, format: .auto, receivedAt: 0, into: &table)
            let fields = table.fields(of: table.count - 1)
            #expect(fields.allSatisfy { $0.value.end <= table.bytes.count })
        }
    }

    @Test(arguments: [Int64.min, -1, 0, Int64.max])
    func `any time of receipt`(receivedAt: Int64) {
        for text in ["Nov 23 01:22:37 h a: b", "Feb 29 23:59:60 h a: b", "Dec 31 00:00:00 9999 h a: b"] {
            #expect(ParsedLine(Array(text.utf8), receivedAt: receivedAt)["message"] != nil)
            #expect(ParsedLine(Array(text.utf8), receivedAt: receivedAt, zone: .host)["message"] != nil)
        }
    }

    @Test func `lines of a megabyte`() {
        var parser = LogParser(fieldNames: FieldNames(wellKnown: Fields.names), zone: .offset(seconds: 0))
        var table = EventTable()
        let size = 1 << 20
        var lines: [[UInt8]] = [0, 0x20, 0x22, 0x5C, 0x5B, 0x7B, 0x3C, 0x41, 0x3A, 0x3D, 0xFF]
            .map { [UInt8](repeating: $0, count: size) }
        for (start, unit) in [
            ("{\"a\":", "{\"a\":"), ("{\"a\":", "["), ("{", "\"a\":1,"), ("{\"a\":\"", "\\u12"),
            ("<13>1 - - - - - ", "[a b=\"c\"]"),
            ("Nov 23 01:22:37 h sshd[1]: Failed password for ", " from 1.2.3.4 port 22 ssh2"),
            ("Nov 23 01:22:37 h sudo: bob : TTY=", " ; TTY="), ("1.2.3.4 - - [", "[23/Nov/2026:01:22:37 +0000] \\\""),
            (ForgeryTests.nginx, ", client: "), ("a=1 ", "b=2 "),
        ] {
            var line = Array(start.utf8)
            let unit = Array(unit.utf8)
            while line.count < size { line += unit }
            lines.append(line)
        }
        for line in lines {
            for format in LineFormat.allCases {
                #expect(Self.check(line, format, &parser, &table))
                #expect(table.bytes.count < 4 * size)
            }
        }
    }
}

/// SplitMix64: the same numbers in every run.
struct SplitMix {
    var state: UInt64

    mutating func next(below bound: Int) -> Int {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return Int((value ^ (value >> 31)) % UInt64(max(1, bound)))
    }
}
