import Crypto
import IronpostCore
import Sigma

/// Makes alerts of matches: the only place on the path where text is made, once somebody will read it.
struct AlertShaper {
    let book: RuleBook
    let origins: OriginTable
    let node: String
    let generation: Int
    /// Names this run in trace ids.
    let run: UInt64
    /// Made once: where processes are looked up is read from the table of mounts.
    private let writers: WriterClues
    /// Fields of an event beyond this many are left out of the alert.
    static let fieldsMax = 256
    static let valueBytesMax = 4096

    init(book: RuleBook, origins: OriginTable, node: String, generation: Int, run: UInt64) {
        self.book = book
        self.origins = origins
        self.node = node
        self.generation = generation
        self.run = run
        writers = WriterClues(origins: origins)
    }

    /// What the loop knows of an event beside the table.
    struct Place {
        var lineNumber: UInt64?
        var peer: String?
        var sequence: UInt64
        var sender = LineSender.unknown
    }

    /// The alert, and what tells whose the event was.
    func event(_ match: Match, in table: borrowing EventTable, place: Place, now: Timestamp) -> AlertEvent {
        let alert = alert(match, in: table, place: place, now: now)
        return AlertEvent(
            alert,
            clues: writers.clues(match, table.events[match.event], alert.event, place.sender))
    }

    func alert(_ match: Match, in table: borrowing EventTable, place: Place, now: Timestamp) -> Alert {
        let rule = book.ruleSet.rules[match.rule]
        let event = table.events[match.event]
        let record = record(of: match.event, in: table)
        let origin = origins[event.origin]
        let time = Timestamp(nanoseconds: event.time)
        let group = (match.correlation?.group ?? []).map { Field($0.field, $0.value) }
        let grouped = { (name: String) in group.first { $0.name == name }?.value }
        let srcIP = record["src_ip"] ?? grouped("src_ip")
        return Alert(
            id: UUIDv7.make(at: now), time: now, severity: Severity(level: rule.document.level ?? .medium),
            title: rule.document.title, description: rule.document.description ?? "", source: "log-pipeline",
            rule: book.references[match.rule], node: node, event: record,
            evidence: evidence(match.event, record: record, origin: origin, in: table, place: place), group: group,
            count: match.correlation?.weight ?? Int(event.weight),
            firstSeen: match.correlation.map { Timestamp(nanoseconds: $0.first) } ?? time,
            lastSeen: match.correlation.map { Timestamp(nanoseconds: $0.last) } ?? time,
            srcIP: srcIP, dstIP: record["dst_ip"], srcIPProof: proof(match, event, of: srcIP),
            process: process(record, origin),
            traceID: TraceID(run: run, sequence: place.sequence).description, generation: generation,
            labels: origin?.labels ?? [:],
            members: (match.correlation?.members ?? []).suffix(Alert.membersMax).map {
                CorrelationMember(
                    time: Timestamp(nanoseconds: $0.time), file: origins[$0.origin]?.file,
                    offset: origins[$0.origin]?.file == nil ? nil : $0.position
                )
            }
        )
    }

    /// What vouches for the address: the event's own grade, and for a correlation that its condition holds on events of
    /// that grade alone, all of them from this address because it groups by it.
    private func proof(_ match: Match, _ event: EventTable.Event, of address: String?) -> AddressProof? {
        guard let address else { return nil }
        var grade = UInt8(event.origin & EventTable.gradeMask)
        if let correlation = match.correlation {
            guard correlation.group.contains(where: { $0.field == "src_ip" && $0.value == address }) else { return nil }
            grade = correlation.grade
        }
        return EventGrade(rawValue: grade)?.proof
    }

    /// The event as people see it: every field by its name.
    func record(of event: Int, in table: borrowing EventTable) -> EventRecord {
        EventRecord(
            time: Timestamp(nanoseconds: table.events[event].time),
            fields: shown(of: event, in: table).compactMap { field in
                guard field.kind != .null else { return nil }
                let name = field.id == .unnamed ? table.text(field.name) : book.ruleSet.fieldNames.name(of: field.id)
                let value = ByteSlice(
                    offset: field.value.start, length: min(Int(field.value.length), Self.valueBytesMax))
                return Field(name, table.text(value))
            }
        )
    }

    /// Of an event with more fields than are shown, those whose names somebody knows go first.
    private func shown(of event: Int, in table: borrowing EventTable) -> [EventTable.Field] {
        let fields = table.fields(of: event)
        guard fields.count > Self.fieldsMax else { return Array(fields) }
        let named = fields.lazy.filter { $0.id != .unnamed }.prefix(Self.fieldsMax)
        let others = fields.lazy.filter { $0.id == .unnamed }.prefix(Self.fieldsMax - named.count)
        return Array(named) + Array(others)
    }

    private func evidence(
        _ index: Int, record: EventRecord, origin: Origin?, in table: borrowing EventTable, place: Place
    ) -> Evidence {
        let event = table.events[index]
        let line = event.line
        let digest = SHA256.hash(data: table.bytes[line.start..<line.end])
        // A journal record is binary: people read its message.
        let shown = origin?.source == "journald" ? table.first(Fields.message, of: index)?.value ?? line : line
        let raw = table.text(ByteSlice(offset: shown.start, length: min(Int(shown.length), Evidence.rawBytesMax)))
        return Evidence(
            source: origin?.source ?? "unknown", file: origin?.file, inode: origin?.inode,
            offset: origin?.file == nil ? nil : event.position, line: place.lineNumber,
            place: record[Journal.cursorField] ?? place.peer, raw: raw,
            sha256: digest.reduce(into: "") { text, byte in
                if byte < 16 { text += "0" }
                text += String(byte, radix: 16)
            }
        )
    }

    /// Only the journal's word: there the kernel told the writer's pid. In a line of text anybody may claim one.
    private func process(_ record: EventRecord, _ origin: Origin?) -> ProcessReference? {
        guard origin?.source == "journald", let text = record["pid"], let pid = Int(text) else { return nil }
        return ProcessReference(
            pid: pid, exe: record["_EXE"], cmdline: record["_CMDLINE"], unit: record["_SYSTEMD_UNIT"],
            uid: record["_UID"].flatMap { Int($0) }
        )
    }
}

extension Severity {
    /// Sigma's levels: `informational`, `low`, `medium`, `high`, `critical`; a rule without one is `medium`.
    init(level: RuleLevel) {
        switch level {
        case .informational: self = .info
        case .low: self = .low
        case .medium: self = .medium
        case .high: self = .high
        case .critical: self = .critical
        }
    }
}
