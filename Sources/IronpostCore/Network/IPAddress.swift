#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// An IPv4 or IPv6 address. An IPv4 address mapped into IPv6 (`::ffff:203.0.113.7`) is the IPv4 address.
package struct IPAddress: Hashable, Comparable, Sendable, CustomStringConvertible {
    package let isIPv4: Bool
    /// 128 bits, the first byte on the wire highest; an IPv4 address stands in the lowest 32.
    package let high: UInt64
    package let low: UInt64

    package init(ipv4 bits: UInt32) {
        isIPv4 = true
        high = 0
        low = UInt64(bits)
    }

    package init(high: UInt64, low: UInt64) {
        let isMapped = high == 0 && low >> 32 == 0xFFFF
        isIPv4 = isMapped
        self.high = isMapped ? 0 : high
        self.low = isMapped ? low & 0xFFFF_FFFF : low
    }

    /// From the bytes on the wire, 4 or 16.
    package init?(bytes: some Collection<UInt8>) {
        func word(_ part: some Collection<UInt8>) -> UInt64 { part.reduce(0) { $0 << 8 | UInt64($1) } }
        switch bytes.count {
        case 4: self.init(ipv4: UInt32(word(bytes)))
        case 16: self.init(high: word(bytes.prefix(8)), low: word(bytes.dropFirst(8)))
        default: return nil
        }
    }

    /// Reads a literal as inet_pton(3) does: no zone (`%eth0`), no leading zeros, no shorthand of IPv4.
    package init?(_ text: some StringProtocol) {
        let piece = Substring(text)
        guard piece.utf8.contains(UInt8(ascii: ":")) else {
            guard let bits = Self.ipv4(piece.utf8) else { return nil }
            self.init(ipv4: bits)
            return
        }
        let text = String(piece)
        guard text.utf8.count <= Self.textBytesMax, !text.utf8.contains(0) else { return nil }
        var bytes = [UInt8](repeating: 0, count: 16)
        guard unsafe inet_pton(AF_INET6, text, &bytes) == 1 else { return nil }
        self.init(bytes: bytes)
    }

    /// Four numbers up to 255. By hand, as the other way round: lists and log lines are full of them.
    private static func ipv4(_ text: Substring.UTF8View) -> UInt32? {
        var (bits, part, digits, parts): (UInt32, UInt32, Int, Int) = (0, 0, 0, 0)
        for byte in text {
            if byte == UInt8(ascii: ".") {
                guard digits > 0, parts < 3 else { return nil }
                bits = bits << 8 | part
                (part, digits, parts) = (0, 0, parts + 1)
                continue
            }
            guard byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9"), digits == 0 || part > 0 else { return nil }
            part = part * 10 + UInt32(byte - UInt8(ascii: "0"))
            digits += 1
            guard part <= 255 else { return nil }
        }
        return parts == 3 && digits > 0 ? bits << 8 | part : nil
    }

    private static let textBytesMax = 45

    /// Bits of an address of this family.
    package var width: Int { isIPv4 ? 32 : 128 }

    /// As on the wire: 4 or 16 bytes.
    package var bytes: [UInt8] {
        if isIPv4 { return (0..<4).map { UInt8(truncatingIfNeeded: low >> (24 - 8 * UInt64($0))) } }
        return [high, low].flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> (56 - 8 * UInt64($0))) } }
    }

    package static func < (left: IPAddress, right: IPAddress) -> Bool {
        if left.isIPv4 != right.isIPv4 { return left.isIPv4 }
        return (left.high, left.low) < (right.high, right.low)
    }

    /// The usual form, IPv6 as RFC 5952 wants it.
    package var description: String {
        if isIPv4 { return ipv4Description }
        var buffer = [CChar](repeating: 0, count: 46)
        let bytes = bytes
        guard unsafe inet_ntop(AF_INET6, bytes, &buffer, socklen_t(buffer.count)) != nil else { return "" }
        return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    private var ipv4Description: String {
        unsafe String(unsafeUninitializedCapacity: 15) { text in
            var end = 0
            func put(_ byte: UInt8) {
                unsafe text[end] = byte
                end += 1
            }
            for shift in [UInt64(24), 16, 8, 0] {
                let part = UInt8(truncatingIfNeeded: low >> shift)
                if part >= 100 { put(UInt8(ascii: "0") + part / 100) }
                if part >= 10 { put(UInt8(ascii: "0") + part / 10 % 10) }
                put(UInt8(ascii: "0") + part % 10)
                if shift > 0 { put(UInt8(ascii: ".")) }
            }
            return end
        }
    }

    /// This address with only its first `prefix` bits.
    package func masked(to prefix: Int) -> IPAddress {
        func mask(_ bits: Int) -> UInt64 { bits <= 0 ? 0 : bits >= 64 ? .max : ~(.max >> UInt64(bits)) }
        if isIPv4 { return IPAddress(ipv4: UInt32(low & mask(32 + prefix) & 0xFFFF_FFFF)) }
        return IPAddress(unmapped: high & mask(prefix), low & mask(prefix - 64))
    }

    /// IPv6 bits that stay IPv6, whatever masking made of them.
    private init(unmapped high: UInt64, _ low: UInt64) {
        isIPv4 = false
        self.high = high
        self.low = low
    }
}

/// An address with the number of bits that count: one host, or a whole network.
package struct IPNetwork: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// Bits beyond `prefix` are zero.
    package let address: IPAddress
    package let prefix: Int

    package init(_ address: IPAddress, prefix: Int? = nil) {
        self.prefix = min(max(prefix ?? address.width, 0), address.width)
        self.address = address.masked(to: self.prefix)
    }

    /// Reads `203.0.113.7`, `203.0.113.0/24`, `2001:db8::/32`; bits beyond the prefix are dropped.
    package init?(_ text: some StringProtocol) {
        let text = Substring(text)
        guard let slash = text.utf8.firstIndex(of: UInt8(ascii: "/")) else {
            guard let address = IPAddress(text) else { return nil }
            self.init(address)
            return
        }
        let (head, digits) = (text[..<slash], text[slash...].utf8.dropFirst())
        guard let address = IPAddress(head), (1...3).contains(digits.count),
            digits.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }), let prefix = Int(Substring(digits)),
            prefix <= address.width
        else { return nil }
        // ::ffff:0:0/96 and the like would change their meaning with their family.
        guard !(address.isIPv4 && head.utf8.contains(UInt8(ascii: ":"))) else { return nil }
        self.init(address, prefix: prefix)
    }

    package var isHost: Bool { prefix == address.width }

    package func contains(_ other: IPAddress) -> Bool {
        other.isIPv4 == address.isIPv4 && other.masked(to: prefix) == address
    }

    package func contains(_ other: IPNetwork) -> Bool { other.prefix >= prefix && contains(other.address) }

    package func overlaps(_ other: IPNetwork) -> Bool { contains(other) || other.contains(self) }

    package static func < (left: IPNetwork, right: IPNetwork) -> Bool {
        (left.address, left.prefix) < (right.address, right.prefix)
    }

    /// A host without its prefix.
    package var description: String { isHost ? "\(address)" : "\(address)/\(prefix)" }
}
