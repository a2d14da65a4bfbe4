/// `Package.resolved`, versions 1 to 3.
struct SwiftResolved: Cataloger {
    let name = "swift-resolved"
    let selectors: [FileSelector] = [.name("Package.resolved")]

    func catalog(_ file: SourceFile, into catalog: inout Catalog) throws(ReadFault) {
        let root = try JSONReader.read(file.bytes()).root
        guard let pins = root["pins"] ?? root["object"]?["pins"], pins.isArray else { throw ReadFault("no \"pins\"") }
        for pin in pins.children {
            guard let location = pin["location"]?.string ?? pin["repositoryURL"]?.string else {
                throw ReadFault("a pin without its place")
            }
            guard let version = pin["state"]?["version"]?.string ?? pin["state"]?["revision"]?.string else {
                catalog.note("\(location) has no version")
                continue
            }
            if pin["kind"]?.string == "localSourceControl" {
                catalog.note("\(location) is a folder")
                continue
            }
            catalog.add(Package(.swift, name: Self.name(location), version: version))
        }
    }

    /// `github.com/apple/swift-nio`; a registry's identity (`mona.LinkedList`) stays as it is.
    private static func name(_ location: String) -> String {
        guard location.contains("/") else { return location }
        let lower = SwiftLocation.normalized(location)
        // Case counts in the path, only not for matching.
        let count = lower.count
        var written = location[...]
        while written.last == "/" { written.removeLast() }
        if written.hasSuffix(".git") { written.removeLast(4) }
        let tail = written.suffix(count)
        return tail.lowercased() == lower ? String(tail) : lower
    }
}
