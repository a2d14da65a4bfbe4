internal import Sigma

/// One event while it is being parsed: the fields found so far, which point into the line, into decoded bytes of the
/// draft's own, or at a `Word`. It moves into the `EventTable` when the line is done.
///
/// Its memory is kept from line to line, so a parser in its stride allocates nothing.
struct EventDraft: ~Copyable {
    enum Origin: UInt8 {
        case line, decoded, word
    }

    struct Entry {
        var id: FieldID
        var kind: FieldKind
        var origin: Origin
        var nameOrigin: Origin
        var value: Piece
        var name: Piece
    }

    /// A position to fall back to when a parser finds that the line is not its own.
    struct Mark {
        fileprivate var entries: Int
        fileprivate var decoded: Int
        fileprivate var time: Int64?
    }

    private(set) var entries: [Entry] = []
    /// Bytes that do not stand in the line as they are: unescaped strings, names put together from parts.
    var decoded: [UInt8] = []
    /// Nanoseconds since 1970, when the line says it.
    var time: Int64?
    var eventClass = EventClasses.plain
    var names: FieldNames
    /// Fields left out because the event had too many already.
    private(set) var fieldsDropped: UInt64 = 0
    /// How often the message's fixed place for the address of a connection's other end was read.
    private(set) var peers = 0
    /// How many events the line stands for.
    var weight = 1
    /// Whether what the journal tells of the writer makes him the daemon itself.
    var isTrustedWriter = false
    private let words = WordBlock()

    init(names: FieldNames) {
        self.names = names
        entries.reserveCapacity(64)
        decoded.reserveCapacity(4096)
    }

    mutating func reset() {
        entries.removeAll(keepingCapacity: true)
        decoded.removeAll(keepingCapacity: true)
        time = nil
        eventClass = EventClasses.plain
        peers = 0
        weight = 1
        isTrustedWriter = false
    }

    /// Whether further fields are left out unless somebody knows their names.
    var isFull: Bool { entries.count >= EventTable.fieldsPerEventMax }

    /// Takes back bytes that were decoded after `mark`, when no field of theirs was kept.
    mutating func release(to mark: Mark) {
        guard entries.count == mark.entries, decoded.count > mark.decoded else { return }
        decoded.removeLast(decoded.count - mark.decoded)
    }

    var mark: Mark { Mark(entries: entries.count, decoded: decoded.count, time: time) }

    mutating func rewind(to mark: Mark) {
        entries.removeLast(max(0, entries.count - mark.entries))
        decoded.removeLast(max(0, decoded.count - mark.decoded))
        time = mark.time
    }

    /// Adds a field whose value is a piece of the line.
    @inline(__always)
    mutating func add(_ id: FieldID, _ value: Piece, kind: FieldKind = .string, from origin: Origin = .line) {
        guard entries.count < EventTable.namedFieldsPerEventMax else {
            fieldsDropped += 1
            return
        }
        let value = value.isEmpty ? Piece(value.start, value.start) : value
        entries.append(
            Entry(id: id, kind: kind, origin: origin, nameOrigin: .line, value: value, name: Piece(0, 0))
        )
    }

    /// Adds the address of a connection's other end, as the daemon itself wrote it in the fixed place of its message.
    mutating func addPeer(_ address: Piece) {
        peers += 1
        add(Fields.srcIP, address)
    }

    /// The address that was read is not a connection's other end after all.
    mutating func disownPeers() { peers = 0 }

    /// Whether the event's source address is the other end of a daemon's connection, and nothing else claims to be it.
    var hasPeer: Bool { peers == 1 && entries.count { $0.id == Fields.srcIP } == 1 }

    mutating func add(_ id: FieldID, _ word: Word) {
        add(id, Piece(Int(word.rawValue), Int(word.rawValue)), from: .word)
    }

    /// Adds a field under the name that `name` spells: its number if rules or parsers know it, else the bytes.
    mutating func add(
        named name: Piece, of nameOrigin: Origin, in line: Span<UInt8>, _ value: Piece, kind: FieldKind = .string,
        from origin: Origin = .line
    ) {
        let known: FieldID?
        switch nameOrigin {
        case .decoded:
            let piece = decoded.span.clamp(name)
            known = names.find(decoded.span.extracting(piece.start..<piece.end))
        default:
            let piece = line.clamp(name)
            known = names.find(line.extracting(piece.start..<piece.end))
        }
        let value = value.isEmpty ? Piece(value.start, value.start) : value
        if let known {
            add(known, value, kind: kind, from: origin)
        } else if isFull {
            fieldsDropped += 1
        } else {
            entries.append(
                Entry(id: .unnamed, kind: kind, origin: origin, nameOrigin: nameOrigin, value: value, name: name)
            )
        }
    }

    /// Copies bytes of the line, or of the decoded bytes themselves, to the end of the decoded bytes.
    mutating func append(_ piece: Piece, of origin: Origin, in line: Span<UInt8>) {
        switch origin {
        case .decoded:
            for index in piece.start..<max(piece.start, min(piece.end, decoded.count)) {
                decoded.append(decoded[index])
            }
        default:
            let piece = line.clamp(piece)
            for index in piece.start..<piece.end { decoded.append(line[index]) }
        }
    }

    /// Moves everything into the event that `table` has begun, whose line starts at `lineStart`, and ends it.
    mutating func finish(into table: inout EventTable, lineStart: Int) {
        if table.shared.isEmpty { table.shared = table.append(bytes: words.bytes.span) }
        let wordStart = table.shared.start
        let copied = decoded.isEmpty ? .empty : table.append(bytes: decoded.span)
        let decodedStart = copied.start
        // A batch that has no room left (4 GiB) keeps the fields that are slices of the line.
        let (noWords, noDecoded) = (table.shared.isEmpty, copied.isEmpty)
        for entry in entries {
            if noWords, entry.origin == .word { continue }
            if noDecoded, entry.origin == .decoded || entry.nameOrigin == .decoded { continue }
            let value: ByteSlice
            switch entry.origin {
            case .line:
                value = ByteSlice(offset: lineStart + entry.value.start, length: entry.value.count)
            case .decoded:
                value = ByteSlice(offset: decodedStart + entry.value.start, length: entry.value.count)
            case .word:
                let piece = words.pieces[entry.value.start]
                value = ByteSlice(offset: wordStart + piece.start, length: piece.count)
            }
            guard !entry.name.isEmpty else {
                table.add(entry.id, value, kind: entry.kind)
                continue
            }
            let nameStart = entry.nameOrigin == .decoded ? decodedStart : lineStart
            table.add(
                entry.id, value, kind: entry.kind,
                name: ByteSlice(offset: nameStart + entry.name.start, length: entry.name.count)
            )
        }
        if let time { table.setTime(time) }
        if weight > 1 { table.setWeight(weight) }
        table.endEvent(class: eventClass)
    }
}
