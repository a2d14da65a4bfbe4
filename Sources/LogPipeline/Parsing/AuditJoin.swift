internal import Sigma

/// Puts the records that tell of one started program together, into one event by the names of Sigma's category
/// `process_creation`: `Image`, `CommandLine`, `CurrentDirectory`, `User`, `ProcessId`, `ParentProcessId`.
///
/// Records of one event have the same serial number, time and node, and may have others' between them. They may also
/// come the other way round, as `ausearch` shows them. An event is given out once it has its `SYSCALL` and its
/// `PROCTITLE`, or with its `EOE`; without them when later records are so much later, or the bounds say so. A call that
/// failed, or starts no program, makes no event.
struct AuditJoin: ~Copyable {
    /// Events whose records are still coming; for one more the oldest is given out.
    static let openMax = 64
    /// No event is written over a longer time: one without its last record is whole after it.
    static let settledNanoseconds: Int64 = 2_000_000_000
    /// An event for which nothing came in this many records is given out.
    static let recordsWaitedMax = 1024
    /// Text of one event beyond this is left out.
    static let textBytesMax = 256 << 10

    /// Events that the bounds above gave out before their last record, or cut.
    private(set) var eventsCut = 0

    /// One event of which not all is there yet. Its memory is kept for the next one.
    private struct Open {
        var isInUse = false
        /// The call failed: nothing of it is given out.
        var isFailed = false
        var isCut = false
        var hasCall = false
        var hasArguments = false
        var hasTitle = false
        var serial = 0
        var time: Int64 = 0
        /// Of its first record.
        var line = 0
        /// The record that it was last added to, counted over all.
        var lastRecord = 0
        /// The argument that was added last.
        var argument = -1
        var text: [UInt8] = []
        var arguments: [UInt8] = []
        var node = Piece(0, 0)
        var number = Piece(0, 0)
        var exe = Piece(0, 0)
        var cwd = Piece(0, 0)
        var title = Piece(0, 0)
        var user = Piece(0, 0)
        var pid = Piece(0, 0)
        var parent = Piece(0, 0)

        func isOn(_ name: Piece, _ line: Span<UInt8>) -> Bool {
            guard name.count == node.count else { return false }
            for at in 0..<name.count where line.byte(at: name.start + at) != text[node.start + at] { return false }
            return true
        }

        mutating func begin(serial: Int, time: Int64, line: Int) {
            var (text, arguments) = ([UInt8](), [UInt8]())
            swap(&text, &self.text)
            swap(&arguments, &self.arguments)
            self = Open()
            text.removeAll(keepingCapacity: true)
            arguments.removeAll(keepingCapacity: true)
            (self.text, self.arguments) = (text, arguments)
            (isInUse, self.serial, self.time, self.line) = (true, serial, time, line)
        }
    }

    private var slots = [Open](repeating: Open(), count: openMax)
    private var openCount = 0
    private var records = 0
    private var scratch: [UInt8] = []
    /// Events that start no program, the last few: their other records are of no interest.
    private var others = [(serial: Int, time: Int64)](repeating: (-1, 0), count: openMax)
    private var nextOther = 0

    private enum Kind { case call, arguments, directory, title, end, other }

    /// Takes a line that was parsed as an audit record, and adds the events that are whole with it to `table`; their
    /// `position` is the number of their first line.
    ///
    /// - Parameter number: the line's.
    mutating func add(_ line: Span<UInt8>, number: Int, into table: inout EventTable) {
        records += 1
        var rest = line.whole
        rest.dropTrailingTerminator(in: line)
        guard let header = AuditRecord.header(line, &rest), let serial = line.decimal(header.serial) else { return }
        if openCount > 0, records.isMultiple(of: Self.openMax) { giveOutStale(at: header.time, into: &table) }
        let kind = Self.kind(line, header.type)
        guard kind != .other else { return }
        let known = place(line, header, serial: serial)
        if kind == .call, !Self.startsProgram(line, rest) {
            others[nextOther] = (serial, header.time)
            nextOther = (nextOther + 1) % others.count
            if let known { close(known) }
            return
        }
        guard let place = known ?? open(line, header, serial, kind, number: number, into: &table) else { return }
        slots[place].lastRecord = records
        switch kind {
        case .call: addCall(line, rest, to: place)
        case .arguments: addArguments(line, rest, to: place)
        case .directory: addField("cwd", \.cwd, line, rest, to: place)
        case .title:
            addField("proctitle", \.title, line, rest, to: place)
            slots[place].hasTitle = true
        case .end, .other: break
        }
        if kind == .end || slots[place].hasCall && slots[place].hasTitle { giveOut(place, into: &table) }
    }

