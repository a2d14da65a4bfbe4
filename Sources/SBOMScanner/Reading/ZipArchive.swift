/// The entries of a zip file, read through its central directory.
struct ZipArchive {
    struct Entry: Sendable {
        var name: String
        var method: Int
        var checksum: UInt32
        var packed: Int
        var size: Int
        var header: Int
        var isEncrypted: Bool
    }

    let entries: [Entry]
    private let size: Int
    private let read: (Int, Int) throws(ReadFault) -> [UInt8]

    static let entriesMax = 1_000_000
    private static let directoryBytesMax = 256 << 20
    private static let endBytes = 22
    private static let commentBytesMax = 65_535

    init(_ bytes: [UInt8]) throws(ReadFault) {
        try self.init(size: bytes.count) { (offset, count) throws(ReadFault) in
            let start = min(max(offset, 0), bytes.count)
            return Array(bytes[start..<min(start + max(count, 0), bytes.count)])
        }
    }

    init(_ file: SourceFile) throws(ReadFault) {
        try self.init(size: file.size) { (offset, count) throws(ReadFault) in try file.bytes(at: offset, count: count) }
    }

    private init(size: Int, read: @escaping (Int, Int) throws(ReadFault) -> [UInt8]) throws(ReadFault) {
        self.size = size
        self.read = read
        let tailStart = max(0, size - Self.endBytes - Self.commentBytesMax)
        let tail = try read(tailStart, size - tailStart)
        var end: Int?
        var place = tail.count - Self.endBytes
        while place >= 0 {
            if tail[place] == 0x50, tail[place...].starts(with: [0x50, 0x4B, 0x05, 0x06]) {
                end = place
                break
            }
            place -= 1
        }
        guard let end else { throw ReadFault("not a zip file, or its end is missing") }
        var count = Self.number(tail, end + 10, 2)
        var length = Self.number(tail, end + 12, 4)
        var offset = Self.number(tail, end + 16, 4)
        if count == 0xFFFF || offset == 0xFFFF_FFFF || length == 0xFFFF_FFFF, end >= 20,
            tail[(end - 20)...].starts(with: [0x50, 0x4B, 0x06, 0x07])
        {
            let record = try read(Self.number(tail, end - 20 + 8, 8), 56)
            guard record.starts(with: [0x50, 0x4B, 0x06, 0x06]) else { throw ReadFault("its end is damaged") }
            count = Self.number(record, 32, 8)
            length = Self.number(record, 40, 8)
            offset = Self.number(record, 48, 8)
        }
        guard count <= Self.entriesMax, length <= Self.directoryBytesMax, offset + length <= size else {
            throw ReadFault("a directory of \(count) entries and \(length) bytes")
        }
        let directory = try read(offset, length)
        var entries: [Entry] = []
        place = 0
        while entries.count < count {
            guard place + 46 <= directory.count, directory[place...].starts(with: [0x50, 0x4B, 0x01, 0x02]) else {
                throw ReadFault("its directory is damaged")
            }
            let nameCount = Self.number(directory, place + 28, 2)
            let extraCount = Self.number(directory, place + 30, 2)
            let commentCount = Self.number(directory, place + 32, 2)
            let next = place + 46 + nameCount + extraCount + commentCount
            guard next <= directory.count else { throw ReadFault("its directory is cut off") }
            var entry = Entry(
                name: directory[(place + 46)..<(place + 46 + nameCount)].text,
                method: Self.number(directory, place + 10, 2),
                checksum: UInt32(Self.number(directory, place + 16, 4)), packed: Self.number(directory, place + 20, 4),
                size: Self.number(directory, place + 24, 4), header: Self.number(directory, place + 42, 4),
                isEncrypted: directory[place + 8] & 1 != 0
            )
            Self.widen(&entry, directory[(place + 46 + nameCount)..<(place + 46 + nameCount + extraCount)])
            entries.append(entry)
            place = next
        }
        self.entries = entries
    }

    /// An entry's content. Throws before more than `max` bytes are made.
    func contents(_ entry: Entry, max: Int) throws(ReadFault) -> [UInt8] {
        guard !entry.isEncrypted else { throw ReadFault("\(entry.name) is encrypted") }
        guard entry.size <= max else { throw ReadFault("\(entry.name) unpacks to more than \(max) bytes") }
        let header = try read(entry.header, 30)
        guard header.count == 30, header.starts(with: [0x50, 0x4B, 0x03, 0x04]) else {
            throw ReadFault("\(entry.name) is not where the directory says")
        }
        let start = entry.header + 30 + Self.number(header, 26, 2) + Self.number(header, 28, 2)
        guard entry.packed >= 0, entry.packed <= size - min(start, size) else {
            throw ReadFault("\(entry.name) is cut off")
        }
        let packed = try read(start, entry.packed)
        switch entry.method {
        case 0: return packed
        // No more than the directory says: that is what was asked about.
        case 8: return try Inflater.inflate(packed[...], form: .raw, max: entry.size)
        default: throw ReadFault("\(entry.name) is compressed by method \(entry.method)")
        }
    }

    /// Sizes beyond 4 GiB stand in a field of their own.
    private static func widen(_ entry: inout Entry, _ extra: ArraySlice<UInt8>) {
        var rest = Array(extra)[...]
        while rest.count >= 4 {
            let bytes = Array(rest)
            let length = number(bytes, 2, 2)
            guard 4 + length <= bytes.count else { return }
            if number(bytes, 0, 2) == 1 {
                var place = 4
                func take() -> Int {
                    defer { place += 8 }
                    return place + 8 <= 4 + length ? number(bytes, place, 8) : 0
                }
                if entry.size == 0xFFFF_FFFF { entry.size = take() }
                if entry.packed == 0xFFFF_FFFF { entry.packed = take() }
                if entry.header == 0xFFFF_FFFF { entry.header = take() }
            }
            rest = rest.dropFirst(4 + length)
        }
    }

    static func number(_ bytes: [UInt8], _ place: Int, _ count: Int) -> Int {
        guard place >= 0, place + count <= bytes.count else { return 0 }
        var value: UInt64 = 0
        for index in 0..<count { value |= UInt64(bytes[place + index]) << UInt64(8 * index) }
        return Int(truncatingIfNeeded: value & UInt64(Int.max))
    }
}
