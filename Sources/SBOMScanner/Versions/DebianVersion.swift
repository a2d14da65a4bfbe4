/// Debian policy 5.6.12: `[epoch:]upstream[-revision]`, alternately text and numbers, `~` before everything.
enum DebianVersion {
    private enum Rank {
        static let tilde: UInt8 = 1
        /// The end of a piece of text: after `~`, before everything else.
        static let end: UInt8 = 2
    }

    static func key(_ bytes: [UInt8]) -> [UInt8]? {
        var text = bytes[...]
        while let first = text.first, first == 0x20 || first == 0x09 { text.removeFirst() }
        var key = KeyBuilder()
        if let colon = text.firstIndex(of: 0x3A) {
            let epoch = text[..<colon]
            guard !epoch.isEmpty, epoch.allSatisfy(\.isDigit) else { return nil }
            key.number(epoch)
            text = text[(colon + 1)...]
        } else {
            key.number([])
        }
        guard !text.isEmpty, text.allSatisfy({ rank($0) != nil || $0.isDigit }) else { return nil }
        let dash = text.lastIndex(of: 0x2D)
        append(text[..<(dash ?? text.endIndex)], to: &key)
        append(dash.map { text[($0 + 1)...] } ?? [], to: &key)
        return key.bytes
    }

    private static func append(_ part: ArraySlice<UInt8>, to key: inout KeyBuilder) {
        var pieces: [(text: ArraySlice<UInt8>, number: ArraySlice<UInt8>)] = []
        var rest = part
        while !rest.isEmpty {
            let text = rest.prefix { !$0.isDigit }
            rest = rest[text.endIndex...]
            let number = rest.prefix { $0.isDigit }
            rest = rest[number.endIndex...]
            pieces.append((text, number.drop { $0 == 0x30 }))
        }
        // What is missing counts as no text and zero, for ever.
        while let last = pieces.last, last.text.isEmpty, last.number.isEmpty { pieces.removeLast() }
        for piece in pieces {
            for byte in piece.text { key.tag(rank(byte) ?? Rank.end) }
            key.tag(Rank.end)
            key.number(piece.number)
        }
        key.tag(Rank.end)
        key.number([])
    }

    /// Letters before everything that is none; `nil` for what no version has.
    private static func rank(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 0x7E: Rank.tilde
        case _ where byte.isLetter: byte
        case 0x2B, 0x2D, 0x2E, 0x3A, 0x5F: byte + 0x80
        default: nil
        }
    }
}

/// rpm: `[epoch:]version[-release]`, each part by rpmvercmp.
enum RPMVersion {
    private enum Rank {
        static let tilde: UInt8 = 1
        static let end: UInt8 = 2
        static let caret: UInt8 = 3
        static let letters: UInt8 = 4
        static let number: UInt8 = 5
    }

    static func key(_ bytes: [UInt8]) -> [UInt8]? {
        var text = bytes[...]
        while let first = text.first, first == 0x20 || first == 0x09 { text.removeFirst() }
        var key = KeyBuilder()
        let leading = text.prefix { $0.isDigit }
        if leading.endIndex < text.endIndex, text[leading.endIndex] == 0x3A {
            key.number(leading)
            text = text[(leading.endIndex + 1)...]
        } else {
            key.number([])
        }
        guard !text.isEmpty else { return nil }
        let dash = text.lastIndex(of: 0x2D)
        append(text[..<(dash ?? text.endIndex)], to: &key)
        append(dash.map { text[($0 + 1)...] } ?? [], to: &key)
        return key.bytes
    }

    private static func append(_ part: ArraySlice<UInt8>, to key: inout KeyBuilder) {
        var rest = part
        while let byte = rest.first {
            if byte.isDigit {
                let number = rest.prefix { $0.isDigit }
                key.tag(Rank.number)
                key.number(number)
                rest = rest[number.endIndex...]
            } else if byte.isLetter {
                let letters = rest.prefix { $0.isLetter }
                key.tag(Rank.letters)
                key.text(letters)
                rest = rest[letters.endIndex...]
            } else {
                if byte == 0x7E { key.tag(Rank.tilde) }
                if byte == 0x5E { key.tag(Rank.caret) }
                rest = rest.dropFirst()
            }
        }
        key.tag(Rank.end)
    }
}

/// apk: `1.2.3a_rc1_p2-r3`; a number that begins with a zero counts like a decimal fraction.
enum AlpineVersion {
    private enum Rank {
        static let end: UInt8 = 10
        static let revision: UInt8 = 11
        static let suffixNumber: UInt8 = 12
        static let suffixAfter: UInt8 = 13
        static let letter: UInt8 = 14
        static let fraction: UInt8 = 15
        static let number: UInt8 = 16
    }

    private static let before = ["alpha", "beta", "pre", "rc"]
    private static let after = ["cvs", "svn", "git", "hg", "p"]

    static func key(_ text: [UInt8]) -> [UInt8]? {
        var cursor = VersionCursor(text)
        var key = KeyBuilder()
        let first = cursor.digits()
        guard !first.isEmpty else { return nil }
        key.number(first)
        while cursor.eat(0x2E) {
            let digits = cursor.digits()
            guard let leading = digits.first else { return nil }
            if leading == 0x30 {
                let zeros = digits.prefix { $0 == 0x30 }.count
                let rest = digits.drop { $0 == 0x30 }
                key.tag(Rank.fraction)
                key.tag(UInt8(255 - zeros))
                // What follows the zeros is a number of its own.
                if !rest.isEmpty {
                    key.tag(Rank.number)
                    key.number(rest)
                }
            } else {
                key.tag(Rank.number)
                key.number(digits)
            }
        }
        if let letter = cursor.peek, letter.isLower {
            key.tag(Rank.letter)
            key.tag(letter)
            cursor.index += 1
        }
        while cursor.eat(0x5F) {
            let word = String(decoding: cursor.take { $0.isLower }, as: UTF8.self)
            if let place = before.firstIndex(of: word) {
                key.tag(UInt8(place + 1))
            } else if let place = after.firstIndex(of: word) {
                key.tag(Rank.suffixAfter)
                key.tag(UInt8(place))
            } else {
                return nil
            }
            let number = cursor.digits()
            if !number.isEmpty {
                key.tag(Rank.suffixNumber)
                key.number(number)
            }
        }
        // apk 3 lets a commit's hash follow; it does not count.
        if cursor.eat(0x7E) { _ = cursor.take { $0.isDigit || $0.isLower } }
        if cursor.eat(0x2D) {
            guard cursor.eat(0x72) else { return nil }
            let number = cursor.digits()
            guard !number.isEmpty else { return nil }
            key.tag(Rank.revision)
            key.number(number)
        }
        key.tag(Rank.end)
        return cursor.isAtEnd ? key.bytes : nil
    }
}
