internal import Dispatch
internal import Synchronization

/// Writes JSON piece by piece into one buffer, over several lines, in exactly the order in which it is told.
package struct JSONWriter {
    package private(set) var bytes: [UInt8] = []
    private var depth = 0
    private var isFirst = true

    package init(capacity: Int = 1 << 16) {
        bytes.reserveCapacity(capacity)
    }

    private mutating func separate() {
        if !isFirst { bytes.append(0x2C) }
        if depth > 0 { indent() }
        isFirst = false
    }

    private mutating func indent() {
        bytes.append(0x0A)
        for _ in 0..<(2 * depth) { bytes.append(0x20) }
    }

    private mutating func name(_ name: String) {
        separate()
        text(name)
        bytes.append(0x3A)
        bytes.append(0x20)
    }

    private mutating func nest(_ open: UInt8, _ close: UInt8, _ body: (inout JSONWriter) -> Void) {
        bytes.append(open)
        depth += 1
        isFirst = true
        body(&self)
        let isEmpty = isFirst
        depth -= 1
        if !isEmpty { indent() }
        bytes.append(close)
        isFirst = false
    }

    /// The document itself, or an element of an array.
    package mutating func object(_ body: (inout JSONWriter) -> Void) {
        separate()
        nest(0x7B, 0x7D, body)
    }

    package mutating func object(_ name: String, _ body: (inout JSONWriter) -> Void) {
        self.name(name)
        nest(0x7B, 0x7D, body)
    }

    package mutating func array(_ name: String, _ body: (inout JSONWriter) -> Void) {
        self.name(name)
        nest(0x5B, 0x5D, body)
    }

    package mutating func array(_ name: String, of values: [String]) {
        array(name) { writer in
            for value in values { writer.element(value) }
        }
    }

    /// Elements that know nothing of each other, on several threads where there are many of them.
    mutating func elements(_ count: Int, threads: Int, _ body: @Sendable (Int, inout JSONWriter) -> Void) {
        guard threads > 1, count >= Self.elementsWorthThreads else {
            for place in 0..<count { body(place, &self) }
            return
        }
        let share = (count + threads - 1) / threads
        let pieces = Mutex([[UInt8]](repeating: [], count: threads))
        let (depth, isFirst, capacity) = (depth, isFirst, bytes.capacity / threads)
        DispatchQueue.concurrentPerform(iterations: threads) { thread in
            var writer = JSONWriter(capacity: capacity)
            writer.depth = depth
            writer.isFirst = isFirst && thread == 0
            for place in min(thread * share, count)..<min((thread + 1) * share, count) { body(place, &writer) }
            let piece = writer.bytes
            pieces.withLock { $0[thread] = piece }
        }
        for piece in pieces.withLock({ $0 }) { bytes.append(contentsOf: piece) }
        self.isFirst = false
    }

    private static let elementsWorthThreads = 4000

    package mutating func element(_ value: String) {
        separate()
        text(value)
    }

    package mutating func field(_ name: String, _ value: String) {
        self.name(name)
        text(value)
    }

    package mutating func field(_ name: String, _ value: Int) {
        self.name(name)
        bytes.append(contentsOf: String(value).utf8)
    }

    package mutating func field(_ name: String, _ value: Bool) {
        self.name(name)
        bytes.append(contentsOf: (value ? "true" : "false").utf8)
    }

    /// `null` where there is no number.
    package mutating func field(_ name: String, _ value: Double?) {
        self.name(name)
        guard let value, value.isFinite else {
            bytes.append(contentsOf: "null".utf8)
            return
        }
        let isWhole = value == value.rounded() && abs(value) < 1e15
        bytes.append(contentsOf: (isWhole ? "\(Int(value)).0" : "\(value)").utf8)
    }

    /// `null` where there is no text.
    package mutating func field(optional name: String, _ value: String?) {
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
        if value.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x22 && $0 != 0x5C && $0 != 0x7F }) {
            bytes.append(contentsOf: value.utf8)
            bytes.append(0x22)
            return
        }
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
        bytes.append(0x22)
    }

    /// The whole, with a line end.
    package mutating func finish() -> [UInt8] {
        bytes.append(0x0A)
        return bytes
    }

    /// The whole with a piece that was not known before all of it was written.
    package mutating func inserting(_ text: String, at place: Int) -> [UInt8] {
        bytes.insert(contentsOf: text.utf8, at: place)
        return bytes
    }
}
