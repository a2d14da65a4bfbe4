/// A piece of an `EventTable`'s bytes.
public struct ByteSlice: Hashable, Sendable {
    public var offset: UInt32
    public var length: UInt32

    @inlinable
    public init(offset: Int, length: Int) {
        self.offset = UInt32(truncatingIfNeeded: offset)
        self.length = UInt32(truncatingIfNeeded: length)
    }

    @inlinable public var start: Int { Int(offset) }
    @inlinable public var end: Int { Int(offset) + Int(length) }
    @inlinable public var isEmpty: Bool { length == 0 }

    public static let empty = ByteSlice(offset: 0, length: 0)
}

/// What a field's bytes mean to modifiers: `null` is JSON's null (absent to Sigma), everything else is text.
public enum FieldKind: UInt8, Sendable {
    case string, number, boolean, null
}

/// A batch of parsed events: one buffer of bytes, and for each event the fields that point into it.
///
/// Filled by a parser, read by the rule engine, reused batch after batch without allocation. Offsets are 32 bits, so a
/// batch holds at most `bytesMax` bytes; `append(bytes:)` refuses more.
///
///     let line = table.append(bytes: span)
///     table.beginEvent(line: line, time: t, origin: file, position: offset)
///     table.add(.message, ByteSlice(offset: line.start + 20, length: 30))
///     table.endEvent(class: sshd)
public struct EventTable: ~Copyable {
    public static let bytesMax = Int(UInt32.max) - 1
    /// Fields of one event beyond this many are counted in `fieldsDropped` and left out, unless their names are known
    /// to rules or parsers: padding must not hide what a rule looks for.
    public static let fieldsPerEventMax = 1024
    /// Fields of one event, those with known names among them: more than a line of 64 KiB can spell.
    public static let namedFieldsPerEventMax = 32_768
    /// More events than one line can stand for.
    public static let weightMax = 1_000
    /// The bits of `Event.origin` that say how far the caller trusts an event, 0 to 3.
    public static let gradeMask: UInt64 = 3

    public struct Field: Sendable {
        public var id: FieldID
        public var kind: FieldKind
        public var value: ByteSlice
        /// The name's bytes, for fields that are not interned (`id == .unnamed`); empty otherwise.
        public var name: ByteSlice

        @inlinable
        init(id: FieldID, kind: FieldKind, value: ByteSlice, name: ByteSlice) {
            self.id = id
            self.kind = kind
            self.value = value
            self.name = name
        }
    }

    public struct Event: Sendable {
        /// The line (or record) as it was read.
        public var line: ByteSlice
        /// When it happened, in nanoseconds since 1970 (event time; time of receipt if the event carries none).
        public var time: Int64
        /// Correlations take it to have happened at this moment at the latest: when it was received. A time ahead of that
        /// is a clock that is wrong, or a lie.
        public var latest: Int64
        /// How many events it stands for, as in `message repeated 5 times`.
        public internal(set) var weight: UInt32 = 1
        /// Where it came from: numbers of the caller's, carried through correlation state. Of `origin`, the lowest two bits
        /// are the event's grade.
        public var origin: UInt64
        public var position: UInt64
        public var eventClass: EventClassID
        @usableFromInline var firstField: UInt32
        public internal(set) var fieldCount: UInt32

        /// The time that correlations go by.
        public var windowTime: Int64 { min(time, latest) }

        init(line: ByteSlice, time: Int64, latest: Int64, origin: UInt64, position: UInt64, firstField: UInt32) {
            self.line = line
            self.time = time
            self.latest = latest
            self.origin = origin
            self.position = position
            self.eventClass = EventClassID(0)
            self.firstField = firstField
            self.fieldCount = 0
        }
    }

    public private(set) var bytes: [UInt8] = []
    @usableFromInline var fields: [Field] = []
    public private(set) var events: [Event] = []
    public private(set) var fieldsDropped = 0
    /// Bytes that many events of this batch point at, such as values that parsers give by themselves: appended once by
    /// whoever fills the batch, and empty again after `removeAll`.
    public var shared = ByteSlice.empty

    public init() {}

    public var count: Int { events.count }

    /// Forgets all events and bytes, keeps the memory.
    public mutating func removeAll() {
        bytes.removeAll(keepingCapacity: true)
        fields.removeAll(keepingCapacity: true)
        events.removeAll(keepingCapacity: true)
        fieldsDropped = 0
        shared = .empty
    }

    /// Copies bytes into the batch and says where they are; empty when the batch is full (`bytesMax`).
    public mutating func append(bytes new: Span<UInt8>) -> ByteSlice {
        guard bytes.count + new.count <= Self.bytesMax else { return .empty }
        let start = bytes.count
        unsafe new.withUnsafeBufferPointer { unsafe bytes.append(contentsOf: $0) }
        return ByteSlice(offset: start, length: new.count)
    }

    /// Starts an event; fields are added until `endEvent`.
    ///
    /// - Parameter latest: for events that happen now, when this one was received; nothing for a record of the past.
    public mutating func beginEvent(
        line: ByteSlice, time: Int64, origin: UInt64, position: UInt64, latest: Int64 = .max
    ) {
        events.append(
            Event(
                line: line, time: time, latest: latest, origin: origin, position: position,
                firstField: UInt32(fields.count)
            )
        )
    }

    /// Adds a field to the event begun last.
    public mutating func add(
        _ id: FieldID, _ value: ByteSlice, kind: FieldKind = .string, name: ByteSlice = .empty
    ) {
        let limit = id == .unnamed ? Self.fieldsPerEventMax : Self.namedFieldsPerEventMax
        guard let last = events.last, fields.count - Int(last.firstField) < limit else {
            fieldsDropped += 1
            return
        }
        fields.append(Field(id: id, kind: kind, value: value, name: name))
    }

    /// Corrects the time of the event begun last, when the parser found it in the text.
    public mutating func setTime(_ time: Int64) {
        events[events.count - 1].time = time
    }

    /// Says that the event begun last stands for several: at least one, at most `weightMax`.
    public mutating func setWeight(_ weight: Int) {
        events[events.count - 1].weight = UInt32(max(1, min(weight, Self.weightMax)))
    }

    /// Says how far the event ended last is trusted.
    public mutating func setGrade(_ grade: UInt8) {
        guard !events.isEmpty else { return }
        let origin = events[events.count - 1].origin
        events[events.count - 1].origin = origin & ~Self.gradeMask | UInt64(grade) & Self.gradeMask
    }

    /// Ends the event begun last.
    public mutating func endEvent(class eventClass: EventClassID) {
        let last = events.count - 1
        events[last].eventClass = eventClass
        events[last].fieldCount = UInt32(fields.count) - events[last].firstField
    }

    /// Says that the event ended last is of another class than its parser thought.
    public mutating func reclassify(as eventClass: EventClassID) {
        reclassify(events.count - 1, as: eventClass)
    }

    /// The same for another event of the batch.
    public mutating func reclassify(_ event: Int, as eventClass: EventClassID) {
        guard events.indices.contains(event) else { return }
        events[event].eventClass = eventClass
    }

    /// The fields of one event, in the order they were added; a name may occur more than once.
    public func fields(of event: Int) -> ArraySlice<Field> {
        let start = Int(events[event].firstField)
        return fields[start..<start + Int(events[event].fieldCount)]
    }

    /// The first field of an event with this number.
    public func first(_ id: FieldID, of event: Int) -> Field? {
        fields(of: event).first { $0.id == id }
    }

    public func text(_ slice: ByteSlice) -> String {
        String(decoding: bytes[slice.start..<slice.end], as: UTF8.self)
    }
}
