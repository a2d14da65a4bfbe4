import IronpostCore
import Testing

@testable import LogPipeline

/// Lines as container engines keep them.
@Suite struct EngineLineTests {
    func unwrap(_ line: String) -> (text: String, isPartial: Bool, time: Timestamp?)? {
        var text: [UInt8] = []
        let bytes = Array(line.utf8)
        guard let found = EngineLine.unwrap(bytes.span, into: &text) else {
            #expect(text.isEmpty)
            return nil
        }
        return (String(decoding: text, as: UTF8.self), found.isPartial, found.time)
    }

    @Test(
        "the container's own text comes out, whatever it holds",
        arguments: [
            (#"{"log":"hello\n","stream":"stdout","time":"2026-11-25T22:00:00.123456789Z"}"#, "hello", false),
            (#"{"log":"say \"x\" \u003c\\\n","stream":"stderr","time":"2026-11-25T22:00:00Z"}"#, #"say "x" <\"#, false),
            (#"{"log":"half","stream":"stdout","time":"2026-11-25T22:00:00Z"}"#, "half", true),
            (
                #"{"log":"\",\"time\":\"2000-01-01T00:00:00Z\n","stream":"stdout","time":"2026-11-25T22:00:00Z"}"#,
                #"","time":"2000-01-01T00:00:00Z"#, false
            ),
            (#"{"log":"\n","stream":"stdout","time":"2026-11-25T22:00:00Z"}"#, "", false),
            ("2026-11-25T22:00:00.5+00:00 stdout F a line F P", "a line F P", false),
            ("2026-11-25T22:00:00Z stderr P piece", "piece", true), ("2026-11-25T22:00:00Z stdout F ", "", false),
        ])
    func good(line: String, text: String, isPartial: Bool) throws {
        let found = try #require(unwrap(line))
        #expect(found.text == text)
        #expect(found.isPartial == isPartial)
        let day = try #require(Timestamp(rfc3339: "2026-11-25T00:00:00Z"))
        #expect(try #require(found.time) >= day)
    }

    @Test(
        "what is neither of the two is left as it is",
        arguments: [
            "", "{", "{}", #"{"log":"#, #"{"log":"x"#, #"{"log":"x\"#, #"{"stream":"stdout","log":"x\n"}"#,
            "plain text",
            "2026-11-25T22:00:00Z stdout X a", "2026-11-25T22:00:00Z nowhere F a", "yesterday stdout F a", "   ",
        ])
    func other(line: String) { #expect(unwrap(line) == nil) }
}
