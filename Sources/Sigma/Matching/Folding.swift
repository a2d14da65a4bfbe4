/// Simple case folding: what makes two texts equal "regardless of case", one scalar for one scalar.
///
/// The prefilter and every predicate fold by this table and no other, so they cannot disagree. Invalid UTF-8 folds to
/// itself, byte by byte, and never swallows a valid scalar beside it.
enum Folding {
    @inline(__always)
    static func fold(_ byte: UInt8) -> UInt8 {
        byte &- 0x41 < 26 ? byte | 0x20 : byte
    }

    static func fold(_ bytes: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count)
        append(bytes.span, from: 0, to: bytes.count, to: &result)
        return result
    }

    /// Appends the folded form of a piece of `bytes`. Its length may differ.
    static func append(_ bytes: borrowing Span<UInt8>, from start: Int, to end: Int, to result: inout [UInt8]) {
        var index = start
        while index < end {
            let byte = bytes[index]
            if byte < 0x80 {
                result.append(fold(byte))
                index += 1
                continue
            }
            let (scalar, length) = decode(bytes, at: index, end: end)
            if length == 0 {
                result.append(byte)
                index += 1
                continue
            }
            appendUTF8(table.fold(scalar), to: &result)
            index += length
        }
    }

    /// The scalar at `index` and its length in bytes; length 0 when the bytes are not UTF-8.
    static func decode(_ bytes: borrowing Span<UInt8>, at index: Int, end: Int) -> (scalar: UInt32, length: Int) {
        let lead = bytes[index]
        let length: Int
        var scalar: UInt32
        switch lead {
        case 0x00...0x7F: return (UInt32(lead), 1)
        case 0xC2...0xDF: (length, scalar) = (2, UInt32(lead & 0x1F))
        case 0xE0...0xEF: (length, scalar) = (3, UInt32(lead & 0x0F))
        case 0xF0...0xF4: (length, scalar) = (4, UInt32(lead & 0x07))
        default: return (0, 0)
        }
        guard index + length <= end else { return (0, 0) }
        for offset in 1..<length {
            let byte = bytes[index + offset]
            guard byte & 0xC0 == 0x80 else { return (0, 0) }
            scalar = scalar << 6 | UInt32(byte & 0x3F)
        }
        let isOverlong = length == 3 && scalar < 0x800 || length == 4 && scalar < 0x10000
        guard !isOverlong, scalar <= 0x10FFFF, !(0xD800...0xDFFF).contains(scalar) else { return (0, 0) }
        return (scalar, length)
    }

    static func appendUTF8(_ scalar: UInt32, to result: inout [UInt8]) {
        switch scalar {
        case 0..<0x80:
            result.append(UInt8(scalar))
        case 0x80..<0x800:
            result.append(0xC0 | UInt8(scalar >> 6))
            result.append(0x80 | UInt8(scalar & 0x3F))
        case 0x800..<0x10000:
            result.append(0xE0 | UInt8(scalar >> 12))
            result.append(0x80 | UInt8(scalar >> 6 & 0x3F))
            result.append(0x80 | UInt8(scalar & 0x3F))
        default:
            result.append(0xF0 | UInt8(scalar >> 18 & 0x07))
            result.append(0x80 | UInt8(scalar >> 12 & 0x3F))
            result.append(0x80 | UInt8(scalar >> 6 & 0x3F))
            result.append(0x80 | UInt8(scalar & 0x3F))
        }
    }

    /// Every scalar that folds to the same as this one does, itself included.
    static func variants(of scalar: UInt32) -> [UInt32] {
        table.variants[table.foldAny(scalar)] ?? [scalar]
    }

    private static let table = FoldTable()
}

/// What folds to something other than itself, in pages of 128 scalars.
private struct FoldTable: Sendable {
    private var pageOf: [UInt16]
    private var pages: [UInt32]
    private(set) var variants: [UInt32: [UInt32]] = [:]

    /// The blocks of Unicode that have upper and lower case.
    private static let ranges: [ClosedRange<UInt32>] = [
        0x41...0x5A, 0x80...0x5FF, 0x10A0...0x10FF, 0x13A0...0x13FF, 0x1C80...0x1CBF, 0x1D00...0x1FFF, 0x2100...0x218F,
        0x24B6...0x24E9, 0x2C00...0x2DFF, 0xA640...0xA7FF, 0xAB30...0xABBF, 0xFF21...0xFF5A, 0x10400...0x105FF,
        0x10C80...0x10CFF, 0x10D40...0x10DFF, 0x118A0...0x118DF, 0x16E40...0x16EBF, 0x1E900...0x1E943,
    ]

    init() {
        pageOf = [UInt16](repeating: 0, count: 0x1F000 >> 7)
        pages = [UInt32](repeating: 0, count: 128)
        for range in Self.ranges {
            for value in range {
                guard let scalar = Unicode.Scalar(value) else { continue }
                let folded = Self.compute(scalar)
                guard folded != value else { continue }
                let page = Int(value >> 7)
                if pageOf[page] == 0 {
                    pageOf[page] = UInt16(pages.count >> 7)
                    pages.append(contentsOf: [UInt32](repeating: 0, count: 128))
                }
                pages[Int(pageOf[page]) << 7 + Int(value & 127)] = folded
                variants[folded, default: [folded]].append(value)
            }
        }
    }

    func fold(_ scalar: UInt32) -> UInt32 {
        guard scalar < 0x1F000 else { return scalar }
        let folded = pages[Int(pageOf[Int(scalar >> 7)]) << 7 + Int(scalar & 127)]
        return folded == 0 ? scalar : folded
    }

    func foldAny(_ scalar: UInt32) -> UInt32 {
        scalar < 0x80 ? UInt32(Folding.fold(UInt8(scalar))) : fold(scalar)
    }

    /// Lower case of upper case, each only where it is one scalar: final sigma is a sigma, long s an s, Kelvin a k.
    /// Dotless i stays itself, as CaseFolding.txt has it.
    private static func compute(_ scalar: Unicode.Scalar) -> UInt32 {
        guard scalar.value != 0x131, scalar.value != 0x130 else { return scalar.value }
        let upper = single(scalar.properties.uppercaseMapping) ?? scalar
        return (single(upper.properties.lowercaseMapping) ?? upper).value
    }

    private static func single(_ text: String) -> Unicode.Scalar? {
        text.unicodeScalars.count == 1 ? text.unicodeScalars.first : nil
    }
}
