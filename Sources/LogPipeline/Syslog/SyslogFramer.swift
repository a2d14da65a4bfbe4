/// Finds the messages in a byte stream of syslog over TCP (RFC 6587): octet counting (`42 <34>1 …`) and line feeds,
/// told apart message by message by their first bytes.
///
/// Holds at most `messageBytesMax` bytes however the stream is cut; a longer message is given out cut, its rest is
/// passed over without being kept.
struct SyslogFramer {
    /// Digits of an octet count that are believed; more mean that the stream is not octet counted.
    static let countDigitsMax = 7

    let messageBytesMax: Int
    private(set) var messagesCut = 0
    private var pending: [UInt8] = []
    private var mode = Mode.start

    private enum Mode: Equatable {
        /// Before the first byte of a message; `pending` holds digits that may be a count.
        case start
        case line
        /// This many bytes of the message are still to come.
        case counted(Int)
        /// The message was given out cut: pass over the rest of it.
        case skippingLine
        case skippingCounted(Int)
    }

    init(messageBytesMax: Int) {
        self.messageBytesMax = messageBytesMax
    }

    /// Takes bytes as they arrive and appends each message that is whole as a record.
    /// - Returns: messages appended.
    mutating func push(_ bytes: Span<UInt8>, into records: inout [UInt8]) -> Int {
        var count = 0
        var at = 0
        while at < bytes.count {
            switch mode {
            case .start:
                at = begin(bytes, at: at)
            case .line:
                let end = Self.lineEnd(bytes, from: at)
                let room = messageBytesMax - pending.count
                let taken = min((end ?? bytes.count) - at, room)
                append(bytes.extracting(at..<at + taken))
                if let end, end - at <= room {
                    count += emit(into: &records)
                    mode = .start
                    at = end + 1
                } else if (end ?? bytes.count) - at > room {
                    messagesCut += 1
                    count += emit(into: &records)
                    mode = .skippingLine
                    at += taken
                } else {
                    at = bytes.count
                }
            case .counted(let left):
                let available = min(left, bytes.count - at)
                let taken = min(available, messageBytesMax - pending.count)
                append(bytes.extracting(at..<at + taken))
                at += taken
                if taken == left {
                    count += emit(into: &records)
                    mode = .start
                } else if taken < available {
                    messagesCut += 1
                    count += emit(into: &records)
                    mode = .skippingCounted(left - taken)
                } else {
                    mode = .counted(left - taken)
                }
            case .skippingLine:
                guard let end = Self.lineEnd(bytes, from: at) else { return count }
                mode = .start
                at = end + 1
            case .skippingCounted(let left):
                let passed = min(left, bytes.count - at)
                at += passed
                mode = passed == left ? .start : .skippingCounted(left - passed)
            }
        }
        return count
    }

    /// The stream ended: what is pending is a message too.
    mutating func finish(into records: inout [UInt8]) -> Int {
        defer { mode = .start }
        switch mode {
        case .start, .line, .counted: return emit(into: &records)
        case .skippingLine, .skippingCounted: return 0
        }
    }

    /// Decides how the next message is framed. `pending` keeps the digits until the byte after them is seen.
    private mutating func begin(_ bytes: Span<UInt8>, at start: Int) -> Int {
        var at = start
        while at < bytes.count {
            let byte = bytes[at]
            let isDigit = byte >= 0x30 && byte <= 0x39
            if pending.isEmpty, byte == 0x0A || byte == 0x0D || byte == 0 {
                at += 1
                continue
            }
            if isDigit, pending.count < Self.countDigitsMax, !(pending.isEmpty && byte == 0x30) {
                pending.append(byte)
                at += 1
                continue
            }
            if byte == 0x20, !pending.isEmpty {
                let length = pending.reduce(0) { $0 * 10 + Int($1 - 0x30) }
                pending.removeAll(keepingCapacity: true)
                mode = .counted(length)
                return at + 1
            }
            mode = .line
            return at
        }
        return at
    }

    private mutating func append(_ bytes: Span<UInt8>) {
        unsafe bytes.withUnsafeBufferPointer { unsafe pending.append(contentsOf: $0) }
    }

    private mutating func emit(into records: inout [UInt8]) -> Int {
        while let last = pending.last, last == 0x0A || last == 0x0D || last == 0 { pending.removeLast() }
        guard !pending.isEmpty else { return 0 }
        appendRecord(pending.span, to: &records)
        pending.removeAll(keepingCapacity: true)
        return 1
    }

    private static func lineEnd(_ bytes: Span<UInt8>, from start: Int) -> Int? {
        var at = start
        while at < bytes.count {
            if bytes[at] == 0x0A { return at }
            at += 1
        }
        return nil
    }
}
