/// How configuration values are bounded, and quoted in messages and in `config show`.
enum ConfigurationText {
    /// Bytes of one text value; longer ones are refused.
    static let valueBytesMax = 4096
    /// Items of one list; more are refused.
    static let listItemsMax = 1024
    /// Characters of a wrong value that a message repeats.
    static let quotedCharactersMax = 80
    /// Characters of a name or of the parser's own words that a message repeats.
    static let lineCharactersMax = 400

    /// The text in quotes, cut, with control characters escaped and a URL's user information masked.
    static func quoted(_ text: String) -> String {
        let masked = maskingUserInformation(text)
        let cut = masked.prefix(quotedCharactersMax)
        return "\"" + escaped(String(cut)) + (cut.count < masked.count ? "…" : "") + "\""
    }

    /// What a TOML basic string and a JSON string both accept between their quotes. Characters that could move a
    /// terminal's cursor or reverse the direction of text are escaped as well.
    static func escaped(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\r": result += "\\r"
            case "\t": result += "\\t"
            case _ where isUnprintable(scalar):
                let digits = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    /// A name in a message: cut and escaped, without quotes.
    static func singleLine(_ text: String) -> String {
        let cut = text.prefix(lineCharactersMax)
        return escaped(String(cut)) + (cut.count < text.count ? "…" : "")
    }

    /// Control characters, line separators and direction overrides; all of them below U+FFFF.
    static func isUnprintable(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0...0x1F, 0x7F...0x9F, 0x200E, 0x200F, 0x2028...0x202E, 0x2066...0x2069, 0xFEFF: true
        default: false
        }
    }

    /// `scheme://user:password@host` as `scheme://***@host`. User information ends at the last @ of the authority,
    /// because people put unescaped @ into passwords. They also put / there, which ends an authority: so one that
    /// has a colon but no @ is taken for the beginning of a password if any @ follows.
    static func maskingUserInformation(_ text: String) -> String {
        guard let scheme = firstRange(of: "://", in: text) else { return text }
        let rest = text[scheme.upperBound...]
        let authority = rest.prefix { !"/?#".contains($0) }
        let at = authority.lastIndex(of: "@") ?? (authority.contains(":") ? rest.lastIndex(of: "@") : nil)
        guard let at else { return text }
        return text[..<scheme.upperBound] + "***" + rest[at...]
    }

    private static func firstRange(of needle: String, in text: String) -> Range<String.Index>? {
        var start = text.startIndex
        while start < text.endIndex {
            if text[start...].hasPrefix(needle) {
                return start..<text.index(start, offsetBy: needle.count)
            }
            start = text.index(after: start)
        }
        return nil
    }
}
