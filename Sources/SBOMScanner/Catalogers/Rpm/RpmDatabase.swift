/// rpm's database in SQLite, as rpm 4.16 and later write it.
struct RpmDatabase: Cataloger {
    let name = "rpm"
    let selectors: [FileSelector] = [.name("rpmdb.sqlite")]
    let companions = ["rpmdb.sqlite-wal"]

    private static let packagesMax = 200_000
    private static let logBytesMax = 64 << 20

    private enum Tag {
        static let name = 1000
        static let version = 1001
        static let release = 1002
        static let epoch = 1003
        static let license = 1014
        static let architecture = 1022
        static let source = 1044
    }

    func catalog(_ file: SourceFile, into catalog: inout Catalog) throws(ReadFault) {
        let known = ["var/lib/rpm/rpmdb.sqlite", "usr/lib/sysimage/rpm/rpmdb.sqlite", "usr/share/rpm/rpmdb.sqlite"]
            .first { file.path.hasSuffix($0) }
        let system = OperatingSystem(file, root: known.map { file.root(before: $0) } ?? "")
        let database = try SQLiteFile(file.bytes(), log: file.sibling(companions[0], bytesMax: Self.logBytesMax))
        var rows = 0
        try database.forEachRow(of: "Packages") { (values) throws(ReadFault) in
            rows += 1
            guard rows <= Self.packagesMax else { throw ReadFault("more than \(Self.packagesMax) packages") }
            guard values.count > 1, let header = RpmHeader(values[1]) else {
                catalog.note("row \(rows) is no package header")
                return
            }
            guard let name = header.string(Tag.name), let version = header.string(Tag.version),
                let release = header.string(Tag.release), name != "gpg-pubkey"
            else { return }
            let epoch = header.number(Tag.epoch)
            let full = "\(version)-\(release)"
            let source = header.string(Tag.source)
            let qualifiers = [
                PackageURL.Qualifier("arch", header.string(Tag.architecture) ?? ""),
                PackageURL.Qualifier("distro", system.distro),
                PackageURL.Qualifier("epoch", epoch.map(String.init) ?? ""),
                PackageURL.Qualifier("upstream", source ?? ""),
            ]
            catalog.add(
                Package(
                    .rpm, name: name, version: (epoch.map { "\($0):" } ?? "") + full,
                    purl: PackageURL(
                        .rpm, name: name, version: full, namespace: system.id.map { [$0] } ?? [], qualifiers: qualifiers
                    ),
                    state: .installed,
                    // Advisories for rpm name binary packages.
                    source: Package.Source(name: name, version: (epoch.map { "\($0):" } ?? "") + full),
                    distribution: system.osvName, license: header.string(Tag.license)
                )
            )
        }
    }
}

/// The header of an rpm package: an index of tags, and their values.
struct RpmHeader {
    private let bytes: [UInt8]
    private let count: Int
    private let store: Int

    private static let entryBytes = 16
    private static let entriesMax = 65_536

    init?(_ bytes: [UInt8]) {
        guard bytes.count >= 8 else { return nil }
        self.bytes = bytes
        count = Self.number(bytes, 0)
        store = 8 + count * Self.entryBytes
        guard count <= Self.entriesMax, store <= bytes.count else { return nil }
    }

    func string(_ tag: Int) -> String? {
        guard let entry = entry(tag), [6, 8, 9].contains(entry.type), entry.offset < bytes.count else { return nil }
        return bytes[entry.offset...].prefix { $0 != 0 }.text
    }

    func number(_ tag: Int) -> Int? {
        guard let entry = entry(tag), entry.type == 4, entry.offset + 4 <= bytes.count else { return nil }
        return Self.number(bytes, entry.offset)
    }

    private func entry(_ tag: Int) -> (type: Int, offset: Int)? {
        for index in 0..<count {
            let place = 8 + index * Self.entryBytes
            guard Self.number(bytes, place) == tag else { continue }
            return (Self.number(bytes, place + 4), store + Self.number(bytes, place + 8))
        }
        return nil
    }

    private static func number(_ bytes: [UInt8], _ place: Int) -> Int {
        bytes[place..<(place + 4)].reduce(0) { $0 << 8 | Int($1) }
    }
}
