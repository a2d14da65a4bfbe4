/// Semantic Versioning 2.0.0, section 11, for crates, npm, Go and Swift.
///
/// Lenient where registries are: a leading `v` (Go, git tags) or `=`, one to any number of numbers; what is missing is
/// zero. Build metadata does not count.
enum SemanticVersion {
    private enum Tag {
        static let end: UInt8 = 0
        static let numeric: UInt8 = 1
        static let alphanumeric: UInt8 = 2
        /// No pre-release: above every pre-release.
        static let release: UInt8 = 3
        /// Between two numbers; above `release`, below nothing.
        static let further: UInt8 = 4
    }

    static func key(_ text: [UInt8]) -> [UInt8]? {
        var cursor = VersionCursor(text)
        while let byte = cursor.peek, byte == 0x20 || byte == 0x3D { cursor.index += 1 }
        if cursor.text.count > cursor.index + 2, cursor.text[cursor.index...].starts(with: "go".utf8) {
            cursor.index += 2
        } else if cursor.peek == 0x76 || cursor.peek == 0x56 {
            cursor.index += 1
        }
        guard let numbers = numbers(&cursor) else { return nil }
        var key = KeyBuilder()
        append(numbers, to: &key)
        // Go names its own pre-releases go1.22rc1.
        let hasDash = cursor.eat(0x2D)
        guard hasDash || cursor.isAtEnd || cursor.peek == 0x2B || isGoSuffix(cursor) else { return nil }
        guard hasDash || isGoSuffix(cursor) else {
            key.tag(Tag.release)
            return key.bytes
        }
        key.tag(Tag.end)
        guard prerelease(&cursor, &key, foldsCase: false) else { return nil }
        return key.bytes
    }

    /// At least three, the further ones only when they are not zero at the end.
    static func numbers(_ cursor: inout VersionCursor) -> [ArraySlice<UInt8>]? {
        var numbers: [ArraySlice<UInt8>] = []
        repeat {
            let digits = cursor.digits()
            // A wildcard is a range, and a range is no version.
            guard !digits.isEmpty else { return nil }
            numbers.append(digits.drop { $0 == 0x30 })
        } while cursor.eat(0x2E)
        while numbers.count < 3 { numbers.append([]) }
        while numbers.count > 3, numbers[numbers.count - 1].isEmpty { numbers.removeLast() }
        return numbers
    }

    static func append(_ numbers: [ArraySlice<UInt8>], to key: inout KeyBuilder) {
        for (index, number) in numbers.enumerated() {
            if index >= 3 { key.tag(Tag.further) }
            key.number(number)
        }
    }

    /// Dot-separated identifiers up to `+`.
    static func prerelease(_ cursor: inout VersionCursor, _ key: inout KeyBuilder, foldsCase: Bool) -> Bool {
        repeat {
            let identifier = cursor.take { $0.isDigit || $0.isLetter || $0 == 0x2D || $0 == 0x5F }
            guard !identifier.isEmpty else { return false }
            if identifier.allSatisfy(\.isDigit) {
                key.tag(Tag.numeric)
                key.number(identifier)
            } else {
                key.tag(Tag.alphanumeric)
                key.text(foldsCase ? identifier.map(\.lowercased)[...] : identifier)
            }
        } while cursor.eat(0x2E)
        key.tag(Tag.end)
        return cursor.isAtEnd || cursor.peek == 0x2B
    }

    private static func isGoSuffix(_ cursor: VersionCursor) -> Bool {
        let rest = cursor.text[cursor.index...]
        return rest.starts(with: "rc".utf8) || rest.starts(with: "beta".utf8)
    }
}

/// NuGet: four numbers, and labels whose case does not count.
enum NuGetVersion {
    static func key(_ text: [UInt8]) -> [UInt8]? {
        var cursor = VersionCursor(text)
        if cursor.peek == 0x76 || cursor.peek == 0x56 { cursor.index += 1 }
        guard let numbers = SemanticVersion.numbers(&cursor), numbers.count <= 4 else { return nil }
        var key = KeyBuilder()
        for index in 0..<4 { key.number(index < numbers.count ? numbers[index] : []) }
        if cursor.eat(0x2D) {
            key.tag(0)
            guard SemanticVersion.prerelease(&cursor, &key, foldsCase: true) else { return nil }
            return key.bytes
        }
        guard cursor.isAtEnd || cursor.peek == 0x2B else { return nil }
        key.tag(1)
        return key.bytes
    }
}
