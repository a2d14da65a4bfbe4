import Foundation
import Synchronization
import Testing

/// A rule that matches every numbered line, and nothing else does.
enum NumberedLines {
    static let rule = """
        title: Numbered line
        id: 11111111-2222-4333-8444-555555555555
        status: test
        level: low
        logsource:
            product: linux
        detection:
            selection:
                program: counter
                message|startswith: 'number '
            condition: selection
        ---
        title: Numbered burst base
        id: 11111111-2222-4333-8444-555555555556
        name: burst_base
        level: low
        logsource:
            product: linux
        detection:
            selection:
                program: burst
            condition: selection
        ---
        title: Burst of five
        id: 11111111-2222-4333-8444-555555555557
        level: high
        correlation:
            type: event_count
            rules: [burst_base]
            group-by: [message]
            timespan: 1h
            condition:
                gte: 5
        """

    static func line(_ number: Int) -> String { "2026-11-23T01:22:37.000000+00:00 host counter[7]: number \(number)" }

    /// Distinct numbers that are stored, by what sqlite3 reads.
    static let storedQuery = """
        select count(distinct json_extract(record, '$.evidence.raw')) from alerts \
        where rule_id = '11111111-2222-4333-8444-555555555555'
        """
}

@Suite(.serialized)
struct RobustnessTests {
    static var isDeep: Bool { ProcessInfo.processInfo.environment["IRONPOST_DEEP"] != nil }

    /// Appends numbered lines at a steady rate on a thread of its own.
    final class Writer: Sendable {
        private let written = Atomic<Int>(0)
        private let isStopping = Atomic<Bool>(false)
        private let ended = DispatchSemaphore(value: 0)

        init(to log: LogFile, perSecond: Int) {
            Thread.detachNewThread { [self] in
                let start = ContinuousClock.now
                var number = 0
                while !isStopping.load(ordering: .relaxed) {
                    let due = Int((ContinuousClock.now - start) / .milliseconds(1)) * perSecond / 1000
                    while number < due {
                        log.append(NumberedLines.line(number))
                        number += 1
                        written.store(number, ordering: .relaxed)
                    }
                    poll(nil, 0, 1)
                }
                ended.signal()
            }
        }

        var count: Int { written.load(ordering: .relaxed) }

        func stop() -> Int {
            isStopping.store(true, ordering: .relaxed)
            ended.wait()
            return count
        }
    }

