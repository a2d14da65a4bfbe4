internal import Sigma

/// `key=value key="quoted value" flag`: a key without value is a field of value "".
enum Logfmt {
    static let keyMax = 128

    /// - Parameter isCertain: whether somebody said that this is logfmt. A guess asks for more: two pairs at least, and
    ///   nothing but pairs.
    static func parse(
        _ line: Span<UInt8>, isCertain: Bool, zone: LocalZone, into draft: inout EventDraft
    ) -> Bool {
        var rest = line.whole
        rest.dropTrailingTerminator(in: line)
        var pairs = 0
        var timeRank = Int.max
        while true {
            rest.skipSpaces(in: line)
            if rest.isEmpty { break }
            let key = key(line, &rest)
            guard !key.isEmpty else { return false }
            guard rest.skip("=", in: line) else {
                guard isCertain else { return false }
                draft.add(named: key, of: .line, in: line, Piece(key.end, key.end))
                continue
            }
            pairs += 1
            if line.byte(at: rest.start) == UInt8(ascii: "\""), !rest.isEmpty {
                guard let quoted = QuotedText.take(line, &rest) else { return false }
                if quoted.escapes {
                    let start = draft.decoded.count
                    QuotedText.decode(line, quoted.text, into: &draft.decoded)
                    draft.add(named: key, of: .line, in: line, Piece(start, draft.decoded.count), from: .decoded)
                } else {
                    add(line, key, quoted.text, zone: zone, timeRank: &timeRank, to: &draft)
                }
            } else {
                add(line, key, rest.takeToken(in: line), zone: zone, timeRank: &timeRank, to: &draft)
            }
            guard rest.isEmpty || line.byte(at: rest.start) == UInt8(ascii: " ") else { return false }
        }
        guard pairs >= (isCertain ? 1 : 2) else { return false }
        draft.eventClass = EventClasses.logfmt
        return true
    }

    private static func key(_ line: Span<UInt8>, _ rest: inout Piece) -> Piece {
        let start = rest.start
        scan: while rest.start < rest.end, rest.start - start <= keyMax {
            switch line.byte(at: rest.start) {
            case UInt8(ascii: "="), UInt8(ascii: "\""), 0...32, 127: break scan
            default: rest.start += 1
            }
        }
        return rest.start - start > keyMax ? Piece(start, start) : Piece(start, rest.start)
    }

    private static func add(
        _ line: Span<UInt8>, _ key: Piece, _ value: Piece, zone: LocalZone, timeRank: inout Int,
        to draft: inout EventDraft
    ) {
        if line.equal(key, "msg") { draft.add(Fields.message, value) }
        let rank = line.equal(key, "time") ? 0 : line.equal(key, "timestamp") ? 1 : line.equal(key, "ts") ? 2 : Int.max
        if rank < timeRank {
            var rest = value
            if let time = TimeText.takeRFC3339(line, &rest, zone: zone), rest.isEmpty {
                draft.time = time
                timeRank = rank
            } else if let time = EpochText.nanoseconds(line, value) {
                draft.time = time
                timeRank = rank
            }
        }
        draft.add(named: key, of: .line, in: line, value)
    }
}
