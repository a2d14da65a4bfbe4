/// `pnpm-lock.yaml`, versions 5 to 9.
struct PnpmLockfile: Cataloger {
    let name = "pnpm-lockfile"
    let selectors: [FileSelector] = [.name("pnpm-lock.yaml")]

    func catalog(_ file: SourceFile, into catalog: inout Catalog) throws(ReadFault) {
        let root = try YAMLReader.read(file.bytes()).root
        guard let written = root["lockfileVersion"]?.scalar, let major = Int(written.prefix { $0 != "." }) else {
            throw ReadFault("no lockfileVersion")
        }
        guard (5...9).contains(major) else { throw ReadFault("lockfileVersion \(written) is not known") }
        let none = Tree.Children(tree: root.tree, next: 0)
        /// Keys without what peers add to them.
        var places: [String: Int] = [:]
        for entry in root["packages"]?.children ?? none {
            let key = Self.plainKey(entry.key, major)
            guard let (name, version) = Self.identity(key, entry, major) else {
                catalog.note("\(entry.key) names no version")
                continue
            }
            var scope = Package.Scope.required
            if entry["optional"]?.isTrue == true { scope = .optional }
            if entry["dev"]?.isTrue == true { scope = .development }
            let hashes = Package.Hash.integrity(entry["resolution"]?["integrity"]?.utf8 ?? [])
            places[key] = catalog.add(Package(.npm, name: name, version: version, scope: scope, hashes: hashes))
        }
        func place(_ name: String, _ reference: String) -> Int? {
            // Its own name with a version, or an alias with the key of another.
            places[Self.plainKey(Self.key(name, reference, major), major)] ?? places[Self.plainKey(reference, major)]
        }
        let owners = root[major >= 9 ? "snapshots" : "packages"]?.children ?? none
        for entry in owners where entry.isObject {
            guard let from = places[Self.plainKey(entry.key, major)] else { continue }
            for section in ["dependencies", "optionalDependencies"] as [StaticString] {
                for dependency in entry[section]?.children ?? none {
                    guard let to = place(dependency.key, dependency.scalar ?? "") else { continue }
                    catalog.connect(from, to: to)
                }
            }
        }
        // The projects of a workspace; a file without them is one itself.
        var roots: [Scoped] = []
        let importers = root["importers"]?.children.map { $0 } ?? [root]
        for importer in importers {
            let sections: [(StaticString, Package.Scope)] = [
                ("dependencies", .required), ("optionalDependencies", .optional), ("devDependencies", .development),
            ]
            for (section, scope) in sections {
                for dependency in importer[section]?.children ?? none {
                    let reference = dependency["version"]?.scalar ?? dependency.scalar ?? ""
                    guard let to = place(dependency.key, reference) else { continue }
                    catalog.markDirect(to)
                    roots.append(Scoped(place: to, scope: scope))
                }
            }
        }
        if major >= 9 { Self.markScopes(roots, in: &catalog) }
    }

    private struct Scoped {
        var place: Int
        var scope: Package.Scope
    }

    /// Version 9 no longer says what is for development only: what nothing else leads to.
    private static func markScopes(_ roots: [Scoped], in catalog: inout Catalog) {
        var next: [[Int]] = Array(repeating: [], count: catalog.packages.count)
        for edge in catalog.edges { next[edge.from].append(edge.to) }
        var best: [Package.Scope?] = Array(repeating: nil, count: catalog.packages.count)
        for scope in [Package.Scope.required, .optional, .development] {
            var open = roots.filter { $0.scope == scope }.map(\.place)
            while let place = open.popLast() {
                guard best[place] == nil else { continue }
                best[place] = scope
                open += next[place]
            }
        }
        for (place, scope) in best.enumerated() {
            if let scope, scope != .required { catalog.setScope(scope, of: place) }
        }
    }

    /// Without the peers that pnpm writes behind: `(react@18.0.0)`, before version 6 `_react@18.0.0`.
    private static func plainKey(_ key: String, _ major: Int) -> String {
        let utf8 = key.utf8
        let end = utf8.firstIndex(of: 0x28) ?? utf8.endIndex
        guard major < 6 else { return end == utf8.endIndex ? key : String(key[..<end]) }
        guard let start = utf8[..<end].lastIndex(of: 0x2F), start > utf8.startIndex,
            let underscore = utf8[start..<end].firstIndex(of: 0x5F)
        else { return String(key[..<end]) }
        return String(key[..<underscore])
    }

    private static func identity(_ key: String, _ entry: Tree.Value, _ major: Int) -> (String, String)? {
        if let name = entry["name"]?.string, let version = entry["version"]?.scalar { return (name, version) }
        var rest = key[...]
        if rest.utf8.first == 0x2F { rest = rest.dropFirst() }
        if major < 6 {
            guard let slash = rest.utf8.lastIndex(of: 0x2F) else { return nil }
            let version = rest[rest.utf8.index(after: slash)...]
            guard key.utf8.first == 0x2F, version.utf8.first?.isDigit == true else { return nil }
            return (String(rest[..<slash]), String(version))
        }
        guard let at = rest.utf8.dropFirst().lastIndex(of: 0x40) else { return nil }
        let version = rest[rest.utf8.index(after: at)...]
        // A tarball or a repository stands for a version only where the entry says which one.
        guard !version.utf8.contains(0x3A) else { return entry["version"]?.scalar.map { (String(rest[..<at]), $0) } }
        return (String(rest[..<at]), String(version))
    }

    private static func key(_ name: String, _ reference: String, _ major: Int) -> String {
        switch major {
        case ..<6: "/" + name + "/" + reference
        case ..<9: "/" + name + "@" + reference
        default: name + "@" + reference
        }
    }
}
