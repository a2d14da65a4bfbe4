internal import Synchronization

/// Writes JSON into buffers that are never moved once they are full, in exactly the order in which it is told. What is
/// nested deeper than asked stands in one line: a component a line, which `grep` and `diff` take as it is. Names of fields
/// are written as they are; values are escaped.
package struct JSONWriter {
    /// What follows `full`.
    private(set) var bytes: [UInt8] = []
    private var full: [[UInt8]] = []
    private var depth = 0
    private var isFirst = true
    /// Values in so many objects and arrays, or fewer, begin a line.
    private let lineDepth: Int

    package init(capacity: Int = 1 << 16, lineDepth: Int = .max) {
        self.lineDepth = lineDepth
        bytes.reserveCapacity(capacity)
    }

    /// For so many elements of about so many bytes, each in a line of its own in an array of the document.
    init(expecting elements: Int, of bytes: Int) {
        self.init(capacity: min(elements, Self.elementsInPiece) * bytes + 4096, lineDepth: 2)
    }

    private mutating func separate() {
        if !isFirst { bytes.append(0x2C) }
        if depth > 0, depth <= lineDepth {
            indent()
        } else if !isFirst {
            bytes.append(0x20)
        }
        isFirst = false
    }

    private mutating func indent() {
        let line: StaticString = "\n                                "
        let count = 1 + 2 * depth
        line.withUTF8Buffer { line in
            unsafe bytes.append(contentsOf: line.prefix(count))
            for _ in line.count..<max(count, line.count) { bytes.append(0x20) }
        }
    }

    private mutating func name(_ name: StaticString) {
        separate()
        bytes.append(0x22)
        name.withUTF8Buffer { unsafe bytes.append(contentsOf: $0) }
        after()
    }

    private mutating func after() {
        let text: StaticString = "\": "
        text.withUTF8Buffer { unsafe bytes.append(contentsOf: $0) }
    }

    private mutating func nest(_ open: UInt8, _ close: UInt8, _ body: (inout JSONWriter) -> Void) {
        bytes.append(open)
        depth += 1
        isFirst = true
        body(&self)
        let isEmpty = isFirst
        depth -= 1
        if !isEmpty, depth < lineDepth { indent() }
        bytes.append(close)
        isFirst = false
    }

    /// The document itself, or an element of an array.
    package mutating func object(_ body: (inout JSONWriter) -> Void) {
        separate()
        nest(0x7B, 0x7D, body)
    }

    package mutating func object(_ name: StaticString, _ body: (inout JSONWriter) -> Void) {
        self.name(name)
        nest(0x7B, 0x7D, body)
    }

    package mutating func array(_ name: StaticString, _ body: (inout JSONWriter) -> Void) {
        self.name(name)
        nest(0x5B, 0x5D, body)
    }

    package mutating func array(_ name: StaticString, of values: [String]) {
        array(name) { writer in
            for value in values { writer.element(value) }
        }
    }

    /// Elements that know nothing of each other, on several threads where there are many of them. Whatever wrote them,
    /// so many stand in one piece.
    mutating func elements<Value: Sendable>(
        _ values: [Value], threads: Int, _ body: @Sendable (_ place: Int, Value, inout JSONWriter) -> Void
    ) {
        let count = values.count
        let wanted = (count + Self.elementsInPiece - 1) / Self.elementsInPiece
        guard wanted > 1 else {
            for place in 0..<count { body(place, values[place], &self) }
            return
        }
        let (depth, isFirst, lineDepth) = (depth, isFirst, lineDepth)
        let pieces = Mutex([[UInt8]](repeating: [], count: wanted))
        // Pieces are about as large as each other.
        let capacity = Atomic(1 << 16)
        Workers.each(wanted, threads: threads) { piece in
            var writer = JSONWriter(capacity: capacity.load(ordering: .relaxed), lineDepth: lineDepth)
            writer.depth = depth
            writer.isFirst = isFirst && piece == 0
            for place in piece * Self.elementsInPiece..<min((piece + 1) * Self.elementsInPiece, count) {
                body(place, values[place], &writer)
            }
            let bytes = writer.bytes
            capacity.store(bytes.count + bytes.count / 8, ordering: .relaxed)
            pieces.withLock { $0[piece] = bytes }
        }
        full.append(bytes)
        full += pieces.withLock { $0 }
        bytes = []
        self.isFirst = false
    }

    private static let elementsInPiece = 2000

    /// A count under a name that is not known here.
    package mutating func field(counted name: String, _ value: Int) {
        separate()
        text(name)
        bytes.append(contentsOf: ": \(value)".utf8)
    }

    package mutating func element(_ value: String) {
        separate()
        text(value)
    }

    package mutating func field(_ name: StaticString, _ value: String) {
        self.name(name)
        text(value)
    }

    package mutating func field(_ name: StaticString, _ value: Int) {
        self.name(name)
        bytes.append(contentsOf: String(value).utf8)
    }

    package mutating func field(_ name: StaticString, _ value: Bool) {
        self.name(name)
        bytes.append(contentsOf: (value ? "true" : "false").utf8)
    }

    /// `null` where there is no number.
    package mutating func field(_ name: StaticString, _ value: Double?) {
        self.name(name)
        guard let value, value.isFinite else {
            bytes.append(contentsOf: "null".utf8)
            return
        }
        let isWhole = value == value.rounded() && abs(value) < 1e15
        bytes.append(contentsOf: (isWhole ? "\(Int(value)).0" : "\(value)").utf8)
    }

    /// `null` where there is no text.
    package mutating func field(optional name: StaticString, _ value: String?) {
        guard let value else {
            self.name(name)
            bytes.append(contentsOf: "null".utf8)
            return
        }
        field(name, value)
    }

    private static let hexadecimal = Array("0123456789abcdef".utf8)

    private mutating func text(_ value: String) {
        bytes.append(0x22)
        // Nearly all texts have nothing that must be escaped.
        let isPlain = unsafe value.utf8.span.withUnsafeBufferPointer { text in
            // All of them, in place of leaving early: so many are compared at once.
            var special: UInt8 = 0
            for place in text.indices {
                let byte = unsafe text[place]
                special |= byte &- 0x20 >= 0x5F ? 1 : 0
                special |= byte == 0x22 ? 1 : 0
                special |= byte == 0x5C ? 1 : 0
            }
            if special == 0 { unsafe bytes.append(contentsOf: text) }
            return special == 0
        }
        if !isPlain { escape(value) }
        bytes.append(0x22)
    }

    private mutating func escape(_ value: String) {
        for byte in value.utf8 {
            switch byte {
            case 0x22, 0x5C:
                bytes.append(0x5C)
                bytes.append(byte)
            case 0x0A: bytes.append(contentsOf: "\\n".utf8)
            case 0x0D: bytes.append(contentsOf: "\\r".utf8)
            case 0x09: bytes.append(contentsOf: "\\t".utf8)
            case 0..<0x20, 0x7F:
                bytes.append(contentsOf: "\\u00".utf8)
                bytes.append(Self.hexadecimal[Int(byte >> 4)])
                bytes.append(Self.hexadecimal[Int(byte & 15)])
            default: bytes.append(byte)
            }
        }
    }

    /// The whole, with a line end.
    package mutating func finish() -> [UInt8] {
        bytes.append(0x0A)
        return full.isEmpty ? bytes : joined(full + [bytes])
    }

    /// The same, in pieces that depend on what was written alone. Nothing of it is left here, so that they can be
    /// changed without being copied.
    mutating func finishPieces() -> [[UInt8]] {
        bytes.append(0x0A)
        full.append(bytes)
        bytes = []
        defer { full = [] }
        return full
    }
}