    @Test("kill -9 thirty times at random under 5,000 lines/s: every line evaluated, nothing shown is gone after")
    func killing() throws {
        let folder = try TemporaryDirectory()
        let log = try LogFile(folder.path + "/numbers.log")
        let bursts = try LogFile(folder.path + "/bursts.log")
        let rules = try folder.write(NumberedLines.rule, to: "rules/numbered.yml")
        let daemon = DaemonProcess(
            data: folder.path + "/data",
            settings: [
                "log_pipeline.file.include=\(folder.path)/*.log", "detection.rules=\(rules)",
                "detection.dedup_window=0", "detection.rate_limit_per_rule=0",
            ]
        )
        try daemon.start()
        let writer = Writer(to: log, perSecond: 5000)
        var shown = Set<String>()
        var slowest = Duration.zero
        let kills = Self.isDeep ? 300 : 30
        var random = SystemRandomNumberGenerator()
        for round in 0..<kills {
            // Half a window before the kill, the other half after it.
            for _ in 0..<3 { bursts.append("2026-11-23T01:22:37+00:00 host burst[1]: round \(round)") }
            poll(nil, 0, Int32.random(in: 20...400, using: &random))
            if round % 5 == 0 {
                let list = try daemon.ironpost("alerts", "-o", "json", "--limit", "20")
                if let object = try? JSONSerialization.jsonObject(with: Data(list.out.utf8)) as? [String: Any] {
                    for alert in object["alerts"] as? [[String: Any]] ?? [] {
                        shown.insert(alert["id"] as? String ?? "")
                    }
                }
            }
            daemon.kill()
            slowest = max(slowest, try daemon.start())
            for _ in 0..<2 { bursts.append("2026-11-23T01:22:38+00:00 host burst[1]: round \(round)") }
        }
        let total = writer.stop()
        try eventually("every line is stored", within: .seconds(120)) {
            try daemon.count(NumberedLines.storedQuery) == total
        }
        try eventually("every window was completed") {
            try daemon.count(
                "select count(distinct json_extract(record,'$.group.message')) from alerts where rule_id like '%5557'"
            ) == kills
        }
        let stored = try daemon.count(NumberedLines.storedQuery)
        let alerts = try daemon.count("select count(*) from alerts where rule_id like '%5555'")
        print(
            "killed \(kills) times: \(total) lines written, \(stored) stored once or more (\(alerts) alerts), "
                + "slowest start \(slowest)")
        #expect(stored == total)
        for id in shown where !id.isEmpty {
            #expect(
                try daemon.count("select count(*) from alerts where id = '\(id)'") == 1, "\(id) was shown and is gone")
        }
        #expect(!shown.isEmpty)
        #expect(daemon.end() == 0)
    }

    @Test("SIGTERM under backlog: out in time, and the final statistics are what sqlite3 counts")
    func stopUnderBacklog() throws {
        let folder = try TemporaryDirectory()
        let log = try LogFile(folder.path + "/numbers.log")
        let rules = try folder.write(NumberedLines.rule, to: "rules/numbered.yml")
        log.append(bytes: Array((0..<25_000).map { NumberedLines.line($0) + "\n" }.joined().utf8))
        let daemon = DaemonProcess(
            data: folder.path + "/data",
            settings: [
                "log_pipeline.file.include=\(log.path)", "log_pipeline.file.start_at=beginning",
                "detection.rules=\(rules)", "detection.dedup_window=0", "detection.rate_limit_per_rule=0",
                "general.shutdown_timeout=30s",
            ],
            program: Programs.directory + "/FaultDaemon"
        )
        try daemon.launch(environment: ["FAULT_MODULES": "drain-emitter"])
        eventually("some is stored") {
            FileManager.default.fileExists(atPath: daemon.database)
                && ((try? daemon.count("select count(*) from alerts")) ?? 0) > 100
        }
        #expect(daemon.end(SIGTERM, within: .seconds(32)) == 0)
        let hops = daemon.finalStatistics()
        let rows = try daemon.count("select count(*) from alerts")
        print("stopped under backlog: \(rows) alerts in the store, ledger \(hops)")
        #expect(hops["store"]?.stored == rows)
        #expect(hops["alert"]?.stored == (try daemon.count("select sum(count) from alerts")))
        // The hop counts the alerts that were decided about, too.
        #expect(hops["response"]?.stored ?? 0 >= (try daemon.count("select count(*) from actions")))
        #expect(try daemon.count("select count(*) from actions") == 500)
        #expect(try daemon.count("select count(*) from alerts where title like 'late alert%'") == 500)
        for (hop, entry) in hops { #expect(entry.accepted == entry.stored + entry.dropped, "\(hop): \(entry)") }
        #expect(hops.count >= 6)
    }

    @Test("the second daemon on a PID file names the first; after kill -9 the next start works at once (D-31)")
    func pidFile() throws {
        let folder = try TemporaryDirectory()
        let first = DaemonProcess(data: folder.path + "/data")
        try first.start()
        let second = try Programs.run(
            Programs.daemon, ["--data-dir", folder.path + "/data", "--set", "http.enabled=false"]
        )
        #expect(second.status == 1)
        #expect(second.err.contains("\(first.pid)"), "\(second.err)")
        first.kill()
        try first.start()
        #expect(first.end(SIGINT) == 0)
        #expect(try String(contentsOfFile: folder.path + "/data/ironpost.pid", encoding: .utf8).isEmpty)
    }

    @Test("a directory and a port that are not to be had, and a rule that cannot be read, are named; the rest works")
    func badSurroundings() throws {
        let folder = try TemporaryDirectory()
        let log = try LogFile(folder.path + "/numbers.log")
        _ = try folder.write(NumberedLines.rule, to: "rules/numbered.yml")
        _ = try folder.write(
            "title: broken\nlogsource: {product: linux}\ndetection:\n  selection:\n    a|nosuch: b\n  condition: selection\n",
            to: "rules/broken.yml")
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(listener) }
        let daemon = DaemonProcess(
            data: folder.path + "/data",
            settings: [
                "log_pipeline.file.include=\(log.path),\(folder.path)/gone/*.log",
                "detection.rules=\(folder.path)/rules",
                "log_pipeline.sources=file,syslog", "log_pipeline.syslog.udp=127.0.0.1:0",
                "log_pipeline.syslog.tcp=192.0.2.1:5140",
            ]
        )
        try daemon.start()
        log.append(NumberedLines.line(1))
        try eventually("the good rule works") { try daemon.count("select count(*) from alerts") == 1 }
        let status = try daemon.ironpost("status", "-v", "-o", "json")
        #expect(status.out.contains("degraded"))
        #expect(status.out.contains("192.0.2.1"), "\(status.out)")
        #expect(daemon.log.contains("broken.yml:5"), "\(daemon.log)")
        log.append(
            bytes: [UInt8](repeating: 0x78, count: 10_000_000) + Array("\n\u{0}\u{0}\n".utf8) + [0xFF, 0xFE, 0x0A])
        log.append(NumberedLines.line(2))
        try eventually("the line after bad ones") { try daemon.count("select sum(count) from alerts") == 2 }
        #expect(daemon.end() == 0)
        for (hop, entry) in daemon.finalStatistics() {
            #expect(entry.accepted == entry.stored + entry.dropped, "\(hop)")
        }
    }

    @Test("ten planted faults: ten messages, each with file, line and key; exit 2")
    func tenFaults() throws {
        let folder = try TemporaryDirectory()
        let file = try folder.write(
            """
            [general]
            log_level = "loud"
            log_formt = "json"
            shutdown_timeout = "soon"
            [http]
            listen = "nowhere"
            enabled = "yes"
            [log_pipeline]
            sources = ["file", "carrier pigeon"]
            batch_size = 0
            [log_pipeline.file]
            start_at = "middle"
            [detection]
            rate_limit_per_rule = -1
            [strage]
            url = "sqlite:/x"
            """, to: "ironpost.toml"
        )
        let output = try Programs.run(Programs.daemon, ["-c", file, "--validate"])
        #expect(output.status == 2)
        let lines = output.err.split(separator: "\n")
        #expect(lines.count == 10, "\(output.err)")
        let expected = [
            (2, "log_level"), (3, "log_format"), (4, "shutdown_timeout"), (6, "listen"), (7, "enabled"),
            (9, "sources"), (10, "batch_size"), (12, "start_at"), (14, "rate_limit_per_rule"), (15, "storage"),
        ]
        for (number, word) in expected {
            #expect(
                lines.contains { $0.hasPrefix("\(file):\(number)") && $0.contains(word) },
                "\(number) \(word)\n\(output.err)"
            )
        }
    }
}
