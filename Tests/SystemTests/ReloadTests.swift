import Foundation
import Testing

/// A new configuration is taken whole or not at all, and nothing is lost meanwhile.
@Suite(.serialized)
struct ReloadTests {
    /// The daemon with a file of its own instead of `--set`.
    static func configuration(_ folder: TemporaryDirectory, port: Int, extra: String = "") -> String {
        """
        [general]
        data_dir = "\(folder.path)/data"
        [http]
        listen = "127.0.0.1:\(port)"
        [log_pipeline]
        sources = ["file"]
        [log_pipeline.file]
        include = ["\(folder.path)/[ano]*.log"]
        [detection]
        rules = ["\(folder.path)/rules"]
        dedup_window = 0
        rate_limit_per_rule = 0
        \(extra)
        """
    }

    static func generation(_ daemon: DaemonProcess) throws -> Int {
        let status = try daemon.ironpost("status", "-o", "json")
        let object = try JSONSerialization.jsonObject(with: Data(status.out.utf8)) as? [String: Any]
        return object?["generation"] as? Int ?? -1
    }

    @Test(
        "a hundred reloads under 5,000 lines/s, half of them broken: no line lost, nothing grows, attacks still alert")
    func reloads() throws {
        let folder = try TemporaryDirectory()
        _ = try folder.write(NumberedLines.rule, to: "rules/numbered.yml")
        _ = try folder.write(
            """
            title: Attack
            id: 11111111-2222-4333-8444-666666666666
            level: high
            logsource:
                product: linux
            detection:
                selection:
                    program: attacker
                condition: selection
            """, to: "rules/attack.yml")
        let log = try LogFile(folder.path + "/numbers.log")
        let attacks = try LogFile(folder.path + "/attacks.log")
        let file = folder.path + "/ironpost.toml"
        let daemon = DaemonProcess(data: folder.path + "/data", configuration: file)
        let good = Self.configuration(folder, port: daemon.port)
        _ = try folder.write(good, to: "ironpost.toml")
        try daemon.start()
        let writer = RobustnessTests.Writer(to: log, perSecond: 5000)
        let rounds = RobustnessTests.isDeep ? 1000 : 100
        let broken = [
            "[general", "[nonsense]\nx = 1\n", good + "\n[ebpf]\nmode = \"furious\"\n",
            good.replacingOccurrences(of: "dedup_window = 0", with: "dedup_window = \"soon\""),
            good.replacingOccurrences(of: "/rules\"", with: "/no-such-rules\""),
            good.replacingOccurrences(of: "/data\"", with: "/elsewhere\""),
        ]
        var generation = 1
        var descriptors: [Int] = []
        var memory: [Int] = []
        for round in 0..<rounds {
            if round % 2 == 0 {
                let changed = good.replacingOccurrences(
                    of: "rate_limit_per_rule = 0",
                    with: "rate_limit_per_rule = 0\ncorrelation_groups_max = \(1000 + round)"
                )
                _ = try folder.write(changed, to: "ironpost.toml")
                let result = try daemon.ironpost("reload")
                #expect(result.status == 0, "\(result.err)")
                #expect(result.out.contains("correlation_groups_max"), "\(result.out)")
                generation += 1
            } else {
                _ = try folder.write(broken[round / 2 % broken.count], to: "ironpost.toml")
                let result = try daemon.ironpost("reload")
                #expect(result.status == 2, "round \(round): \(result.out)\(result.err)")
                #expect(!result.err.isEmpty)
                if round % 10 == 1 {
                    attacks.append("2026-11-23T01:22:37+00:00 host attacker[7]: number attack \(round)")
                    try eventually("an attack alerts after a broken reload", within: .seconds(60)) {
                        // By the index: hundreds of thousands of others are there by then.
                        try daemon.count(
                            "select count(*) from alerts where severity = 3 "
                                + "and json_extract(record, '$.evidence.raw') like '%number attack \(round)'"
                        ) == 1
                    }
                }
            }
            if round % 10 == 0 {
                #expect(try Self.generation(daemon) == generation)
                descriptors.append(try FileManager.default.contentsOfDirectory(atPath: "/proc/\(daemon.pid)/fd").count)
                memory.append(daemon.residentKilobytes)
            }
        }
        let total = writer.stop()
        try eventually("every line is stored", within: .seconds(RobustnessTests.isDeep ? 600 : 120)) {
            try daemon.count(
                "select count(distinct json_extract(record, '$.evidence.raw')) from alerts where rule_id like '%5555' "
                    + "and json_extract(record, '$.evidence.raw') not like '%attack%'"
            ) == total
        }
        let rows = try daemon.count("select count(*) from alerts where rule_id like '%5555'")
        print("reloaded \(rounds) times: \(total) lines, \(rows) alerts, descriptors \(descriptors), kB \(memory)")
        #expect(try Self.generation(daemon) == generation)
        #expect((descriptors.max() ?? 0) - (descriptors.first ?? 0) <= 4, "\(descriptors)")
        if let middle = memory.dropFirst(memory.count / 2).first, let last = memory.last {
            #expect(last < middle * 3 / 2, "memory grows: \(memory)")
        }
        #expect(daemon.end() == 0)
    }

