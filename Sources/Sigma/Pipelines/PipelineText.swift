/// Values as pipelines see them: with the wildcards that `contains`, `startswith` and `endswith` stand for.
extension DetectionItem {
    private static let wrapping: Set<String> = ["contains", "startswith", "endswith"]
    private static let plain: Set<String> = ["all", "cased", "neq", "expand"]

    /// Whether its values are texts with wildcards, and nothing that is computed from a text.
    var holdsTexts: Bool {
        modifiers.allSatisfy { Self.wrapping.contains($0) || Self.plain.contains($0) }
    }

    /// The pattern that a value stands for; `nil` for what is no text: null, numbers alone, and whatever other
    /// modifiers make of it.
    func pattern(of value: DetectionValue, numbersToo: Bool = false) -> Pattern? {
        guard holdsTexts, value.kind != .null else { return nil }
        let wraps = modifiers.contains { Self.wrapping.contains($0) }
        guard value.kind == .string || wraps || numbersToo && value.kind == .number else { return nil }
        let pattern =
            value.kind == .string
            ? Pattern(parsing: value.text) : Pattern(tokens: value.text.utf8.map(Pattern.Token.byte))
        return pattern.wrapped(
            leading: modifiers.contains("contains") || modifiers.contains("endswith"),
            trailing: modifiers.contains("contains") || modifiers.contains("startswith")
        )
    }

    /// Replaces values by what `body` makes of their patterns; `nil` leaves a value as it is.
    ///
    /// - Returns: whether anything was replaced.
    mutating func replaceTexts(
        numbersToo: Bool = false, _ body: (Pattern) throws(DocumentFault) -> [Pattern]?
    ) throws(DocumentFault) -> Bool {
        guard holdsTexts else { return false }
        var isChanged = false
        var result: [DetectionValue] = []
        for value in values {
            guard let old = pattern(of: value, numbersToo: numbersToo) else {
                result.append(value)
                continue
            }
            let new = try body(old)
            if new != nil { isChanged = true }
            result += (new ?? [old]).map {
                DetectionValue(kind: .string, text: $0.written, line: value.line, isFilled: value.isFilled)
            }
            guard result.count <= max(values.count, PipelineRun.valuesMax) else {
                throw DocumentFault(value.line, "one field would have more than \(PipelineRun.valuesMax) values")
            }
        }
        guard isChanged else { return false }
        values = result
        modifiers.removeAll { Self.wrapping.contains($0) }
        return true
    }
}

extension Pattern {
    /// As a rule would write it.
    var written: String {
        var bytes: [UInt8] = []
        for token in tokens {
            switch token {
            case .star: bytes.append(UInt8(ascii: "*"))
            case .any: bytes.append(UInt8(ascii: "?"))
            case .dash: bytes.append(UInt8(ascii: "-"))
            case .byte(let byte):
                if [UInt8(ascii: "*"), UInt8(ascii: "?"), UInt8(ascii: "\\")].contains(byte) {
                    bytes.append(UInt8(ascii: "\\"))
                }
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Its characters, escapes undone: what pipelines compare and match.
    var shown: String {
        String(
            decoding: tokens.map { token in
                switch token {
                case .star: UInt8(ascii: "*")
                case .any: UInt8(ascii: "?")
                case .dash: UInt8(ascii: "-")
                case .byte(let byte): byte
                }
            }, as: UTF8.self)
    }

    var hasWildcard: Bool { tokens.contains { $0 == .star || $0 == .any } }

    func changingCase(toUpper: Bool) -> Pattern {
        changingText { bytes in
            let text = String(decoding: bytes, as: UTF8.self)
            return Array((toUpper ? text.uppercased() : text.lowercased()).utf8)
        }
    }
}

/// `%name%` in a value with `expand`.
struct Placeholder {
    var before: String
    var name: String
    var after: String

    /// The first of a text. A name holds no blank, no `\` and no `%`.
    init?(firstIn text: String) {
        let bytes = Array(text.utf8)
        var open: Int?
        for index in bytes.indices {
            switch bytes[index] {
            case UInt8(ascii: "%"):
                if let start = open, index > start + 1 {
                    before = String(decoding: bytes[..<start], as: UTF8.self)
                    name = String(decoding: bytes[start + 1..<index], as: UTF8.self)
                    after = String(decoding: bytes[(index + 1)...], as: UTF8.self)
                    return
                }
                open = index
            case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\\"): open = nil
            default: break
            }
        }
        return nil
    }

    /// Values that one value may become.
    static let valuesMax = 10_000
    /// Placeholders of one value that are filled.
    static let countMax = 4

    /// Every text that comes of filling the placeholders of `text`.
    ///
    /// - Parameter values: what there is for a name; `nil` leaves it as it is.
    static func fill(
        _ text: String, values: (String) throws(DocumentFault) -> [String]?
    ) throws(DocumentFault) -> [String] {
        // What is filled in is not looked at again: it stands before `rest`.
        var heads = [""]
        var rest = text
        var count = 0
        while let placeholder = Placeholder(firstIn: rest) {
            count += 1
            guard count <= countMax else {
                throw DocumentFault(0, "more than \(countMax) placeholders in one value")
            }
            let new = try values(placeholder.name) ?? ["%\(placeholder.name)%"]
            guard heads.count * new.count <= valuesMax else {
                throw DocumentFault(0, "'expand' gives too many values")
            }
            heads = heads.flatMap { head in new.map { join(join(head, placeholder.before), $0) } }
            rest = placeholder.after
        }
        return heads.map { join($0, rest) }
    }

    /// A single `\` at the end is plain, and must not escape what follows.
    private static func join(_ head: String, _ tail: String) -> String {
        let slashes = head.utf8.reversed().prefix { $0 == UInt8(ascii: "\\") }.count
        guard slashes % 2 == 1, let first = tail.utf8.first,
            [UInt8(ascii: "*"), UInt8(ascii: "?"), UInt8(ascii: "\\")].contains(first)
        else { return head + tail }
        return head + "\\" + tail
    }
}
