/// apk's database of installed packages.
struct ApkInstalled: Cataloger {
    let name = "apk"
    let selectors: [FileSelector] = [.path("lib/apk/db/installed")]

    private struct Entry {
        var name = ""
        var version = ""
        var architecture = ""
        var origin = ""
        var license = ""
        var depends = ""
        var provides = ""
    }

    func catalog(_ file: SourceFile, into catalog: inout Catalog) throws(ReadFault) {
        let known =
            file.path.hasSuffix("usr/lib/apk/db/installed") ? "usr/lib/apk/db/installed" : "lib/apk/db/installed"
        let system = OperatingSystem(file, root: file.root(before: known))
        let (namespace, distro, distribution) = ([system.id ?? "alpine"], system.distro, system.osvName)
        var providers: [String: Int] = [:]
        var needs: [(from: Int, list: String)] = []
        var entry = Entry()
        func finish() {
            defer { entry = Entry() }
            guard !entry.name.isEmpty, !entry.version.isEmpty else { return }
            let origin = entry.origin.isEmpty ? entry.name : entry.origin
            var qualifiers = [
                PackageURL.Qualifier("arch", entry.architecture), PackageURL.Qualifier("distro", distro),
            ]
            if origin != entry.name { qualifiers.append(PackageURL.Qualifier("upstream", origin)) }
            let place = catalog.add(
                Package(
                    .apk, name: entry.name, version: entry.version,
                    purl: PackageURL(
                        .apk, name: entry.name, version: entry.version, namespace: namespace,
                        qualifiers: qualifiers
                    ),
                    state: .installed, source: Package.Source(name: origin, version: entry.version),
                    distribution: distribution, license: entry.license.isEmpty ? nil : entry.license
                )
            )
            providers[entry.name] = place
            for word in entry.provides.split(separator: " ") { providers[Self.plain(word)] = place }
            needs.append((place, entry.depends))
        }
        for line in Lines(try file.bytes()) {
            guard line.count > 1, line[line.startIndex + 1] == 0x3A else {
                if line.isEmpty { finish() }
                continue
            }
            switch line[line.startIndex] {
            case 0x50: entry.name = line.dropFirst(2).text
            case 0x56: entry.version = line.dropFirst(2).text
            case 0x41: entry.architecture = line.dropFirst(2).text
            case 0x6F: entry.origin = line.dropFirst(2).text
            case 0x4C: entry.license = line.dropFirst(2).text
            case 0x44: entry.depends = line.dropFirst(2).text
            case 0x70: entry.provides = line.dropFirst(2).text
            default: break
            }
        }
        finish()
        for need in needs {
            for word in need.list.split(separator: " ") where word.first != "!" {
                if let to = providers[Self.plain(word)] { catalog.connect(need.from, to: to) }
            }
        }
    }

    /// Without a condition on the version: `so:libc.musl-x86_64.so.1`, `musl>=1.2`.
    private static func plain(_ word: Substring) -> String {
        String(word.prefix { $0 != "=" && $0 != "<" && $0 != ">" && $0 != "~" })
    }
}
