/// Bytes as text, and back.
enum Base64 {
    /// `nil` for anything that is not base64; padding may be missing.
    static func decode(_ text: some Sequence<UInt8>) -> [UInt8]? {
        var result: [UInt8] = []
        var bits: UInt32 = 0
        var count = 0
        for byte in text {
            let value: UInt32
            switch byte {
            case 0x41...0x5A: value = UInt32(byte) - 0x41
            case 0x61...0x7A: value = UInt32(byte) - 0x61 + 26
            case 0x30...0x39: value = UInt32(byte) - 0x30 + 52
            case 0x2B, 0x2D: value = 62
            case 0x2F, 0x5F: value = 63
            case 0x3D: continue
            default: return nil
            }
            bits = bits << 6 | value
            count += 6
            if count >= 8 {
                count -= 8
                result.append(UInt8(truncatingIfNeeded: bits >> UInt32(count)))
            }
        }
        return result
    }
}

enum Hexadecimal {
    private static let digits = Array("0123456789abcdef".utf8)

    static func encode(_ bytes: some Sequence<UInt8>) -> String {
        var text: [UInt8] = []
        for byte in bytes {
            text.append(digits[Int(byte >> 4)])
            text.append(digits[Int(byte & 15)])
        }
        return String(decoding: text, as: UTF8.self)
    }

    static func isDigits(_ text: some StringProtocol) -> Bool {
        !text.isEmpty && text.utf8.allSatisfy { $0.isDigit || ($0 | 0x20 >= 0x61 && $0 | 0x20 <= 0x66) }
    }
}

extension Package.Hash {
    private static let lengths = ["MD5": 32, "SHA-1": 40, "SHA-256": 64, "SHA-384": 96, "SHA-512": 128]

    /// Of hexadecimal digits; `nil` when they are not as many as the algorithm makes.
    init?(algorithm: String, hexadecimal: some StringProtocol) {
        guard Hexadecimal.isDigits(hexadecimal), Self.lengths[algorithm] == hexadecimal.utf8.count else { return nil }
        self.init(algorithm: algorithm, value: hexadecimal.lowercased())
    }

    /// Of `sha256:…` or `sha256=…`.
    init?(prefixed text: some StringProtocol) {
        let parts = text.split(maxSplits: 1) { $0 == ":" || $0 == "=" }
        guard parts.count == 2, let algorithm = Self.algorithm(parts[0]) else { return nil }
        self.init(algorithm: algorithm, hexadecimal: parts[1])
    }

    /// The strongest of a subresource integrity (`sha512-…base64…`).
    static func integrity(_ text: some StringProtocol) -> [Package.Hash] {
        var found: [Package.Hash] = []
        for word in text.split(separator: " ") {
            let parts = word.split(separator: "-", maxSplits: 1)
            guard parts.count == 2, let algorithm = algorithm(parts[0]), let bytes = Base64.decode(parts[1].utf8),
                let hash = Package.Hash(algorithm: algorithm, hexadecimal: Hexadecimal.encode(bytes))
            else { continue }
            found.append(hash)
        }
        return found.max { $0.value.count < $1.value.count }.map { [$0] } ?? []
    }

    private static func algorithm(_ name: some StringProtocol) -> String? {
        switch name.lowercased() {
        case "md5": "MD5"
        case "sha1": "SHA-1"
        case "sha256": "SHA-256"
        case "sha384": "SHA-384"
        case "sha512": "SHA-512"
        default: nil
        }
    }
}

/// A text file, line by line, without copying it.
struct Lines: Sequence, IteratorProtocol {
    private let bytes: [UInt8]
    private var index = 0
    /// Of the line that came last, from 1.
    private(set) var number = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// Without the line end.
    mutating func next() -> ArraySlice<UInt8>? {
        guard index < bytes.count else { return nil }
        let start = index
        while index < bytes.count, bytes[index] != 0x0A { index += 1 }
        var end = index
        index += 1
        if end > start, bytes[end - 1] == 0x0D { end -= 1 }
        number += 1
        return bytes[start..<end]
    }
}

extension ArraySlice<UInt8> {
    var text: String { String(decoding: self, as: UTF8.self) }

    /// Without spaces and tabs at both ends.
    var trimmed: ArraySlice<UInt8> {
        var slice = self
        while let first = slice.first, first == 0x20 || first == 0x09 { slice.removeFirst() }
        while let last = slice.last, last == 0x20 || last == 0x09 { slice.removeLast() }
        return slice
    }

    /// What follows `prefix`; `nil` when it does not begin so.
    func after(_ prefix: StaticString) -> ArraySlice<UInt8>? {
        let count = prefix.utf8CodeUnitCount
        guard self.count >= count, prefix.withUTF8Buffer({ unsafe self.prefix(count).elementsEqual($0) }) else {
            return nil
        }
        return dropFirst(count)
    }
}
