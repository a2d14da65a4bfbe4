/// Parses the part of Perl's notation that finite automata can do: no look-around, no back references.
///
/// `\d`, `\w`, `\s` and `\b` are about ASCII. Lazy quantifiers are taken as greedy ones, which match the same texts.
struct RegexParser {
    /// Groups nested deeper are refused.
    static let depthMax = 50
    /// A `{n,m}` beyond this is refused.
    static let repetitionMax = 1_000
    static let anyScalar: ClosedRange<UInt32> = 0...0x10FFFF

    private var scalars: [Unicode.Scalar]
    private var position = 0
    private var flags: Flags
    private var depth = 0
    /// The names of groups, from 1; `nil` when they are not remembered.
    private var groups: [String?]?

    private struct Flags {
        var ignoresCase: Bool
        var isMultiline: Bool
        var dotMatchesLineFeed: Bool
        var isExtended = false
    }

    static func parse(_ source: RegexSource) throws(RegexFault) -> RegexNode {
        var parser = RegexParser(
            scalars: Array(source.text.unicodeScalars),
            flags: Flags(
                ignoresCase: source.ignoresCase,
                isMultiline: source.isMultiline,
                dotMatchesLineFeed: source.dotMatchesLineFeed
            )
        )
        let node = try parser.parseAlternation()
        guard parser.position == parser.scalars.count else { throw RegexFault("a ')' too many") }
        return node
    }

    /// For replacing: with groups, and with repetitions that take little.
    static func parseWithGroups(_ text: String) throws(RegexFault) -> (node: RegexNode, groups: [String?]) {
        var parser = RegexParser(
            scalars: Array(text.unicodeScalars),
            flags: Flags(ignoresCase: false, isMultiline: false, dotMatchesLineFeed: false)
        )
        parser.groups = []
        let node = try parser.parseAlternation()
        guard parser.position == parser.scalars.count else { throw RegexFault("a ')' too many") }
        return (node, parser.groups ?? [])
    }

    private init(scalars: [Unicode.Scalar], flags: Flags) {
        self.scalars = scalars
        self.flags = flags
    }

    private var next: Unicode.Scalar? { position < scalars.count ? scalars[position] : nil }

    private mutating func take(_ scalar: Unicode.Scalar) -> Bool {
        guard next == scalar else { return false }
        position += 1
        return true
    }

    private mutating func parseAlternation() throws(RegexFault) -> RegexNode {
        depth += 1
        defer { depth -= 1 }
        guard depth <= Self.depthMax else { throw RegexFault("groups nested deeper than \(Self.depthMax)") }
        var branches = [try parseConcatenation()]
        while take("|") { branches.append(try parseConcatenation()) }
        return branches.count == 1 ? branches[0] : .alternation(branches)
    }

    private mutating func parseConcatenation() throws(RegexFault) -> RegexNode {
        var parts: [RegexNode] = []
        while let scalar = next, scalar != "|", scalar != ")" {
            if flags.isExtended, scalar.properties.isWhitespace {
                position += 1
                continue
            }
            guard let atom = try parseAtom() else { continue }
            parts.append(try parseQuantifiers(atom))
        }
        return parts.count == 1 ? parts[0] : parts.isEmpty ? .empty : .concatenation(parts)
    }

    private mutating func parseQuantifiers(_ atom: RegexNode) throws(RegexFault) -> RegexNode {
        var node = atom
        var count = 0
        while let scalar = next {
            let start = position
            switch scalar {
            case "*": (position, node) = (position + 1, .repetition(node, min: 0, max: nil))
            case "+": (position, node) = (position + 1, .repetition(node, min: 1, max: nil))
            case "?": (position, node) = (position + 1, .repetition(node, min: 0, max: 1))
            case "{":
                guard let (min, max) = try parseBounds() else {
                    position = start
                    return node
                }
                node = .repetition(node, min: min, max: max)
            default: return node
            }
            count += 1
            guard count <= 3 else { throw RegexFault("quantifiers of quantifiers") }
            if next == "+" { throw RegexFault("possessive quantifiers are not supported") }
            if take("?"), groups != nil { node = .lazy(node) }
        }
        return node
    }

    /// `{n}`, `{n,}`, `{n,m}` or `{,m}`; `nil` when the brace is plain text.
    private mutating func parseBounds() throws(RegexFault) -> (Int, Int?)? {
        guard take("{") else { return nil }
        let low = try parseNumber()
        var high = low
        if take(",") {
            high = try parseNumber()
            guard low != nil || high != nil else { return nil }
            guard take("}") else { return nil }
            if let high, let low, high < low { throw RegexFault("'{\(low),\(high)}' is out of order") }
            return (low ?? 0, high)
        }
        guard let low, take("}") else { return nil }
        return (low, low)
    }

    private mutating func parseNumber() throws(RegexFault) -> Int? {
        var value: Int?
        while let scalar = next, ("0"..."9").contains(scalar) {
            value = (value ?? 0) * 10 + Int(scalar.value - 0x30)
            guard value ?? 0 <= Self.repetitionMax else {
                throw RegexFault("a repetition of more than \(Self.repetitionMax)")
            }
            position += 1
        }
        return value
    }

