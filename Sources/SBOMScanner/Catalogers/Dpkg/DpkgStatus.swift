/// dpkg's `status`, and the pieces of it in `status.d` that images without dpkg have.
struct DpkgStatus: Cataloger {
    let name = "dpkg"
    let selectors: [FileSelector] = [.path("var/lib/dpkg/status"), .directory("var/lib/dpkg/status.d")]

    private struct Entry {
        var name = ""
        var version = ""
        var architecture = ""
        var isInstalled = false
        var source: ArraySlice<UInt8>?
        var depends: ArraySlice<UInt8> = []
        var provides: ArraySlice<UInt8> = []
    }

    func catalog(_ file: SourceFile, into catalog: inout Catalog) throws(ReadFault) {
        let isPiece = !file.path.hasSuffix("var/lib/dpkg/status")
        guard !isPiece || !file.name.hasSuffix(".md5sums") else { return }
        let bytes = try file.bytes()
        let root =
            isPiece
            ? file.root(before: "var/lib/dpkg/status.d/" + file.name) : file.root(before: "var/lib/dpkg/status")
        let system = OperatingSystem(file, root: root)
        let (namespace, distro, distribution) = ([system.id ?? "debian"], system.distro, system.osvName)
        var places: [String: Int] = [:]
        var needs: [(from: Int, list: ArraySlice<UInt8>)] = []
        var entry = Entry()
        func finish() {
            defer { entry = Entry() }
            guard !entry.name.isEmpty else { return }
            // What was removed leaves its configuration and its entry behind.
            guard isPiece || entry.isInstalled else { return }
            guard !entry.version.isEmpty else {
                catalog.note("\(entry.name) has no version")
                return
            }
            let place = catalog.add(
                package(entry, namespace: namespace, distro: distro, distribution: distribution))
            places[entry.name] = place
            Self.eachName(in: entry.provides) { if places[$0] == nil { places[$0] = place } }
            if !entry.depends.isEmpty { needs.append((place, entry.depends)) }
        }
        for line in Lines(bytes) {
            guard let first = line.first else {
                finish()
                continue
            }
            switch first {
            case 0x50:
                if let value = line.after("Package: ") { entry.name = value.trimmed.text }
                if let value = line.after("Provides: ") { entry.provides = value }
                if let value = line.after("Pre-Depends: ") { entry.depends = entry.depends + [0x2C] + value }
            case 0x56: if let value = line.after("Version: ") { entry.version = value.trimmed.text }
            case 0x41: if let value = line.after("Architecture: ") { entry.architecture = value.trimmed.text }
            case 0x53:
                if let value = line.after("Status: ") { entry.isInstalled = Self.isInstalled(value) }
                if let value = line.after("Source: ") { entry.source = value.trimmed }
            case 0x44:
                if let value = line.after("Depends: ") {
                    entry.depends = entry.depends.isEmpty ? value : entry.depends + [0x2C] + value
                }
            default: break
            }
        }
        finish()
        if !isPiece, catalog.packages.isEmpty, !bytes.isEmpty { catalog.note("no installed package") }
        for need in needs {
            Self.eachName(in: need.list) { if let to = places[$0] { catalog.connect(need.from, to: to) } }
        }
    }

    /// `install ok installed`, and what waits for triggers.
    private static func isInstalled(_ status: ArraySlice<UInt8>) -> Bool {
        let state = status.split(separator: 0x20).last ?? []
        return state.elementsEqual("installed".utf8) || state.starts(with: "triggers-".utf8)
    }

    private func package(
        _ entry: Entry, namespace: [String], distro: String, distribution: String?
    ) -> Package {
        // `Source: name (version)`, where they differ from the package's own.
        var source = Package.Source(name: entry.name, version: entry.version)
        if let words = entry.source?.split(separator: 0x20, maxSplits: 1), let name = words.first {
            source.name = name.text
            if words.count > 1 { source.version = words[1].filter { $0 != 0x28 && $0 != 0x29 }[...].text }
        }
        var qualifiers = [
            PackageURL.Qualifier("arch", entry.architecture), PackageURL.Qualifier("distro", distro),
        ]
        if source.name != entry.name || source.version != entry.version {
            let upstream = source.version == entry.version ? source.name : source.name + "@" + source.version
            qualifiers.append(PackageURL.Qualifier("upstream", upstream))
        }
        return Package(
            .deb, name: entry.name, version: entry.version,
            purl: PackageURL(
                .deb, name: entry.name, version: entry.version, namespace: namespace, qualifiers: qualifiers),
            state: .installed, source: source, distribution: distribution
        )
    }

    /// The first name of each alternative in `a (>= 1) | b, c:any`.
    private static func eachName(in list: ArraySlice<UInt8>, _ body: (String) -> Void) {
        var start: Int?
        var isOver = false
        for (place, byte) in zip(list.indices, list) {
            switch byte {
            case 0x2C, 0x7C:
                if let start, !isOver { body(list[start..<place].text) }
                (start, isOver) = (nil, false)
            // A condition on the version, or an architecture.
            case 0x20, 0x09, 0x28, 0x3A:
                if let start, !isOver {
                    body(list[start..<place].text)
                    isOver = true
                }
            default: if start == nil { start = place }
            }
        }
        if let start, !isOver { body(list[start...].text) }
    }
}
