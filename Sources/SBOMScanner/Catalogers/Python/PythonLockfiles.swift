/// `Pipfile.lock`.
struct PipfileLock: Cataloger {
    let name = "pipfile-lock"
    let selectors: [FileSelector] = [.name("Pipfile.lock")]

    func catalog(_ file: SourceFile, into catalog: inout Catalog) throws(ReadFault) {
        let root = try JSONReader.read(file.bytes()).root
        guard root["_meta"] != nil || root["default"] != nil else {
            throw ReadFault("neither \"_meta\" nor \"default\"")
        }
        for section in root.children where section.isObject && section.key != "_meta" {
            for entry in section.children {
                guard let pin = PythonPin("x" + (entry["version"]?.string ?? "")) else {
                    catalog.note("\(entry.key) has no exact version")
                    continue
                }
                catalog.add(
                    Package(
                        .pypi, name: entry.key, version: pin.version,
                        scope: section.key == "default" ? .required : .development
                    )
                )
            }
        }
    }
}

/// `poetry.lock`.
struct PoetryLock: Cataloger {
    let name = "poetry-lock"
    let selectors: [FileSelector] = [.name("poetry.lock")]

    func catalog(_ file: SourceFile, into catalog: inout Catalog) throws(ReadFault) {
        let root = try TOMLReader.read(file.bytes()).root
        var graph = PythonGraph()
        for entry in root["package"]?.children ?? Tree.Children(tree: root.tree, next: 0) {
            guard let name = entry["name"]?.string, let version = entry["version"]?.string else {
                throw ReadFault("a package without a name or version")
            }
            var scope = entry["optional"]?.isTrue == true ? Package.Scope.optional : .required
            if entry["category"]?.string == "dev" { scope = .development }
            if let groups = entry["groups"], groups.isArray, !groups.children.contains(where: { $0.string == "main" }) {
                scope = .development
            }
            let place = catalog.add(
                Package(
                    .pypi, name: name, version: version, scope: scope,
                    isLocal: entry["source"]?["type"]?.string == "directory")
            )
            graph.add(name, place)
            for dependency in entry["dependencies"]?.children ?? Tree.Children(tree: root.tree, next: 0) {
                graph.want(dependency.key, nil, from: place)
            }
        }
        graph.connect(in: &catalog)
    }
}

/// `uv.lock`.
struct UvLock: Cataloger {
    let name = "uv-lock"
    let selectors: [FileSelector] = [.name("uv.lock")]

    func catalog(_ file: SourceFile, into catalog: inout Catalog) throws(ReadFault) {
        let root = try TOMLReader.read(file.bytes()).root
        let none = Tree.Children(tree: root.tree, next: 0)
        var graph = PythonGraph()
        var required: [Int] = []
        for entry in root["package"]?.children ?? none {
            guard let name = entry["name"]?.string else { throw ReadFault("a package without a name") }
            guard let version = entry["version"]?.string else {
                catalog.note("\(name) has no version of its own")
                continue
            }
            let source = entry["source"]
            let isLocal = ["editable", "virtual", "directory"].contains { source?[$0] != nil }
            // One file only: its hash is the package's.
            var hashes: [Package.Hash] = []
            let files = (entry["wheels"]?.children.map { $0 } ?? []) + (entry["sdist"].map { [$0] } ?? [])
            if files.count == 1, let hash = files[0]["hash"]?.utf8 {
                hashes = Package.Hash(prefixed: hash).map { [$0] } ?? []
            }
            let place = catalog.add(Package(.pypi, name: name, version: version, hashes: hashes, isLocal: isLocal))
            graph.add(name, place, version: version)
            if isLocal { required.append(place) }
            for dependency in entry["dependencies"]?.children ?? none {
                graph.want(dependency["name"]?.string, dependency["version"]?.string, from: place)
            }
            for section in ["optional-dependencies", "dev-dependencies"] as [StaticString] {
                for group in entry[section]?.children ?? none {
                    for dependency in group.children {
                        graph.want(
                            dependency["name"]?.string, dependency["version"]?.string, from: place,
                            scope: section.description == "dev-dependencies" ? .development : .optional
                        )
                    }
                }
            }
        }
        graph.connect(in: &catalog)
        graph.markScopes(from: required, in: &catalog)
    }
}

