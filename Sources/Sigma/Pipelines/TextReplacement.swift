/// What `replace_string` does: each place of a value that matches becomes another text.
struct TextReplacement {
    enum Piece: Equatable {
        case text(String)
        /// What the group with this number matched; 0 for the whole match.
        case group(Int)
    }

    let expression: Regex<AnyRegexOutput>
    let pieces: [Piece]
    /// Wildcards are no text, and stay.
    let skipsWildcards: Bool
    /// With `skipsWildcards`: whether wildcards in the result are wildcards.
    let readsWildcards: Bool

    init(_ keys: inout PipelineKeys) throws(DocumentFault) {
        let pattern = try keys.requireText("regex")
        // An empty replacement deletes, so that null and '' must be told apart from nothing at all.
        guard let node = keys.takeEvenNull("replacement"), case .scalar(let template, _) = node.content else {
            throw DocumentFault(keys.line, "\(keys.subject) lacks 'replacement'")
        }
        do {
            expression = try Regex(pattern).matchingSemantics(.unicodeScalar)
        } catch {
            throw DocumentFault(keys.line, "the regular expression '\(pattern)' cannot be used")
        }
        pieces = try Self.pieces(template, groups: Self.groups(pattern), line: node.line)
        skipsWildcards = try keys.flag("skip_special")
        readsWildcards = try keys.flag("interpret_special")
    }

    /// The names of a pattern's groups, in order.
    private static func groups(_ pattern: String) -> [String?] {
        var names: [String?] = []
        let characters = Array(pattern.unicodeScalars)
        var index = 0
        var isInSet = false
        while index < characters.count {
            let rest = characters[(index + 1)...]
            switch characters[index] {
            case "\\": index += 1
            case "[": isInSet = true
            case "]": isInSet = false
            case "(" where !isInSet:
                if rest.first != "?" {
                    names.append(nil)
                } else {
                    let head = String(String.UnicodeScalarView(rest.prefix(3)))
                    let skip =
                        head.hasPrefix("?P<") ? 3 : head.hasPrefix("?<") && !["?<=", "?<!"].contains(head) ? 2 : 0
                    if skip > 0 {
                        names.append(String(String.UnicodeScalarView(rest.dropFirst(skip).prefix { $0 != ">" })))
                    }
                }
            default: break
            }
            index += 1
        }
        return names
    }

    /// Reads `\1`, `\g<1>`, `\g<name>`, `\\`, `\n`, `\r` and `\t`.
    private static func pieces(
        _ template: String, groups: [String?], line: Int
    ) throws(DocumentFault) -> [Piece] {
        var pieces: [Piece] = []
        var text = ""
        var rest = Substring(template)
        func number(_ word: Substring) throws(DocumentFault) -> Int {
            let number = Int(word) ?? groups.firstIndex(of: String(word)).map { $0 + 1 }
            guard let number, (0...groups.count).contains(number) else {
                throw DocumentFault(line, "the replacement names the group '\(word)', which the expression has not")
            }
            return number
        }
        func add(group: Int) {
            if !text.isEmpty { pieces.append(.text(text)) }
            text = ""
            pieces.append(.group(group))
        }
        while let character = rest.popFirst() {
            guard character == "\\", let next = rest.first else {
                text.append(character)
                continue
            }
            rest.removeFirst()
            switch next {
            case "\\": text.append("\\")
            case "n": text.append("\n")
            case "r": text.append("\r")
            case "t": text.append("\t")
            case "0"..."9":
                var digits = Substring(String(next))
                if let second = rest.first, ("0"..."9").contains(second) {
                    digits.append(second)
                    rest.removeFirst()
                }
                add(group: try number(digits))
            case "g":
                guard rest.first == "<", let end = rest.firstIndex(of: ">") else {
                    throw DocumentFault(line, "'\\g' in a replacement is followed by '<' and a group's name and '>'")
                }
                add(group: try number(rest[rest.index(after: rest.startIndex)..<end]))
                rest = rest[rest.index(after: end)...]
            case "a"..."z", "A"..."Z": throw DocumentFault(line, "'\\\(next)' has no meaning in a replacement")
            default: text += ["\\", next]
            }
        }
        if !text.isEmpty { pieces.append(.text(text)) }
        return pieces
    }

