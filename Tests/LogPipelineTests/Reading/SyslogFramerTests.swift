import Testing

@testable import LogPipeline

struct SyslogFramerTests {
    /// Feeds the stream in pieces of every given size; the messages must not depend on how the stream is cut.
    static func messages(_ stream: String, pieces: Int, limit: Int = 1024) -> [String] {
        var framer = SyslogFramer(messageBytesMax: limit)
        var records: [UInt8] = []
        var count = 0
        let bytes = Array(stream.utf8)
        var at = 0
        while at < bytes.count {
            let end = min(bytes.count, at + pieces)
            count += framer.push(bytes.span.extracting(at..<end), into: &records)
            at = end
        }
        count += framer.finish(into: &records)
        let found = decode(records)
        #expect(found.count == count)
        return found
    }

    static func decode(_ records: [UInt8]) -> [String] {
        var found: [String] = []
        var at = 0
        while at + 4 <= records.count {
            let length = (0..<4).reduce(0) { $0 | Int(records[at + $1]) << (8 * $1) }
            found.append(String(decoding: records[at + 4..<at + 4 + length], as: UTF8.self))
            at += 4 + length
        }
        return found
    }

    @Test(
        "line feeds, octet counts, and both in one connection",
        arguments: [
            ("<13>one\n<13>two\n", ["<13>one", "<13>two"]),
            ("7 <13>one8 <13>twoo", ["<13>one", "<13>twoo"]),
            ("11 <13>one\ntwo<13>three\n", ["<13>one\ntwo", "<13>three"]),
            ("<13>no end", ["<13>no end"]),
            ("\n\n<13>blank lines\r\n\r\n", ["<13>blank lines"]),
            ("2026-11-23 begins with digits\n", ["2026-11-23 begins with digits"]),
            ("12345678 too many digits\n", ["12345678 too many digits"]),
            ("0 zero\n", ["0 zero"]),
            ("5 abc", ["abc"]),
            ("42", ["42"]),
        ], [1, 2, 3, 5, 1000]
    )
    func framing(_ example: (stream: String, messages: [String]), _ pieces: Int) {
        #expect(Self.messages(example.stream, pieces: pieces) == example.messages)
    }

    @Test("a message beyond the bound is cut, counted, and the next one is whole (D-52)", arguments: [1, 7, 4096])
    func overlong(_ pieces: Int) {
        let long = String(repeating: "x", count: 5000)
        #expect(Self.messages("<13>\(long)\nnext\n", pieces: pieces, limit: 100).map(\.count) == [100, 4])
        #expect(Self.messages("5000 \(long)4 next", pieces: pieces, limit: 100).map(\.count) == [100, 4])
    }

    @Test("a stream that promises gigabytes costs no more than the bound")
    func promise() {
        var framer = SyslogFramer(messageBytesMax: 64)
        var records: [UInt8] = []
        let head = Array("9999999 ".utf8)
        _ = framer.push(head.span, into: &records)
        let block = [UInt8](repeating: 0x41, count: 100_000)
        for _ in 0..<50 { _ = framer.push(block.span, into: &records) }
        #expect(records.count == 4 + 64)
        #expect(framer.messagesCut == 1)
    }
}

struct LineCutterTests {
    @Test("whole lines come out, the piece without an end stays", arguments: [1, 3, 8, 100])
    func lines(_ pieces: Int) {
        var cutter = LineCutter(lineBytesMax: 1000)
        let bytes = Array("first\nsecond line\n\nfourth".utf8)
        var out: [UInt8] = []
        var count = 0
        for start in stride(from: 0, to: bytes.count, by: pieces) {
            let cut = cutter.push(bytes.span.extracting(start..<min(bytes.count, start + pieces)))
            out += cut.lines
            count += cut.count
        }
        #expect(String(decoding: out, as: UTF8.self) == "first\nsecond line\n\n")
        #expect(count == 3)
        #expect(String(decoding: cutter.partial, as: UTF8.self) == "fourth")
        #expect(String(decoding: cutter.finish(), as: UTF8.self) == "fourth")
    }

    @Test("a line of 10 MB is one line cut to the bound, and the next line is whole", arguments: [4096, 65_536])
    func overlong(_ pieces: Int) {
        var cutter = LineCutter(lineBytesMax: 1000)
        let bytes = [UInt8](repeating: 0x78, count: 10_000_000) + Array("\nnext\n".utf8)
        var out: [UInt8] = []
        var count = 0
        for start in stride(from: 0, to: bytes.count, by: pieces) {
            let cut = cutter.push(bytes.span.extracting(start..<min(bytes.count, start + pieces)))
            out += cut.lines
            count += cut.count
        }
        #expect(count == 2)
        #expect(out.count == 1001 + 5)
        #expect(cutter.linesCut == 1)
        #expect(String(decoding: out.suffix(6), as: UTF8.self) == "\nnext\n")
    }
}
