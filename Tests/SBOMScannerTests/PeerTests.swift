import Foundation
import IronpostCore
import SBOMScanner
import Testing

/// Package sets beside syft's, on real lockfiles and a real dpkg database. `make bench` installs syft.
struct PeerTests {
    static let syft: String? = {
        let own = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent(".build/venv/bin/syft").path
        return Tool.isInstalled(own) ? own : nil
    }()

    private func peers(_ directory: String) throws -> Set<String> {
        let output = try Tool.run(Self.syft ?? "syft", ["scan", "-q", "dir:" + directory, "-o", "syft-json"])
        let root = try JSONSerialization.jsonObject(with: Data(output.utf8)) as? [String: Any]
        return Set(
            (root?["artifacts"] as? [[String: Any]] ?? []).map { artifact in
                var version = artifact["version"] as? String ?? ""
                // syft keeps a gem's platform in its version; the package URL specification has a qualifier for it.
                if artifact["type"] as? String == "gem" { version = String(version.prefix { $0 != "-" }) }
                return "\(artifact["name"] as? String ?? "")@\(version)"
            }
        )
    }

    private func own(_ directory: String, withDevelopment: Bool = true) throws -> Set<String> {
        let inventory = Inventory([try Scanner.scan(directory)])
        return Set(
            inventory.components.map(\.package).filter { withDevelopment || $0.scope != .development }
                .map { "\($0.name)@\($0.version)" }
        )
    }

    @Test(
        "the same packages as syft", .enabled(if: Corpus.isPresent && syft != nil, "needs the corpus and syft"),
        arguments: ["nushell", "prometheus", "rubygems.org"]
    )
    func lockfiles(_ project: String) throws {
        let directory = Corpus.lockfiles + "/" + project
        // `exclude` names one version, and `replace` asks for nothing (Go modules reference): syft 1.18 takes the first for
        // every version and the second for a requirement.
        let explained: Set<String> =
            project == "prometheus"
            ? [
                "cloud.google.com/go@v0.123.0", "google.golang.org/api@v0.290.0",
                "github.com/linode/linodego@v1.69.1",
            ] : []
        #expect(try own(directory).symmetricDifference(peers(directory)).subtracting(explained).isEmpty)
    }

    @Test(
        "npm: syft leaves out what is for development, and counts the project itself",
        .enabled(if: Corpus.isPresent && syft != nil, "needs the corpus and syft")
    )
    func npm() throws {
        let folder = try Folder()
        try folder.write(
            "package-lock.json", String(contentsOfFile: Corpus.lockfiles + "/saleor/package-lock.json", encoding: .utf8)
        )
        let difference = try own(folder.path, withDevelopment: false).symmetricDifference(peers(folder.path))
        #expect(difference.count <= 1, "\(difference)")
    }

    @Test(
        "dpkg: the packages of this host, as syft and dpkg-query name them",
        .enabled(if: Tool.isInstalled("dpkg-query"), "needs dpkg"))
    func dpkg() throws {
        let folder = try Folder()
        let status = try Data(contentsOf: URL(fileURLWithPath: "/var/lib/dpkg/status"))
        try folder.write("var/lib/dpkg/status", Array(status))
        try folder.write("etc/os-release", "ID=debian\nVERSION_ID=12\n")
        let installed = try Tool.run("dpkg-query", ["-W", "-f", "${db:Status-Status} ${Package}@${Version}\n"])
            .split(separator: "\n").filter { $0.hasPrefix("installed ") }.map { String($0.dropFirst(10)) }
        let found = try own(folder.path)
        #expect(found == Set(installed))
        if Self.syft != nil { #expect(try found == peers(folder.path)) }
    }
}
