/// `pom.xml` and `*.pom`: dependencies with an exact version, after the file's own properties and management are
/// applied. A range, or a version that only a parent elsewhere knows, is noted.
struct MavenPom: Cataloger {
    let name = "maven-pom"
    let selectors: [FileSelector] = [.name("pom.xml"), .affixes("", ".pom")]

    private static let bytesMax = 16 << 20
    /// Properties that name properties.
    private static let rounds = 8

    func catalog(_ file: SourceFile, into catalog: inout Catalog) throws(ReadFault) {
        let project = try XMLReader.read(file.bytes(max: Self.bytesMax))
        guard project.name == "project" else { throw ReadFault("not a project") }
        var properties: [String: String] = [:]
        for property in project["properties"]?.children ?? [] {
            properties[property.name] = project["properties"]?.value(property.name)
        }
        let parent = project["parent"]
        for name in ["groupId", "artifactId", "version"] {
            let value = project.value(name) ?? parent?.value(name)
            properties["project." + name] = value
            properties["pom." + name] = value
            properties["project.parent." + name] = parent?.value(name)
        }
        var managed: [String: String] = [:]
        for dependency in project["dependencyManagement"]?["dependencies"]?.children ?? [] {
            guard let key = Self.key(dependency, properties), let version = dependency.value("version") else {
                continue
            }
            managed[key] = Self.resolve(version, properties)
        }
        for dependency in project["dependencies"]?.children ?? [] where dependency.name == "dependency" {
            guard let key = Self.key(dependency, properties) else {
                catalog.note("a dependency without groupId or artifactId")
                continue
            }
            let written = dependency.value("version").map { Self.resolve($0, properties) } ?? managed[key]
            guard let version = written, let exact = Self.exact(version) else {
                catalog.note(
                    "\(key): \(written.map { "\($0) is no exact version" } ?? "its version is not in this file")")
                continue
            }
            var scope = Package.Scope.required
            if dependency.value("optional") == "true" { scope = .optional }
            if dependency.value("scope") == "test" { scope = .development }
            catalog.markDirect(catalog.add(Package(.maven, name: key, version: exact, scope: scope)))
        }
    }

    private static func key(_ dependency: XMLElement, _ properties: [String: String]) -> String? {
        guard let group = dependency.value("groupId"), let artifact = dependency.value("artifactId") else { return nil }
        return resolve(group, properties) + ":" + resolve(artifact, properties)
    }

    /// `[1.0]` means exactly 1.0; other brackets are ranges.
    private static func exact(_ version: String) -> String? {
        guard !version.isEmpty, !version.contains("${"), version != "LATEST", version != "RELEASE" else { return nil }
        if version.hasPrefix("["), version.hasSuffix("]"), !version.contains(",") {
            return String(version.dropFirst().dropLast())
        }
        return version.contains { "[](),".contains($0) } ? nil : version
    }

    private static func resolve(_ text: String, _ properties: [String: String]) -> String {
        var text = text
        for _ in 0..<rounds {
            guard let next = resolveOnce(text, properties), next.utf8.count < 4096 else { return text }
            text = next
        }
        return text
    }

    /// With its first property replaced; `nil` when there is none that is known.
    private static func resolveOnce(_ text: String, _ properties: [String: String]) -> String? {
        var place = text.startIndex
        while place < text.endIndex {
            if text[place...].hasPrefix("${"), let end = text[place...].firstIndex(of: "}") {
                let name = String(text[text.index(place, offsetBy: 2)..<end])
                if let value = properties[name] { return text[..<place] + value + text[text.index(after: end)...] }
            }
            place = text.index(after: place)
        }
        return nil
    }
}

/// `gradle.lockfile`.
struct GradleLockfile: Cataloger {
    let name = "gradle-lockfile"
    let selectors: [FileSelector] = [.affixes("", "gradle.lockfile"), .name("buildscript-gradle.lockfile")]

    func catalog(_ file: SourceFile, into catalog: inout Catalog) throws(ReadFault) {
        var lines = Lines(try file.bytes())
        while let line = lines.next() {
            guard let first = line.first, first != 0x23 else { continue }
            let halves = line.text.split(separator: "=", maxSplits: 1)
            guard let coordinates = halves.first, coordinates != "empty" else { continue }
            let parts = coordinates.split(separator: ":")
            guard parts.count == 3 else { throw ReadFault("group:artifact:version was expected", line: lines.number) }
            let configurations = halves.count > 1 ? halves[1].split(separator: ",") : []
            let isTest = !configurations.isEmpty && configurations.allSatisfy { $0.lowercased().contains("test") }
            catalog.add(
                Package(
                    .maven, name: "\(parts[0]):\(parts[1])", version: String(parts[2]),
                    scope: isTest ? .development : .required
                )
            )
        }
    }
}
