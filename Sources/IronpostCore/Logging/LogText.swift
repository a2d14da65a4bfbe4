/// The bytes of one log line while it is put together. Whatever is not ours is escaped, so that a line cannot be forged
/// or a terminal driven by what somebody else wrote.
struct LogText {
    private(set) var bytes: [UInt8] = []

    /// Our own text.
    mutating func append(plain text: String) {
        bytes += text.utf8
    }

    /// In quotes, as JSON writes it.
    mutating func append(quoted text: String) {
        bytes.append(UInt8(ascii: "\""))
        append(escaped: text, quotes: true)
        bytes.append(UInt8(ascii: "\""))
    }

    /// Without quotes where nothing could be misread.
    mutating func append(word text: String) {
        let isPlain = !text.isEmpty && !text.unicodeScalars.contains { $0 == " " || $0 == "=" || $0 == "\"" }
        if isPlain { append(escaped: text) } else { append(quoted: text) }
    }

    /// Control characters as JSON escapes; quotes and backslashes too if it stands in quotes.
    mutating func append(escaped text: String, quotes: Bool = false) {
        let limit = bytes.count + LogRecord.textBytesMax
        for scalar in text.unicodeScalars {
            guard bytes.count < limit else {
                append(plain: "…")
                return
            }
            switch scalar {
            case "\"" where quotes: append(plain: "\\\"")
            case "\\": append(plain: "\\\\")
            case "\n": append(plain: "\\n")
            case "\r": append(plain: "\\r")
            case "\t": append(plain: "\\t")
            case _ where ConfigurationText.isUnprintable(scalar):
                let digits = String(scalar.value, radix: 16)
                append(plain: "\\u" + String(repeating: "0", count: 4 - digits.count) + digits)
            default:
                if let encoded = UTF8.encode(scalar) { bytes.append(contentsOf: encoded) }
            }
        }
    }
}
