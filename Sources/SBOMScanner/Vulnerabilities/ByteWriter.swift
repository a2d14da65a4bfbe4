/// Builds the index: little-endian numbers, and texts that are kept once.
struct ByteWriter {
    private(set) var bytes: [UInt8] = []

    var count: Int { bytes.count }

    mutating func u8(_ value: UInt8) { bytes.append(value) }

    mutating func u16(_ value: Int) {
        bytes.append(UInt8(truncatingIfNeeded: value))
        bytes.append(UInt8(truncatingIfNeeded: value >> 8))
    }

    mutating func u32(_ value: Int) {
        u16(value)
        u16(value >> 16)
    }

    mutating func u64(_ value: UInt64) {
        u32(Int(truncatingIfNeeded: value & 0xFFFF_FFFF))
        u32(Int(truncatingIfNeeded: value >> 32))
    }

    mutating func float(_ value: Double?) { u32(Int((value.map { Float($0) } ?? .nan).bitPattern)) }

    mutating func raw(_ other: [UInt8]) { bytes.append(contentsOf: other) }

    mutating func set32(_ value: Int, at place: Int) {
        for index in 0..<4 { bytes[place + index] = UInt8(truncatingIfNeeded: value >> (8 * index)) }
    }
}

/// The texts of an index, each once, found by place and length.
struct TextPool {
    private(set) var bytes: [UInt8] = []
    private var known: [[UInt8]: Int] = [:]

    /// Longer ones are rarely met twice.
    private static let sharedBytesMax = 64

    struct Reference {
        var offset: Int
        var count: Int
    }

    mutating func add(_ text: [UInt8]) -> Reference {
        if text.isEmpty { return Reference(offset: 0, count: 0) }
        if text.count <= Self.sharedBytesMax {
            if let offset = known[text] { return Reference(offset: offset, count: text.count) }
            known[text] = bytes.count
        }
        let offset = bytes.count
        bytes.append(contentsOf: text)
        return Reference(offset: offset, count: text.count)
    }

    mutating func add(_ text: String) -> Reference { add(Array(text.utf8)) }
}

/// The index's layout: a header, sections of entries of one size, and the texts. Every number is little-endian.
enum IndexLayout {
    static let magic = Array("IRONPOST-OSV\u{0}\u{0}\u{0}".utf8) + [UInt8(1)]
    /// magic, creation time, newest change, checksum of the rest, sections.
    static let headerBytes = 16 + 8 + 8 + 8 + Section.allCases.count * 8

    enum Section: Int, CaseIterable {
        case slots, packages, affected, events, versions, advisories, names, exploited, probabilities, ecosystems, texts

        var entryBytes: Int {
            switch self {
            case .slots: 4
            case .packages: 24
            case .affected: 24
            case .events: 16
            case .versions: 8
            case .advisories: 80
            case .names: 8
            case .exploited: 16
            case .probabilities: 16
            case .ecosystems: 12
            case .texts: 1
            }
        }
    }

    /// A range begins with this event.
    static let rangeStart: UInt8 = 0x80
    /// The event's version has no place in the order: the range says nothing.
    static let isUnordered: UInt8 = 0x40
    static let isBeforeAll: UInt8 = 0x20
    static let isBehindAll: UInt8 = 0x10
    static let kindMask: UInt8 = 0x0F

    /// FNV-1a over ecosystem and name.
    static func hash(_ ecosystem: some Sequence<UInt8>, _ name: some Sequence<UInt8>) -> UInt64 {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in ecosystem { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        hash = hash &* 0x100_0000_01B3
        for byte in name { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        return hash
    }

    /// `CVE-2024-12345` as a number; `nil` for anything else.
    static func number(cve: some StringProtocol) -> UInt64? {
        let parts = cve.split(separator: "-")
        guard parts.count == 3, parts[0] == "CVE", let year = UInt64(parts[1]), year < 10_000,
            let number = UInt64(parts[2]),
            number < 1 << 40
        else { return nil }
        return year << 40 | number
    }

    /// Versions that are the same are the same bytes: in Python by their order, elsewhere as written.
    static func identity(_ version: String, _ scheme: VersionScheme) -> [UInt8] {
        scheme == .pep440 ? scheme.key(version)?.bytes ?? Array(version.utf8) : Array(version.utf8)
    }
}
