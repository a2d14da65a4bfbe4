/// `package-lock.json` and `npm-shrinkwrap.json`, versions 1 to 3.
struct NpmLockfile: Cataloger {
    let name = "npm-lockfile"
    let selectors: [FileSelector] = [
        .name("package-lock.json"), .name("npm-shrinkwrap.json"), .path("node_modules/.package-lock.json"),
    ]

    func catalog(_ file: SourceFile, into catalog: inout Catalog) throws(ReadFault) {
        let root = try JSONReader.read(file.bytes()).root
        guard root.isObject else { throw ReadFault("not an object") }
        let state: Package.State = file.name == ".package-lock.json" ? .installed : .locked
        if let packages = root["packages"], packages.isObject {
            byPath(packages, state, into: &catalog)
        } else if let dependencies = root["dependencies"], dependencies.isObject {
            nested(dependencies, state, into: &catalog)
        } else if root["lockfileVersion"] == nil {
            throw ReadFault("neither \"packages\" nor \"dependencies\"")
        }
    }

    // MARK: - Versions 2 and 3: every place in the tree has an entry

    private func byPath(_ packages: Tree.Value, _ state: Package.State, into catalog: inout Catalog) {
        var places: [String: Int] = [:]
        var links: [String: String] = [:]
        for entry in packages.children where entry.isObject {
            let path = entry.key
            if path.isEmpty { continue }
            if entry["link"]?.isTrue == true {
                links[path] = entry["resolved"]?.string
                continue
            }
            let folder = Self.installedName(path)
            let isLocal = folder == nil
            guard let name = entry["name"]?.string ?? folder ?? path.split(byte: 0x2F).last.map(String.init) else {
                continue
            }
            guard let version = entry["version"]?.string, !version.isEmpty else {
                if !isLocal { catalog.note("\(path) has no version") }
                continue
            }
            places[path] = catalog.add(
                Package(
                    .npm, name: name, version: version, scope: Self.scope(entry), state: state,
                    hashes: Package.Hash.integrity(entry["integrity"]?.utf8 ?? []), license: entry["license"]?.string,
                    isLocal: isLocal, alias: folder == name ? nil : folder
                )
            )
        }
        for (link, target) in links {
            if let place = places[target] { places[link] = place }
        }
        for entry in packages.children where entry.isObject {
            let path = entry.key
            let from = places[path]
            let isRoot = path.isEmpty
            guard isRoot || from != nil else { continue }
            for section in Self.sections(isProject: isRoot || Self.installedName(path) == nil) {
                for dependency in entry[section]?.children ?? Tree.Children(tree: entry.tree, next: 0) {
                    guard let to = Self.resolve(dependency.key, from: path, places) else { continue }
                    if let from { catalog.connect(from, to: to) }
                    if isRoot { catalog.markDirect(to) }
                }
            }
        }
    }

    private static func sections(isProject: Bool) -> [StaticString] {
        isProject
            ? ["dependencies", "devDependencies", "optionalDependencies", "peerDependencies"]
            : ["dependencies", "optionalDependencies", "peerDependencies"]
    }

    /// Where Node finds a package: beside its user, or in a folder above.
    private static func resolve(_ name: String, from path: String, _ places: [String: Int]) -> Int? {
        var directory = path[...]
        while true {
            let candidate = directory.isEmpty ? "node_modules/" + name : directory + "/node_modules/" + name
            if let place = places[candidate] { return place }
            guard !directory.isEmpty else { return nil }
            directory = directory.utf8.lastIndex(of: 0x2F).map { directory[..<$0] } ?? ""
        }
    }

    /// The folder's name below the last `node_modules`; `nil` for a place in the project.
    private static func installedName(_ path: String) -> String? {
        var end = path.endIndex
        // From the end: the name itself has one part, or two.
        while let slash = path.utf8[..<end].lastIndex(of: 0x2F) {
            let folder = path[..<slash]
            if folder == "node_modules" || folder.hasSuffix("/node_modules") {
                return String(path[path.utf8.index(after: slash)...])
            }
            end = slash
        }
        return nil
    }

    private static func scope(_ entry: Tree.Value) -> Package.Scope {
        if entry["dev"]?.isTrue == true { return .development }
        if entry["optional"]?.isTrue == true || entry["devOptional"]?.isTrue == true { return .optional }
        return .required
    }

    // MARK: - Version 1: what is installed inside what

    private struct Level {
        var places: [String: Int] = [:]
    }

    private func nested(
        _ dependencies: Tree.Value, _ state: Package.State, into catalog: inout Catalog
    ) {
        var requires: [(from: Int, name: String, levels: [Int])] = []
        var levels: [Level] = []
        // Levels that are not walked yet stand in chains under negative numbers.
        var levelOf: [Int: Int] = [:]
        var token = 0
        // Walked without recursion; a lockfile may be nested as deep as the reader lets it.
        var open: [(value: Tree.Value, levels: [Int])] = [(dependencies, [])]
        while let (value, outer) = open.popLast() {
            let own = levels.count
            levels.append(Level())
            let chain = outer + [own]
            for entry in value.children where entry.isObject {
                guard let written = entry["version"]?.string else {
                    catalog.note("\(entry.key) has no version")
                    continue
                }
                let folder = entry.key
                let (name, version) = Self.target(folder, written, entry)
                guard let version else {
                    catalog.note("\(folder): \(written) is no version")
                    continue
                }
                let place = catalog.add(
                    Package(
                        .npm, name: name, version: version, scope: Self.scope(entry), state: state,
                        hashes: Package.Hash.integrity(entry["integrity"]?.utf8 ?? []),
                        alias: folder == name ? nil : folder
                    )
                )
                levels[own].places[folder] = place
                let inner = entry["dependencies"].flatMap { $0.isObject ? $0 : nil }
                if inner != nil { token -= 1 }
                let scope = inner == nil ? chain : chain + [token]
                if let requirements = entry["requires"], requirements.isObject {
                    for requirement in requirements.children {
                        requires.append((place, requirement.key, scope))
                    }
                }
                if let inner { open.append((inner, scope)) }
            }
            // The users of this level were noted before its number was known.
            if let owner = outer.last, owner < 0 { levelOf[owner] = own }
        }
        func place(_ name: String, _ chain: [Int]) -> Int? {
            for link in chain.reversed() {
                let level = link < 0 ? levelOf[link] : link
                if let level, let found = levels[level].places[name] { return found }
            }
            return nil
        }
        var needed: Set<Int> = []
        for requirement in requires {
            guard let to = place(requirement.name, requirement.levels) else { continue }
            catalog.connect(requirement.from, to: to)
            needed.insert(to)
        }
        for place in levels.first?.places.values.sorted() ?? [] where !needed.contains(place) {
            catalog.markDirect(place)
        }
    }

    /// The name and version behind an entry of version 1: aliases, links to git and files.
    private static func target(_ folder: String, _ written: String, _ entry: Tree.Value) -> (String, String?) {
        if written.hasPrefix("npm:") {
            let rest = written.dropFirst(4)
            guard let at = rest.lastIndex(of: "@"), at > rest.startIndex else { return (folder, nil) }
            return (String(rest[..<at]), String(rest[rest.index(after: at)...]))
        }
        if written.contains(":") || written.contains("/") {
            // A repository or a tarball: what it is called is known, which version it is may be in its commit.
            guard let hash = written.lastIndex(of: "#") else { return (folder, nil) }
            return (folder, String(written[written.index(after: hash)...]))
        }
        return (folder, written)
    }
}
