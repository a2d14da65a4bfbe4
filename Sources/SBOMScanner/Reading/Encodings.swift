internal import Glibc

/// Bytes as text, and back.
enum Base64 {
    /// `nil` for anything that is not base64; padding may be missing.
    static func decode(_ text: some Collection<UInt8>) -> [UInt8]? {
        var result: [UInt8] = []
        result.reserveCapacity(text.count / 4 * 3 + 3)
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
    static func encode(_ bytes: some Sequence<UInt8>) -> String {
        let bytes = Array(bytes)
        return unsafe String(unsafeUninitializedCapacity: 2 * bytes.count) { text in
            var place = 0
            for byte in bytes {
                unsafe text[place] = digit(byte >> 4)
                unsafe text[place + 1] = digit(byte & 15)
                place += 2
            }
            return place
        }
    }

    private static func digit(_ value: UInt8) -> UInt8 { value < 10 ? 0x30 + value : 0x57 + value }
}

extension Package.Hash {
    /// Of hexadecimal digits; `nil` when they are not as many as the algorithm makes.
    init?(algorithm: String, hexadecimal: ArraySlice<UInt8>) {
        guard Self.digits(algorithm) == hexadecimal.count else { return nil }
        // All of them, in place of leaving early: so many are compared at once.
        var others: UInt8 = 0
        let value = unsafe String(unsafeUninitializedCapacity: hexadecimal.count) { text in
            for (place, byte) in hexadecimal.enumerated() {
                // Lower case; digits have this bit already.
                let lower = byte | 0x20
                others |= (byte &- 0x30 < 10) || (lower &- 0x61 < 6) ? 0 : 1
                unsafe text[place] = lower
            }
            return others == 0 ? hexadecimal.count : 0
        }
        guard others == 0 else { return nil }
        self.init(algorithm: algorithm, value: value)
    }

    /// Of `sha256:…` or `sha256=…`.
    init?(prefixed text: ArraySlice<UInt8>) {
        guard let mark = text.firstIndex(where: { $0 == 0x3A || $0 == 0x3D }),
            let algorithm = Self.algorithm(text[..<mark])
        else { return nil }
        self.init(algorithm: algorithm, hexadecimal: text[(mark + 1)...])
    }

    /// The strongest of a subresource integrity (`sha512-…base64…`).
    static func integrity(_ text: ArraySlice<UInt8>) -> [Package.Hash] {
        var strongest: Package.Hash?
        for word in text.split(separator: 0x20) {
            guard let hyphen = word.firstIndex(of: 0x2D), let algorithm = algorithm(word[..<hyphen]),
                let bytes = Base64.decode(word[(hyphen + 1)...]), digits(algorithm) == 2 * bytes.count,
                2 * bytes.count > strongest?.value.utf8.count ?? 0
            else { continue }
            strongest = Package.Hash(algorithm: algorithm, value: Hexadecimal.encode(bytes))
        }
        return strongest.map { [$0] } ?? []
    }

    private static func digits(_ algorithm: String) -> Int? {
        switch algorithm {
        case "SHA-256": 64
        case "SHA-512": 128
        case "SHA-1": 40
        case "SHA-384": 96
        case "MD5": 32
        default: nil
        }
    }

    private static func algorithm(_ name: some Collection<UInt8>) -> String? {
        // None has a longer name.
        guard name.count <= 6 else { return nil }
        return switch String(decoding: name, as: UTF8.self).lowercased() {
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
        index = unsafe bytes.withUnsafeBytes { buffer in
            guard let base = buffer.baseAddress, let end = unsafe memchr(base + start, 0x0A, buffer.count - start)
            else {
                return buffer.count
            }
            return unsafe end - UnsafeMutableRawPointer(mutating: base)
        }
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

extension StringProtocol {
    /// Pieces between bytes of ASCII, which is much quicker than between characters.
    func split(byte: UInt8, maxSplits: Int = .max, omittingEmpty: Bool = true) -> [SubSequence] {
        utf8.split(separator: byte, maxSplits: maxSplits, omittingEmptySubsequences: omittingEmpty).map {
            self[$0.startIndex..<$0.endIndex]
        }
    }
}
