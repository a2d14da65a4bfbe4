/// Text in double quotes with backslash escapes, as web servers and logfmt write it.
enum QuotedText {
    /// Takes `"…"` off the front: the text between the quotes, still escaped, and whether there is a backslash in it.
    static func take(_ line: Span<UInt8>, _ rest: inout Piece) -> (text: Piece, escapes: Bool)? {
        guard !rest.isEmpty, line.byte(at: rest.start) == UInt8(ascii: "\"") else { return nil }
        var escapes = false
        var cursor = rest.start + 1
        while let hit = line.find(UInt8(ascii: "\""), or: UInt8(ascii: "\\"), in: Piece(cursor, rest.end)) {
            if line.byte(at: hit) == UInt8(ascii: "\"") {
                let text = Piece(rest.start + 1, hit)
                rest.start = hit + 1
                return (text, escapes)
            }
            escapes = true
            cursor = hit + 2
        }
        return nil
    }

    /// Appends `text` without its escapes (`\"`, `\\`, `\n`, `\t`, `\r`, `\xHH`); other backslashes are themselves.
    static func decode(_ line: Span<UInt8>, _ text: Piece, into decoded: inout [UInt8]) {
        let text = line.clamp(text)
        var index = text.start
        while index < text.end {
            let byte = line.byte(at: index)
            guard byte == UInt8(ascii: "\\"), index + 1 < text.end else {
                decoded.append(byte)
                index += 1
                continue
            }
            let escape = line.byte(at: index + 1)
            switch escape {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"): decoded.append(escape)
            case UInt8(ascii: "n"): decoded.append(10)
            case UInt8(ascii: "t"): decoded.append(9)
            case UInt8(ascii: "r"): decoded.append(13)
            case UInt8(ascii: "x"):
                if index + 3 < text.end, let high = HexDigit.value(line.byte(at: index + 2)),
                    let low = HexDigit.value(line.byte(at: index + 3))
                {
                    decoded.append(high << 4 | low)
                    index += 2
                } else {
                    decoded.append(byte)
                    decoded.append(escape)
                }
            default:
                decoded.append(byte)
                decoded.append(escape)
            }
            index += 2
        }
    }
}
