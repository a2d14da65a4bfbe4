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
        let output = try Tool.run(
            // Left out otherwise.
            "SYFT_JAVASCRIPT_INCLUDE_DEV_DEPENDENCIES=true",
            [Self.syft ?? "syft", "scan", "-q", "dir:" + directory, "-o", "syft-json"])
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

    private func own(_ directory: String) throws -> Set<String> {
        let inventory = Inventory([try Scanner.scan(directory)])
        return Set(inventory.components.map { "\($0.package.name)@\($0.package.version)" })
    }

    /// Says how far two sets are from each other, whatever comes of it.
    private func difference(_ what: String, _ own: Set<String>, _ peers: Set<String>) -> Set<String> {
        let difference = own.symmetricDifference(peers)
        let share = Double(difference.count * 100) / Double(max(own.union(peers).count, 1))
        print(
            "\(what): \(own.count) packages, syft \(peers.count), \(difference.count) differ (\(String(format: "%.2f", share)) %): "
                + difference.sorted().prefix(5).joined(separator: ", "))
        #expect(share <= 0.5, "\(what)")
        return difference
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
        let difference = try difference(project, own(directory), peers(directory))
        #expect(difference.subtracting(explained).isEmpty)
    }

    @Test(
        "npm: syft counts the project itself, which no registry knows",
        .enabled(if: Corpus.isPresent && syft != nil, "needs the corpus and syft")
    )
    func npm() throws {
        let folder = try Folder()
        try folder.write(
            "package-lock.json", String(contentsOfFile: Corpus.lockfiles + "/saleor/package-lock.json", encoding: .utf8)
        )
        let difference = try difference("saleor", own(folder.path), peers(folder.path))
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
        if Self.syft != nil { #expect(try difference("dpkg", found, peers(folder.path)).isEmpty) }
    }
}
