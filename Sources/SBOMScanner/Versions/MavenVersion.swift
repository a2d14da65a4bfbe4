/// Maven's order (POM reference, "Version Order Specification"): nested lists of numbers and qualifiers.
///
/// A place that is missing counts like nothing at all, which stands between `snapshot` and `sp`; therefore these keys
/// need a comparison of their own.
enum MavenVersion {
    private indirect enum Item {
        case number(ArraySlice<UInt8>)
        case text(Qualifier)
        /// A qualifier with a number right behind it, as in `rc1`.
        case combination(Qualifier, ArraySlice<UInt8>)
        case list([Item])

        var isNull: Bool {
            switch self {
            case .number(let digits): digits.isEmpty
            case .text(let qualifier): qualifier.name.isEmpty
            case .combination: false
            case .list(let items): items.isEmpty
            }
        }
    }

    private struct Qualifier {
        static let known = ["alpha", "beta", "milestone", "rc", "snapshot", "", "sp"]
        var name: ArraySlice<UInt8>
        var rank: UInt8

        init(_ written: ArraySlice<UInt8>, isFollowedByDigit: Bool) {
            var name = String(decoding: written, as: UTF8.self)
            if isFollowedByDigit {
                switch name {
                case "a": name = "alpha"
                case "b": name = "beta"
                case "m": name = "milestone"
                default: break
                }
            }
            switch name {
            case "cr": name = "rc"
            case "ga", "final", "release": name = ""
            default: break
            }
            self.name = ArraySlice(name.utf8)
            rank = UInt8(Self.known.firstIndex(of: name) ?? Self.known.count)
        }
    }

    /// Lists deeper than this are no version that anybody published.
    private static let depthMax = 60

    static func key(_ bytes: [UInt8]) -> [UInt8]? {
        guard let items = parse(bytes.map(\.lowercased)) else { return nil }
        var key: [UInt8] = []
        encode(items, to: &key)
        return key
    }

    // MARK: - Reading

    private static func parse(_ text: [UInt8]) -> [Item]? {
        // The lists that are open, the innermost last; each is the last item of the one before.
        var lists: [[Item]] = [[]]
        var isDigit = false
        var isCombination = false
        var start = 0
        func item(_ end: Int) -> Item {
            let piece = text[start..<end]
            if isCombination {
                let digits = piece.firstIndex { $0.isDigit } ?? piece.endIndex
                let word = piece[..<digits].filter { $0 != 0x2D }
                return .combination(
                    Qualifier(word[...], isFollowedByDigit: true), piece[digits...].drop { $0 == 0x30 }
                )
            }
            return isDigit
                ? .number(piece.drop { $0 == 0x30 }) : .text(Qualifier(piece, isFollowedByDigit: false))
        }
        func add(_ item: Item) { lists[lists.count - 1].append(item) }
        var index = 0
        while index < text.count {
            let byte = text[index]
            if byte == 0x2E {
                add(index == start ? .number([]) : item(index))
                isCombination = false
                start = index + 1
            } else if byte == 0x2D {
                if index == start {
                    add(.number([]))
                } else {
                    if !isDigit, index + 1 < text.count, text[index + 1].isDigit {
                        isCombination = true
                        index += 1
                        continue
                    }
                    add(item(index))
                }
                start = index + 1
                if !lists[lists.count - 1].isEmpty { lists.append([]) }
                isCombination = false
            } else if byte.isDigit {
                if !isDigit, index > start {
                    isCombination = true
                    if !lists[lists.count - 1].isEmpty { lists.append([]) }
                }
                isDigit = true
            } else {
                if isDigit, index > start {
                    add(item(index))
                    start = index
                    lists.append([])
                    isCombination = false
                }
                isDigit = false
            }
            index += 1
            guard lists.count < depthMax else { return nil }
        }
        if text.count > start {
            // 1.0.x is 1.0-x for a qualifier x.
            if !isDigit, !lists[lists.count - 1].isEmpty { lists.append([]) }
            add(item(text.count))
        }
        while lists.count > 1 {
            let inner = normalized(lists.removeLast())
            lists[lists.count - 1].append(.list(inner))
        }
        return normalized(lists[0])
    }

    /// Without the zeros at the end, and those before a qualifier.
    private static func normalized(_ items: [Item]) -> [Item] {
        var items = items
        for index in items.indices.reversed() where items[index].isNull {
            guard index < items.count - 1 else {
                items.removeLast()
                continue
            }
            switch items[index + 1] {
            case .text: items.remove(at: index)
            case .list(let inner):
                switch inner.first {
                case .text, .combination: items.remove(at: index)
                default: break
                }
            default: break
            }
        }
        return items
    }

