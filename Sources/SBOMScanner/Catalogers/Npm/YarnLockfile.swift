/// `yarn.lock`: of Yarn 1 in its own format, of later ones in YAML.
struct YarnLockfile: Cataloger {
    let name = "yarn-lockfile"
    let selectors: [FileSelector] = [.name("yarn.lock")]

    func catalog(_ file: SourceFile, into catalog: inout Catalog) throws(ReadFault) {
        let bytes = try file.bytes()
        var lines = Lines(bytes)
        while let line = lines.next() {
            if line.after("__metadata:") != nil { return try berry(bytes, into: &catalog) }
        }
        try classic(bytes, into: &catalog)
    }

    // MARK: - Yarn 1

    private func classic(_ bytes: [UInt8], into catalog: inout Catalog) throws(ReadFault) {
        /// `name@range` to its place.
        var places: [String: Int] = [:]
        var wanted: [(from: Int, descriptor: String)] = []
        var descriptors: [String] = []
        var version: String?
        var integrity = ""
        var needs: [String] = []
        var isInDependencies = false

        func finish(_ line: Int) {
            guard !descriptors.isEmpty else { return }
            if let version {
                let name = Self.realName(descriptors[0])
                let place = catalog.add(
                    Package(
                        .npm, name: name, version: version, hashes: Package.Hash.integrity(Array(integrity.utf8)[...]))
                )
                for descriptor in descriptors { places[descriptor] = place }
                for need in needs { wanted.append((place, need)) }
            } else {
                catalog.note("\(descriptors[0]) has no version")
            }
            (descriptors, version, integrity, needs, isInDependencies) = ([], nil, "", [], false)
        }

        var lines = Lines(bytes)
        while let line = lines.next() {
            guard let first = line.first, first != 0x23 else { continue }
            if first != 0x20 {
                finish(lines.number)
                guard line.last == 0x3A else { throw ReadFault("an entry was expected", line: lines.number) }
                descriptors = line.dropLast().text.split(separator: ",").map {
                    $0.drop { $0 == " " || $0 == "\"" }.description.filter { $0 != "\"" }
                }
                continue
            }
            let indent = line.prefix { $0 == 0x20 }.count
            let words = Self.words(line.dropFirst(indent))
            guard let key = words.first else { continue }
            if indent == 2 {
                isInDependencies = key == "dependencies:" || key == "optionalDependencies:"
                if words.count > 1 {
                    if key == "version" { version = words[1] }
                    if key == "integrity" { integrity = words[1...].joined(separator: " ") }
                }
            } else if isInDependencies, words.count > 1 {
                needs.append(key + "@" + words[1])
            }
        }
        finish(lines.number)
        for want in wanted {
            if let to = places[want.descriptor] { catalog.connect(want.from, to: to) }
        }
    }

    /// The words of a line; quotes hold one together.
    private static func words(_ line: ArraySlice<UInt8>) -> [String] {
        var words: [String] = []
        var rest = line
        while let first = rest.first {
            if first == 0x20 {
                rest = rest.dropFirst()
            } else if first == 0x22 {
                let word = rest.dropFirst().prefix { $0 != 0x22 }
                words.append(word.text)
                rest = rest[word.endIndex...].dropFirst()
            } else {
                let word = rest.prefix { $0 != 0x20 }
                words.append(word.text)
                rest = rest[word.endIndex...]
            }
        }
        return words
    }

    /// The package behind `name@range` or `alias@npm:name@range`.
    private static func realName(_ descriptor: String) -> String {
        let (name, range) = split(descriptor)
        if range.hasPrefix("npm:") {
            let target = split(String(range.dropFirst(4))).name
            if !target.isEmpty, target.first?.isNumber == false, range.dropFirst(4).contains("@") { return target }
        }
        return name
    }

    /// At the `@` that is not a scope's.
    static func split(_ descriptor: String) -> (name: String, range: String) {
        let rest = descriptor.dropFirst()
        guard let at = rest.firstIndex(of: "@") else { return (descriptor, "") }
        return (String(descriptor[..<at]), String(descriptor[descriptor.index(after: at)...]))
    }

    // MARK: - Yarn 2 and later

    private func berry(_ bytes: [UInt8], into catalog: inout Catalog) throws(ReadFault) {
        let root = try YAMLReader.read(bytes).root
        var places: [String: Int] = [:]
        var wanted: [(from: Int?, descriptor: String)] = []
        for entry in root.children where entry.isObject && entry.key != "__metadata" {
            guard let version = entry["version"]?.scalar, let resolution = entry["resolution"]?.string else {
                catalog.note("\(entry.key) has no version")
                continue
            }
            let (name, reference) = Self.split(resolution)
            var place: Int?
            if !reference.hasPrefix("workspace:") {
                place = catalog.add(Package(.npm, name: name, version: version))
                for descriptor in entry.key.split(separator: ",") {
                    places[descriptor.drop { $0 == " " }.description] = place
                }
            }
            for dependency in entry["dependencies"]?.children ?? Tree.Children(tree: root.tree, next: 0) {
                guard let range = dependency.scalar else { continue }
                wanted.append((place, dependency.key + "@" + range))
            }
        }
        for want in wanted {
            // Older files leave out the protocol of the registry.
            let (name, range) = Self.split(want.descriptor)
            guard let to = places[want.descriptor] ?? places[name + "@npm:" + range] else { continue }
            if let from = want.from { catalog.connect(from, to: to) } else { catalog.markDirect(to) }
        }
    }
}
