package import CPacket
import Glibc

/// An IPv4 or IPv6 address; IPv4 is held as `::ffff:a.b.c.d`, so that both have one size.
package struct PacketAddress: Hashable, Sendable, CustomStringConvertible {
    /// The 16 bytes as they stand on the wire, as two words of this machine.
    package let high: UInt64
    package let low: UInt64

    package init(_ address: ip_address) {
        high = UInt64(address.word.0) | UInt64(address.word.1) << 32
        low = UInt64(address.word.2) | UInt64(address.word.3) << 32
    }

    package init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// Reads what `description` writes; `nil` for anything else, also for zones.
    package init?(_ text: String) {
        var four = in_addr()
        var six = in6_addr()
        if unsafe inet_pton(AF_INET, text, &four) == 1 {
            high = 0
            low = UInt64(UInt32(bigEndian: 0xFFFF)) | UInt64(four.s_addr) << 32
        } else if unsafe inet_pton(AF_INET6, text, &six) == 1 {
            let words = unsafe six.__in6_u.__u6_addr32
            high = UInt64(words.0) | UInt64(words.1) << 32
            low = UInt64(words.2) | UInt64(words.3) << 32
        } else {
            return nil
        }
    }

    package var isIPv4: Bool { high == 0 && UInt32(truncatingIfNeeded: low) == UInt32(bigEndian: 0xFFFF) }

    /// The form in which the kernel program keeps it.
    package var raw: ip_address {
        ip_address(
            word: (
                UInt32(truncatingIfNeeded: high), UInt32(truncatingIfNeeded: high >> 32),
                UInt32(truncatingIfNeeded: low), UInt32(truncatingIfNeeded: low >> 32)
            )
        )
    }

    /// `203.0.113.7`, `2001:db8::1`.
    package var description: String {
        var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        let result =
            if isIPv4 {
                unsafe withUnsafeBytes(of: UInt32(truncatingIfNeeded: low >> 32)) {
                    unsafe inet_ntop(AF_INET, $0.baseAddress, &text, socklen_t(text.count))
                }
            } else {
                unsafe withUnsafeBytes(of: (high, low)) {
                    unsafe inet_ntop(AF_INET6, $0.baseAddress, &text, socklen_t(text.count))
                }
            }
        guard unsafe result != nil else { return "?" }
        return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}

extension ip_record {
    package var from: PacketAddress { PacketAddress(source) }
    package var to: PacketAddress { PacketAddress(destination) }

    package func has(_ fact: ip_record_fact) -> Bool { facts & UInt8(fact.rawValue) != 0 }

    package func isKind(_ kind: ip_record_kind) -> Bool { self.kind == UInt8(kind.rawValue) }
}
