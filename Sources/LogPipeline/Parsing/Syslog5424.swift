internal import Sigma

/// RFC 5424: `<PRI>1 TIMESTAMP HOSTNAME APP-NAME PROCID MSGID [SD-ELEMENT]… MSG`.
///
/// Lenient where senders are: any version of up to three digits, a bad timestamp keeps the message (the time is then
/// that of receipt), malformed structured data becomes part of the message.
enum Syslog5424 {
    /// SD elements and parameters of one line beyond these are left in `message` only.
    static let elementsMax = 64
    static let paramsMax = 512

    enum Outcome {
        /// Not RFC 5424; nothing was added.
        case notThis
        case parsed(message: Piece, program: Piece)
        /// Understood in part: a bad time or bad structured data.
        case damaged(message: Piece, program: Piece)
    }

    /// Takes `<N>`, N ≤ 191, off the front: the number, or `nil` with `rest` as it was.
    static func takePriority(_ line: Span<UInt8>, _ rest: inout Piece) -> Int? {
        guard line.byte(at: rest.start) == UInt8(ascii: "<"), rest.count >= 3 else { return nil }
        let digits = line.digits(at: rest.start + 1, atMost: 3, before: rest.end)
        guard let number = line.decimal(digits), number <= 191, line.byte(at: digits.end) == UInt8(ascii: ">") else {
            return nil
        }
        rest.start = digits.end + 1
        return number
    }

    static func addPriority(_ number: Int, to draft: inout EventDraft) {
        if let facility = Word.facility(number >> 3) { draft.add(Fields.facility, facility) }
        if let severity = Word.severity(number & 7) { draft.add(Fields.severity, severity) }
    }

    /// - Parameter rest: what follows PRI.
    static func parse(_ line: Span<UInt8>, _ rest: Piece, zone: LocalZone, into draft: inout EventDraft) -> Outcome {
        var rest = rest
        let version = line.digits(at: rest.start, atMost: 3, before: rest.end)
        guard !version.isEmpty, line.byte(at: version.start) != UInt8(ascii: "0"),
            line.byte(at: version.end) == UInt8(ascii: " "), version.end < rest.end
        else { return .notThis }
        rest.start = version.end + 1
        let first = line.byte(at: rest.start)
        guard first == UInt8(ascii: "-") || first &- UInt8(ascii: "0") <= 9 else { return .notThis }

        var isDamaged = false
        let stamp = token(line, &rest)
        if !isNil(line, stamp) {
            var text = stamp
            if let time = TimeText.takeRFC3339(line, &text, zone: nil), text.isEmpty {
                draft.time = time
            } else {
                isDamaged = true
            }
            draft.add(Fields.timestamp, stamp)
        }
        let host = token(line, &rest)
        if !isNil(line, host) { draft.add(Fields.host, host) }
        var program = token(line, &rest)
        if isNil(line, program) { program = Piece(program.start, program.start) }
        if !program.isEmpty { draft.add(Fields.program, program) }
        let pid = token(line, &rest)
        if !isNil(line, pid) {
            draft.add(Fields.pid, pid, kind: line.decimal(pid) == nil ? .string : .number)
        }
        let msgid = token(line, &rest)
        if !isNil(line, msgid) { draft.add(Fields.msgid, msgid) }

        if line.equal(rest, "-") || line.has("- ", at: rest.start, before: rest.end) {
            rest.start += 1
        } else if line.byte(at: rest.start) == UInt8(ascii: "["), !rest.isEmpty {
            if !structuredData(line, &rest, into: &draft) { isDamaged = true }
        } else if !rest.isEmpty {
            isDamaged = true
        }
        _ = rest.skip(" ", in: line)
        // rsyslog's own RFC 5424 template keeps the space that follows a BSD tag: no part of what the program said.
        if !rest.skip("\u{FEFF}", in: line) { _ = rest.skip(" ", in: line) }
        draft.add(Fields.message, rest)
        return isDamaged ? .damaged(message: rest, program: program) : .parsed(message: rest, program: program)
    }