    private mutating func parseAtom() throws(RegexFault) -> RegexNode? {
        guard let scalar = next else { return nil }
        position += 1
        switch scalar {
        case "(": return try parseGroup()
        case "[": return .characters(try parseClass())
        case ".":
            if flags.dotMatchesLineFeed { return .characters([Self.anyScalar]) }
            return .characters([0...0x09, 0x0B...0x10FFFF])
        case "^": return .assertion(flags.isMultiline ? .lineStart : .textStart)
        case "$": return .assertion(flags.isMultiline ? .lineEnd : .textEnd)
        case "*", "+", "?": throw RegexFault("'\(scalar)' has nothing to repeat")
        case "\\": return try parseEscape()
        default: return literal(scalar.value)
        }
    }

    private func literal(_ scalar: UInt32) -> RegexNode {
        let variants = flags.ignoresCase ? Folding.variants(of: scalar) : [scalar]
        return .characters(Self.normalized(variants.map { $0...$0 }))
    }

    private mutating func parseGroup() throws(RegexFault) -> RegexNode? {
        let outer = flags
        var name: String?
        var isRemembered = true
        if take("?") {
            guard let scalar = next else { throw RegexFault("a group breaks off") }
            switch scalar {
            case ":": (position, isRemembered) = (position + 1, false)
            case "=", "!": throw RegexFault("look-ahead is not supported")
            case "P", "<", "'":
                if scalar == "P" { position += 1 }
                guard let open = next, open == "<" || open == "'" else {
                    throw RegexFault("back references are not supported")
                }
                position += 1
                if next == "=" || next == "!" { throw RegexFault("look-behind is not supported") }
                let close: Unicode.Scalar = open == "<" ? ">" : "'"
                let start = position
                while let inner = next, inner != close { _ = take(inner) }
                name = String(String.UnicodeScalarView(scalars[start..<position]))
                guard take(close) else { throw RegexFault("a group's name breaks off") }
            case ">": throw RegexFault("atomic groups are not supported")
            case "#":
                while let inner = next, inner != ")" { _ = take(inner) }
                guard take(")") else { throw RegexFault("a comment breaks off") }
                return nil
            default:
                isRemembered = false
                try parseFlags()
                // `(?i)` holds to the end of the enclosing group, `(?i:…)` inside itself.
                if take(")") { return nil }
                guard take(":") else { throw RegexFault("a group breaks off") }
            }
        } else if next == "*" {
            throw RegexFault("backtracking verbs are not supported")
        }
        var number: Int?
        if isRemembered, groups != nil {
            groups?.append(name)
            number = groups?.count
        }
        let inner = try parseAlternation()
        guard take(")") else { throw RegexFault("a ')' is missing") }
        flags = outer
        return number.map { .group($0, inner) } ?? inner
    }

    private mutating func parseFlags() throws(RegexFault) {
        var value = true
        while let scalar = next, scalar != ")", scalar != ":" {
            position += 1
            switch scalar {
            case "-": value = false
            case "i": flags.ignoresCase = value
            case "m": flags.isMultiline = value
            case "s": flags.dotMatchesLineFeed = value
            case "x": flags.isExtended = value
            case "U", "u": break
            default: throw RegexFault("'(?\(scalar)' is not supported")
            }
        }
    }

    private mutating func parseEscape() throws(RegexFault) -> RegexNode {
        guard let scalar = next else { throw RegexFault("'\\' at the end") }
        switch scalar {
        case "b": return assertion(.wordBoundary)
        case "B": return assertion(.notWordBoundary)
        case "A": return assertion(.textStart)
        case "z", "Z": return assertion(.textEnd)
        case "1"..."9", "k", "g": throw RegexFault("back references are not supported")
        case "Q":
            position += 1
            var parts: [RegexNode] = []
            while let inner = next {
                if inner == "\\", position + 1 < scalars.count, scalars[position + 1] == "E" {
                    position += 2
                    break
                }
                position += 1
                parts.append(literal(inner.value))
            }
            return .concatenation(parts)
        default:
            switch try parseEscapedSet() {
            case .set(let ranges): return .characters(ranges)
            case .scalar(let value): return literal(value)
            }
        }
    }

    private mutating func assertion(_ kind: RegexAssertion) -> RegexNode {
        position += 1
        return .assertion(kind)
    }

    private enum Escaped {
        case set([ClosedRange<UInt32>])
        case scalar(UInt32)
    }

