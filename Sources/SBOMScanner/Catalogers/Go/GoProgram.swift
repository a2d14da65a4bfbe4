/// Programs built by Go: the modules that the linker wrote into them.
struct GoProgram: Cataloger {
    let name = "go-program"
    let selectors: [FileSelector] = [.program]

    private static let magic = Array("\u{FF} Go buildinf:".unicodeScalars.map { UInt8($0.value & 0xFF) })
    private static let headerBytes = 32
    /// The list of a program with 10,000 modules is about 1 MiB.
    private static let listBytesMax = 4 << 20
    private static let versionBytesMax = 1 << 10
    /// Go puts a mark of 16 bytes before and behind the list.
    private static let markBytes = 16

    func catalog(_ file: SourceFile, into catalog: inout Catalog) throws(ReadFault) {
        guard let place = try ELFSections(file).offset(of: ".go.buildinfo") else { return }
        let header = try file.bytes(at: place, count: Self.headerBytes)
        guard header.count == Self.headerBytes, header.starts(with: Self.magic) else { return }
        guard header[15] & 2 != 0 else {
            catalog.note("built by a Go before 1.18, which keeps its modules elsewhere")
            return
        }
        var offset = place + Self.headerBytes
        let version = try string(file, &offset, max: Self.versionBytesMax)
        var list = try string(file, &offset, max: Self.listBytesMax)
        guard list.count >= 2 * Self.markBytes else { return }
        list = Array(list.dropFirst(Self.markBytes).dropLast(Self.markBytes))
        let release = String(decoding: version, as: UTF8.self).split(separator: " ").first.map(String.init) ?? ""
        if release.hasPrefix("go") {
            catalog.add(Package(.golang, name: "stdlib", version: String(release.dropFirst(2)), state: .installed))
        }
        modules(list, into: &catalog)
    }

    private func modules(_ list: [UInt8], into catalog: inout Catalog) {
        var main: Int?
        var pending: (path: String, version: String, isMain: Bool)?
        func add() {
            guard let module = pending else { return }
            pending = nil
            guard !module.version.isEmpty, module.version != "(devel)" else {
                if !module.isMain { catalog.note("\(module.path) has no version") }
                return
            }
            let place = catalog.add(
                Package(
                    .golang, name: module.path, version: module.version, state: .installed, isLocal: module.isMain
                )
            )
            if module.isMain { main = place } else if let main { catalog.connect(main, to: place) }
        }
        for line in Lines(list) {
            let fields = line.text.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
            guard fields.count >= 2 else { continue }
            switch fields[0] {
            case "mod", "dep":
                add()
                pending = (fields[1], fields.count > 2 ? fields[2] : "", fields[0] == "mod")
            case "=>":
                let isMain = pending?.isMain ?? false
                pending = (fields[1], fields.count > 2 ? fields[2] : "", isMain)
            default: add()
            }
        }
        add()
    }

    private func string(_ file: SourceFile, _ offset: inout Int, max: Int) throws(ReadFault) -> [UInt8] {
        var length = 0
        var shift = 0
        for byte in try file.bytes(at: offset, count: 10) {
            offset += 1
            length |= Int(byte & 0x7F) << shift
            shift += 7
            if byte & 0x80 == 0 { break }
            guard shift < 56 else { throw ReadFault("a length that makes no sense in the build information") }
        }
        guard length <= max else { throw ReadFault("build information of \(length) bytes") }
        let bytes = try file.bytes(at: offset, count: length)
        guard bytes.count == length else { throw ReadFault("the build information is cut off") }
        offset += length
        return bytes
    }
}

/// The sections of an ELF file.
struct ELFSections {
    private let file: SourceFile
    private let is64: Bool
    private let isLittle: Bool
    private let table: [UInt8]
    private let entryBytes: Int
    private let nameIndex: Int

    /// Programs have a few dozen.
    private static let sectionsMax = 4096
    private static let namesBytesMax = 1 << 20

    init(_ file: SourceFile) throws(ReadFault) {
        self.file = file
        let header = try file.bytes(at: 0, count: 64)
        guard header.count >= 52, header.starts(with: [0x7F, 0x45, 0x4C, 0x46]) else {
            throw ReadFault("not an ELF program")
        }
        is64 = header[4] == 2
        isLittle = header[5] == 1
        let offset = Self.number(header, is64 ? 0x28 : 0x20, is64 ? 8 : 4, isLittle)
        entryBytes = Self.number(header, is64 ? 0x3A : 0x2E, 2, isLittle)
        let count = Self.number(header, is64 ? 0x3C : 0x30, 2, isLittle)
        nameIndex = Self.number(header, is64 ? 0x3E : 0x32, 2, isLittle)
        guard count <= Self.sectionsMax, entryBytes >= (is64 ? 64 : 40), entryBytes <= 256, offset >= 0 else {
            table = []
            return
        }
        table = offset == 0 ? [] : try file.bytes(at: offset, count: count * entryBytes)
    }

    /// Where a section begins in the file; `nil` when there is none.
    func offset(of name: String) throws(ReadFault) -> Int? {
        guard let names = field(nameIndex) else { return nil }
        let text = try file.bytes(at: names.offset, count: min(names.size, Self.namesBytesMax))
        let wanted = Array(name.utf8) + [0]
        for index in 0..<(table.count / max(entryBytes, 1)) {
            let start = Self.number(table, index * entryBytes, 4, isLittle)
            if start >= 0, start < text.count, text[start...].starts(with: wanted) { return field(index)?.offset }
        }
        return nil
    }

    private func field(_ index: Int) -> (offset: Int, size: Int)? {
        let start = index * entryBytes
        guard start + entryBytes <= table.count else { return nil }
        let offset = Self.number(table, start + (is64 ? 0x18 : 0x10), is64 ? 8 : 4, isLittle)
        let size = Self.number(table, start + (is64 ? 0x20 : 0x14), is64 ? 8 : 4, isLittle)
        return offset >= 0 && size >= 0 ? (offset, size) : nil
    }

    private static func number(_ bytes: [UInt8], _ offset: Int, _ count: Int, _ isLittle: Bool) -> Int {
        guard offset + count <= bytes.count else { return 0 }
        var value: UInt64 = 0
        for index in 0..<count {
            value = value << 8 | UInt64(bytes[offset + (isLittle ? count - 1 - index : index)])
        }
        return Int(truncatingIfNeeded: value & UInt64(Int.max))
    }
}
