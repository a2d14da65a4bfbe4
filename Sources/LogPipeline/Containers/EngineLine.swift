import IronpostCore

/// A line as a container engine keeps it, taken out of its wrapping: Docker's json-file
/// (`{"log":"…\n","stream":"stdout","time":"…"}`), or CRI's and Podman's k8s-file (`TIME stdout F …`).
struct EngineLine {
    /// Appended to `text`: what the container wrote, without its line feed.
    var isPartial: Bool
    /// When the engine received it.
    var time: Timestamp?

    /// Appends the text of a line to `text`; `nil`, and nothing is appended, for what is neither of the two.
    static func unwrap(_ line: Span<UInt8>, into text: inout [UInt8]) -> EngineLine? {
        line.byte(at: 0) == UInt8(ascii: "{") ? unwrapJSON(line, into: &text) : unwrapCRI(line, into: &text)
    }

    private static let head: StaticString = "{\"log\":\""

    /// The engine writes `log` first and escapes what is inside, so the first bare quote ends it.
    private static func unwrapJSON(_ line: Span<UInt8>, into text: inout [UInt8]) -> EngineLine? {
        guard line.has(head, at: 0, before: line.count) else { return nil }
        let start = head.utf8CodeUnitCount
        var end = start
        while end < line.count, line.byte(at: end) != UInt8(ascii: "\"") {
            end += line.byte(at: end) == UInt8(ascii: "\\") ? 2 : 1
        }
        guard end < line.count else { return nil }
        let before = text.count
        JSONString.decode(line, Piece(start, end), into: &text)
        let isWhole = text.count > before && text[text.count - 1] == 0x0A
        if isWhole { text.removeLast() }
        return EngineLine(isPartial: !isWhole, time: time(line, after: end))
    }

    /// The value of the last `"time":"…"`, which the engine wrote after everything of the container's.
    private static func time(_ line: Span<UInt8>, after end: Int) -> Timestamp? {
        let key: StaticString = "\"time\":\""
        var at = line.count - key.utf8CodeUnitCount
        while at > end, !line.has(key, at: at, before: line.count) { at -= 1 }
        guard at > end else { return nil }
        let start = at + key.utf8CodeUnitCount
        var stop = start
        while stop < line.count, line.byte(at: stop) != UInt8(ascii: "\"") { stop += 1 }
        return timestamp(line, start, stop)
    }

    private static func unwrapCRI(_ line: Span<UInt8>, into text: inout [UInt8]) -> EngineLine? {
        var spaces: [Int] = []
        var at = 0
        while at < line.count, spaces.count < 3 {
            if line.byte(at: at) == UInt8(ascii: " ") { spaces.append(at) }
            at += 1
        }
        guard spaces.count == 3, let time = timestamp(line, 0, spaces[0]),
            line.has("stdout ", at: spaces[0] + 1, before: line.count)
                || line.has("stderr ", at: spaces[0] + 1, before: line.count)
        else { return nil }
        let tag = line.byte(at: spaces[1] + 1)
        guard tag == UInt8(ascii: "F") || tag == UInt8(ascii: "P") else { return nil }
        let rest = line.extracting((spaces[2] + 1)..<line.count)
        unsafe rest.withUnsafeBufferPointer { unsafe text.append(contentsOf: $0) }
        return EngineLine(isPartial: tag == UInt8(ascii: "P"), time: time)
    }

    private static func timestamp(_ line: Span<UInt8>, _ start: Int, _ end: Int) -> Timestamp? {
        guard end > start, end - start <= 40 else { return nil }
        let bytes = unsafe line.extracting(start..<end).withUnsafeBufferPointer { unsafe Array($0) }
        return Timestamp(rfc3339: String(decoding: bytes, as: UTF8.self))
    }
}
