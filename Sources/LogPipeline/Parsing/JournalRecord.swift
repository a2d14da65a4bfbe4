internal import Sigma

/// One entry of the systemd journal in a line's place: for each field its name's length (16 bits, little-endian), the
/// name, the value's length (32 bits, little-endian), the value. Names and values are the journal's own
/// (systemd.journal-fields(7)); values may hold any byte.
package enum JournalRecord {
    /// How much of a record is taken. A record has up to 1,024 fields of any length, and who logs chooses them: without
    /// a bound on the whole, one record would be larger than all that may wait to be evaluated.
    struct Bounds: Sendable {
        /// Longest name of a field (systemd.journal-fields(7)).
        static let nameBytesMax = 64
        /// Once a record has this many bytes, its further values are cut to `shortValueBytesMax`: enough for those that
        /// the journal itself adds, which come last.
        static let recordBytesMax = 1 << 20
        static let shortValueBytesMax = 1 << 10

        /// Longest value.
        var fieldBytesMax: Int

        /// What has to be decompressed of a field: its name, and one byte by which a longer value is seen.
        var thresholdBytes: Int { fieldBytesMax + Self.nameBytesMax + 1 }

        /// Room for the next value.
        /// - Parameter recordBytes: what the record has already.
        func valueBytesMax(recordBytes: Int) -> Int {
            min(fieldBytesMax, max(Self.shortValueBytesMax, Self.recordBytesMax - recordBytes))
        }
    }

    /// Appends a field to a record; a name longer than 64 KiB or a value longer than 4 GiB is cut.
    package static func append(name: Span<UInt8>, value: Span<UInt8>, to record: inout [UInt8]) {
        let nameCount = UInt16(clamping: name.count)
        let valueCount = UInt32(clamping: value.count)
        record.append(UInt8(truncatingIfNeeded: nameCount))
        record.append(UInt8(truncatingIfNeeded: nameCount >> 8))
        for index in 0..<Int(nameCount) { record.append(name[index]) }
        for shift in [0, 8, 16, 24] as [UInt32] { record.append(UInt8(truncatingIfNeeded: valueCount >> shift)) }
        for index in 0..<Int(valueCount) { record.append(value[index]) }
    }

    /// The pieces of a record that mean something to us beside being fields.
    private struct Known {
        var message: Piece?
        var identifier: Piece?
        var comm: Piece?
        var uid: Piece?
        var exe: Piece?
        var unit: Piece?
        var cgroup: Piece?
    }

    /// - Returns: `false` when the record is damaged; what was read of it before stays with the draft.
    static func parse(_ line: Span<UInt8>, into draft: inout EventDraft) -> Bool {
        var known = Known()
        var rest = line.whole
        var isWhole = true
        while !rest.isEmpty {
            guard let name = take(line, &rest, lengthBytes: 2), let value = take(line, &rest, lengthBytes: 4) else {
                isWhole = false
                break
            }
            add(line, name, value, &known, to: &draft)
        }
        let program = known.identifier ?? known.comm ?? Piece(0, 0)
        if !program.isEmpty { draft.add(Fields.program, program) }
        let kind = Program(line, program)
        draft.eventClass = kind.eventClass
        if let message = known.message {
            draft.add(Fields.message, message)
            if isGenuine(line, known, program: program) {
                kind.extract(line, message, isPAM: false, into: &draft)
                draft.isTrustedWriter = isTheDaemon(line, known, kind)
            }
        }
        return isWhole
    }

    private static func take(_ line: Span<UInt8>, _ rest: inout Piece, lengthBytes: Int) -> Piece? {
        guard rest.count >= lengthBytes else { return nil }
        var length = 0
        for offset in 0..<lengthBytes { length |= Int(line.byte(at: rest.start + offset)) << (8 * offset) }
        rest.start += lengthBytes
        guard rest.count >= length else { return nil }
        let taken = Piece(rest.start, rest.start + length)
        rest.start += length
        return taken
    }

    private static func add(
        _ line: Span<UInt8>, _ name: Piece, _ value: Piece, _ known: inout Known, to draft: inout EventDraft
    ) {
        switch line.byte(at: name.start) {
        case UInt8(ascii: "M") where line.equal(name, "MESSAGE"):
            known.message = value
            return
        case UInt8(ascii: "P") where line.equal(name, "PRIORITY"):
            if let word = line.decimal(value).flatMap(Word.severity) { draft.add(Fields.severity, word) }
            return
        case UInt8(ascii: "S") where line.equal(name, "SYSLOG_IDENTIFIER"):
            known.identifier = value
            return
        case UInt8(ascii: "S") where line.equal(name, "SYSLOG_FACILITY"):
            if let word = line.decimal(value).flatMap(Word.facility) { draft.add(Fields.facility, word) }
            return
        case UInt8(ascii: "_") where line.equal(name, "__REALTIME_TIMESTAMP"):
            if let microseconds = line.decimal(value) {
                let (scaled, overflow) = Int64(microseconds).multipliedReportingOverflow(by: 1000)
                if !overflow { draft.time = scaled }
            }
            return
        case UInt8(ascii: "_") where line.equal(name, "_PID"):
            draft.add(Fields.pid, value, kind: .number)
            return
        case UInt8(ascii: "_") where line.equal(name, "_HOSTNAME"):
            draft.add(Fields.host, value)
            return
        case UInt8(ascii: "_") where line.equal(name, "_COMM"):
            known.comm = value
        case UInt8(ascii: "_") where line.equal(name, "_UID"):
            known.uid = value
        case UInt8(ascii: "_") where line.equal(name, "_EXE"):
            known.exe = value
        case UInt8(ascii: "_") where line.equal(name, "_SYSTEMD_UNIT"):
            known.unit = value
        case UInt8(ascii: "_") where line.equal(name, "_SYSTEMD_CGROUP"):
            known.cgroup = value
        default:
            break
        }
        guard !name.isEmpty else { return }
        draft.add(named: name, of: .line, in: line, value)
    }

    /// Whether the program that the message claims wrote it. Anyone may log under any identifier (`logger -t sshd`),
    /// but the journal itself adds `_UID` and `_EXE`: root's word is taken, another's only if its executable is one of
    /// the system's and has the program's name (sudo logs as the caller, sshd's session process as its user).
    private static func isGenuine(_ line: Span<UInt8>, _ known: Known, program: Piece) -> Bool {
        guard let uid = known.uid, !line.equal(uid, "0") else { return true }
        guard let exe = known.exe, let slash = line.findLast(UInt8(ascii: "/"), in: exe) else { return false }
        let writer = Program(line, Piece(slash + 1, exe.end))
        return Program.isSystem(line, exe) && writer != .other && writer == Program(line, program)
    }

    /// Whether the journal's own fields say that the daemon wrote this, so that an address in its fixed place may be
    /// acted upon. More than `isGenuine` asks: root's `logger -t sshd` passes on whatever a script was given, anybody can
    /// run a daemon of his own as himself, and root of a container is root to the journal.
    private static func isTheDaemon(_ line: Span<UInt8>, _ known: Known, _ program: Program) -> Bool {
        guard program != .other, let uid = known.uid, line.equal(uid, "0") else { return false }
        if let cgroup = known.cgroup {
            for engine in Self.containerGroups where line.find(engine, in: cgroup) != nil { return false }
        }
        if let exe = known.exe { return Program.isSystem(line, exe) && Program(line, exe) == program }
        // A process that was gone before the journal could look: its name, given in the kernel, and its unit.
        guard let comm = known.comm, Program(line, comm) == program, let unit = known.unit else { return false }
        return line.equal(unit, "ssh.service") || line.equal(unit, "sshd.service")
    }

    /// What the cgroups of containers have in their names.
    private static let containerGroups: [StaticString] = [
        "docker", "libpod", "kubepods", "machine.slice", "lxc", "crio",
    ]
}
