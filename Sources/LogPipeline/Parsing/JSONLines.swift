internal import Sigma

/// One JSON object a line (RFC 8259), flattened to dotted names in one pass over the bytes.
///
/// `{"a":{"b":1},"c":[2,3]}` becomes `a.b=1`, `c=2`, `c=3`: each element of an array is a field of the array's name, so
/// that a rule tries every one. Names that occur twice are both kept. Strings are slices of the line unless they hold a
/// backslash. Lenient where nothing is lost by it: numbers are not validated beyond their characters, control
/// characters may stand in strings. What follows the object is a reason to refuse the line.
struct JSONLines {
    /// Values nested deeper are fields with their JSON text as value.
    static let depthMax = 64
    /// Longest dotted name; a value below a longer one is a field of its parent's name.
    static let nameMax = 1024

    private var cursor = 0
    private let end: Int
    private let zone: LocalZone
    /// A time found under a name that ranks earlier (`@timestamp` before `ts`) is not replaced.
    private var timeRank = Int.max

    /// - Returns: whether the line is a JSON object; if not, what was added is to be discarded.
    static func parse(_ line: Span<UInt8>, zone: LocalZone, into draft: inout EventDraft) -> Bool {
        var parser = JSONLines(end: line.count, zone: zone)
        parser.skipSpace(line)
        guard line.byte(at: parser.cursor) == UInt8(ascii: "{") else { return false }
        guard parser.object(line, path: Path(), depth: 1, into: &draft) else { return false }
        parser.skipSpace(line)
        return parser.cursor == parser.end
    }

    private init(end: Int, zone: LocalZone) {
        self.end = end
        self.zone = zone
    }

    /// The name of the value being read: bytes of the line, or of the draft where it was put together or unescaped.
    private struct Path {
        var piece = Piece(0, 0)
        var origin = EventDraft.Origin.line
        var isTop: Bool { piece.isEmpty && origin == .line }

        /// Of a value that is left out whatever it is: the event is full, and no name that anybody knows is as long.
        static let unknown = Path(piece: Piece(0, 0), origin: .decoded)
        var isUnknown: Bool { piece.isEmpty && origin == .decoded }
    }

    private mutating func skipSpace(_ line: Span<UInt8>) {
        while cursor < end {
            switch line.byte(at: cursor) {
            case 32, 9, 10, 13: cursor += 1
            default: return
            }
        }
    }

    private mutating func skip(_ byte: UInt8, _ line: Span<UInt8>) -> Bool {
        guard cursor < end, line.byte(at: cursor) == byte else { return false }
        cursor += 1
        return true
    }

    private mutating func object(
        _ line: Span<UInt8>, path: Path, depth: Int, into draft: inout EventDraft
    ) -> Bool {
        guard skip(UInt8(ascii: "{"), line) else { return false }
        skipSpace(line)
        if skip(UInt8(ascii: "}"), line) { return true }
        while true {
            skipSpace(line)
            let mark = draft.mark
            guard let key = string(line, into: &draft) else { return false }
            skipSpace(line)
            guard skip(UInt8(ascii: ":"), line) else { return false }
            let name = path.isTop ? key : join(line, path, key, into: &draft)
            guard value(line, path: name, depth: depth, isTop: path.isTop, into: &draft) else { return false }
            if draft.isFull { draft.release(to: mark) }
            skipSpace(line)
            if skip(UInt8(ascii: ","), line) { continue }
            return skip(UInt8(ascii: "}"), line)
        }
    }

    private mutating func array(
        _ line: Span<UInt8>, path: Path, depth: Int, into draft: inout EventDraft
    ) -> Bool {
        guard skip(UInt8(ascii: "["), line) else { return false }
        skipSpace(line)
        if skip(UInt8(ascii: "]"), line) { return true }
        while true {
            let mark = draft.mark
            guard value(line, path: path, depth: depth, isTop: false, into: &draft) else { return false }
            if draft.isFull { draft.release(to: mark) }
            skipSpace(line)
            if skip(UInt8(ascii: ","), line) { continue }
            return skip(UInt8(ascii: "]"), line)
        }
    }

    private mutating func value(
        _ line: Span<UInt8>, path: Path, depth: Int, isTop: Bool, into draft: inout EventDraft
    ) -> Bool {
        skipSpace(line)
        switch line.byte(at: cursor) {
        case UInt8(ascii: "\""):
            guard let text = string(line, into: &draft) else { return false }
            if isTop { standard(line, path, text, isNumber: false, into: &draft) }
            draft.add(named: path.piece, of: path.origin, in: line, text.piece, from: text.origin)
            return true
        case UInt8(ascii: "{"), UInt8(ascii: "["):
            if depth >= Self.depthMax {
                guard let raw = rawContainer(line) else { return false }
                draft.add(named: path.piece, of: path.origin, in: line, raw)
                return true
            }
            return line.byte(at: cursor) == UInt8(ascii: "{")
                ? object(line, path: path, depth: depth + 1, into: &draft)
                : array(line, path: path, depth: depth + 1, into: &draft)
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
            let number = number(line)
            if isTop { standard(line, path, Path(piece: number), isNumber: true, into: &draft) }
            draft.add(named: path.piece, of: path.origin, in: line, number, kind: .number)
            return true
        default:
            let start = cursor
            let kind: FieldKind
            var rest = Piece(cursor, end)
            if rest.skip("true", in: line) || rest.skip("false", in: line) {
                kind = .boolean
            } else if rest.skip("null", in: line) {
                kind = .null
            } else {
                return false
            }
            cursor = rest.start
            draft.add(named: path.piece, of: path.origin, in: line, Piece(start, cursor), kind: kind)
            return true
        }
    }

