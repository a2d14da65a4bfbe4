/// dpkg's `status`, and the pieces of it in `status.d` that images without dpkg have.
struct DpkgStatus: Cataloger {
    let name = "dpkg"
    let selectors: [FileSelector] = [.path("var/lib/dpkg/status"), .directory("var/lib/dpkg/status.d")]

    private struct Entry {
        var name = ""
        var version = ""
        var architecture = ""
        var status = ""
        var source = ""
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
        var places: [String: Int] = [:]
        var needs: [(from: Int, list: ArraySlice<UInt8>)] = []
        var entry = Entry()
        func finish() {
            defer { entry = Entry() }
            guard !entry.name.isEmpty else { return }
            // What was removed leaves its configuration and its entry behind.
            let isInstalled = isPiece || entry.status.hasSuffix(" installed") || entry.status.contains(" triggers-")
            guard isInstalled else { return }
            guard !entry.version.isEmpty else {
                catalog.note("\(entry.name) has no version")
                return
            }
            let place = catalog.add(package(entry, system))
            places[entry.name] = place
            for name in Self.names(entry.provides) where places[name] == nil { places[name] = place }
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
                if let value = line.after("Status: ") { entry.status = value.trimmed.text }
                if let value = line.after("Source: ") { entry.source = value.trimmed.text }
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
            for name in Self.names(need.list) {
                if let to = places[name] { catalog.connect(need.from, to: to) }
            }
        }
    }

    private func package(_ entry: Entry, _ system: OperatingSystem) -> Package {
        // `Source: name (version)`, where they differ from the package's own.
        var source = Package.Source(name: entry.name, version: entry.version)
        if !entry.source.isEmpty {
            let words = entry.source.split(separator: " ", maxSplits: 1)
            source.name = String(words[0])
            if words.count > 1 { source.version = words[1].filter { $0 != "(" && $0 != ")" } }
        }
        var qualifiers = [
            PackageURL.Qualifier("arch", entry.architecture), PackageURL.Qualifier("distro", system.distro),
        ]
        if source.name != entry.name || source.version != entry.version {
            let upstream = source.version == entry.version ? source.name : "\(source.name)@\(source.version)"
            qualifiers.append(PackageURL.Qualifier("upstream", upstream))
        }
        return Package(
            .deb, name: entry.name, version: entry.version,
            purl: PackageURL(
                .deb, name: entry.name, version: entry.version, namespace: [system.id ?? "debian"],
                qualifiers: qualifiers
            ),
            state: .installed, source: source, distribution: system.osvName
        )
    }

    /// The first name of each alternative in `a (>= 1) | b, c:any`.
    private static func names(_ list: ArraySlice<UInt8>) -> [String] {
        list.split(separator: 0x2C).flatMap { $0.split(separator: 0x7C) }.map { alternative in
            alternative.trimmed.prefix { $0 != 0x20 && $0 != 0x3A && $0 != 0x28 }.text
        }
    }
}