    /// Gives out what is still open: the input has ended.
    mutating func finish(into table: inout EventTable) {
        while let oldest = oldest() { giveOut(oldest, into: &table) }
    }

    // MARK: - Which event

    private static func kind(_ line: Span<UInt8>, _ type: Piece) -> Kind {
        switch line.byte(at: type.start) {
        case UInt8(ascii: "S") where line.equal(type, "SYSCALL"): .call
        case UInt8(ascii: "E") where line.equal(type, "EXECVE"): .arguments
        case UInt8(ascii: "E") where line.equal(type, "EOE"): .end
        case UInt8(ascii: "C") where line.equal(type, "CWD"): .directory
        case UInt8(ascii: "P") where line.equal(type, "PROCTITLE"): .title
        default: .other
        }
    }

    private func place(_ line: Span<UInt8>, _ header: AuditRecord.Header, serial: Int) -> Int? {
        guard openCount > 0 else { return nil }
        for index in slots.indices where slots[index].isInUse && slots[index].serial == serial {
            if slots[index].time == header.time, slots[index].isOn(header.node, line) { return index }
        }
        return nil
    }

    /// Whether a call is one that puts a program into a process.
    private static func startsProgram(_ line: Span<UInt8>, _ fields: Piece) -> Bool {
        var rest = fields
        var (architecture, number) = (Piece(0, 0), Piece(0, 0))
        while let pair = AuditRecord.next(line, &rest, isInner: false) {
            if line.equal(pair.name, "arch") {
                architecture = pair.value
            } else if line.equal(pair.name, "syscall") {
                number = pair.value
                // The number decides, where it is known: what stands behind it is long.
                if line.equal(architecture, "c000003e") { return line.equal(number, "59") || line.equal(number, "322") }
                if line.equal(architecture, "c00000b7") {
                    return line.equal(number, "221") || line.equal(number, "281")
                }
                if line.equal(architecture, "40000003") { return line.equal(number, "11") || line.equal(number, "358") }
                if line.equal(number, "execve") || line.equal(number, "execveat") { return true }
            } else if line.equal(pair.name, "SYSCALL") {
                return line.equal(pair.value, "execve") || line.equal(pair.value, "execveat")
            }
        }
        return false
    }

    /// Begins an event with the first of its records.
    private mutating func open(
        _ line: Span<UInt8>, _ header: AuditRecord.Header, _ serial: Int, _ kind: Kind, number: Int,
        into table: inout EventTable
    ) -> Int? {
        guard kind != .end, !others.contains(where: { $0.serial == serial && $0.time == header.time }) else {
            return nil
        }
        let new = makeRoom(at: header.time, into: &table)
        slots[new].begin(serial: serial, time: header.time, line: number)
        openCount += 1
        slots[new].node = keep(line, header.node, in: new)
        slots[new].number = keep(line, header.serial, in: new)
        return new
    }

    private mutating func close(_ place: Int) {
        slots[place].isInUse = false
        openCount -= 1
    }

    private func isSettled(_ place: Int, at time: Int64) -> Bool {
        time - slots[place].time >= Self.settledNanoseconds
    }

    private func oldest() -> Int? {
        var found: Int?
        for index in slots.indices where slots[index].isInUse {
            if let known = found, slots[known].lastRecord <= slots[index].lastRecord { continue }
            found = index
        }
        return found
    }

    private mutating func makeRoom(at time: Int64, into table: inout EventTable) -> Int {
        if let free = slots.indices.first(where: { !slots[$0].isInUse }) { return free }
        let place = oldest() ?? 0
        if !isSettled(place, at: time) { slots[place].isCut = true }
        giveOut(place, into: &table)
        return place
    }

    private mutating func giveOutStale(at time: Int64, into table: inout EventTable) {
        for index in slots.indices where slots[index].isInUse {
            if !isSettled(index, at: time) {
                guard records - slots[index].lastRecord > Self.recordsWaitedMax else { continue }
                slots[index].isCut = true
            }
            giveOut(index, into: &table)
        }
    }

    // MARK: - What it says

    /// Copies a piece of the line to an event's text, as far as there is room.
    private mutating func keep(_ line: Span<UInt8>, _ piece: Piece, in place: Int) -> Piece {
        let start = slots[place].text.count
        let piece = line.clamp(piece)
        let room = Self.textBytesMax - start
        if piece.count > room { slots[place].isCut = true }
        for at in piece.start..<min(piece.end, piece.start + room) { slots[place].text.append(line[at]) }
        return Piece(start, slots[place].text.count)
    }