    @Test("SIGHUP takes new rules, a dry run takes nothing, sources come and go")
    func sources() throws {
        let folder = try TemporaryDirectory()
        _ = try folder.write(NumberedLines.rule, to: "rules/numbered.yml")
        let one = try LogFile(folder.path + "/one.log")
        let daemon = DaemonProcess(data: folder.path + "/data", configuration: folder.path + "/ironpost.toml")
        let good = Self.configuration(folder, port: daemon.port)
        _ = try folder.write(good, to: "ironpost.toml")
        try daemon.start()
        one.append(NumberedLines.line(1))
        try eventually("the first alert") { try daemon.count("select count(*) from alerts") == 1 }

        // Another source, over the same socket path as none before.
        let udp = HTTPGet.freePort()
        _ = try folder.write(
            good.replacingOccurrences(of: "sources = [\"file\"]", with: "sources = [\"file\", \"syslog\"]")
                .replacingOccurrences(
                    of: "[log_pipeline.file]",
                    with: "[log_pipeline.syslog]\nudp = \"127.0.0.1:\(udp)\"\ntcp = \"\"\n[log_pipeline.file]"
                ), to: "ironpost.toml"
        )
        let dry = try daemon.ironpost("reload", "--dry-run", "-o", "json")
        #expect(dry.status == 0 && dry.out.contains("log_pipeline.sources"), "\(dry.out)\(dry.err)")
        #expect(try Self.generation(daemon) == 1)
        let done = try daemon.ironpost("reload")
        #expect(done.status == 0, "\(done.err)")
        let descriptor = socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
        defer { close(descriptor) }
        HTTPGet.send(NumberedLines.line(2), toPort: udp, over: descriptor)
        try eventually("a datagram's alert") { try daemon.count("select count(*) from alerts") == 2 }

        // Without any rule it would see nothing: refused, and what is in force stays.
        try FileManager.default.removeItem(atPath: folder.path + "/rules/numbered.yml")
        _ = try folder.write(good, to: "ironpost.toml")
        let empty = try daemon.ironpost("reload")
        #expect(empty.status == 2 && empty.err.contains("no rule could be taken from"), "\(empty.err)")
        #expect(try Self.generation(daemon) == 2)

        // The rule goes, another comes beside a broken one, and SIGHUP takes that.
        _ = try folder.write(
            NumberedLines.rule.replacingOccurrences(of: "number", with: "another"), to: "rules/another.yml")
        _ = try folder.write("title: broken\ndetection: [\n", to: "rules/broken.yml")
        let warned = try daemon.ironpost("reload", "--dry-run")
        #expect(warned.status == 0 && warned.err.contains("broken.yml"), "\(warned.err)")
        kill(daemon.pid, SIGHUP)
        try eventually("the third generation") { try Self.generation(daemon) == 3 }
        one.append(NumberedLines.line(3))
        try eventually("the line was evaluated") {
            let status = try daemon.ironpost("status", "-o", "json")
            let object = try JSONSerialization.jsonObject(with: Data(status.out.utf8)) as? [String: Any]
            let ledger = object?["ledger"] as? [String: [String: Any]]
            return ledger?["detect"]?["stored"] as? Int == 3
        }
        #expect(try daemon.count("select count(*) from alerts") == 2)
        let module = try daemon.module("log-pipeline")
        #expect(module["health"] as? String == "degraded")
        #expect((module["reason"] as? String ?? "").contains("broken.yml"), "\(module)")
        #expect(daemon.end() == 0)
        for (hop, entry) in daemon.finalStatistics() {
            #expect(entry.accepted == entry.stored + entry.dropped, "\(hop)")
        }
    }

    @Test("a path that leads nowhere shows within five seconds, and heals")
    func canary() throws {
        let folder = try TemporaryDirectory()
        let daemon = DaemonProcess(data: folder.path + "/data", settings: ["log_pipeline.file.include=/nowhere/*.log"])
        try daemon.start()
        let sqlite = try #require(Programs.find("sqlite3"))
        try eventually("a test event is stored") {
            try daemon.count("select count(*) from checkpoints where cast(key as text) = 'canary'") == 1
        }
        #expect(try daemon.ironpost("status").status == 0)
        // Somebody holds the database: nothing can be stored.
        let holder = Process()
        holder.executableURL = URL(fileURLWithPath: sqlite)
        holder.arguments = [daemon.database]
        let input = Pipe()
        holder.standardInput = input
        holder.standardOutput = FileHandle.nullDevice
        try holder.run()
        input.fileHandleForWriting.write(Data("PRAGMA busy_timeout=5000; BEGIN IMMEDIATE;\n".utf8))
        let begin = ContinuousClock.now
        try eventually("the dead path shows", within: .seconds(15)) { try daemon.ironpost("status").status == 1 }
        print("a dead path showed after \(ContinuousClock.now - begin)")
        #expect(HTTPGet.status(port: daemon.port, path: "/health") == 503)
        input.fileHandleForWriting.write(Data("ROLLBACK;\n.quit\n".utf8))
        holder.waitUntilExit()
        try eventually("it heals", within: .seconds(10)) { try daemon.ironpost("status").status == 0 }
        #expect(try daemon.count("select count(*) from alerts") == 0)
        #expect(daemon.end() == 0)
    }
}
