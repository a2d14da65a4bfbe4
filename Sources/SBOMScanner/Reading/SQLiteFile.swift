/// Reads the rows of a table out of an SQLite 3 file (the documented format, read-only): without locks, without files
/// beside it, and with a bound on everything that the file claims.
struct SQLiteFile {
    private let bytes: [UInt8]
    private let pageBytes: Int
    private let usable: Int
    /// Pages that the write-ahead log replaces, and where they are in it.
    private let logged: [Int: Int]
    private let log: [UInt8]

    /// Pages of a table's tree inside each other.
    private static let depthMax = 24
    private static let valueBytesMax = 64 << 20
    private static let magic = Array("SQLite format 3\u{0}".utf8)

    init(_ bytes: [UInt8], log: [UInt8]?) throws(ReadFault) {
        guard bytes.count >= 512, bytes.starts(with: Self.magic) else { throw ReadFault("not an SQLite database") }
        let written = Int(bytes[16]) << 8 | Int(bytes[17])
        pageBytes = written == 1 ? 65_536 : written
        guard pageBytes >= 512, pageBytes & (pageBytes - 1) == 0 else { throw ReadFault("a page size of \(written)") }
        usable = pageBytes - Int(bytes[20])
        guard usable >= 480 else { throw ReadFault("pages without room") }
        self.bytes = bytes
        self.log = log ?? []
        logged = Self.pages(of: self.log, pageBytes: pageBytes)
    }

    /// The pages of the log's committed transactions.
    private static func pages(of log: [UInt8], pageBytes: Int) -> [Int: Int] {
        guard log.count >= 32, number(log, 0, 4) & ~1 == 0x377F_0682, number(log, 8, 4) == pageBytes else { return [:] }
        var found: [Int: Int] = [:]
        var pending: [Int: Int] = [:]
        var place = 32
        while place + 24 + pageBytes <= log.count {
            // Frames of an earlier round of the log have other salts.
            guard log[(place + 8)..<(place + 16)] == log[16..<24] else { break }
            pending[number(log, place, 4)] = place + 24
            if number(log, place + 4, 4) != 0 {
                found.merge(pending) { $1 }
                pending = [:]
            }
            place += 24 + pageBytes
        }
        return found
    }

    private static func number(_ bytes: [UInt8], _ place: Int, _ count: Int) -> Int {
        guard place >= 0, place + count <= bytes.count else { return 0 }
        return bytes[place..<(place + count)].reduce(0) { $0 << 8 | Int($1) }
    }

    private func page(_ number: Int) throws(ReadFault) -> ArraySlice<UInt8> {
        if let place = logged[number] { return log[place..<(place + pageBytes)] }
        let start = (number - 1) * pageBytes
        guard number > 0, number <= Int(Int32.max), start + pageBytes <= bytes.count else {
            throw ReadFault("page \(number) is missing")
        }
        return bytes[start..<(start + pageBytes)]
    }

    /// Texts and blobs of a row as bytes, numbers as nothing.
    func forEachRow(of table: String, _ body: ([[UInt8]]) throws(ReadFault) -> Void) throws(ReadFault) {
        var root: Int?
        try walk(1) { (payload) throws(ReadFault) in
            let values = Self.record(payload)
            guard values.count >= 4, values[0].bytes.elementsEqual("table".utf8),
                values[1].bytes.elementsEqual(table.utf8)
            else { return }
            root = values[3].integer
        }
        guard let root else { throw ReadFault("no table \(table)") }
        try walk(root) { (payload) throws(ReadFault) in try body(Self.record(payload).map(\.bytes)) }
    }

    private func walk(_ root: Int, _ body: ([UInt8]) throws(ReadFault) -> Void) throws(ReadFault) {
        var open: [(page: Int, depth: Int)] = [(root, 0)]
        var visited: Set<Int> = []
        while let (number, depth) = open.popLast() {
            guard depth < Self.depthMax, visited.insert(number).inserted else {
                throw ReadFault("pages that lead to themselves")
            }
            let page = Array(try page(number))
            let head = number == 1 ? 100 : 0
            let cells = Self.number(page, head + 3, 2)
            switch page[head] {
            case 0x0D:
                for index in 0..<cells {
                    try body(try payload(page, at: Self.number(page, head + 8 + 2 * index, 2)))
                }
            case 0x05:
                var children: [(Int, Int)] = []
                for index in 0..<cells {
                    let cell = Self.number(page, head + 12 + 2 * index, 2)
                    children.append((Self.number(page, cell, 4), depth + 1))
                }
                children.append((Self.number(page, head + 8, 4), depth + 1))
                open += children.reversed()
            default: throw ReadFault("page \(number) is none of a table")
            }
        }
    }

    /// A cell's content, with the pages onto which it runs over.
    private func payload(_ page: [UInt8], at cell: Int) throws(ReadFault) -> [UInt8] {
        var place = cell
        let length = Self.variable(page, &place)
        _ = Self.variable(page, &place)
        guard length >= 0, length <= Self.valueBytesMax else { throw ReadFault("a value of \(length) bytes") }
        let largest = usable - 35
        var local = length
        if length > largest {
            let least = (usable - 12) * 32 / 255 - 23
            let kept = least + (length - least) % (usable - 4)
            local = kept <= largest ? kept : least
        }
        guard place + local <= page.count else { throw ReadFault("a cell beyond its page") }
        var result = Array(page[place..<(place + local)])
        var next = local < length ? Self.number(page, place + local, 4) : 0
        while result.count < length {
            let overflow = Array(try self.page(next))
            result.append(contentsOf: overflow[4..<min(4 + length - result.count, usable)])
            next = Self.number(overflow, 0, 4)
        }
        return result
    }

    private static func variable(_ bytes: [UInt8], _ place: inout Int) -> Int {
        var value: UInt64 = 0
        for index in 0..<9 {
            guard place < bytes.count else { return -1 }
            let byte = bytes[place]
            place += 1
            if index == 8 { return Int(truncatingIfNeeded: value << 8 | UInt64(byte)) }
            value = value << 7 | UInt64(byte & 0x7F)
            if byte & 0x80 == 0 { break }
        }
        return Int(truncatingIfNeeded: value)
    }

    private static func record(_ payload: [UInt8]) -> [(bytes: [UInt8], integer: Int?)] {
        var place = 0
        let header = variable(payload, &place)
        guard header >= 0, header <= payload.count else { return [] }
        var values: [(bytes: [UInt8], integer: Int?)] = []
        var content = header
        while place < header {
            let type = variable(payload, &place)
            let length: Int
            switch type {
            case 1...4: length = type
            case 5: length = 6
            case 6, 7: length = 8
            case 12...: length = (type - 12) / 2
            default: length = 0
            }
            guard length >= 0, content + length <= payload.count else { return values }
            let bytes = payload[content..<(content + length)]
            content += length
            switch type {
            case 1...6: values.append(([], bytes.reduce(0) { $0 << 8 | Int($1) }))
            case 8, 9: values.append(([], type - 8))
            case 12...: values.append((Array(bytes), nil))
            default: values.append(([], nil))
            }
        }
        return values
    }
}