    private static func token(_ line: Span<UInt8>, _ rest: inout Piece) -> Piece {
        let token = rest.takeToken(in: line)
        if !rest.isEmpty { rest.start += 1 }
        return token
    }

    private static func isNil(_ line: Span<UInt8>, _ piece: Piece) -> Bool {
        piece.isEmpty || line.equal(piece, "-")
    }

    /// Takes all SD elements off the front and adds `sd_<id>_<param>` fields. When they are malformed, what was read of
    /// them is taken back, `rest` is as it was, and the result is `false`.
    private static func structuredData(_ line: Span<UInt8>, _ rest: inout Piece, into draft: inout EventDraft) -> Bool {
        let mark = draft.mark
        var cursor = rest
        var (elements, params) = (0, 0)
        while cursor.skip("[", in: line) {
            elements += 1
            let id = name(line, &cursor)
            guard !id.isEmpty, elements <= elementsMax else {
                draft.rewind(to: mark)
                return false
            }
            while cursor.skip(" ", in: line) {
                cursor.skipSpaces(in: line)
                if line.byte(at: cursor.start) == UInt8(ascii: "]") { break }
                params += 1
                let param = name(line, &cursor)
                guard !param.isEmpty, params <= paramsMax, cursor.skip("=\"", in: line),
                    addValue(line, &cursor, id: id, param: param, to: &draft)
                else {
                    draft.rewind(to: mark)
                    return false
                }
            }
            guard cursor.skip("]", in: line) else {
                draft.rewind(to: mark)
                return false
            }
        }
        rest = cursor
        return true
    }

    /// SD-NAME: up to 32 printable characters in the RFC, 128 here, without `=`, space, `]` and `"`.
    private static func name(_ line: Span<UInt8>, _ rest: inout Piece) -> Piece {
        let start = rest.start
        scan: while rest.start < rest.end, rest.start - start <= 128 {
            switch line.byte(at: rest.start) {
            case UInt8(ascii: "="), UInt8(ascii: "]"), UInt8(ascii: "\""), 0...32, 127: break scan
            default: rest.start += 1
            }
        }
        return rest.start - start > 128 ? Piece(start, start) : Piece(start, rest.start)
    }

    /// Takes a value and its closing quote; `\"`, `\\` and `\]` are escapes, any other backslash stands for itself.
    private static func addValue(
        _ line: Span<UInt8>, _ rest: inout Piece, id: Piece, param: Piece, to draft: inout EventDraft
    ) -> Bool {
        let start = rest.start
        var escapes = false
        while let hit = line.find(UInt8(ascii: "\""), or: UInt8(ascii: "\\"), in: rest) {
            if line.byte(at: hit) == UInt8(ascii: "\\") {
                escapes = true
                rest.start = hit + 2
                continue
            }
            rest.start = hit + 1
            let nameStart = draft.decoded.count
            for byte in "sd_".utf8 { draft.decoded.append(byte) }
            draft.append(id, of: .line, in: line)
            draft.decoded.append(UInt8(ascii: "_"))
            draft.append(param, of: .line, in: line)
            let name = Piece(nameStart, draft.decoded.count)
            let raw = Piece(start, hit)
            guard escapes else {
                draft.add(named: name, of: .decoded, in: line, raw)
                return true
            }
            let valueStart = draft.decoded.count
            unescape(line, raw, into: &draft.decoded)
            draft.add(
                named: name, of: .decoded, in: line, Piece(valueStart, draft.decoded.count), from: .decoded
            )
            return true
        }
        return false
    }

    private static func unescape(_ line: Span<UInt8>, _ raw: Piece, into decoded: inout [UInt8]) {
        var index = raw.start
        while index < raw.end {
            var byte = line.byte(at: index)
            if byte == UInt8(ascii: "\\"), index + 1 < raw.end {
                let next = line.byte(at: index + 1)
                if next == UInt8(ascii: "\"") || next == UInt8(ascii: "\\") || next == UInt8(ascii: "]") {
                    byte = next
                    index += 1
                }
            }
            decoded.append(byte)
            index += 1
        }
    }
}
