/// Reads a tar stream piece by piece: ustar, pax and GNU long names. Nothing is written anywhere; names that lead out of
/// the archive are refused and counted.
struct TarReader {
    struct Entry {
        /// Without `./` or slashes at its start.
        var path: String
        var size: Int
        var mode: UInt32
        /// Seconds since 1970.
        var modified: Int
        var isFile: Bool
    }

    private enum State {
        case header, content, skipped, extended(UInt8)
    }

    static let blockBytes = 512
    /// pax headers hold a path and a few numbers.
    private static let extendedBytesMax = 1 << 20
    private static let pathBytesMax = 4096

    private(set) var entries = 0
    private(set) var refused = 0
    private var state = State.header
    private var pending: [UInt8] = []
    private var remaining = 0
    private var padding = 0
    private var content: [UInt8] = []
    private var entry = Entry(path: "", size: 0, mode: 0, modified: 0, isFile: false)
    private var longPath: String?
    private var longSize: Int?
    private(set) var isFinished = false

    private let entriesMax: Int
    /// Whether an entry's content is wanted.
    private let wants: (Entry) -> Bool
    private let take: (Entry, [UInt8]) throws(ReadFault) -> Void
    /// Called with each link.
    private let link: (Entry) -> Void

    init(
        entriesMax: Int, wants: @escaping (Entry) -> Bool, take: @escaping (Entry, [UInt8]) throws(ReadFault) -> Void,
        link: @escaping (Entry) -> Void = { _ in }
    ) {
        self.link = link
        self.entriesMax = entriesMax
        self.wants = wants
        self.take = take
    }

    /// Input that ends here ends in the middle of something.
    var isInsideEntry: Bool {
        if case .header = state { return !pending.isEmpty }
        return !isFinished
    }

    mutating func feed(_ piece: ArraySlice<UInt8>) throws(ReadFault) {
        var rest = piece
        while !rest.isEmpty, !isFinished {
            switch state {
            case .header:
                let part = rest.prefix(Self.blockBytes - pending.count)
                pending.append(contentsOf: part)
                rest = rest[part.endIndex...]
                if pending.count == Self.blockBytes {
                    let block = pending
                    pending = []
                    try header(block)
                }
            case .content, .skipped, .extended:
                let part = rest.prefix(remaining)
                if case .skipped = state {} else { content.append(contentsOf: part) }
                rest = rest[part.endIndex...]
                remaining -= part.count
                if remaining == 0 {
                    let gap = rest.prefix(padding)
                    padding -= gap.count
                    rest = rest[gap.endIndex...]
                    if padding == 0 { try finish() }
                }
            }
        }
    }

    private mutating func header(_ block: [UInt8]) throws(ReadFault) {
        guard block.contains(where: { $0 != 0 }) else {
            isFinished = true
            return
        }
        guard Self.isHeader(block) else { throw ReadFault("a damaged header in the archive") }
        entries += 1
        guard entries <= entriesMax else { throw ReadFault("more than \(entriesMax) entries") }
        let type = block[156]
        let size = Self.number(block[124..<136])
        guard size >= 0 else { throw ReadFault("a damaged header in the archive") }
        if type == 0x78 || type == 0x4C || type == 0x4B || type == 0x67 {
            guard size <= Self.extendedBytesMax else { throw ReadFault("an extended header of \(size) bytes") }
            begin(.extended(type), size)
        } else {
            let name = block[0..<100].prefix { $0 != 0 }
            let isPosix = block[257..<262].elementsEqual("ustar".utf8) && block[262] == 0
            let prefix: ArraySlice<UInt8> = isPosix ? block[345..<500].prefix { $0 != 0 } : []
            let written = longPath ?? (prefix.isEmpty ? name.text : prefix.text + "/" + name.text)
            let isFile = type == 0x30 || type == 0 || type == 0x37
            entry = Entry(
                path: "", size: isFile ? longSize ?? size : 0,
                mode: UInt32(max(0, Self.number(block[100..<108])) & 0o7777),
                modified: Self.number(block[136..<148]), isFile: isFile
            )
            // Links and devices have no content, whatever their header claims.
            let length = isFile || type > 0x37 ? longSize ?? size : 0
            (longPath, longSize) = (nil, nil)
            if let path = Self.plain(written) {
                entry.path = path
                if type == 0x31 || type == 0x32 { link(entry) }
                begin(isFile && wants(entry) ? .content : .skipped, length)
            } else {
                refused += 1
                begin(.skipped, length)
            }
        }
        if remaining == 0, padding == 0 { try finish() }
    }

    private mutating func begin(_ next: State, _ size: Int) {
        state = next
        remaining = size
        padding = (Self.blockBytes - size % Self.blockBytes) % Self.blockBytes
        content = []
    }

    private mutating func finish() throws(ReadFault) {
        defer {
            state = .header
            content = []
        }
        switch state {
        case .content: try take(entry, content)
        case .extended(0x78): extended()
        case .extended(0x4C): longPath = content.prefix { $0 != 0 }.text
        default: break
        }
    }

    /// `LENGTH KEY=VALUE\n`
    private mutating func extended() {
        var rest = content[...]
        while let space = rest.firstIndex(of: 0x20), let length = Int(rest[..<space].text), length > 0,
            length <= rest.count, rest.startIndex + length > space + 1
        {
            let line = rest[(space + 1)..<(rest.startIndex + length - 1)]
            rest = rest.dropFirst(length)
            guard let equals = line.firstIndex(of: 0x3D) else { continue }
            let value = line[(equals + 1)...]
            switch line[..<equals].text {
            case "path": longPath = value.text
            case "size": if let size = Int(value.text), size >= 0 { longSize = size }
            default: break
            }
        }
    }

    /// Without `.`, and only when it stays inside.
    static func plain(_ path: String) -> String? {
        guard path.utf8.count <= pathBytesMax else { return nil }
        var parts: [Substring] = []
        for part in path.split(separator: "/") where part != "." {
            guard part != ".." else { return nil }
            parts.append(part)
        }
        return parts.joined(separator: "/")
    }

    static func isHeader(_ block: [UInt8]) -> Bool {
        guard block.count >= blockBytes else { return false }
        var sum = 0
        for (index, byte) in block[..<blockBytes].enumerated() { sum += (148..<156).contains(index) ? 0x20 : Int(byte) }
        return number(block[148..<156]) == sum
    }

    /// Octal digits, or with the first bit set a big number; -1 for neither.
    private static func number(_ field: ArraySlice<UInt8>) -> Int {
        if let first = field.first, first & 0x80 != 0 {
            var value = UInt64(first & 0x3F)
            for byte in field.dropFirst() {
                guard value < 1 << 54 else { return -1 }
                value = value << 8 | UInt64(byte)
            }
            return Int(value)
        }
        let digits = field.drop { $0 == 0x20 }.prefix { $0 >= 0x30 && $0 <= 0x37 }
        return digits.isEmpty ? 0 : Int(digits.text, radix: 8) ?? -1
    }

    /// The size that a header states.
    static func size(_ block: [UInt8]) -> Int { max(0, number(block[124..<136])) }
}
