/// `Gemfile.lock` and `gems.locked`.
struct GemfileLock: Cataloger {
    let name = "gemfile-lock"
    let selectors: [FileSelector] = [.name("Gemfile.lock"), .name("gems.locked")]

    func catalog(_ file: SourceFile, into catalog: inout Catalog) throws(ReadFault) {
        var section = ""
        var places: [String: [Int]] = [:]
        var wants: [(from: Int, name: String)] = []
        var direct: [String] = []
        var checksums: [String: ArraySlice<UInt8>] = [:]
        var entries: [(key: String, place: Int)] = []
        var current: Int?
        var lines = Lines(try file.bytes())
        while let line = lines.next() {
            guard let first = line.first else { continue }
            if first != 0x20 {
                section = line.trimmed.text
                if section.hasPrefix("<<<<<<<") { throw ReadFault("a merge conflict", line: lines.number) }
                continue
            }
            let indent = line.prefix { $0 == 0x20 }.count
            let text = line.dropFirst(indent)
            switch (section, indent) {
            case ("GEM", 4), ("GIT", 4), ("PATH", 4), ("PLUGIN SOURCE", 4):
                guard let (name, version) = Self.entry(text) else {
                    throw ReadFault("a gem and its version were expected", line: lines.number)
                }
                // A gem's version has no hyphen; what follows one is the platform that it was built for.
                let halves = version.split(byte: 0x2D, maxSplits: 1, omittingEmpty: false).map(String.init)
                guard !halves[0].isEmpty else {
                    throw ReadFault("a gem and its version were expected", line: lines.number)
                }
                let qualifiers = halves.count > 1 ? [PackageURL.Qualifier("platform", halves[1])] : []
                let place = catalog.add(
                    Package(
                        .gem, name: name, version: halves[0],
                        purl: PackageURL(.gem, name: name, version: halves[0], qualifiers: qualifiers),
                        isLocal: section == "PATH"
                    )
                )
                if places[name]?.count ?? 0 < Self.platformsMax { places[name, default: []].append(place) }
                entries.append((name + " (" + version + ")", place))
                current = place
            case ("GEM", 6), ("GIT", 6), ("PATH", 6), ("PLUGIN SOURCE", 6):
                if let current { wants.append((current, Self.name(text))) }
            case ("DEPENDENCIES", 2): direct.append(Self.name(text))
            case ("CHECKSUMS", 2):
                guard let end = text.lastIndex(of: 0x29) else { continue }
                checksums[text[...end].text] = text[(end + 1)...].trimmed
            default: break
            }
        }
        for want in wants {
            if catalog.isOverfull { return }
            for to in places[want.name] ?? [] { catalog.connect(want.from, to: to) }
        }
        for name in direct {
            for place in places[name] ?? [] { catalog.markDirect(place) }
        }
        for (key, place) in entries {
            guard let text = checksums[key], let hash = Package.Hash(prefixed: text) else { continue }
            var package = catalog.packages[place]
            package.hashes = [hash]
            catalog.add(package)
        }
    }

    /// More platforms of one gem than any real file names.
    private static let platformsMax = 100

    private static func name(_ text: ArraySlice<UInt8>) -> String {
        text.prefix { $0 != 0x20 && $0 != 0x21 }.text
    }

    /// `name (version)`
    private static func entry(_ text: ArraySlice<UInt8>) -> (String, String)? {
        guard let space = text.firstIndex(of: 0x20), text.last == 0x29 else { return nil }
        let rest = text[(space + 1)...]
        guard rest.first == 0x28, rest.count > 2 else { return nil }
        return (text[..<space].text, rest.dropFirst().dropLast().text)
    }
}
