/// Composer: its own normal form (four numbers and a stability), compared as PHP's `version_compare` does.
enum ComposerVersion {
    /// PHP's order of words; the end of a version stands between `rc` and a number, `pl` above everything.
    private enum Rank {
        static let unknown: UInt8 = 1
        static let dev: UInt8 = 2
        static let alpha: UInt8 = 3
        static let beta: UInt8 = 4
        static let candidate: UInt8 = 5
        static let end: UInt8 = 6
        static let number: UInt8 = 7
        static let patch: UInt8 = 8
    }

    /// Of the first number of a version that is no date.
    private static let numberDigitsMax = 5

    static func key(_ bytes: [UInt8]) -> [UInt8]? {
        guard let parts = normalized(bytes) else { return nil }
        var key = KeyBuilder()
        for part in parts {
            if part.first?.isDigit == true {
                key.tag(Rank.number)
                key.number(part[...])
            } else {
                switch String(decoding: part, as: UTF8.self) {
                case "dev": key.tag(Rank.dev)
                case "alpha": key.tag(Rank.alpha)
                case "beta": key.tag(Rank.beta)
                case "rc": key.tag(Rank.candidate)
                case "patch": key.tag(Rank.patch)
                default: key.tag(Rank.unknown)
                }
            }
        }
        key.tag(Rank.end)
        return key.bytes
    }

    /// The parts of the normal form, in lower case.
    private static func normalized(_ bytes: [UInt8]) -> [[UInt8]]? {
        var text = bytes.map(\.lowercased)
        while text.first == 0x20 { text.removeFirst() }
        if let at = text.firstIndex(of: 0x40) { text.removeSubrange(at...) }
        if let plus = text.firstIndex(of: 0x2B) { text.removeSubrange(plus...) }
        // A branch has no place among releases.
        guard !text.starts(with: "dev-".utf8) else { return nil }
        var cursor = VersionCursor(text)
        _ = cursor.eat(0x76)
        var numbers: [[UInt8]] = []
        var isBranch = false
        repeat {
            if let byte = cursor.peek, byte == 0x78 || byte == 0x2A {
                cursor.index += 1
                isBranch = true
                numbers.append(Array("9999999".utf8))
                continue
            }
            let digits = cursor.digits()
            guard !digits.isEmpty, !isBranch else { return nil }
            numbers.append(Array(digits))
        } while cursor.peek == 0x2E && isNumber(cursor) && cursor.eat(0x2E)
        // A date stands for itself; everything else has four numbers.
        let isDate = numbers[0].count > numberDigitsMax
        guard numbers.count <= 4 || isDate else { return nil }
        if isDate {
            while cursor.peek == 0x2D, isNumber(cursor), cursor.eat(0x2D) { numbers.append(Array(cursor.digits())) }
        }
        while numbers.count < 4, !isDate { numbers.append(Array((isBranch ? "9999999" : "0").utf8)) }
        var parts = numbers
        var hasSuffix = false
        while !cursor.isAtEnd {
            if let byte = cursor.peek, byte == 0x2D || byte == 0x2E || byte == 0x5F { cursor.index += 1 }
            let word = String(decoding: cursor.take { $0.isLower }, as: UTF8.self)
            switch word {
            // Composer forgets what follows this word.
            case "stable": return rest(cursor) ? parts : nil
            case "dev": parts.append(Array("dev".utf8))
            case "alpha", "a": parts.append(Array("alpha".utf8))
            case "beta", "b": parts.append(Array("beta".utf8))
            case "rc": parts.append(Array("rc".utf8))
            case "patch", "pl", "p": parts.append(Array("patch".utf8))
            default: return nil
            }
            guard word == "dev" || !hasSuffix else { return nil }
            hasSuffix = true
            while let byte = cursor.peek, byte.isDigit || byte == 0x2E || byte == 0x2D {
                if !byte.isDigit {
                    guard cursor.index + 1 < cursor.text.count, cursor.text[cursor.index + 1].isDigit else { break }
                    cursor.index += 1
                }
                guard word != "dev" else { return nil }
                parts.append(Array(cursor.digits()))
            }
        }
        return parts
    }

    /// Numbers behind a word, and `-dev`.
    private static func rest(_ cursor: VersionCursor) -> Bool {
        var cursor = cursor
        _ = cursor.take { $0.isDigit || $0 == 0x2E || $0 == 0x2D }
        return cursor.isAtEnd || cursor.take { $0.isLower }.elementsEqual("dev".utf8) && cursor.isAtEnd
    }

    private static func isNumber(_ cursor: VersionCursor) -> Bool {
        guard cursor.index + 1 < cursor.text.count else { return false }
        let next = cursor.text[cursor.index + 1]
        return next.isDigit || next == 0x78 || next == 0x2A
    }
}
