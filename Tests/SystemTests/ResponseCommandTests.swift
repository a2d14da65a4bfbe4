import Foundation
import Testing

/// The commands of the response against the built daemon, as somebody uses them who has never seen its inside.
struct ResponseCommandTests {
    private static func object(_ output: Programs.Output) -> [String: Any] {
        (try? JSONSerialization.jsonObject(with: Data(output.out.utf8))) as? [String: Any] ?? [:]
    }

    private static func list(_ output: Programs.Output, _ name: String) -> [[String: Any]] {
        object(output)[name] as? [[String: Any]] ?? []
    }

    private static func failure(_ address: String) -> String {
        "Nov 25 10:00:00 host sshd[7]: Failed password for root from \(address) port 22 ssh2\n"
    }

    private struct Bench {
        let folder: TemporaryDirectory
        let daemon: DaemonProcess

        init(mode: String) throws {
            folder = try TemporaryDirectory()
            _ = try folder.write("", to: "auth.log")
            daemon = DaemonProcess(
                data: folder.path + "/data",
                settings: [
                    "log_pipeline.file.include=\(folder.path)/auth.log", "detection.rules=\(Programs.root)/rules",
                    "detection.dedup_window=0", "detection.rate_limit_per_rule=0", "response.mode=\(mode)",
                    "log_pipeline.file.start_at=beginning",
                ])
            try daemon.start()
        }

        func attack(_ address: String, failures: Int = 5) throws {
            let handle = try #require(FileHandle(forWritingAtPath: folder.path + "/auth.log"))
            handle.seekToEndOfFile()
            handle.write(Data(String(repeating: ResponseCommandTests.failure(address), count: failures).utf8))
            try handle.close()
        }

        func actions(_ state: String) throws -> [[String: Any]] {
            ResponseCommandTests.list(try daemon.ironpost("-o", "json", "actions", "--state", state), "actions")
        }
    }

