/// JSON's escapes (RFC 8259 section 7).
enum JSONString {
    /// Appends the text of a string's inside. `\u` pairs of surrogates become one character; a lone surrogate, a broken
    /// `\u` and an unknown escape become U+FFFD, so that two different bad strings cannot pass for a good one.
    static func decode(_ line: Span<UInt8>, _ raw: Piece, into decoded: inout [UInt8]) {
        var index = raw.start
        while index < raw.end {
            let byte = line.byte(at: index)
            guard byte == UInt8(ascii: "\\") else {
                decoded.append(byte)
                index += 1
                continue
            }
            let escape = index + 1 < raw.end ? line.byte(at: index + 1) : 0
            index += 2
            switch escape {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): decoded.append(escape)
            case UInt8(ascii: "n"): decoded.append(10)
            case UInt8(ascii: "t"): decoded.append(9)
            case UInt8(ascii: "r"): decoded.append(13)
            case UInt8(ascii: "b"): decoded.append(8)
            case UInt8(ascii: "f"): decoded.append(12)
            case UInt8(ascii: "u"): scalar(line, &index, before: raw.end, into: &decoded)
            default: append(0xFFFD, to: &decoded)
            }
        }
    }

    /// The four hexadecimal digits at `index`, if they are.
    private static func unit(_ line: Span<UInt8>, at index: Int, before end: Int) -> UInt32? {
        guard index + 4 <= end else { return nil }
        var value: UInt32 = 0
        for offset in 0..<4 {
            guard let digit = HexDigit.value(line.byte(at: index + offset)) else { return nil }
            value = value << 4 | UInt32(digit)
        }
        return value
    }

    private static func scalar(_ line: Span<UInt8>, _ index: inout Int, before end: Int, into decoded: inout [UInt8]) {
        guard let first = unit(line, at: index, before: end) else { return append(0xFFFD, to: &decoded) }
        index += 4
        guard (0xD800...0xDFFF).contains(first) else { return append(first, to: &decoded) }
        if first < 0xDC00, line.has("\\u", at: index, before: end),
            let second = unit(line, at: index + 2, before: end), (0xDC00...0xDFFF).contains(second)
        {
            index += 6
            return append(0x10000 + (first - 0xD800) << 10 + (second - 0xDC00), to: &decoded)
        }
        append(0xFFFD, to: &decoded)
    }

    /// Appends a scalar as UTF-8; `value` is none of the surrogates.
    static func append(_ value: UInt32, to decoded: inout [UInt8]) {
        switch value {
        case ..<0x80:
            decoded.append(UInt8(truncatingIfNeeded: value))
        case ..<0x800:
            decoded.append(0xC0 | UInt8(truncatingIfNeeded: value >> 6))
            decoded.append(0x80 | UInt8(truncatingIfNeeded: value & 0x3F))
        case ..<0x10000:
            decoded.append(0xE0 | UInt8(truncatingIfNeeded: value >> 12))
            decoded.append(0x80 | UInt8(truncatingIfNeeded: value >> 6 & 0x3F))
            decoded.append(0x80 | UInt8(truncatingIfNeeded: value & 0x3F))
        default:
            decoded.append(0xF0 | UInt8(truncatingIfNeeded: value >> 18 & 7))
            decoded.append(0x80 | UInt8(truncatingIfNeeded: value >> 12 & 0x3F))
            decoded.append(0x80 | UInt8(truncatingIfNeeded: value >> 6 & 0x3F))
            decoded.append(0x80 | UInt8(truncatingIfNeeded: value & 0x3F))
        }
    }
}

enum HexDigit {
    static func value(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
