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
        var byName: [String: [(version: String, place: Int)]] = [:]
        var entries: [(entry: Tree.Value, place: Int)] = []
        for entry in (root["package"]?.children ?? none).map({ $0 }) + (root["root"].map { [$0] } ?? []) {
            guard let name = entry["name"]?.string, let version = entry["version"]?.string else {
                throw ReadFault("a package without a name or version")
            }
            let checksum = entry["checksum"]?.utf8 ?? (checksums.isEmpty ? nil : checksums[name + " " + version]) ?? []
            let place = catalog.add(
                Package(
                    .cargo, name: name, version: version,
                    hashes: Package.Hash(algorithm: "SHA-256", hexadecimal: checksum).map { [$0] } ?? [],
                    isLocal: entry["source"] == nil
                )
            )
            byName[name, default: []].append((version, place))
            entries.append((entry, place))
        }
        for (entry, place) in entries {
            for dependency in entry["dependencies"]?.children ?? none {
                // `name`, or where there are several `name version (source)`.
                let words = dependency.utf8.split(separator: 0x20)
                guard let first = words.first, let known = byName[first.text] else { continue }
                let to = words.count > 1 ? known.first { $0.version.utf8.elementsEqual(words[1]) } : known.first
                guard let to else { continue }
                catalog.connect(place, to: to.place)
                if catalog.packages[place].isLocal { catalog.markDirect(to.place) }
            }
        }
    }
}
