internal import IronpostCore
package import Sigma

/// Turns lines into events: finds out what a line is, and adds its fields to an `EventTable`.
///
///     let chunk = table.append(bytes: lines.span)
///     for line in lineSlices(of: chunk) {
///         table.beginEvent(line: line, time: now, origin: source, position: offset)
///         parser.parse(line: line, format: .auto, receivedAt: now, into: &table)
///     }
///
/// Every line becomes exactly one event, whatever its bytes: what no parser understands is of class `plain` with the
/// line as its `message`. One parser serves one thread; it keeps scratch memory and a clock's memo, no events.
package struct LogParser: ~Copyable {
    /// Lines that were not what they were said to be, or were so only in part; each is an event all the same.
    package private(set) var parseErrors: UInt64 = 0

    /// Fields that were left out of events with too many.
    package var fieldsDropped: UInt64 { draft.fieldsDropped }

    /// Whether the system journal is being read: then it says who wrote a message of sshd's and the like, and the same
    /// message in a file, where nobody tells who wrote it, proves nothing.
    package var isJournalRead = false

    private var draft: EventDraft
    private var clock: SyslogClock
    private var lastGuess = LineFormat.plain

    /// - Parameters:
    ///   - fieldNames: made with `FieldNames(wellKnown: Fields.names)`, then what rules name.
    ///   - zone: the zone of times that name none.
    package init(fieldNames: FieldNames, zone: LocalZone = .host) {
        draft = EventDraft(names: fieldNames)
        clock = SyslogClock(zone: zone)
    }

    /// Takes the names of a newly compiled rule set.
    package mutating func replace(fieldNames: FieldNames) {
        draft.names = fieldNames
    }

    /// Parses the line of the event that `table` has begun last, and ends that event.
    ///
    /// - Parameters:
    ///   - slice: the line, without its terminator; not necessarily the event's `line`. What of it lies outside the
    ///     batch's bytes is not read.
    ///   - receivedAt: nanoseconds since 1970; decides the year of times that have none.
    ///   - writer: who can have written the line; decides the event's grade.
    package mutating func parse(
        line slice: ByteSlice, format: LineFormat, receivedAt: Int64, writer: LineWriter = .anybody,
        into table: inout EventTable
    ) {
        guard table.count > 0 else { return }
        draft.reset()
        let lineStart = read(table.bytes.span, slice, format: format, receivedAt: receivedAt)
        draft.finish(into: &table, lineStart: lineStart)
        table.setGrade(grade(format: format, writer: writer).rawValue)
    }

    /// How sure it is that the event's source address is the other end of a daemon's connection.
    private func grade(format: LineFormat, writer: LineWriter) -> EventGrade {
        guard draft.hasPeer else { return .unproven }
        if format == .journal { return draft.isTrustedWriter ? .trustedWriter : .unproven }
        let isWeb = draft.eventClass == EventClasses.webAccess || draft.eventClass == EventClasses.webError
        switch writer {
        case .anybody: return .unproven
        case .system: return isWeb || !isJournalRead ? .file : .unproven
        case .rootProcess(let executable):
            guard let executable, Program.isSystem(executable), Program(path: executable).eventClass == draft.eventClass
            else { return .unproven }
            return .trustedWriter
        case .rootNamed(let name):
            return Program(path: name).eventClass == draft.eventClass ? .trustedWriter : .unproven
        }
    }

    /// - Returns: where the line starts in `bytes`.
    private mutating func read(
        _ bytes: Span<UInt8>, _ slice: ByteSlice, format: LineFormat, receivedAt: Int64
    ) -> Int {
        let piece = bytes.clamp(Piece(slice.start, slice.end))
        let line = bytes.extracting(piece.start..<piece.end)
        if !read(line, as: format, receivedAt: receivedAt) {
            parseErrors += 1
            draft.reset()
            _ = readAsPlain(line)
        }
        return piece.start
    }

    /// Whether `line` is of `format`; when it is not, what was added is to be discarded.
    private mutating func read(_ line: Span<UInt8>, as format: LineFormat, receivedAt: Int64) -> Bool {
        switch format {
        case .auto: return guess(line, receivedAt: receivedAt)
        case .syslog: return syslog(line, receivedAt: receivedAt, needsHeader: false)
        case .json: return json(line)
        case .packet: return packet(line)
        case .clf: return AccessLog.parse(line, into: &draft)
        case .webError: return WebErrorLog.parse(line, clock: &clock, receivedAt: receivedAt, into: &draft)
        case .logfmt: return Logfmt.parse(line, isCertain: true, zone: clock.zone, into: &draft)
        case .journal:
            let isWhole = JournalRecord.parse(line, into: &draft)
            if isWhole || draft.entries.isEmpty { return isWhole }
            parseErrors += 1
            return true
        case .auditd:
            guard let isWhole = AuditRecord.parse(line, into: &draft) else { return false }
            if !isWhole { parseErrors += 1 }
            return true
        case .plain:
            draft.eventClass = EventClasses.plain
            draft.add(Fields.message, line.whole)
            return true
        }
    }

    private mutating func json(_ line: Span<UInt8>) -> Bool {
        guard JSONLines.parse(line, zone: clock.zone, into: &draft) else { return false }
        draft.eventClass = EventClasses.json
        return true
    }

    /// Only our own packet engine writes these, so that nobody else's JSON becomes a packet.
    private mutating func packet(_ line: Span<UInt8>) -> Bool {
        guard JSONLines.parse(line, zone: clock.zone, into: &draft) else { return false }
        draft.eventClass =
            line.has("{\"category\":\"firewall\"", at: 0, before: line.count)
            ? EventClasses.firewall : EventClasses.networkConnection
        return true
    }

    /// Reads a line of a format that nobody named: first the formats that its first bytes admit, then the ones that can
    /// start anyhow, beginning with the one that fitted last.
    private mutating func guess(_ line: Span<UInt8>, receivedAt: Int64) -> Bool {
        let first = line.byte(at: 0)
        switch first {
        case UInt8(ascii: "{"):
            return attempt(line, .json, receivedAt)
        case UInt8(ascii: "<"), UInt8(ascii: "*"), UInt8(ascii: "."):
            return attempt(line, .syslog, receivedAt) || readAsPlain(line)
        case UInt8(ascii: "["):
            return attempt(line, .webError, receivedAt) || readAsPlain(line)
        case UInt8(ascii: "t") where line.has("type=", at: 0, before: line.count),
            UInt8(ascii: "n") where line.has("node=", at: 0, before: line.count):
            if attempt(line, .auditd, receivedAt) { return true }
        case UInt8(ascii: " "), 9:
            var rest = line.whole
            rest.skipSpaces(in: line)
            return line.byte(at: rest.start) == UInt8(ascii: "{") && attempt(line, .json, receivedAt)
                || readAsPlain(line)
        default:
            break
        }
        if TimeText.month(line, at: 0) > 0, attempt(line, .syslog, receivedAt) { return true }
        if line.byte(at: 4) == UInt8(ascii: "/"), attempt(line, .webError, receivedAt) { return true }
        if lastGuess != .plain, attempt(line, lastGuess, receivedAt) { return true }
        for format in [LineFormat.clf, .syslog, .logfmt] where format != lastGuess {
            if attempt(line, format, receivedAt) {
                lastGuess = format
                return true
            }
        }
        return readAsPlain(line)
    }

    private mutating func attempt(_ line: Span<UInt8>, _ format: LineFormat, _ receivedAt: Int64) -> Bool {
        let isRead =
            switch format {
            case .syslog: syslog(line, receivedAt: receivedAt, needsHeader: true)
            case .logfmt: Logfmt.parse(line, isCertain: false, zone: clock.zone, into: &draft)
            default: read(line, as: format, receivedAt: receivedAt)
            }
        if !isRead { draft.reset() }
        return isRead
    }

    /// Unstructured text where nobody promised structure is no error.
    private mutating func readAsPlain(_ line: Span<UInt8>) -> Bool {
        read(line, as: .plain, receivedAt: 0)
    }

    /// - Parameter needsHeader: whether a line must look like syslog by itself, because nobody said it is.
    private mutating func syslog(_ line: Span<UInt8>, receivedAt: Int64, needsHeader: Bool) -> Bool {
        var rest = line.whole
        rest.dropTrailingTerminator(in: line)
        let priority = Syslog5424.takePriority(line, &rest)
        if let priority {
            Syslog5424.addPriority(priority, to: &draft)
            switch Syslog5424.parse(line, rest, zone: clock.zone, into: &draft) {
            case .notThis:
                break
            case .damaged(let message, let program):
                parseErrors += 1
                extract(line, message, program: program, isPAM: false)
                return true
            case .parsed(let message, let program):
                extract(line, message, program: program, isPAM: false)
                return true
            }
        }
        let parsed = Syslog3164.parse(
            line, rest, clock: &clock, receivedAt: receivedAt, needsHeader: needsHeader && priority == nil, into: &draft
        )
        if let parsed {
            extract(line, parsed.message, program: parsed.program, isPAM: parsed.isPAM)
            return true
        }
        // With a PRI it is syslog whatever follows.
        guard priority != nil else { return false }
        draft.eventClass = EventClasses.syslog
        draft.add(Fields.message, rest)
        return true
    }

    private mutating func extract(_ line: Span<UInt8>, _ message: Piece, program: Piece, isPAM: Bool) {
        let known = Program(line, program)
        draft.eventClass = known.eventClass
        known.extract(line, message, isPAM: isPAM, into: &draft)
    }
}

/// How well an event's source address is proven: the grade that it has in the `EventTable`.
enum EventGrade: UInt8 {
    case unproven = 0
    case file = 1
    case trustedWriter = 2

    var proof: AddressProof? {
        switch self {
        case .unproven: nil
        case .file: AddressProof(origin: .daemonField, confidence: .file)
        case .trustedWriter: AddressProof(origin: .daemonField, confidence: .trustedWriter)
        }
    }
}

extension Piece {
    /// Takes a carriage return, or the NUL that some senders end messages with, off the end.
    mutating func dropTrailingTerminator(in line: Span<UInt8>) {
        while count > 0, line.byte(at: end - 1) == 0 || line.byte(at: end - 1) == 13 || line.byte(at: end - 1) == 10 {
            end -= 1
        }
    }
}
