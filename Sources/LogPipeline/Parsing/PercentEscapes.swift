/// `%2e` in the address of a request (RFC 3986 section 2.1). Servers decode once, some applications behind them again:
/// what is escaped once or twice is what they act on, however it is spelled.
enum PercentEscapes {
    /// Adds the decoded forms of a request's target beside it, when it has an escape in it. Memory is at most the
    /// target's length.
    ///
    /// - Parameter query: where in `text` the mark stands that the query follows.
    static func addDecoded(_ text: Span<UInt8>, _ target: Piece, query: Int?, into draft: inout EventDraft) {
        guard text.find(UInt8(ascii: "%"), in: target) != nil else { return }
        let start = draft.decoded.count
        let stem = Piece(target.start, query ?? target.end)
        var changes = decode(text, stem, into: &draft)
        let stemEnd = draft.decoded.count
        if let query {
            draft.decoded.append(UInt8(ascii: "?"))
            if decode(text, Piece(query + 1, target.end), into: &draft) { changes = true }
        }
        let end = draft.decoded.count
        guard changes else {
            draft.decoded.removeLast(end - start)
            return
        }
        draft.add(Fields.csURIDecoded, Piece(start, end), from: .decoded)
        draft.add(Fields.csURIStemDecoded, Piece(start, stemEnd), from: .decoded)
        if query != nil { draft.add(Fields.csURIQueryDecoded, Piece(stemEnd + 1, end), from: .decoded) }
    }

    /// Appends `piece` decoded, and decoded again where that left escapes.
    /// - Returns: whether anything was decoded.
    private static func decode(_ text: Span<UInt8>, _ piece: Piece, into draft: inout EventDraft) -> Bool {
        let start = draft.decoded.count
        var changes = false
        var index = piece.start
        while index < piece.end {
            let byte = text.byte(at: index)
            if byte == UInt8(ascii: "%"), index + 2 < piece.end, let high = digit(text.byte(at: index + 1)),
                let low = digit(text.byte(at: index + 2))
            {
                draft.decoded.append(high << 4 | low)
                index += 3
                changes = true
            } else {
                draft.decoded.append(byte)
                index += 1
            }
        }
        guard changes else { return false }
        var (read, write) = (start, start)
        let end = draft.decoded.count
        while read < end {
            let byte = draft.decoded[read]
            if byte == UInt8(ascii: "%"), read + 2 < end, let high = digit(draft.decoded[read + 1]),
                let low = digit(draft.decoded[read + 2])
            {
                draft.decoded[write] = high << 4 | low
                read += 3
            } else {
                draft.decoded[write] = byte
                read += 1
            }
            write += 1
        }
        draft.decoded.removeLast(end - write)
        return true
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
