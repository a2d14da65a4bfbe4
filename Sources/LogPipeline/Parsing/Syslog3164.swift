internal import Sigma

/// RFC 3164 and what is written in its name: `[<PRI>][Mmm dd hh:mm:ss ][host ]tag[pid]: message`.
///
/// Files on disk carry no PRI; newer rsyslog writes RFC 3339 times; Cisco puts sequence numbers, `*` and zones around
/// the time; some lines have no host, some no header but the tag.
enum Syslog3164 {
    /// A tag longer than this is not one (RFC 3164 allows 32, systemd's generated units need more).
    static let programMax = 128
    static let hostMax = 255

    struct Parsed {
        var message: Piece
        var program: Piece
        /// `program(pam_unix)[pid]:`, as PAM before Linux-PAM 0.99 signed its lines.
        var isPAM = false
    }

    /// - Parameters:
    ///   - rest: what follows PRI.
    ///   - needsHeader: refuse lines without a time that do not start `tag[pid]:`. For guessing; a source that is known
    ///     to be syslog passes `false`.
    /// - Returns: `nil` when this is no such line; nothing was added then.
    static func parse(
        _ line: Span<UInt8>, _ rest: Piece, clock: inout SyslogClock, receivedAt: Int64, needsHeader: Bool,
        into draft: inout EventDraft
    ) -> Parsed? {
        var rest = rest
        let start = rest.start
        var hasTime = takeTime(line, &rest, clock: &clock, receivedAt: receivedAt, into: &draft)
        if !hasTime, takeCiscoSequence(line, &rest) {
            hasTime = takeTime(line, &rest, clock: &clock, receivedAt: receivedAt, into: &draft)
            if !hasTime { rest.start = start }
        }
        guard hasTime else { return headless(line, rest, needsHeader: needsHeader, into: &draft) }

        // Cisco: "Nov 23 01:22:37.123 UTC: %SYS-5-CONFIG_I: …" has no host.
        if line.byte(at: rest.start) == UInt8(ascii: ":") {
            rest.start += 1
            rest.skipSpaces(in: line)
            return tagged(line, rest, into: &draft)
        }
        rest.skipSpaces(in: line)
        var afterHost = rest
        if let text = ciscoZone(line, rest) { return tagged(line, text, into: &draft) }
        let host = afterHost.takeToken(in: line)
        let isTag = line.byte(at: host.end - 1) == UInt8(ascii: ":") || line.byte(at: host.start) == UInt8(ascii: "%")
        if host.isEmpty || isTag || host.count > hostMax {
            return tagged(line, rest, into: &draft)
        }
        draft.add(Fields.host, host)
        afterHost.skipSpaces(in: line)
        return tagged(line, afterHost, into: &draft)
    }

    private static func takeTime(
        _ line: Span<UInt8>, _ rest: inout Piece, clock: inout SyslogClock, receivedAt: Int64,
        into draft: inout EventDraft
    ) -> Bool {
        let start = rest.start
        let first = line.byte(at: start)
        let time: Int64?
        if first &- UInt8(ascii: "0") <= 9 {
            guard line.byte(at: start + 10) | 0x20 == UInt8(ascii: "t") else { return false }
            time = TimeText.takeRFC3339(line, &rest, zone: clock.zone)
        } else {
            time = clock.take(line, &rest, receivedAt: receivedAt)
        }
        guard let time else { return false }
        let end = line.byte(at: rest.start)
        guard rest.isEmpty || end == UInt8(ascii: " ") || end == UInt8(ascii: ":") else {
            rest.start = start
            return false
        }
        draft.time = time
        draft.add(Fields.timestamp, Piece(start, rest.start))
        return true
    }

    /// `123: ` before the time (service sequence-numbers).
    private static func takeCiscoSequence(_ line: Span<UInt8>, _ rest: inout Piece) -> Bool {
        let digits = line.digits(at: rest.start, atMost: 10, before: rest.end)
        guard !digits.isEmpty, line.has(": ", at: digits.end, before: rest.end) else { return false }
        rest.start = digits.end + 2
        return true
    }

    /// What follows `UTC: ` before a Cisco tag (`%FACILITY-SEVERITY-MNEMONIC:`), if that is what stands there.
    private static func ciscoZone(_ line: Span<UInt8>, _ rest: Piece) -> Piece? {
        guard let colon = line.find(UInt8(ascii: ":"), in: Piece(rest.start, min(rest.end, rest.start + 6))),
            line.has(": %", at: colon, before: rest.end)
        else { return nil }
        for index in rest.start..<colon {
            guard (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(line.byte(at: index)) else { return nil }
        }
        return Piece(colon + 2, rest.end)
    }

    /// A line without a time: `tag[pid]: message`, or `tag: message` where the source is known to be syslog.
    private static func headless(
        _ line: Span<UInt8>, _ rest: Piece, needsHeader: Bool, into draft: inout EventDraft
    ) -> Parsed? {
        guard let tag = tag(line, rest), !needsHeader || tag.hasPID else { return nil }
        return add(tag, line, into: &draft)
    }

    private static func tagged(_ line: Span<UInt8>, _ rest: Piece, into draft: inout EventDraft) -> Parsed {
        guard let tag = tag(line, rest) else {
            draft.add(Fields.message, rest)
            return Parsed(message: rest, program: Piece(rest.start, rest.start))
        }
        return add(tag, line, into: &draft)
    }

    private static func add(_ tag: Tag, _ line: Span<UInt8>, into draft: inout EventDraft) -> Parsed {
        draft.add(Fields.program, tag.program)
        if !tag.pid.isEmpty {
            draft.add(Fields.pid, tag.pid, kind: line.decimal(tag.pid) == nil ? .string : .number)
        }
        draft.add(Fields.message, tag.message)
        return Parsed(message: tag.message, program: tag.program, isPAM: tag.isPAM)
    }

    private struct Tag {
        var program: Piece
        var pid: Piece
        var message: Piece
        var hasPID: Bool
        var isPAM: Bool
    }

    /// `program[pid]: message`, `program: message` or `program(pam_unix)[pid]: message`; no spaces in programs.
    private static func tag(_ line: Span<UInt8>, _ rest: Piece) -> Tag? {
        var cursor = rest.start
        let limit = min(rest.end, rest.start + programMax + 1)
        scan: while cursor < limit {
            switch line.byte(at: cursor) {
            case UInt8(ascii: ":"), UInt8(ascii: "["), UInt8(ascii: "("), 0...32, 127: break scan
            default: cursor += 1
            }
        }
        guard cursor > rest.start, cursor < limit else { return nil }
        let program = Piece(rest.start, cursor)
        var after = Piece(cursor, rest.end)
        var isPAM = false
        if after.skip("(pam_unix)", in: line) { isPAM = true }
        var pid = Piece(after.start, after.start)
        var hasPID = false
        if after.skip("[", in: line) {
            let bound = Piece(after.start, min(after.end, after.start + 64))
            guard let close = line.find(UInt8(ascii: "]"), in: bound) else { return nil }
            pid = Piece(after.start, close)
            guard line.find(UInt8(ascii: " "), in: pid) == nil else { return nil }
            hasPID = !pid.isEmpty
            after.start = close + 1
        }
        // A URL's scheme, a path's drive letter or "12:30" in free text is no tag: a space or the end follows a tag.
        guard after.skip(":", in: line), after.isEmpty || line.byte(at: after.start) == UInt8(ascii: " ") else {
            return nil
        }
        _ = after.skip(" ", in: line)
        return Tag(program: program, pid: pid, message: after, hasPID: hasPID, isPAM: isPAM)
    }
}
