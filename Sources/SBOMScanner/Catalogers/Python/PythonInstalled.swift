/// What pip and others installed: `*.dist-info/METADATA`, `*.egg-info/PKG-INFO`, `*.egg-info`.
struct PythonInstalled: Cataloger {
    let name = "python-installed"
    let selectors: [FileSelector] = [.name("METADATA"), .name("PKG-INFO"), .affixes("", ".egg-info")]

    /// Names and versions stand at the top; descriptions may be long.
    private static let headerBytesMax = 1 << 20

    func catalog(_ file: SourceFile, into catalog: inout Catalog) throws(ReadFault) {
        let parts = file.path.split(separator: "/")
        if file.name == "METADATA" || file.name == "PKG-INFO" {
            guard parts.count > 1 else { return }
            let folder = parts[parts.count - 2]
            guard folder.hasSuffix(".dist-info") || folder.hasSuffix(".egg-info") || folder == "EGG-INFO" else {
                return
            }
        }
        let bytes = try file.bytes(at: 0, count: min(file.size, Self.headerBytesMax))
        var name: String?
        var version: String?
        var license: String?
        for line in Lines(bytes) {
            if line.isEmpty { break }
            if let value = line.after("Name:") { name = name ?? value.trimmed.text }
            if let value = line.after("Version:") { version = version ?? value.trimmed.text }
            if let value = line.after("License-Expression:") { license = value.trimmed.text }
            if license == nil, let value = line.after("License:"), value.trimmed.count < 100 {
                license = value.trimmed.text
            }
        }
        guard let name, let version, !name.isEmpty, !version.isEmpty else { throw ReadFault("no name or no version") }
        catalog.add(
            Package(
                .pypi, name: name, version: version, state: .installed,
                license: license.flatMap { $0.isEmpty || $0 == "UNKNOWN" ? nil : $0 }
            )
        )
    }
}