/// `pylock.toml` and `pylock.NAME.toml` (PEP 751).
struct PyLock: Cataloger {
    let name = "pylock"
    let selectors: [FileSelector] = [.name("pylock.toml"), .affixes("pylock.", ".toml")]

    func catalog(_ file: SourceFile, into catalog: inout Catalog) throws(ReadFault) {
        let root = try TOMLReader.read(file.bytes()).root
        guard root["lock-version"] != nil else { throw ReadFault("no lock-version") }
        let none = Tree.Children(tree: root.tree, next: 0)
        var graph = PythonGraph()
        for entry in root["packages"]?.children ?? none {
            guard let name = entry["name"]?.string else { throw ReadFault("a package without a name") }
            guard let version = entry["version"]?.string else {
                catalog.note("\(name) has no version")
                continue
            }
            let place = catalog.add(Package(.pypi, name: name, version: version, isLocal: entry["directory"] != nil))
            graph.add(name, place, version: version)
            for dependency in entry["dependencies"]?.children ?? none {
                graph.want(dependency["name"]?.string, dependency["version"]?.string, from: place)
            }
        }
        graph.connect(in: &catalog)
    }
}

/// Who needs whom among Python packages, joined when all are known.
struct PythonGraph {
    private var byName: [String: [(version: String?, place: Int)]] = [:]
    private var wants: [(from: Int, name: String, version: String?, scope: Package.Scope)] = []
    private var edges: [(from: Int, to: Int, scope: Package.Scope)] = []

    /// More versions of one package than any real file names.
    private static let versionsMax = 100

    mutating func add(_ name: String, _ place: Int, version: String? = nil) {
        let name = PythonName.normalized(name)
        if byName[name]?.count ?? 0 < Self.versionsMax { byName[name, default: []].append((version, place)) }
    }

    mutating func want(_ name: String?, _ version: String?, from: Int, scope: Package.Scope = .required) {
        if let name { wants.append((from, PythonName.normalized(name), version, scope)) }
    }

    mutating func connect(in catalog: inout Catalog) {
        for want in wants {
            if catalog.isOverfull { return }
            for known in byName[want.name] ?? [] where want.version == nil || known.version == want.version {
                catalog.connect(want.from, to: known.place)
                edges.append((want.from, known.place, want.scope))
                if catalog.packages[want.from].isLocal { catalog.markDirect(known.place) }
            }
        }
    }

    /// What only a project's optional or development groups lead to is marked so.
    func markScopes(from projects: [Int], in catalog: inout Catalog) {
        guard !projects.isEmpty else { return }
        var next: [[(to: Int, scope: Package.Scope)]] = Array(repeating: [], count: catalog.packages.count)
        for edge in edges { next[edge.from].append((edge.to, edge.scope)) }
        var best: [Package.Scope?] = Array(repeating: nil, count: catalog.packages.count)
        for scope in [Package.Scope.required, .optional, .development] {
            // A scope's own edges start at projects; beyond those everything that is needed comes along.
            var open = projects
            var seen: Set<Int> = []
            while let place = open.popLast() {
                guard seen.insert(place).inserted else { continue }
                if best[place] == nil { best[place] = scope }
                for edge in next[place]
                where edge.scope <= scope && (edge.scope == .required || projects.contains(place)) {
                    open.append(edge.to)
                }
            }
        }
        for (place, scope) in best.enumerated() {
            if let scope, scope != .required { catalog.setScope(scope, of: place) }
        }
    }
}
