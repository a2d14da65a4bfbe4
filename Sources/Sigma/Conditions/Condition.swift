/// A condition as parsed: selections by name, before it is known what they are.
indirect enum Condition: Equatable {
    case selection(String)
    /// `1 of pattern` (`any of`) or `all of pattern`; the pattern `them` is every selection not named `_…`.
    case quantified(all: Bool, pattern: String)
    case and([Condition])
    case or([Condition])
    case not(Condition)
}

extension Condition {
    /// Nesting beyond this is refused.
    static let depthMax = 64

    /// Parses `or` < `and` < `not` < `1 of x` < parentheses. Words of the grammar are taken in any case; line feeds
    /// are white space.
    init(parsing text: DetectionDocument.Located) throws(DocumentFault) {
        var parser = ConditionParser(tokens: try ConditionParser.tokens(of: text), line: text.line)
        self = try parser.parseAll()
    }
}

private struct ConditionParser {
    enum Token: Equatable {
        case word(String)
        case open
        case close
    }

    var tokens: [Token]
    var line: Int
    var position = 0
    var depth = 0

    static func tokens(of text: DetectionDocument.Located) throws(DocumentFault) -> [Token] {
        var tokens: [Token] = []
        var word: [UInt8] = []
        func isWord(_ byte: UInt8) -> Bool {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "*"),
                UInt8(ascii: "."):
                true
            default: byte >= 0x80
            }
        }
        for byte in text.text.utf8 {
            if isWord(byte) {
                word.append(byte)
                continue
            }
            if !word.isEmpty {
                tokens.append(.word(String(decoding: word, as: UTF8.self)))
                word.removeAll()
            }
            switch byte {
            case UInt8(ascii: "("): tokens.append(.open)
            case UInt8(ascii: ")"): tokens.append(.close)
            case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\n"), UInt8(ascii: "\r"): break
            case UInt8(ascii: "|"):
                throw DocumentFault(text.line, "'|' aggregations in conditions are obsolete: write a correlation")
            default:
                throw DocumentFault(text.line, "'\(Character(Unicode.Scalar(byte)))' has no meaning in a condition")
            }
        }
        if !word.isEmpty { tokens.append(.word(String(decoding: word, as: UTF8.self))) }
        return tokens
    }

    mutating func parseAll() throws(DocumentFault) -> Condition {
        guard !tokens.isEmpty else { throw DocumentFault(line, "the condition is empty") }
        let condition = try parseOr()
        guard position == tokens.count else { throw DocumentFault(line, "the condition ends before '\(shown)'") }
        return condition
    }

    private var shown: String {
        guard position < tokens.count else { return "its end" }
        switch tokens[position] {
        case .word(let word): return word
        case .open: return "("
        case .close: return ")"
        }
    }

    private func isNext(_ keyword: String) -> Bool {
        guard position < tokens.count, case .word(let word) = tokens[position] else { return false }
        return word.lowercased() == keyword
    }

    private mutating func parseOr() throws(DocumentFault) -> Condition {
        depth += 1
        defer { depth -= 1 }
        guard depth <= Condition.depthMax else { throw DocumentFault(line, "the condition is nested too deeply") }
        var parts = [try parseAnd()]
        while isNext("or") {
            position += 1
            parts.append(try parseAnd())
        }
        return parts.count == 1 ? parts[0] : .or(parts)
    }

    private mutating func parseAnd() throws(DocumentFault) -> Condition {
        var parts = [try parseNot()]
        while isNext("and") {
            position += 1
            parts.append(try parseNot())
        }
        return parts.count == 1 ? parts[0] : .and(parts)
    }

    private mutating func parseNot() throws(DocumentFault) -> Condition {
        var isNegated = false
        while isNext("not") {
            position += 1
            isNegated.toggle()
        }
        let operand = try parseOperand()
        return isNegated ? .not(operand) : operand
    }

    private mutating func parseOperand() throws(DocumentFault) -> Condition {
        guard position < tokens.count else { throw DocumentFault(line, "the condition breaks off") }
        switch tokens[position] {
        case .open:
            position += 1
            let inner = try parseOr()
            guard position < tokens.count, tokens[position] == .close else {
                throw DocumentFault(line, "a ')' is missing before \(shown)")
            }
            position += 1
            return inner
        case .close:
            throw DocumentFault(line, "a ')' too many")
        case .word(let word):
            position += 1
            let lower = word.lowercased()
            if isNext("of") { return try parseQuantified(lower) }
            guard !["and", "or", "not", "of", "them"].contains(lower) else {
                throw DocumentFault(line, "'\(word)' where a selection was expected")
            }
            return .selection(word)
        }
    }

    private mutating func parseQuantified(_ quantifier: String) throws(DocumentFault) -> Condition {
        position += 1
        guard position < tokens.count, case .word(let pattern) = tokens[position] else {
            throw DocumentFault(line, "'\(quantifier) of' names no selections")
        }
        position += 1
        switch quantifier {
        case "1", "any": return .quantified(all: false, pattern: pattern)
        case "all": return .quantified(all: true, pattern: pattern)
        default: throw DocumentFault(line, "'\(quantifier) of': only '1 of', 'any of' and 'all of' are defined")
        }
    }
}

extension Condition {
    /// The selections that a quantifier's pattern names, in the order written. `*` is anything; names beginning with
    /// `_` are only meant by patterns that begin so too.
    static func names(matching pattern: String, in names: [String]) -> [String] {
        if pattern.lowercased() == "them" { return names.filter { !$0.hasPrefix("_") } }
        let pieces = pattern.split(separator: "*", omittingEmptySubsequences: false)
        return names.filter { name in
            if name.hasPrefix("_"), !pattern.hasPrefix("_") { return false }
            guard pieces.count > 1, let first = pieces.first, let last = pieces.last else { return name == pattern }
            guard name.hasPrefix(first), name.hasSuffix(last), name.count >= first.count + last.count else {
                return false
            }
            var rest = name.dropFirst(first.count).dropLast(last.count)
            for piece in pieces.dropFirst().dropLast() where !piece.isEmpty {
                guard let range = rest.firstRange(of: piece) else { return false }
                rest = rest[range.upperBound...]
            }
            return true
        }
    }
}
