/// The encodings that value modifiers apply before comparing.
enum Encodings {
    /// The texts to look for, any of which means that the bytes are there in that encoding.
    static func encode(_ bytes: [UInt8], _ encoding: ItemModifiers.Encoding) -> [[UInt8]] {
        switch encoding {
        case .base64: [base64(bytes)]
        case .base64offset: (0..<3).map { base64(bytes, offset: $0) }
        case .utf16le: [utf16(bytes, bigEndian: false)]
        case .utf16be: [utf16(bytes, bigEndian: true)]
        case .utf16: [[0xFF, 0xFE] + utf16(bytes, bigEndian: false)]
        case .dashes: [bytes]
        }
    }

    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    static func base64(_ bytes: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        var index = 0
        while index < bytes.count {
            let count = min(3, bytes.count - index)
            var group: UInt32 = 0
            for offset in 0..<3 {
                group = group << 8 | (offset < count ? UInt32(bytes[index + offset]) : 0)
            }
            for offset in 0..<4 {
                let sextet = Int(group >> UInt32(18 - 6 * offset) & 63)
                result.append(offset <= count ? alphabet[sextet] : UInt8(ascii: "="))
            }
            index += 3
        }
        return result
    }

    /// What is the same of the encoding whatever comes before and after, when the bytes begin `offset` bytes into a
    /// group of three. Source: pySigma's `base64offset` (start offsets 0, 2, 3; end offsets by length).
    static func base64(_ bytes: [UInt8], offset: Int) -> [UInt8] {
        let padded = [UInt8](repeating: 0x20, count: offset) + bytes
        let encoded = base64(padded)
        let start = [0, 2, 3][offset]
        let end = [0, 3, 2][padded.count % 3]
        return Array(encoded.dropFirst(start).dropLast(end))
    }

    static func utf16(_ bytes: [UInt8], bigEndian: Bool) -> [UInt8] {
        String(decoding: bytes, as: UTF8.self).utf16.flatMap { unit in
            let high = UInt8(unit >> 8)
            let low = UInt8(unit & 0xFF)
            return bigEndian ? [high, low] : [low, high]
        }
    }
}
