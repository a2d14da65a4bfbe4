/// Which catalogers read a file, by its path: looked up once a file, so it is tables and not a loop over catalogers.
struct Selection: Sendable {
    private var byName: [String: [Int]] = [:]
    private var byPath: [String: [(tail: String, cataloger: Int)]] = [:]
    private var byDirectory: [String: [(tail: String, cataloger: Int)]] = [:]
    private var byAffixes: [(prefix: String, suffix: String, cataloger: Int)] = []
    private var programs: [Int] = []
    private var companions: Set<String> = []
    let catalogers: [any Cataloger]

    init(_ catalogers: [any Cataloger] = Catalogers.all) {
        self.catalogers = catalogers
        for (index, cataloger) in catalogers.enumerated() {
            companions.formUnion(cataloger.companions)
            for selector in cataloger.selectors {
                switch selector {
                case .name(let name): byName[name, default: []].append(index)
                case .path(let path): byPath[Self.last(path), default: []].append((path, index))
                case .directory(let path): byDirectory[Self.last(path), default: []].append((path, index))
                case .affixes(let prefix, let suffix): byAffixes.append((prefix, suffix, index))
                case .program: programs.append(index)
                }
            }
        }
    }

    /// Catalogers by name and place alone.
    /// - Parameters:
    ///   - directory: without a slash at its end; empty for the root.
    func catalogers(directory: String, name: String) -> [Int] {
        var found = byName[name] ?? []
        if let paths = byPath[name] {
            let path = directory.isEmpty ? name : directory + "/" + name
            for (tail, cataloger) in paths where Self.ends(path, with: tail) { found.append(cataloger) }
        }
        if !byDirectory.isEmpty, let directories = byDirectory[Self.last(directory)] {
            for (tail, cataloger) in directories where Self.ends(directory, with: tail) { found.append(cataloger) }
        }
        for (prefix, suffix, cataloger) in byAffixes where name.hasSuffix(suffix) && name.hasPrefix(prefix) {
            if !found.contains(cataloger) { found.append(cataloger) }
        }
        return found
    }

    /// Whether a change of a file of this name may change what one beside it says.
    func isCompanion(_ name: String) -> Bool { companions.contains(name) }

    /// Catalogers of programs, for a file that may be executed and begins like one.
    var programCatalogers: [Int] { programs }

    /// Whether a file of this name may be a program worth opening: with a known other ending it is none.
    static func mayBeProgram(_ name: String, mode: UInt32) -> Bool {
        guard mode & 0o111 != 0 else { return false }
        guard let dot = name.utf8.lastIndex(of: 0x2E) else { return true }
        let suffix = name[dot...]
        return ![".so", ".py", ".sh", ".pl", ".rb", ".js", ".ko", ".a", ".o"].contains(String(suffix))
    }

    /// Folders that never hold what a host or project uses.
    static func isIgnored(directory name: String) -> Bool {
        name == ".git" || name == ".hg" || name == ".svn" || name == ".bzr"
    }

    /// A lockfile inside an installed npm package belongs to its author; npm does not read it.
    static func isForeign(directory: String, name: String) -> Bool {
        guard
            name == "package-lock.json" || name == "yarn.lock" || name == "pnpm-lock.yaml"
                || name == "npm-shrinkwrap.json"
        else { return false }
        return directory.split(separator: "/").contains("node_modules")
    }

    private static func last(_ path: String) -> String {
        path.utf8.lastIndex(of: 0x2F).map { String(path[path.index(after: $0)...]) } ?? path
    }

    /// Whole parts of the path only.
    private static func ends(_ path: String, with tail: String) -> Bool {
        path == tail || path.hasSuffix("/" + tail)
    }
}
