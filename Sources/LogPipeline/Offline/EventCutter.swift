/// Cuts what is read from a file into the pieces that are one event each: lines, or whole JSON documents.
///
/// JSON may come as one document a line, as an array of them, or one after the other over several lines.
struct EventCutter {
    /// A piece beyond this is cut, and its rest passed over.
    static let pieceBytesMax = 16 << 20

    enum Framing {
        case lines, json
    }

    private let framing: Framing
    private var pending: [UInt8] = []
    /// The number of the line that `pending` starts on, and of the line under the reader.
    private var firstLine = 1
    private var line = 1
    private var depth = 0
    private var isInString = false
    private var isEscaped = false
    private var arrayDepth = 0

    init(_ framing: Framing) {
        self.framing = framing
    }

    /// Calls `body` with each piece that ends in `bytes`, and the number of its first line.
    mutating func push(_ bytes: Span<UInt8>, _ body: (Span<UInt8>, Int) -> Void) {
        switch framing {
        case .lines: pushLines(bytes, body)
        case .json: pushJSON(bytes, body)
        }
    }

    /// What is left when the file ends.
    mutating func finish(_ body: (Span<UInt8>, Int) -> Void) {
        if !pending.isEmpty { body(pending.span, firstLine) }
        pending = []
    }

    private mutating func pushLines(_ bytes: Span<UInt8>, _ body: (Span<UInt8>, Int) -> Void) {
        var start = 0
        while start < bytes.count {
            let end = bytes.find(0x0A, in: Piece(start, bytes.count)) ?? bytes.count
            if end == bytes.count {
                keep(bytes.extracting(start..<end))
                return
            }
            if pending.isEmpty {
                emit(bytes.extracting(start..<end), line, body)
            } else {
                keep(bytes.extracting(start..<end))
                emit(pending.span, line, body)
                pending.removeAll(keepingCapacity: true)
            }
            line += 1
            firstLine = line
            start = end + 1
        }
    }

    private func emit(_ piece: Span<UInt8>, _ number: Int, _ body: (Span<UInt8>, Int) -> Void) {
        var end = piece.count
        if end > 0, piece[end - 1] == 0x0D { end -= 1 }
        if end > 0 { body(piece.extracting(0..<end), number) }
    }

    private mutating func pushJSON(_ bytes: Span<UInt8>, _ body: (Span<UInt8>, Int) -> Void) {
        var start = 0
        for at in bytes.indices {
            let byte = bytes[at]
            if byte == 0x0A { line += 1 }
            if isInString {
                if isEscaped {
                    isEscaped = false
                } else if byte == UInt8(ascii: "\\") {
                    isEscaped = true
                } else if byte == UInt8(ascii: "\"") {
                    isInString = false
                }
                continue
            }
            switch byte {
            case UInt8(ascii: "\""):
                isInString = true
            case UInt8(ascii: "["), UInt8(ascii: "{"):
                // An array around everything is only a wrapping.
                if depth == 0, byte == UInt8(ascii: "["), arrayDepth == 0, isBlank(bytes, from: start, to: at) {
                    arrayDepth = 1
                    start = at + 1
                    pending.removeAll(keepingCapacity: true)
                    continue
                }
                if depth == 0, isBlank(bytes, from: start, to: at) {
                    pending.removeAll(keepingCapacity: true)
                    start = at
                    firstLine = line
                }
                depth += 1
            case UInt8(ascii: "]"), UInt8(ascii: "}"):
                if depth == 0 {
                    if arrayDepth > 0, byte == UInt8(ascii: "]") { arrayDepth = 0 }
                    start = at + 1
                    continue
                }
                depth -= 1
                guard depth == 0 else { continue }
                keep(bytes.extracting(start..<at + 1))
                body(pending.span, firstLine)
                pending.removeAll(keepingCapacity: true)
                start = at + 1
            case UInt8(ascii: ",") where depth == 0 && arrayDepth > 0:
                start = at + 1
            case 0x0A where depth == 0:
                // A line that is no document at all is an event of its own, which no parser will understand.
                if !isBlank(bytes, from: start, to: at) {
                    keep(bytes.extracting(start..<at))
                    body(pending.span, line - 1)
                    pending.removeAll(keepingCapacity: true)
                }
                start = at + 1
            default: break
            }
        }
        if !isBlank(bytes, from: start, to: bytes.count) || depth > 0 {
            keep(bytes.extracting(start..<bytes.count))
        }
    }

    private func isBlank(_ bytes: Span<UInt8>, from start: Int, to end: Int) -> Bool {
        guard pending.isEmpty else { return false }
        for at in start..<end where bytes[at] > 0x20 { return false }
        return true
    }

    private mutating func keep(_ bytes: Span<UInt8>) {
        let room = max(0, Self.pieceBytesMax - pending.count)
        let taken = bytes.extracting(0..<min(room, bytes.count))
        unsafe taken.withUnsafeBufferPointer { unsafe pending.append(contentsOf: $0) }
    }
}