    /// Noise: the report names the rule and the silence that fits; with it nothing of it is stored, and it is counted.
    @Test func theReportOfNoiseLeadsToASilenceThatWorks() throws {
        let bench = try Bench(mode: "observe")
        try bench.attack("203.0.113.7")
        func alerts() throws -> [[String: Any]] {
            Self.list(try bench.daemon.ironpost("-o", "json", "alerts"), "alerts")
        }
        func hasBruteForce(_ address: String) throws -> Bool {
            try alerts().contains { $0["title"] as? String == "SSH Brute Force" && $0["src_ip"] as? String == address }
        }
        eventually("an alert") { (try? hasBruteForce("203.0.113.7")) == true }
        let report = try bench.daemon.ironpost("-o", "json", "alerts", "noisy")
        let noisy = Self.list(report, "rules")
        let rule = try #require(noisy.first { $0["title"] as? String == "SSH Brute Force" }, "\(report.out)")
        let silence = try #require(rule["silence"] as? String)
        // As it stands there, it can be typed.
        let added = try Programs.run(
            "/bin/sh",
            [
                "-c",
                "exec \(Programs.ironpost) --socket \(bench.daemon.data)/control.sock "
                    + silence.replacing("ironpost ", with: "", maxReplacements: 1),
            ])
        #expect(added.status == 0, "\(silence): \(added.err)")
        let before = try alerts().count { $0["title"] as? String == "SSH Brute Force" }
        try bench.attack("203.0.113.7", failures: 10)
        func kept() throws -> Int {
            Self.list(try bench.daemon.ironpost("-o", "json", "silence", "list"), "silences")
                .compactMap { $0["suppressed"] as? Int }.reduce(0, +)
        }
        eventually("it is counted") { ((try? kept()) ?? 0) > 0 }
        #expect(try alerts().count { $0["title"] as? String == "SSH Brute Force" } == before)
        let status = Self.object(try bench.daemon.ironpost("-o", "json", "status"))
        let hops = status["ledger"] as? [String: [String: Any]]
        #expect(((hops?["alert"]?["dropped"] as? [String: Int])?["silenced"] ?? 0) > 0, "\(hops ?? [:])")
        let all = try bench.daemon.ironpost("silence", "add", "--for", "1h")
        #expect(all.status == 2, "\(all.err)")
        let id = try #require(
            Self.list(try bench.daemon.ironpost("-o", "json", "silence", "list"), "silences").first?["id"] as? String)
        #expect(try bench.daemon.ironpost("silence", "remove", id).status == 0)
        try bench.attack("203.0.113.8")
        eventually("it is heard again") { (try? hasBruteForce("203.0.113.8")) == true }
    }

    /// What is only asked is answered once: approved, refused by a guardrail, or taken back.
    @Test func askedActionsWaitForAPerson() throws {
        let bench = try Bench(mode: "ask")
        try bench.attack("203.0.113.7")
        try bench.attack("203.0.113.8")
        eventually("two proposals") { ((try? bench.actions("proposed").count) ?? 0) == 2 }
        let proposed = try bench.actions("proposed")
        func id(_ address: String) throws -> String {
            try #require(proposed.first { $0["target"] as? String == address }?["id"] as? String)
        }
        let refused = try bench.daemon.ironpost("actions", "undo", id("203.0.113.8"))
        #expect(refused.status == 0, "\(refused.err)")
        #expect(try bench.actions("undone").map { $0["target"] as? String } == ["203.0.113.8"])
        let late = try bench.daemon.ironpost("actions", "approve", id("203.0.113.8"))
        #expect(late.status == 1, "\(late.err)")
        // Somebody allows the address meanwhile: the approval comes to nothing, and says why.
        #expect(try bench.daemon.ironpost("allow", "add", "203.0.113.0/28").status == 0)
        let withheld = try bench.daemon.ironpost("actions", "approve", id("203.0.113.7"))
        #expect(withheld.status == 1 && withheld.err.contains("allow"), "\(withheld.err)")
        #expect(try bench.actions("done").isEmpty)
    }

    /// A list is one action; what must not be blocked is left out of it and named; one bad line leaves nothing behind.
    @Test func aListIsTakenWholeOrNotAtAll() throws {
        let bench = try Bench(mode: "observe")
        let list = try bench.folder.write("203.0.113.7\n127.0.0.1\n198.51.100.0/24\n", to: "list.txt")
        let taken = try bench.daemon.ironpost("block", "import", list, "--ttl", "1h", "-o", "json")
        let outcome = Self.object(taken)
        #expect(taken.status == 0 && outcome["count"] as? Int == 2, "\(taken.out)\(taken.err)")
        #expect(taken.err.contains("127.0.0.1") && taken.err.contains("not in force"), "\(taken.err)")
        let blocks = Self.list(try bench.daemon.ironpost("-o", "json", "block", "list"), "blocks")
        #expect(Set(blocks.compactMap { $0["cidr"] as? String }) == ["203.0.113.7", "198.51.100.0/24"])
        let bad = try bench.folder.write("203.0.113.9\nexample.org\n", to: "bad.txt")
        let refused = try bench.daemon.ironpost("block", "import", bad)
        #expect(refused.status == 1 && refused.err.contains("bad.txt:2:"), "\(refused.err)")
        #expect(Self.list(try bench.daemon.ironpost("-o", "json", "block", "list"), "blocks").count == 2)
        for (file, why) in [(list + ".none", "No such file or directory"), ("/dev/zero", "larger than")] {
            let unread = try bench.daemon.ironpost("block", "import", file)
            #expect(unread.status == 10 && unread.err.contains("cannot read \(file): \(why)"), "\(unread.err)")
        }
        let flushed = try bench.daemon.ironpost("block", "flush")
        #expect(flushed.status == 0, "\(flushed.err)")
        #expect(Self.list(try bench.daemon.ironpost("-o", "json", "block", "list"), "blocks").isEmpty)
    }
}
