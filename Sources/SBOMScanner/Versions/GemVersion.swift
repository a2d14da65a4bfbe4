/// RubyGems: numbers and words between dots; a word makes a pre-release; zeros at the end of either part do not count.
enum GemVersion {
    private enum Rank {
        static let word: UInt8 = 1
        /// A zero that a word follows sooner than another number: below the end.
        static let zeroBelow: UInt8 = 2
        static let end: UInt8 = 3
        static let zeroAbove: UInt8 = 4
        static let number: UInt8 = 5
    }

    private enum Segment {
        case number(ArraySlice<UInt8>)
        case word(ArraySlice<UInt8>)

        var isZero: Bool {
            if case .number(let digits) = self { return digits.isEmpty }
            return false
        }

        var isWord: Bool {
            if case .word = self { return true }
            return false
        }
    }

    static func key(_ bytes: [UInt8]) -> [UInt8]? {
        guard let all = segments(bytes) else { return nil }
        let firstWord = all.firstIndex { $0.isWord } ?? all.endIndex
        let canonical = trimmed(all[..<firstWord]) + trimmed(all[firstWord...])
        var key = KeyBuilder()
        for (index, segment) in canonical.enumerated() {
            switch segment {
            case .word(let word):
                key.tag(Rank.word)
                key.text(word)
            case .number(let digits) where digits.isEmpty:
                let next = canonical[index...].first { !$0.isZero }
                key.tag(next?.isWord == true ? Rank.zeroBelow : Rank.zeroAbove)
            case .number(let digits):
                key.tag(Rank.number)
                key.number(digits)
            }
        }
        key.tag(Rank.end)
        return key.bytes
    }

    private static func segments(_ bytes: [UInt8]) -> [Segment]? {
        var segments: [Segment] = []
        var rest = bytes[...]
        while let first = rest.first, first == 0x20 { rest.removeFirst() }
        guard rest.first?.isDigit == true else { return nil }
        var isAfterDot = true
        while let byte = rest.first {
            if byte.isDigit {
                let digits = rest.prefix { $0.isDigit }
                segments.append(.number(digits.drop { $0 == 0x30 }))
                rest = rest[digits.endIndex...]
                isAfterDot = false
            } else if byte.isLetter {
                let word = rest.prefix { $0.isLetter }
                segments.append(.word(word))
                rest = rest[word.endIndex...]
                isAfterDot = false
            } else if byte == 0x2D, !isAfterDot {
                // A hyphen begins a pre-release.
                segments.append(.word(ArraySlice("pre".utf8)))
                rest = rest.dropFirst()
                isAfterDot = false
            } else if byte == 0x2E, !isAfterDot {
                rest = rest.dropFirst()
                isAfterDot = true
            } else {
                return nil
            }
        }
        return isAfterDot ? nil : segments
    }

    private static func trimmed(_ segments: ArraySlice<Segment>) -> [Segment] {
        var kept = Array(segments)
        while let last = kept.last, last.isZero { kept.removeLast() }
        return kept
    }
}
