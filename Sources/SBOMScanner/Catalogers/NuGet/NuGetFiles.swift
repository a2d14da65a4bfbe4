/// `packages.lock.json`.
struct NuGetLock: Cataloger {
    let name = "nuget-lock"
    let selectors: [FileSelector] = [.name("packages.lock.json")]

    func catalog(_ file: SourceFile, into catalog: inout Catalog) throws(ReadFault) {
        let root = try JSONReader.read(file.bytes()).root
        guard let frameworks = root["dependencies"], frameworks.isObject else { throw ReadFault("no \"dependencies\"") }
        for framework in frameworks.children {
            var places: [String: Int] = [:]
            for entry in framework.children {
                let isProject = entry["type"]?.string == "Project"
                guard let version = entry["resolved"]?.string else {
                    if !isProject { catalog.note("\(entry.key) has no version") }
                    continue
                }
                var hashes: [Package.Hash] = []
                if let content = entry["contentHash"]?.string, let bytes = Base64.decode(content.utf8) {
                    hashes =
                        Package.Hash(algorithm: "SHA-512", hexadecimal: Array(Hexadecimal.encode(bytes).utf8)[...]).map
                    { [$0] } ?? []
                }
                let place = catalog.add(Package(.nuget, name: entry.key, version: version, hashes: hashes))
                places[entry.key.lowercased()] = place
                if entry["type"]?.string == "Direct" { catalog.markDirect(place) }
            }
            for entry in framework.children {
                guard let from = places[entry.key.lowercased()], let needs = entry["dependencies"] else { continue }
                for need in needs.children {
                    if let to = places[need.key.lowercased()] { catalog.connect(from, to: to) }
                }
            }
        }
    }
}

/// `*.deps.json`, what a published .NET program brings along.
struct NuGetDeps: Cataloger {
    let name = "nuget-deps"
    let selectors: [FileSelector] = [.affixes("", ".deps.json")]

    func catalog(_ file: SourceFile, into catalog: inout Catalog) throws(ReadFault) {
        let root = try JSONReader.read(file.bytes()).root
        guard let libraries = root["libraries"], libraries.isObject else { throw ReadFault("no \"libraries\"") }
        var places: [String: Int] = [:]
        for entry in libraries.children where entry["type"]?.string == "package" {
            let parts = entry.key.split(separator: "/", maxSplits: 1).map(String.init)
            guard parts.count == 2 else {
                catalog.note("\(entry.key) has no version")
                continue
            }
            places[entry.key] = catalog.add(
                Package(
                    .nuget, name: parts[0], version: parts[1], state: .installed,
                    hashes: Package.Hash.integrity(entry["sha512"]?.utf8 ?? [])
                )
            )
        }
        for target in root["targets"]?.children ?? Tree.Children(tree: root.tree, next: 0) {
            for entry in target.children {
                guard let from = places[entry.key], let needs = entry["dependencies"] else { continue }
                for need in needs.children {
                    if let to = places["\(need.key)/\(need.string ?? "")"] { catalog.connect(from, to: to) }
                }
            }
        }
    }
}
