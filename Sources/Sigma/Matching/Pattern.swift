/// A value with wildcards, parsed: bytes, `?`, `*`, and the dash of `windash`.
///
/// `\` is plain except before `*`, `?` and `\`. Source: Sigma specification 2.1.0, "Escaping".
struct Pattern: Hashable, Sendable {
    enum Token: Hashable, Sendable {
        case byte(UInt8)
        /// Exactly one character.
        case any
        /// Any number of characters.
        case star
        /// `-`, `/` or one of the dashes that Windows programs take for them.
        case dash
    }

    var tokens: [Token]

    init(tokens: [Token]) {
        self.tokens = tokens
    }

    init(parsing text: String) {
        tokens = []
        var isEscaped = false
        for byte in text.utf8 {
            if isEscaped {
                isEscaped = false
                if byte != UInt8(ascii: "*"), byte != UInt8(ascii: "?"), byte != UInt8(ascii: "\\") {
                    tokens.append(.byte(UInt8(ascii: "\\")))
                }
                tokens.append(.byte(byte))
                continue
            }
            switch byte {
            case UInt8(ascii: "\\"): isEscaped = true
            case UInt8(ascii: "*"): if tokens.last != .star { tokens.append(.star) }
            case UInt8(ascii: "?"): tokens.append(.any)
            default: tokens.append(.byte(byte))
            }
        }
        if isEscaped { tokens.append(.byte(UInt8(ascii: "\\"))) }
    }

    /// The bytes, if there is nothing but bytes.
    var literal: [UInt8]? {
        var bytes: [UInt8] = []
        for token in tokens {
            guard case .byte(let byte) = token else { return nil }
            bytes.append(byte)
        }
        return bytes
    }

    func folded() -> Pattern {
        changingText(Folding.fold)
    }

    /// Replaces the text between wildcards, piece by piece.
    func changingText(_ change: ([UInt8]) -> [UInt8]) -> Pattern {
        var result: [Token] = []
        var run: [UInt8] = []
        func flush() {
            result += change(run).map(Token.byte)
            run.removeAll()
        }
        for token in tokens {
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

    func wrapped(leading: Bool, trailing: Bool) -> Pattern {
        var result = tokens
        if leading, result.first != .star { result.insert(.star, at: 0) }
        if trailing, result.last != .star { result.append(.star) }
        return Pattern(tokens: result)
    }

    /// `-` and `/` that begin a word (`\B[-/]\b`) stand for every dash. Source: pySigma's `windash`.
    func withDashes() -> Pattern {
        func isWord(_ token: Token?) -> Bool {
            guard case .byte(let byte)? = token else { return false }
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
                return true
            default: return byte >= 0x80
            }
        }
        var result = tokens
        for index in tokens.indices {
            guard tokens[index] == .byte(UInt8(ascii: "-")) || tokens[index] == .byte(UInt8(ascii: "/")) else {
                continue
            }
            let previous = index > 0 ? tokens[index - 1] : nil
            let next = index + 1 < tokens.count ? tokens[index + 1] : nil
            if !isWord(previous), isWord(next) { result[index] = .dash }
        }
        return Pattern(tokens: result)
    }

    /// The pieces of plain bytes between other tokens.
    var literals: [[UInt8]] {
        var pieces: [[UInt8]] = [[]]
        for token in tokens {
            if case .byte(let byte) = token {
                pieces[pieces.count - 1].append(byte)
            } else if pieces.last != [] {
                pieces.append([])
            }
        }
        return pieces.filter { !$0.isEmpty }
    }
}
