import Foundation
import Testing

/// `scripts/run`, which is `make run`, on the programs that are built already and without a terminal.
@Suite(.serialized)
struct RunScriptTests {
    static func run(_ folder: TemporaryDirectory, _ environment: [String: String] = [:]) throws -> Programs.Output {
        try Programs.run(
            "/bin/bash", [Programs.root + "/scripts/run"],
            environment: [
                "IRONPOST_BIN": Programs.directory, "IRONPOST_RUN_DIR": folder.path + "/run",
                // The host's own logs may be many: the demonstration is what this is about.
                "IRONPOST_LOG_PIPELINE_FILE_INCLUDE": "\(folder.path)/there.log,\(folder.path)/absent.log",
            ].merging(environment) { $1 }
        )
    }

    /// Programs of ours that still run with this data directory.
    static func left(_ folder: TemporaryDirectory) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: "/proc").filter { Int($0) != nil }.compactMap { pid in
            guard let bytes = FileManager.default.contents(atPath: "/proc/\(pid)/cmdline") else { return nil }
            let line = String(decoding: bytes.map { $0 == 0 ? 0x20 : $0 }, as: UTF8.self)
            let name = URL(fileURLWithPath: folder.path).lastPathComponent
            return line.contains(name) ? line : nil
        }
    }

    @Test("starts, says what it watches and where it is, shows the demonstration's alerts, and ends with 0")
    func demonstration() throws {
        let folder = try TemporaryDirectory()
        _ = try folder.write("", to: "there.log")
        let begin = ContinuousClock.now
        let output = try Self.run(folder)
        print("scripts/run without a terminal took \(ContinuousClock.now - begin)")
        #expect(output.status == 0, "\(output.out)\n\(output.err)")
        let state = (folder.path + "/run").replacingOccurrences(of: "//", with: "/")
        for words in [
            "file \(folder.path)/there.log", "file \(folder.path)/absent.log", "not watching",
            "console   http://127.0.0.1:",
            "command   \(Programs.ironpost) --socket \(state)/control.sock alerts", "203.0.113.",
        ] {
            #expect(output.out.contains(words), "does not say \(words):\n\(output.out)")
        }
        #expect(
            !output.err.contains("IRONPOST_"), "the daemon takes the script's own variables for settings: \(output.err)"
        )
        #expect(try Self.left(folder).isEmpty)
        #expect(!FileManager.default.fileExists(atPath: folder.path + "/run/control.sock"))
        // Once more on the same state.
        let again = try Self.run(folder)
        #expect(again.status == 0, "\(again.out)\n\(again.err)")
    }

    @Test("takes another port when its own is taken")
    func portTaken() throws {
        let folder = try TemporaryDirectory()
        _ = try folder.write("", to: "there.log")
        // Taken by us, or by somebody else already.
        let listener = Listener(port: 9477)
        let output = try Self.run(folder)
        #expect(output.status == 0, "\(output.out)\n\(output.err)")
        #expect(output.out.contains("console   http://127.0.0.1:"), "\(output.out)")
        #expect(!output.out.contains("http://127.0.0.1:9477"), "\(output.out)")
        #expect(try Self.left(folder).isEmpty)
        withExtendedLifetime(listener) {}
    }

    @Test("fails when the demonstration's rule is missing, when nothing is built, and when the daemon cannot start")
    func failures() throws {
        let folder = try TemporaryDirectory()
        let rules = try folder.write(NumberedLines.rule, to: "rules/numbered.yml")
        let missing = try Self.run(folder, ["IRONPOST_DETECTION_RULES": rules])
        #expect(missing.status == 1, "\(missing.out)\n\(missing.err)")
        #expect(missing.err.contains("SSH Brute Force") || missing.err.contains("cb349d2d"), "\(missing.err)")
        #expect(try Self.left(folder).isEmpty)

        let unbuilt = try Self.run(folder, ["IRONPOST_BIN": folder.path])
        #expect(unbuilt.status == 1)
        #expect(unbuilt.err.contains("ironpost-daemon"), "\(unbuilt.err)")

        let broken = try Self.run(folder, ["IRONPOST_LOG_PIPELINE_BATCH_SIZE": "0"])
        #expect(broken.status == 1, "\(broken.out)\n\(broken.err)")
        #expect(broken.err.contains("batch_size"), "\(broken.err)")
        #expect(try Self.left(folder).isEmpty)
    }

    @Test("ended by a signal in the middle it takes the daemon along")
    func interrupted() throws {
        let folder = try TemporaryDirectory()
        let program = try folder.write(
            """
            #!/bin/bash
            export IRONPOST_BIN=\(Programs.directory) IRONPOST_RUN_DIR=\(folder.path)/run
            export IRONPOST_LOG_PIPELINE_FILE_INCLUDE=\(folder.path)/there.log
            exec /bin/bash \(Programs.root)/scripts/run

            """, to: "start"
        )
        let script = try Peer("/bin/bash", [program], log: folder.path + "/script.log")
        eventually("the daemon is there") { FileManager.default.fileExists(atPath: folder.path + "/run/control.sock") }
        script.end(SIGTERM)
        try eventually("nothing is left") { try Self.left(folder).isEmpty }
    }
}
