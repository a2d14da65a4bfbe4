/// `Cargo.lock`, versions 1 to 4.
struct CargoLockfile: Cataloger {
    let name = "cargo-lockfile"
    let selectors: [FileSelector] = [.name("Cargo.lock")]

    func catalog(_ file: SourceFile, into catalog: inout Catalog) throws(ReadFault) {
        let root = try TOMLReader.read(file.bytes()).root
        let none = Tree.Children(tree: root.tree, next: 0)
        // Version 1 keeps the checksums at the end.
        var checksums: [String: ArraySlice<UInt8>] = [:]
        for entry in root["metadata"]?.children ?? none {
            let words = entry.key.split(byte: 0x20)
            if words.first == "checksum", words.count >= 3 {
                checksums[words[1] + " " + words[2]] = entry.utf8
            }
        }
        var byName: [String: Int] = [:]
        // `name version`, of names that stand for more than one package.
        var byVersion: [String: Int] = [:]
        var entries: [Entry] = []
        func read(_ value: Tree.Value) throws(ReadFault) {
            guard let name = value["name"]?.string, let version = value["version"]?.string else {
                throw ReadFault("a package without a name or version")
            }
            let checksum = value["checksum"]?.utf8 ?? (checksums.isEmpty ? nil : checksums[name + " " + version]) ?? []
            let isLocal = value["source"] == nil
            let place = catalog.add(
                Package(
                    .cargo, name: name, version: version,
                    hashes: Package.Hash(algorithm: "SHA-256", hexadecimal: checksum).map { [$0] } ?? [],
                    isLocal: isLocal
                )
            )
            if let first = byName[name] {
                let other = entries[first]
                byVersion[name + " " + other.version] = other.place
                byVersion[name + " " + version] = place
            } else {
                byName[name] = entries.count
            }
            entries.append(
                Entry(
                    place: place, version: version, isLocal: isLocal, dependencies: value["dependencies"]?.children))
        }
        for value in root["package"]?.children ?? none { try read(value) }
        if let value = root["root"] { try read(value) }
        for entry in entries {
            for dependency in entry.dependencies ?? none {
                // `name`, or where there are several `name version (source)`.
                let words = dependency.utf8
                let end = words.firstIndex(of: 0x20)
                guard let first = byName[words[..<(end ?? words.endIndex)].text] else { continue }
                var to = entries[first].place
                if let end {
                    let versionEnd = words[(end + 1)...].firstIndex(of: 0x20) ?? words.endIndex
                    if !words[(end + 1)..<versionEnd].elementsEqual(entries[first].version.utf8) {
                        guard let other = byVersion[words[..<versionEnd].text] else { continue }
                        to = other
                    }
                }
                catalog.connect(entry.place, to: to)
                if entry.isLocal { catalog.markDirect(to) }
            }
        }
    }

    private struct Entry {
        var place: Int
        var version: String
        var isLocal: Bool
        var dependencies: Tree.Children?
    }
}
