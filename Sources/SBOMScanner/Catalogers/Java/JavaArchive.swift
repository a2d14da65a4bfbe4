internal import Synchronization

/// jar, war and ear files: the coordinates that Maven wrote into them, also of the jars inside.
///
/// A jar without coordinates is noted, not guessed at: a wrong name makes wrong findings.
struct JavaArchive: Cataloger {
    let name = "java-archive"
    let selectors: [FileSelector] = [
        .affixes("", ".jar"), .affixes("", ".war"), .affixes("", ".ear"), .affixes("", ".par"), .affixes("", ".jpi"),
        .affixes("", ".hpi"),
    ]

    static let depthMax = 4
    /// Jars inside one file, and what they may unpack to altogether.
    static let nestedMax = 20_000
    static let unpackedBytesMax = 2 << 30
    private static let propertiesBytesMax = 64 << 10
    /// Of jars inside each other that are unpacked at the same time.
    private static let heldBytesMax = 256 << 20
    /// However many threads there are, one unpacks more than this at a time.
    private static let largeBytes = 16 << 20
    private static let large = Mutex(())

    private struct Budget {
        var nested = 0
        var bytes = 0
        var held = 0
        var isAlone = false
    }

    func catalog(_ file: SourceFile, into catalog: inout Catalog) throws(ReadFault) {
        var budget = Budget()
        try read(ZipArchive(file), path: file.name, depth: 0, &budget, into: &catalog)
    }

    private func read(
        _ archive: ZipArchive, path: String, depth: Int, _ budget: inout Budget, into catalog: inout Catalog
    ) throws(ReadFault) {
        var found = 0
        var hasNested = false
        for entry in archive.entries {
            if entry.name.hasPrefix("META-INF/maven/"), entry.name.hasSuffix("/pom.properties") {
                do {
                    let bytes = try archive.contents(entry, max: Self.propertiesBytesMax)
                    if let package = Self.package(bytes) {
                        catalog.add(package)
                        found += 1
                    } else {
                        catalog.note("\(path)!/\(entry.name) has no coordinates")
                    }
                } catch { catalog.note("\(path): \(error)") }
            } else if Self.isArchive(entry.name) {
                hasNested = true
                let inner = "\(path)!/\(entry.name)"
                budget.nested += 1
                budget.bytes += entry.size
                guard depth < Self.depthMax else {
                    catalog.note("\(inner): nested deeper than \(Self.depthMax)")
                    continue
                }
                guard budget.nested <= Self.nestedMax, budget.bytes <= Self.unpackedBytesMax else {
                    throw ReadFault("\(inner): more inside than is read")
                }
                do {
                    if budget.isAlone || budget.held + entry.size <= Self.largeBytes {
                        try nested(archive, entry, path: inner, depth: depth + 1, &budget, into: &catalog)
                    } else {
                        budget.isAlone = true
                        defer { budget.isAlone = false }
                        try Self.large.withLock { _ throws(ReadFault) in
                            try nested(archive, entry, path: inner, depth: depth + 1, &budget, into: &catalog)
                        }
                    }
                } catch { catalog.note("\(inner): \(error)") }
            }
        }
        if found == 0, !hasNested { catalog.note("\(path) has no Maven coordinates") }
    }

    private func nested(
        _ archive: ZipArchive, _ entry: ZipArchive.Entry, path: String, depth: Int, _ budget: inout Budget,
        into catalog: inout Catalog
    ) throws(ReadFault) {
        let bytes = try archive.contents(entry, max: Self.heldBytesMax - budget.held)
        budget.held += bytes.count
        defer { budget.held -= bytes.count }
        try read(ZipArchive(bytes), path: path, depth: depth, &budget, into: &catalog)
    }

    private static func isArchive(_ name: String) -> Bool {
        name.hasSuffix(".jar") || name.hasSuffix(".war")
    }

    private static func package(_ properties: [UInt8]) -> Package? {
        var values: [String: String] = [:]
        for line in Lines(properties) where line.first != 0x23 {
            guard let equals = line.firstIndex(of: 0x3D) else { continue }
            values[line[..<equals].trimmed.text] = line[(equals + 1)...].trimmed.text
        }
        guard let group = values["groupId"], let artifact = values["artifactId"], let version = values["version"],
            !group.isEmpty, !artifact.isEmpty, !version.isEmpty, !version.contains("${")
        else { return nil }
        return Package(.maven, name: "\(group):\(artifact)", version: version, state: .installed)
    }
}
