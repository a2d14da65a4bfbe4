import Foundation
import Testing

/// Packages that change under a running daemon: a finding in the store, and one alert.
@Suite(.serialized)
struct PackageChangeTests {
    private static let tools = ["apt-get", "dpkg", "dpkg-deb"]
    static var hasTools: Bool { geteuid() == 0 && tools.allSatisfy { Programs.find($0) != nil } }

    private func advisory(_ id: String, _ ecosystem: String, _ name: String, fixed: String) -> String {
        #"{"id": "\#(id)", "modified": "2024-01-01T00:00:00Z", "summary": "s", "affected": [{"package": {"ecosystem": "\#(ecosystem)", "name": "\#(name)"}, "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "\#(fixed)"}]}]}]}"#
    }

    private func lockfile(_ version: String) -> String {
        #"{"lockfileVersion": 3, "packages": {"": {}, "node_modules/left": {"version": "\#(version)"}}}"#
    }

    /// A root file system with what apt and dpkg need to keep their books in it.
    private func makeRoot(_ folder: TemporaryDirectory) throws -> String {
        let root = folder.path + "/root"
        for name in [
            "var/lib/dpkg/info", "var/lib/dpkg/updates", "var/lib/apt/lists/partial", "var/cache/apt/archives/partial",
            "var/log/apt", "etc/apt/sources.list.d", "etc/apt/preferences.d", "tmp",
        ] {
            try FileManager.default.createDirectory(atPath: root + "/" + name, withIntermediateDirectories: true)
        }
        _ = try folder.write("", to: "root/var/lib/dpkg/status")
        _ = try folder.write("", to: "root/etc/apt/sources.list")
        _ = try folder.write("ID=debian\nVERSION_ID=12\n", to: "root/etc/os-release")
        return root
    }

    private func makePackage(_ folder: TemporaryDirectory, version: String) throws -> String {
        let tree = "package-\(version)"
        _ = try folder.write("proof\n", to: tree + "/usr/share/ironpost-proof/file")
        _ = try folder.write(
            "Package: ironpost-proof\nSource: proofsource (\(version))\nVersion: \(version)+b1\nArchitecture: all\n"
                + "Maintainer: Nobody <nobody@example.org>\nDescription: nothing\n", to: tree + "/DEBIAN/control")
        let path = folder.path + "/\(version).deb"
        let built = try Programs.run(
            try #require(Programs.find("dpkg-deb")), ["--build", "--root-owner-group", folder.path + "/" + tree, path])
        #expect(built.status == 0, "\(built.err)")
        return path
    }

    private func install(_ package: String, in root: String) throws {
        let done = try Programs.run(
            try #require(Programs.find("apt-get")),
            [
                "-y", "-q", "-o", "Dir=\(root)", "-o", "Dir::State::status=\(root)/var/lib/dpkg/status",
                "-o", "Dir::Bin::dpkg=/usr/bin/dpkg", "-o", "Dir::Bin::methods=/usr/lib/apt/methods",
                "-o", "DPkg::Options::=--root=\(root)", "-o", "DPkg::Options::=--force-script-chrootless",
                "-o", "APT::Sandbox::User=root", "install", package,
            ], environment: ["DEBIAN_FRONTEND": "noninteractive"])
        #expect(done.status == 0, "\(done.out)\(done.err)")
    }

    @Test(
        "apt-get install in a root, a changed lockfile, a new advisory: stored and told once each",
        .enabled(if: hasTools, "needs apt and dpkg, as root"))
    func changes() throws {
        let folder = try TemporaryDirectory()
        let root = try makeRoot(folder)
        let database = folder.path + "/vulndb"
        let lock = try folder.write(lockfile("2.0.0"), to: "project/package-lock.json")
        let vulnerable = try makePackage(folder, version: "1.0-1")
        let mended = try makePackage(folder, version: "1.0-2")
        func importing(_ id: String, _ record: String) throws {
            let file = try folder.write(record, to: "\(id).json")
            let done = try Programs.run(Programs.ironpost, ["vulndb", "import", file, "--db", database])
            #expect(done.status == 0, "\(done.err)")
        }
        try importing("DSA-1", advisory("DSA-1", "Debian:12", "proofsource", fixed: "1.0-2"))
        try importing("GHSA-1", advisory("GHSA-1", "npm", "left", fixed: "1.5.0"))

        let daemon = DaemonProcess(
            data: folder.path + "/data",
            settings: [
                "sbom.enabled=true", "sbom.scan_dirs=\(root),\(folder.path)/project", "sbom.vuln_db_path=\(database)",
                "sbom.scan_interval=1h", "sbom.min_severity=info",
            ])
        func state(_ advisory: String) throws -> String {
            try daemon.sql("select state from findings where advisory = cast('\(advisory)' as blob)")
        }
        func told() throws -> Int {
            let list = try daemon.ironpost("alerts", "list", "--rule", "sbom_vuln_scan", "-o", "json")
            let object = try JSONSerialization.jsonObject(with: Data(list.out.utf8)) as? [String: Any]
            return try #require(object?["total"] as? Int)
        }
        /// How long ago that was when the finding was made.
        func delay(_ advisory: String, since path: String) throws -> Int {
            var status = stat()
            guard unsafe stat(path, &status) == 0 else { return -1 }
            let changed = Int(status.st_mtim.tv_sec) * 1_000_000_000 + Int(status.st_mtim.tv_nsec)
            let seen = try daemon.count(
                "select first_seen from findings where advisory = cast('\(advisory)' as blob)")
            return (seen - changed) / 1_000_000
        }

        try daemon.start()
        eventually("both places are known") {
            let status = (try? daemon.ironpost("status", "-v").out) ?? ""
            return status.contains("\(root): 0 packages") && status.contains("/project: 1 packages")
        }
        #expect(try daemon.count("select count(*) from findings") == 0)

        try install(vulnerable, in: root)
        try eventually("what was installed is found") { try state("DSA-1") == "seen" }
        let first = try delay("DSA-1", since: root + "/var/lib/dpkg/status")

        try lockfile("1.0.0").write(toFile: lock, atomically: true, encoding: .utf8)
        try eventually("the changed lockfile is found") { try state("GHSA-1") == "seen" }
        let second = try delay("GHSA-1", since: lock)

        try importing("GHSA-2", advisory("GHSA-2", "npm", "left", fixed: "1.2.0"))
        try eventually("the new advisory is found") { try state("GHSA-2") == "seen" }
        let third = try delay("GHSA-2", since: database + "/osv.index")
        print("found \(first) ms after apt-get, \(second) ms after the lockfile, \(third) ms after the advisory")
        #expect(try told() == 3)

        // The fix is installed: over, and nothing more is told, also after the next start.
        try install(mended, in: root)
        try eventually("the fix is seen") { try state("DSA-1") == "fixed" }
        #expect(daemon.end() == 0)
        try daemon.start()
        eventually("both places are known again") {
            ((try? daemon.ironpost("status", "-v").out) ?? "").contains("/project: 1 packages")
        }
        #expect(try told() == 3)
        #expect(try daemon.count("select count(*) from findings") == 3)
        #expect(daemon.end() == 0)
    }
}
