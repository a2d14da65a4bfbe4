/// `go.mod`: the modules that the build selects. Before Go 1.17 it leaves out indirect ones; `go.sum` then tells them.
struct GoModule: Cataloger {
    let name = "go-module"
    let selectors: [FileSelector] = [.name("go.mod")]
    let companions = ["go.sum"]

    /// The largest known ones have less than a tenth of it.
    private static let sumsBytesMax = 16 << 20

    /// The first version whose `go.mod` names every module.
    private static let completeSince = (major: 1, minor: 17)

    func catalog(_ file: SourceFile, into catalog: inout Catalog) throws(ReadFault) {
        var required: [(path: String, version: String, isIndirect: Bool)] = []
        var replaced: [String: (path: String, version: String?)] = [:]
        var block: String?
        var language = "1.0"
        var lines = Lines(try file.bytes())
        while let line = lines.next() {
            let comment = Self.comment(line)
            var words = Self.words(comment.map { line[..<$0] } ?? line)
            guard let first = words.first else { continue }
            if block != nil, first == ")" {
                block = nil
                continue
            }
            if block == nil {
                words.removeFirst()
                if words.first == "(" {
                    block = first
                    continue
                }
            }
            switch block ?? first {
            case "go": language = words.first ?? language
            case "require":
                guard words.count >= 2 else {
                    throw ReadFault("a module and its version were expected", line: lines.number)
                }
                let isIndirect = comment.map { line[$0...].text.contains("indirect") } ?? false
                required.append((words[0], words[1], isIndirect))
            case "replace":
                guard let arrow = words.firstIndex(of: "=>"), arrow > 0, arrow + 1 < words.count else {
                    throw ReadFault("a replacement was expected", line: lines.number)
                }
                let old = words[0] + (arrow > 1 ? "@" + words[1] : "")
                replaced[old] = (words[arrow + 1], arrow + 2 < words.count ? words[arrow + 2] : nil)
            default: break
            }
        }
        var known: Set<String> = []
        for module in required {
            known.insert(module.path)
            guard let target = replaced["\(module.path)@\(module.version)"] ?? replaced[module.path] else {
                let place = catalog.add(Package(.golang, name: module.path, version: module.version))
                if !module.isIndirect { catalog.markDirect(place) }
                continue
            }
            guard let version = target.version else {
                catalog.note("\(module.path) is replaced by the folder \(target.path)")
                continue
            }
            known.insert(target.path)
            let place = catalog.add(Package(.golang, name: target.path, version: version))
            if !module.isIndirect { catalog.markDirect(place) }
        }
        let parts = language.split(separator: ".").compactMap { Int($0) }
        let isComplete =
            (parts.first ?? 0, parts.count > 1 ? parts[1] : 0) >= (Self.completeSince.major, Self.completeSince.minor)
        if !isComplete, let sums = file.sibling(companions[0], bytesMax: Self.sumsBytesMax) {
            addIndirect(sums, known: known, into: &catalog)
        }
    }

    /// The highest version of each module whose content was needed, which is the one that is selected.
    private func addIndirect(_ sums: [UInt8], known: Set<String>, into catalog: inout Catalog) {
        var highest: [String: (version: String, key: VersionKey)] = [:]
        for line in Lines(sums) {
            let words = Self.words(line)
            guard words.count == 3, !words[1].hasSuffix("/go.mod"), !known.contains(words[0]),
                let key = VersionScheme.go.key(words[1])
            else { continue }
            if let old = highest[words[0]], VersionScheme.go.compare(old.key, key) >= 0 { continue }
            highest[words[0]] = (words[1], key)
        }
        for (path, selected) in highest.sorted(by: { $0.key < $1.key }) {
            catalog.add(Package(.golang, name: path, version: selected.version))
        }
    }

    /// Where `//` begins a comment.
    private static func comment(_ line: ArraySlice<UInt8>) -> Int? {
        line.indices.dropLast().first { line[$0] == 0x2F && line[$0 + 1] == 0x2F }
    }

    /// Quotes may stand around a path.
    private static func words(_ line: ArraySlice<UInt8>) -> [String] {
        line.split { $0 == 0x20 || $0 == 0x09 || $0 == 0x0D }.map { word in
            let isQuoted = word.count > 1 && (word.first == 0x22 || word.first == 0x60) && word.last == word.first
            return (isQuoted ? word.dropFirst().dropLast() : word).text
        }
    }
}