    func apply(to pattern: Pattern) -> Pattern {
        skipsWildcards ? applySkipping(pattern) : applyToAll(pattern)
    }

    private func expand(_ match: Regex<AnyRegexOutput>.Match) -> String {
        pieces.map { piece in
            switch piece {
            case .text(let text): text
            case .group(let number): String(match.output[number].substring ?? "")
            }
        }.joined()
    }

    private func applySkipping(_ pattern: Pattern) -> Pattern {
        var result: [Pattern.Token] = []
        var run: [UInt8] = []
        func flush() {
            guard !run.isEmpty else { return }
            let text = String(decoding: run, as: UTF8.self).replacing(expression) { expand($0) }
            result += readsWildcards ? Pattern(parsing: text).tokens : text.utf8.map(Pattern.Token.byte)
            run.removeAll()
        }
        for token in pattern.tokens {
            if case .byte(let byte) = token {
                run.append(byte)
            } else {
                flush()
                result.append(token)
            }
        }
        flush()
        return Pattern(tokens: result)
    }

    /// Works on the value as it is written, wildcards and escapes of wildcards included; what did not match stays what
    /// it was, since the written form alone does not say whether `\*` is one thing or two.
    private func applyToAll(_ pattern: Pattern) -> Pattern {
        var plain: [UInt8] = []
        var spans: [(start: Int, end: Int, token: Pattern.Token)] = []
        for token in pattern.tokens {
            let start = plain.count
            switch token {
            case .star: plain.append(UInt8(ascii: "*"))
            case .any: plain.append(UInt8(ascii: "?"))
            case .dash: plain.append(UInt8(ascii: "-"))
            case .byte(let byte):
                if byte == UInt8(ascii: "*") || byte == UInt8(ascii: "?") { plain.append(UInt8(ascii: "\\")) }
                plain.append(byte)
            }
            spans.append((start, plain.count, token))
        }
        let text = String(decoding: plain, as: UTF8.self)
        var result: [Pattern.Token] = []
        var pending: [UInt8] = []
        func flush() {
            result += Self.tokens(pending)
            pending.removeAll()
        }
        func keep(_ start: Int, _ end: Int) {
            for span in spans where span.end > start && span.start < end {
                if span.start >= start, span.end <= end {
                    flush()
                    result.append(span.token)
                } else {
                    pending += plain[max(span.start, start)..<min(span.end, end)]
                }
            }
        }
        var position = 0
        for match in text.matches(of: expression) {
            let start = text.utf8.distance(from: text.startIndex, to: match.range.lowerBound)
            let end = text.utf8.distance(from: text.startIndex, to: match.range.upperBound)
            keep(position, start)
            pending += expand(match).utf8
            position = end
        }
        keep(position, plain.count)
        flush()
        // Two stars side by side are one.
        return Pattern(
            tokens: result.enumerated().filter {
                $0.offset == 0 || $0.element != .star
                    || result[$0.offset - 1] != .star
            }.map(\.element))
    }

    /// Of a replaced text: `\` is plain unless it escapes a wildcard.
    private static func tokens(_ bytes: [UInt8]) -> [Pattern.Token] {
        var tokens: [Pattern.Token] = []
        for (index, byte) in bytes.enumerated() {
            let isWildcard = byte == UInt8(ascii: "*") || byte == UInt8(ascii: "?")
            let isEscaped = index > 0 && bytes[index - 1] == UInt8(ascii: "\\")
            if isWildcard, isEscaped {
                tokens.removeLast()
                tokens.append(.byte(byte))
            } else if isWildcard {
                tokens.append(byte == UInt8(ascii: "*") ? .star : .any)
            } else {
                tokens.append(.byte(byte))
            }
        }
        return tokens
    }
}
