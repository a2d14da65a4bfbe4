/// Cuts what is read from a file into the pieces that are one event each: lines, or whole JSON documents.
///
/// JSON may come as one document a line, as an array of them, or one after the other over several lines. A document that
/// does not end (a line cut short) costs what it lacks, not what follows: a line that starts with `{` where no object
/// can begin is the start of the next one. A byte order mark before all is passed over.
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
    /// For each open container, the innermost in the lowest bit: whether it is an array. Of the innermost 64.
    private var arrays: UInt64 = 0
    /// The last byte that was no blank, outside of strings.
    private var lastByte: UInt8 = 0
    private var isAtLineStart = true
    private var isAtStart = true

    init(_ framing: Framing) {
        self.framing = framing
    }

    /// Calls `body` with each piece that ends in `bytes`, and the number of its first line.
    mutating func push(_ bytes: Span<UInt8>, _ body: (Span<UInt8>, Int) -> Void) {
        var start = 0
        if isAtStart, bytes.count > 0 {
            isAtStart = false
            if bytes.count >= 3, bytes[0] == 0xEF, bytes[1] == 0xBB, bytes[2] == 0xBF { start = 3 }
        }
        switch framing {
        case .lines: pushLines(bytes.extracting(start..<bytes.count), body)
        case .json: pushJSON(bytes.extracting(start..<bytes.count), body)
        }
    }

    /// What is left when the file ends.
    mutating func finish(_ body: (Span<UInt8>, Int) -> Void) {
        if framing == .json, depth > 0 {
            emitBroken(body)
        } else if !pending.isEmpty {
            body(pending.span, firstLine)
        }
        pending = []
        (depth, arrayDepth, isInString, isEscaped, isAtLineStart, isAtStart) = (0, 0, false, false, true, true)
    }

    /// What is pending is no document: gives it out in pieces, each from a line that starts with `{` to the next such
    /// line, since some of them may be documents.
    private mutating func emitBroken(_ body: (Span<UInt8>, Int) -> Void) {
        var start = 0
        var startLine = firstLine
        var number = firstLine
        for at in pending.indices where pending[at] == 0x0A {
            number += 1
            guard at + 1 < pending.count, pending[at + 1] == UInt8(ascii: "{") else { continue }
            emitPiece(pending.span.extracting(start..<at), startLine, body)
            (start, startLine) = (at + 1, number)
        }
        emitPiece(pending.span.extracting(start..<pending.count), startLine, body)
        pending.removeAll(keepingCapacity: true)
    }

    private func emitPiece(_ piece: Span<UInt8>, _ number: Int, _ body: (Span<UInt8>, Int) -> Void) {
        var end = piece.count
        // The comma of an array around everything is no part of its element.
        while end > 0, piece[end - 1] <= 0x20 || arrayDepth > 0 && piece[end - 1] == UInt8(ascii: ",") { end -= 1 }
        if end > 0 { body(piece.extracting(0..<end), number) }
    }

    /// Whether an object may begin here, inside of a document.
    private var canHoldObject: Bool {
        guard !isInString else { return false }
        let isArray = arrays & 1 != 0
        // Behind a name's colon it could be a value, but nobody writes it on a line of its own without indentation.
        return isArray && (lastByte == UInt8(ascii: "[") || lastByte == UInt8(ascii: ","))
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
            if isAtLineStart, byte == UInt8(ascii: "{"), depth > 0, !canHoldObject {
                keep(bytes.extracting(start..<at))
                emitBroken(body)
                start = at
                (depth, isInString, isEscaped) = (0, false, false)
            }
            isAtLineStart = byte == 0x0A
            if byte > 0x20, !isInString { lastByte = byte }
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
                arrays = arrays << 1 | (byte == UInt8(ascii: "[") ? 1 : 0)
            case UInt8(ascii: "]"), UInt8(ascii: "}"):
                if depth == 0 {
                    if arrayDepth > 0, byte == UInt8(ascii: "]") { arrayDepth = 0 }
                    start = at + 1
                    continue
                }
                depth -= 1
                arrays >>= 1
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
