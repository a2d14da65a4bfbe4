/// What `replace_string` does: each place of a value that matches becomes another text.
struct TextReplacement {
    enum Piece: Equatable {
        case text(String)
        /// What the group with this number matched; 0 for the whole match.
        case group(Int)
    }

    let expression: RegexSearch
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
        do throws(RegexFault) {
            expression = try RegexSearch(pattern)
        } catch {
            throw DocumentFault(keys.line, "the regular expression '\(pattern)' cannot be used: \(error.message)")
        }
        pieces = try Self.pieces(template, groups: expression.groups, line: node.line)
        skipsWildcards = try keys.flag("skip_special")
        readsWildcards = try keys.flag("interpret_special")
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

    func apply(to pattern: Pattern) throws(DocumentFault) -> Pattern {
        do throws(RegexSearch.GivenUp) {
            return skipsWildcards ? try applySkipping(pattern) : try applyToAll(pattern)
        } catch {
            throw DocumentFault(0, "the regular expression of 'replace_string' takes too many steps on a value")
        }
    }

    private func expand(_ groups: [Range<Int>?], of text: [Unicode.Scalar]) -> [UInt8] {
        pieces.flatMap { piece in
            switch piece {
            case .text(let text): Array(text.utf8)
            case .group(let number): groups[number].map { Self.bytes(text[$0]) } ?? []
            }
        }
    }

    private static func bytes(_ scalars: ArraySlice<Unicode.Scalar>) -> [UInt8] {
        Array(String(String.UnicodeScalarView(scalars)).utf8)
    }

    private func applySkipping(_ pattern: Pattern) throws(RegexSearch.GivenUp) -> Pattern {
        var result: [Pattern.Token] = []
        var run: [UInt8] = []
        func flush() throws(RegexSearch.GivenUp) {
            guard !run.isEmpty else { return }
            let text = Array(String(decoding: run, as: UTF8.self).unicodeScalars)
            var new: [UInt8] = []
            var position = 0
            for match in try expression.matches(text) {
                guard let range = match[0] else { continue }
                new += Self.bytes(text[position..<range.lowerBound]) + expand(match, of: text)
                position = range.upperBound
            }
            new += Self.bytes(text[position...])
            result +=
                readsWildcards
                ? Pattern(parsing: String(decoding: new, as: UTF8.self)).tokens : new.map(Pattern.Token.byte)
            run.removeAll()
        }
        for token in pattern.tokens {
            if case .byte(let byte) = token {
                run.append(byte)
            } else {
                try flush()
                result.append(token)
            }
        }
        try flush()
        return Pattern(tokens: result)
    }

    /// Works on the value as it is written, wildcards and escapes of wildcards included; what did not match stays what
    /// it was, since the written form alone does not say whether `\*` is one thing or two.
    private func applyToAll(_ pattern: Pattern) throws(RegexSearch.GivenUp) -> Pattern {
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
        let text = Array(String(decoding: plain, as: UTF8.self).unicodeScalars)
        /// Where each character begins among the bytes, and the end.
        var offsets = [0]
        for scalar in text { offsets.append(offsets[offsets.count - 1] + UTF8.width(scalar)) }
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
        for match in try expression.matches(text) {
            guard let range = match[0] else { continue }
            keep(position, offsets[range.lowerBound])
            pending += expand(match, of: text)
            position = offsets[range.upperBound]
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
