/// IP addresses as daemons print them: `203.0.113.7`, `2001:db8::1`, `fe80::1%eth0`, `::ffff:203.0.113.7`.
///
/// What is not one of these is a host name or an attacker's text, and never becomes `src_ip`.
enum AddressLiteral {
    /// Longest literal without zone: `0000:0000:0000:0000:0000:ffff:255.255.255.255`.
    static let lengthMax = 45

    /// The address inside `piece`, which must be an address literal and nothing else: without a zone (`%eth0`), and an
    /// IPv4 address mapped into IPv6 as the IPv4 address it is; `nil` if `piece` is anything else.
    static func address(in line: Span<UInt8>, _ piece: Piece) -> Piece? {
        let piece = line.clamp(piece)
        guard piece.count >= 2 else { return nil }
        if isIPv4(line, piece) { return piece }
        var bare = piece
        if let percent = line.find(UInt8(ascii: "%"), in: piece) {
            guard isZone(line, Piece(percent + 1, piece.end)) else { return nil }
            bare.end = percent
        }
        guard isIPv6(line, bare) else { return nil }
        var mapped = bare
        if mapped.skip("::ffff:", in: line), isIPv4(line, mapped) { return mapped }
        return bare
    }

    /// Four decimal numbers to 255, without leading zeros (RFC 6943 section 3.1.1: other spellings are ambiguous).
    static func isIPv4(_ line: Span<UInt8>, _ piece: Piece) -> Bool {
        guard (7...15).contains(piece.count) else { return false }
        var (parts, digits, value) = (1, 0, 0)
        for index in piece.start..<piece.end {
            let byte = line.byte(at: index)
            if byte == UInt8(ascii: ".") {
                guard digits > 0, parts < 4 else { return false }
                (parts, digits, value) = (parts + 1, 0, 0)
                continue
            }
            let digit = byte &- UInt8(ascii: "0")
            guard digit <= 9, digits == 0 || value > 0 else { return false }
            value = value * 10 + Int(digit)
            digits += 1
            guard value <= 255 else { return false }
        }
        return parts == 4 && digits > 0
    }

    /// RFC 4291 section 2.2: eight groups of up to four hexadecimal digits, one `::`, IPv4 allowed as the last two.
    static func isIPv6(_ line: Span<UInt8>, _ piece: Piece) -> Bool {
        guard (2...lengthMax).contains(piece.count) else { return false }
        var (groups, compressed) = (0, false)
        var index = piece.start
        if line.has("::", at: index, before: piece.end) {
            compressed = true
            index += 2
        }
        while index < piece.end {
            let start = index
            while index < piece.end, isHexDigit(line.byte(at: index)) { index += 1 }
            if index < piece.end, line.byte(at: index) == UInt8(ascii: ".") {
                guard isIPv4(line, Piece(start, piece.end)) else { return false }
                groups += 2
                return compressed ? groups < 8 : groups == 8
            }
            guard (1...4).contains(index - start) else { return false }
            groups += 1
            guard groups <= 8 else { return false }
            if index == piece.end { break }
            guard line.byte(at: index) == UInt8(ascii: ":") else { return false }
            index += 1
            if line.byte(at: index) == UInt8(ascii: ":"), index < piece.end {
                guard !compressed else { return false }
                compressed = true
                index += 1
            } else if index == piece.end {
                return false
            }
        }
        return compressed ? groups < 8 : groups == 8
    }

    /// A network interface's name (IFNAMSIZ is 16 with the terminator).
    private static func isZone(_ line: Span<UInt8>, _ piece: Piece) -> Bool {
        guard (1...15).contains(piece.count) else { return false }
        for index in piece.start..<piece.end {
            switch line.byte(at: index) {
            case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
                UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."),
                UInt8(ascii: "@"):
                continue
            default:
                return false
            }
        }
        return true
    }

    static func isHexDigit(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "f"),
            UInt8(ascii: "A")...UInt8(ascii: "F"):
            return true
        default:
            return false
        }
    }
}
