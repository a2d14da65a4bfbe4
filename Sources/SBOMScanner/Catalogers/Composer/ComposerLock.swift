/// `composer.lock`, and `vendor/composer/installed.json`.
struct ComposerLock: Cataloger {
    let name = "composer"
    let selectors: [FileSelector] = [.name("composer.lock"), .path("composer/installed.json")]

    func catalog(_ file: SourceFile, into catalog: inout Catalog) throws(ReadFault) {
        let root = try JSONReader.read(file.bytes()).root
        let none = Tree.Children(tree: root.tree, next: 0)
        let isInstalled = file.name == "installed.json"
        // Composer 1 wrote the list alone.
        let packages = root.isArray ? root : root["packages"]
        guard let packages, packages.isArray else { throw ReadFault("no list of packages") }
        var places: [String: Int] = [:]
        var wants: [(from: Int, name: String)] = []
        let development = Set((root["dev-package-names"]?.children ?? none).compactMap { $0.string?.lowercased() })
        for (list, isDevelopment) in [(packages.children, false), (root["packages-dev"]?.children ?? none, true)] {
            for entry in list {
                guard let name = entry["name"]?.string, let version = entry["version"]?.string else {
                    throw ReadFault("a package without a name or version")
                }
                let isForDevelopment = isDevelopment || development.contains(name.lowercased())
                let place = catalog.add(
                    Package(
                        .composer, name: name, version: version, scope: isForDevelopment ? .development : .required,
                        state: isInstalled ? .installed : .locked,
                        hashes: Package.Hash(algorithm: "SHA-1", hexadecimal: entry["dist"]?["shasum"]?.utf8 ?? [])
                            .map { [$0] } ?? [],
                        license: (entry["license"]?.children ?? none).compactMap(\.string).first
                    )
                )
                places[name.lowercased()] = place
                for need in entry["require"]?.children ?? none { wants.append((place, need.key.lowercased())) }
            }
        }
        for want in wants {
            if let to = places[want.name] { catalog.connect(want.from, to: to) }
        }
    }
}
