import Foundation
import Testing

/// What tells the daemon what to do is refused when somebody else could have written it, with the command that mends it.
@Suite(.serialized, .enabled(if: geteuid() == 0, "needs root, to give files to others"))
struct TrustTests {
    struct Spoiling: Sendable, CustomTestStringConvertible {
        var name: String
        var path: String
        var owner: UInt32?
        var mode: mode_t
        /// What mends it, before the path.
        var remedy: String

        var testDescription: String { name }
    }

    static let spoilings = [
        Spoiling(name: "file of another's", path: "rules/own.yml", owner: 12345, mode: 0o644, remedy: "chown root"),
        Spoiling(name: "file for everybody", path: "rules/own.yml", owner: nil, mode: 0o666, remedy: "chmod go-w"),
        Spoiling(name: "file for a group", path: "rules/own.yml", owner: nil, mode: 0o664, remedy: "chmod g-w"),
        Spoiling(name: "directory of another's", path: "rules", owner: 12345, mode: 0o755, remedy: "chown root"),
        Spoiling(name: "directory for everybody", path: "rules", owner: nil, mode: 0o777, remedy: "chmod go-w"),
        Spoiling(name: "directory for a group", path: "rules", owner: nil, mode: 0o775, remedy: "chmod g-w"),
    ]

    static func rule(_ name: String) -> String {
        "title: Rule \(name)\nlevel: low\nlogsource:\n    product: linux\n"
            + "detection:\n    selection:\n        program: \(name)\n    condition: selection\n"
    }

    /// Group 12346: nobody's private one.
    static func spoil(_ folder: TemporaryDirectory, _ spoiling: Spoiling) {
        let path = folder.path + "/" + spoiling.path
        _ = unsafe chown(path, spoiling.owner ?? 0, 12346)
        unsafe chmod(path, spoiling.mode)
    }

    @Test("rules are refused, the command mends them, and a reload takes them then", arguments: spoilings)
    func rules(_ spoiling: Spoiling) throws {
        let folder = try TemporaryDirectory()
        _ = try folder.write(Self.rule("own"), to: "rules/own.yml")
        _ = try folder.write(Self.rule("fine"), to: "other/fine.yml")
        Self.spoil(folder, spoiling)
        let daemon = DaemonProcess(
            data: folder.path + "/data",
            settings: [
                "log_pipeline.file.include=/nowhere/*", "detection.rules=\(folder.path)/rules,\(folder.path)/other",
            ])
        try daemon.start()
        func inForce() throws -> String {
            try daemon.ironpost("status", "-v").out.split(separator: "\n").first { $0.hasPrefix("  rules ") }
                .map(String.init) ?? ""
        }
        // The other directory's rule is in force.
        #expect(try inForce().contains("1 in force, 1 rejected"))
        let command = "\(spoiling.remedy) \(folder.path)/\(spoiling.path)"
        let line = daemon.log.split(separator: "\n").first { $0.contains("run: ") } ?? ""
        let plain = line.replacingOccurrences(of: "\\/", with: "/")
        #expect(plain.contains("run: \(command)"), "\(plain)")
        let mended = try Programs.run("/bin/sh", ["-c", command])
        #expect(mended.status == 0, "\(mended.err)")
        #expect(try daemon.ironpost("reload").status == 0)
        #expect(try inForce().contains("2 in force") && !inForce().contains("rejected"))
        #expect(daemon.end() == 0)
    }

    @Test("the configuration is refused, at the start and at a reload", arguments: spoilings)
    func configuration(_ spoiling: Spoiling) throws {
        let folder = try TemporaryDirectory()
        let port = HTTPGet.freePort()
        let text =
            "[general]\ndata_dir = \"\(folder.path)/data\"\n[http]\nlisten = \"127.0.0.1:\(port)\"\n"
            + "[log_pipeline]\nsources = [\"file\"]\n"
        let file = try folder.write(text, to: "rules/own.yml")
        let daemon = DaemonProcess(data: folder.path + "/data", configuration: file)
        try daemon.launch()
        eventually("it runs") { (try? daemon.ironpost("status").status) == 0 }
        Self.spoil(folder, spoiling)
        let reload = try daemon.ironpost("reload")
        let command = "\(spoiling.remedy) \(folder.path)/\(spoiling.path)"
        #expect(reload.status == 2)
        #expect((reload.err + reload.out).contains(command), "\(reload.err)\(reload.out)")
        #expect(daemon.end() == 0)
        let refused = try Programs.run(Programs.daemon, ["-c", file])
        #expect(refused.status == 2)
        #expect(refused.err.contains(command), "\(refused.err)")
    }

    @Test("policies are refused, with the rest of the reload", arguments: spoilings)
    func policies(_ spoiling: Spoiling) throws {
        let folder = try TemporaryDirectory()
        let policy = """
            id = "p"
            name = "Watch"
            severity_threshold = "high"
            [action]
            type = "block"
            """
        _ = try folder.write(policy, to: "policies/own.toml")
        var there = spoiling
        there.path = spoiling.path == "rules" ? "policies" : "policies/own.toml"
        Self.spoil(folder, there)
        let daemon = DaemonProcess(
            data: folder.path + "/data",
            settings: ["log_pipeline.file.include=/nowhere/*", "response.policy_path=\(folder.path)/policies"])
        try daemon.launch()
        eventually("the policies are refused, with the command") {
            daemon.log.replacingOccurrences(of: "\\/", with: "/")
                .contains("\(there.remedy) \(folder.path)/\(there.path)")
        }
    }
}
