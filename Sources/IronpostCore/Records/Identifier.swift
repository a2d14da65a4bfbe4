import Synchronization

/// A UUID of version 7 (RFC 9562): sorts by the time it was made, also within one millisecond of one process.
package struct UUIDv7: Hashable, Comparable, Sendable, CustomStringConvertible {
    package let high: UInt64
    package let low: UInt64

    package static func < (left: UUIDv7, right: UUIDv7) -> Bool {
        (left.high, left.low) < (right.high, right.low)
    }

    /// Lower-case, with hyphens.
    package var description: String {
        let hex = high.hex + low.hex
        var text = ""
        for (index, digit) in hex.enumerated() {
            if index == 8 || index == 12 || index == 16 || index == 20 { text.append("-") }
            text.append(digit)
        }
        return text
    }

    /// Reads the form that `description` writes, in any case; `nil` for another form or version.
    package init?(_ text: some StringProtocol) {
        let digits = String(text.filter { $0 != "-" })
        guard text.utf8.count == 36, digits.utf8.count == 32,
            let high = UInt64(digits.prefix(16), radix: 16), let low = UInt64(digits.suffix(16), radix: 16),
            high >> 12 & 0xF == 7
        else { return nil }
        self.high = high
        self.low = low
    }

    private init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// Milliseconds and a 12-bit sequence of the one made last.
    private static let last = Mutex<(milliseconds: UInt64, sequence: UInt64)>((0, 0))

    package static func make(at time: Timestamp) -> UUIDv7 {
        let milliseconds = UInt64(max(0, time.nanoseconds / 1_000_000))
        let (stamp, sequence) = last.withLock { last in
            if milliseconds > last.milliseconds {
                last = (milliseconds, 0)
            } else if last.sequence < 0xFFF {
                last.sequence += 1
            } else {
                last = (last.milliseconds + 1, 0)
            }
            return last
        }
        let low = UInt64.random(in: .min ... .max) & (.max >> 2) | (1 << 63)
        return UUIDv7(high: stamp << 16 | 7 << 12 | sequence, low: low)
    }
}

/// Follows one event from its source to its alert: 64 bits that name the source's run, and a sequence number.
///
/// Written as a W3C trace id (32 hexadecimal digits). Costs nothing per event: it is only written when shown.
package struct TraceID: Hashable, Sendable, CustomStringConvertible {
    package let run: UInt64
    package let sequence: UInt64

    package init(run: UInt64, sequence: UInt64) {
        self.run = run
        self.sequence = sequence
    }

    package var description: String { run.hex + sequence.hex }
}

extension UInt64 {
    package var hex: String {
        let digits = String(self, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}