    private mutating func parseEscapedSet() throws(RegexFault) -> Escaped {
        guard let scalar = next else { throw RegexFault("'\\' at the end") }
        position += 1
        switch scalar {
        case "d": return .set(Self.digits)
        case "D": return .set(Self.inverted(Self.digits))
        case "w": return .set(Self.words)
        case "W": return .set(Self.inverted(Self.words))
        case "s": return .set(Self.spaces)
        case "S": return .set(Self.inverted(Self.spaces))
        case "h": return .set([0x09...0x09, 0x20...0x20])
        case "n": return .scalar(0x0A)
        case "r": return .scalar(0x0D)
        case "t": return .scalar(0x09)
        case "f": return .scalar(0x0C)
        case "v": return .scalar(0x0B)
        case "a": return .scalar(0x07)
        case "e": return .scalar(0x1B)
        case "0": return .scalar(0)
        case "x", "u":
            let isBraced = take("{")
            var value: UInt32 = 0
            var digits = 0
            let wanted = isBraced ? 6 : scalar == "x" ? 2 : 4
            while digits < wanted, let digit = next, let number = Int(String(digit), radix: 16) {
                value = value << 4 | UInt32(number)
                digits += 1
                position += 1
            }
            guard digits > 0, !isBraced || take("}"), value <= 0x10FFFF else { throw RegexFault("a bad '\\\(scalar)'") }
            return .scalar(value)
        case "p", "P": throw RegexFault("'\\p' classes are not supported")
        default:
            let isLetter = ("a"..."z").contains(scalar) || ("A"..."Z").contains(scalar)
            guard !isLetter else { throw RegexFault("'\\\(scalar)' is not supported") }
            return .scalar(scalar.value)
        }
    }

    private mutating func parseClass() throws(RegexFault) -> [ClosedRange<UInt32>] {
        let isInverted = take("^")
        var ranges: [ClosedRange<UInt32>] = []
        var isFirst = true
        while true {
            guard let scalar = next else { throw RegexFault("a ']' is missing") }
            position += 1
            if scalar == "]", !isFirst { break }
            isFirst = false
            var low = scalar.value
            if scalar == "[", next == ":" {
                if let named = parseNamedClass() {
                    ranges += named
                    continue
                }
            }
            if scalar == "\\" {
                if take("b") {
                    low = 0x08
                } else {
                    switch try parseEscapedSet() {
                    case .set(let set):
                        ranges += set
                        continue
                    case .scalar(let value): low = value
                    }
                }
            }
            var high = low
            if next == "-", position + 1 < scalars.count, scalars[position + 1] != "]" {
                let dash = position
                position += 1
                guard let end = next else { throw RegexFault("a ']' is missing") }
                position += 1
                high = end.value
                if end == "\\" {
                    switch try parseEscapedSet() {
                    case .set:
                        // `[a-\d]`: the dash is plain.
                        position = dash
                        high = low
                    case .scalar(let value): high = value
                    }
                }
                guard high >= low else { throw RegexFault("a range in '[…]' is out of order") }
            }
            if flags.ignoresCase, high - low <= 0x500 {
                for value in low...high { ranges += Folding.variants(of: value).map { $0...$0 } }
            }
            ranges.append(low...high)
        }
        let set = Self.normalized(ranges)
        return isInverted ? Self.inverted(set) : set
    }

    private mutating func parseNamedClass() -> [ClosedRange<UInt32>]? {
        var end = position + 1
        var name = ""
        while end < scalars.count, ("a"..."z").contains(scalars[end]) {
            name.unicodeScalars.append(scalars[end])
            end += 1
        }
        guard end + 1 < scalars.count, scalars[end] == ":", scalars[end + 1] == "]" else { return nil }
        let named: [ClosedRange<UInt32>]? =
            switch name {
            case "alpha": [0x41...0x5A, 0x61...0x7A]
            case "digit": Self.digits
            case "alnum": [0x30...0x39, 0x41...0x5A, 0x61...0x7A]
            case "upper": [0x41...0x5A]
            case "lower": [0x61...0x7A]
            case "space": Self.spaces
            case "punct": [0x21...0x2F, 0x3A...0x40, 0x5B...0x60, 0x7B...0x7E]
            case "xdigit": [0x30...0x39, 0x41...0x46, 0x61...0x66]
            case "word": Self.words
            case "print": [0x20...0x7E]
            default: nil
            }
        if named != nil { position = end + 2 }
        return named
    }

    private static let digits: [ClosedRange<UInt32>] = [0x30...0x39]
    private static let words: [ClosedRange<UInt32>] = [0x30...0x39, 0x41...0x5A, 0x5F...0x5F, 0x61...0x7A]
    private static let spaces: [ClosedRange<UInt32>] = [0x09...0x0D, 0x20...0x20]

    static func normalized(_ ranges: [ClosedRange<UInt32>]) -> [ClosedRange<UInt32>] {
        var result: [ClosedRange<UInt32>] = []
        for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) {
            if let last = result.last, range.lowerBound <= last.upperBound &+ 1 {
                result[result.count - 1] = last.lowerBound...max(last.upperBound, range.upperBound)
            } else {
                result.append(range)
            }
        }
        return result
    }

    static func inverted(_ ranges: [ClosedRange<UInt32>]) -> [ClosedRange<UInt32>] {
        var result: [ClosedRange<UInt32>] = []
        var next: UInt32 = 0
        for range in ranges {
            if range.lowerBound > next { result.append(next...(range.lowerBound - 1)) }
            next = range.upperBound + 1
        }
        if next <= 0x10FFFF { result.append(next...0x10FFFF) }
        return result
    }
}