    private mutating func number(_ line: Span<UInt8>) -> Piece {
        let start = cursor
        while cursor < end {
            switch line.byte(at: cursor) {
            case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "+"), UInt8(ascii: "."),
                UInt8(ascii: "e"), UInt8(ascii: "E"):
                cursor += 1
            default:
                return Piece(start, cursor)
            }
        }
        return Piece(start, cursor)
    }

    /// Skips an object or array without looking into it: its text, or `nil` if it does not end.
    private mutating func rawContainer(_ line: Span<UInt8>) -> Piece? {
        let start = cursor
        var open = 0
        while cursor < end {
            switch line.byte(at: cursor) {
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                open += 1
                cursor += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                open -= 1
                cursor += 1
                if open == 0 { return Piece(start, cursor) }
            case UInt8(ascii: "\""):
                cursor += 1
                guard closingQuote(line) != nil else { return nil }
            default:
                cursor += 1
            }
        }
        return nil
    }

    /// Moves behind the quote that ends the string whose text starts at the cursor: where the quote stands, and whether
    /// there was a backslash before it.
    private mutating func closingQuote(_ line: Span<UInt8>) -> (at: Int, escapes: Bool)? {
        var escapes = false
        while let hit = line.find(UInt8(ascii: "\""), or: UInt8(ascii: "\\"), in: Piece(cursor, end)) {
            if line.byte(at: hit) == UInt8(ascii: "\"") {
                cursor = hit + 1
                return (hit, escapes)
            }
            escapes = true
            cursor = hit + 2
        }
        return nil
    }

    private mutating func string(_ line: Span<UInt8>, into draft: inout EventDraft) -> Path? {
        guard skip(UInt8(ascii: "\""), line) else { return nil }
        let start = cursor
        guard let quote = closingQuote(line) else { return nil }
        guard quote.escapes else { return Path(piece: Piece(start, quote.at), origin: .line) }
        let decodedStart = draft.decoded.count
        JSONString.decode(line, Piece(start, quote.at), into: &draft.decoded)
        return Path(piece: Piece(decodedStart, draft.decoded.count), origin: .decoded)
    }

    private func join(_ line: Span<UInt8>, _ path: Path, _ key: Path, into draft: inout EventDraft) -> Path {
        if path.isUnknown { return path }
        let count = path.piece.count + 1 + key.piece.count
        if draft.isFull, count > draft.names.lengthMax { return .unknown }
        guard count <= Self.nameMax else { return path }
        let start = draft.decoded.count
        draft.append(path.piece, of: path.origin, in: line)
        draft.decoded.append(UInt8(ascii: "."))
        draft.append(key.piece, of: key.origin, in: line)
        return Path(piece: Piece(start, draft.decoded.count), origin: .decoded)
    }

    /// What top-level names mean beside themselves: the event's time, and `msg` for `message`.
    private mutating func standard(
        _ line: Span<UInt8>, _ name: Path, _ text: Path, isNumber: Bool, into draft: inout EventDraft
    ) {
        guard name.origin == .line, text.origin == .line else { return }
        let rank: Int
        switch name.piece.count {
        case 3 where line.equal(name.piece, "msg"):
            draft.add(Fields.message, text.piece)
            return
        case 10 where line.equal(name.piece, "@timestamp"): rank = 0
        case 9 where line.equal(name.piece, "timestamp"): rank = 1
        case 4 where line.equal(name.piece, "time"): rank = 2
        case 2 where line.equal(name.piece, "ts"): rank = 3
        default: return
        }
        guard rank < timeRank else { return }
        var rest = text.piece
        var time: Int64?
        if isNumber {
            time = EpochText.nanoseconds(line, text.piece)
        } else if let read = TimeText.takeRFC3339(line, &rest, zone: zone), rest.isEmpty {
            time = read
        }
        if let time {
            draft.time = time
            timeRank = rank
        }
    }
}

/// Times as numbers since 1970.
enum EpochText {
    /// The nanoseconds of a number that counts seconds, milliseconds, microseconds or nanoseconds, told apart by its
    /// size: seconds reach the year 5138 before they would be taken for milliseconds of 1973.
    static func nanoseconds(_ line: Span<UInt8>, _ piece: Piece) -> Int64? {
        var rest = piece
        let whole = line.digits(at: rest.start, atMost: 19, before: rest.end)
        guard let value = line.decimal(Piece(whole.start, min(whole.end, whole.start + 18))) else { return nil }
        rest.start = whole.end
        if whole.count == 19 {
            guard rest.isEmpty else { return nil }
            let last = Int64(line.byte(at: whole.end - 1) &- UInt8(ascii: "0"))
            let (tens, overflow) = Int64(value).multipliedReportingOverflow(by: 10)
            let (sum, carry) = tens.addingReportingOverflow(last)
            return overflow || carry ? nil : sum
        }
        let unit: Int
        switch value {
        case ..<100_000_000_000: unit = 1_000_000_000
        case ..<100_000_000_000_000: unit = 1_000_000
        case ..<100_000_000_000_000_000: unit = 1_000
        default: unit = 1
        }
        let fraction = TimeText.takeFraction(line, &rest)
        guard rest.isEmpty else { return nil }
        let (scaled, overflow) = Int64(value).multipliedReportingOverflow(by: Int64(unit))
        return overflow ? nil : scaled + Int64(fraction / (1_000_000_000 / unit))
    }
}