    /// The same for a field's value, decoded; nothing when it is `(null)`.
    private mutating func keep(_ line: Span<UInt8>, _ pair: AuditRecord.Pair, in place: Int) -> Piece {
        scratch.removeAll(keepingCapacity: true)
        guard AuditRecord.append(line, pair, isExec: false, to: &scratch) else { return Piece(0, 0) }
        let start = slots[place].text.count
        let room = Self.textBytesMax - start
        if scratch.count > room { slots[place].isCut = true }
        slots[place].text.append(contentsOf: scratch.prefix(max(0, room)))
        return Piece(start, slots[place].text.count)
    }

    private mutating func addCall(_ line: Span<UInt8>, _ fields: Piece, to place: Int) {
        slots[place].hasCall = true
        var rest = fields
        var number: AuditRecord.Pair?
        var name: AuditRecord.Pair?
        while let pair = AuditRecord.next(line, &rest, isInner: false) {
            switch line.byte(at: pair.name.start) {
            case UInt8(ascii: "s") where line.equal(pair.name, "success"):
                slots[place].isFailed = line.equal(pair.value, "no")
            case UInt8(ascii: "p") where line.equal(pair.name, "pid"): slots[place].pid = keep(line, pair, in: place)
            case UInt8(ascii: "p") where line.equal(pair.name, "ppid"):
                slots[place].parent = keep(line, pair, in: place)
            case UInt8(ascii: "e") where line.equal(pair.name, "exe"): slots[place].exe = keep(line, pair, in: place)
            case UInt8(ascii: "u") where line.equal(pair.name, "uid"): number = pair
            case UInt8(ascii: "U") where line.equal(pair.name, "UID"): name = pair
            default: break
            }
        }
        if let name {
            slots[place].user = keep(line, name, in: place)
        } else if let number {
            slots[place].user = keep(line, number, in: place)
            if line.equal(number.value, "0") {
                let start = slots[place].text.count
                slots[place].text.append(contentsOf: "root".utf8)
                slots[place].user = Piece(start, start + 4)
            }
        }
    }

    private mutating func addArguments(_ line: Span<UInt8>, _ fields: Piece, to place: Int) {
        slots[place].hasArguments = true
        var rest = fields
        while let pair = AuditRecord.next(line, &rest, isInner: false) {
            guard let argument = AuditRecord.argument(line, pair.name) else { continue }
            let plain = AuditRecord.Pair(
                name: Piece(pair.name.start, argument.end), value: pair.value, form: pair.form)
            scratch.removeAll(keepingCapacity: true)
            // Between two arguments, not between the parts of one.
            if slots[place].argument >= 0, slots[place].argument != argument.number { scratch.append(0x20) }
            _ = AuditRecord.append(line, plain, isExec: true, to: &scratch)
            slots[place].argument = argument.number
            let room = Self.textBytesMax - slots[place].arguments.count
            if scratch.count > room { slots[place].isCut = true }
            slots[place].arguments.append(contentsOf: scratch.prefix(max(0, room)))
        }
    }

    private mutating func addField(
        _ name: StaticString, _ field: WritableKeyPath<Open, Piece>, _ line: Span<UInt8>, _ fields: Piece, to place: Int
    ) {
        var rest = fields
        while let pair = AuditRecord.next(line, &rest, isInner: false) {
            guard line.equal(pair.name, name) else { continue }
            let value = keep(line, pair, in: place)
            for at in value.start..<value.end where slots[place].text[at] == 0 { slots[place].text[at] = 0x20 }
            slots[place][keyPath: field] = value
            return
        }
    }

    // MARK: - The event

    private mutating func giveOut(_ place: Int, into table: inout EventTable) {
        close(place)
        // What has neither is known to be a started program by nothing.
        guard !slots[place].isFailed, slots[place].hasCall || slots[place].hasArguments else { return }
        let open = slots[place]
        if open.isCut { eventsCut += 1 }
        let text = table.append(bytes: open.text.span)
        let arguments = table.append(bytes: open.arguments.span)
        func slice(_ piece: Piece) -> ByteSlice {
            ByteSlice(offset: text.start + piece.start, length: text.isEmpty ? 0 : piece.count)
        }
        let command = arguments.isEmpty ? slice(open.title) : arguments
        table.beginEvent(line: command, time: open.time, origin: 0, position: UInt64(open.line))
        for (field, value) in [
            (Fields.image, slice(open.exe)), (Fields.commandLine, command),
            (Fields.currentDirectory, slice(open.cwd)), (Fields.processUser, slice(open.user)),
            (Fields.processID, slice(open.pid)), (Fields.parentProcessID, slice(open.parent)),
            (Fields.serial, slice(open.number)), (Fields.host, slice(open.node)),
        ] where !value.isEmpty {
            table.add(field, value)
        }
        table.endEvent(class: EventClasses.processCreation)
    }
}