    // MARK: - Keys

    private enum Kind {
        static let end: UInt8 = 0
        static let number: UInt8 = 1
        static let text: UInt8 = 2
        static let combination: UInt8 = 3
        static let list: UInt8 = 4
    }

    private static func encode(_ items: [Item], to key: inout [UInt8]) {
        func add(_ digits: ArraySlice<UInt8>) {
            key.append(UInt8(min(digits.count, 255)))
            key.append(contentsOf: digits)
        }
        func add(_ qualifier: Qualifier) {
            key.append(qualifier.rank)
            add(qualifier.name)
        }
        for item in items {
            switch item {
            case .number(let digits):
                key.append(Kind.number)
                add(digits)
            case .text(let qualifier):
                key.append(Kind.text)
                add(qualifier)
            case .combination(let qualifier, let digits):
                key.append(Kind.combination)
                add(qualifier)
                add(digits)
            case .list(let inner):
                key.append(Kind.list)
                encode(inner, to: &key)
            }
        }
        key.append(Kind.end)
    }

    private static func decode(_ key: [UInt8], _ index: inout Int, depth: Int) -> [Item] {
        var items: [Item] = []
        func digits() -> ArraySlice<UInt8> {
            guard index < key.count else { return [] }
            let end = min(index + 1 + Int(key[index]), key.count)
            defer { index = end }
            return key[(index + 1)..<end]
        }
        func qualifier() -> Qualifier {
            index += 1
            return Qualifier(digits(), isFollowedByDigit: false)
        }
        while index < key.count {
            let kind = key[index]
            index += 1
            switch kind {
            case Kind.number: items.append(.number(digits()))
            case Kind.text: items.append(.text(qualifier()))
            case Kind.combination:
                let word = qualifier()
                items.append(.combination(word, digits()))
            case Kind.list where depth < depthMax: items.append(.list(decode(key, &index, depth: depth + 1)))
            default: return items
            }
        }
        return items
    }

    /// -1, 0 or 1 of two keys.
    static func compare(_ left: [UInt8], _ right: [UInt8]) -> Int {
        var start = 0
        let first = decode(left, &start, depth: 0)
        start = 0
        return compare(first, decode(right, &start, depth: 0))
    }

    private static func compare(_ left: [Item], _ right: [Item]) -> Int {
        for index in 0..<max(left.count, right.count) {
            let result =
                index >= left.count
                ? -compareToNothing(right[index])
                : index >= right.count ? compareToNothing(left[index]) : compare(left[index], right[index])
            if result != 0 { return result }
        }
        return 0
    }

    private static func compareToNothing(_ item: Item) -> Int {
        switch item {
        case .number(let digits): digits.isEmpty ? 0 : 1
        case .text(let qualifier), .combination(let qualifier, _):
            compare(qualifier, Qualifier([], isFollowedByDigit: false))
        case .list(let items): items.lazy.map(compareToNothing).first { $0 != 0 } ?? 0
        }
    }

    private static func compare(_ left: Item, _ right: Item) -> Int {
        switch (left, right) {
        case (.number(let left), .number(let right)): return compareNumbers(left, right)
        case (.number, _): return 1
        case (_, .number): return -1
        case (.list(let left), .list(let right)): return compare(left, right)
        case (.list, _): return 1
        case (_, .list): return -1
        case (.text(let left), .text(let right)): return compare(left, right)
        case (.text(let left), .combination(let right, _)):
            let result = compare(left, right)
            return result == 0 ? -1 : result
        case (.combination(let left, _), .text(let right)):
            let result = compare(left, right)
            return result == 0 ? 1 : result
        case (.combination(let left, let first), .combination(let right, let second)):
            let result = compare(left, right)
            return result == 0 ? compareNumbers(first, second) : result
        }
    }

    private static func compare(_ left: Qualifier, _ right: Qualifier) -> Int {
        if left.rank != right.rank { return left.rank < right.rank ? -1 : 1 }
        return VersionKey.compare(Array(left.name), Array(right.name))
    }

    private static func compareNumbers(_ left: ArraySlice<UInt8>, _ right: ArraySlice<UInt8>) -> Int {
        if left.count != right.count { return left.count < right.count ? -1 : 1 }
        return VersionKey.compare(Array(left), Array(right))
    }
}
