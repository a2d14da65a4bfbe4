import Foundation
import Testing

/// A database that another process holds: the daemon waits, says so, keeps its memory, and loses nothing.
@Suite(.serialized, .enabled(if: Programs.find("sqlite3") != nil, "the sqlite3 program is not installed"))
struct StalledStoreTests {
    /// Holds the write lock of a database until it is let go of.
    struct Lock {
        private let peer: Peer

        init(_ database: String, in folder: TemporaryDirectory) throws {
            let program = try #require(Programs.find("sqlite3"))
            let log = folder.path + "/lock-\(UUID().uuidString).log"
            peer = try Peer(program, ["-batch", database], log: log)
            peer.say(".timeout 20000\nBEGIN EXCLUSIVE;\nSELECT 'held';\n")
            eventually("the lock is held") {
                ((try? String(contentsOfFile: log, encoding: .utf8)) ?? "").contains("held")
            }
        }

        func release() {
            peer.say("ROLLBACK;\n.quit\n")
            eventually("the lock is free") { !peer.isRunning }
        }
    }

    static func daemon(_ folder: TemporaryDirectory, _ log: LogFile, _ settings: [String] = []) throws -> DaemonProcess
    {
        DaemonProcess(
            data: folder.path + "/data",
            settings: ["log_pipeline.file.include=\(log.path)", "log_pipeline.file.start_at=beginning"]
                + (try Counting.settings(folder)) + settings
        )
    }

    @Test("status answers within a second and says what is wrong; memory is bounded; afterwards everything is stored")
    func statusWhileStalled() throws {
        let folder = try TemporaryDirectory()
        let log = try LogFile(folder.path + "/numbers.log")
        let daemon = try Self.daemon(folder, log, ["log_pipeline.queue_bytes=1048576"])
        try daemon.start()
        log.append(NumberedLines.line(0))
        try eventually("the first is stored") { try daemon.numbered().distinct == 1 }
        let before = daemon.residentMiB
        let lock = try Lock(daemon.database, in: folder)
        // More than may wait in memory: 1 MiB in the queue, and 8192 alerts that are not stored.
        let total = RobustnessTests.isDeep ? 1_000_000 : 35_000
        log.append(bytes: Array((1..<total).map { NumberedLines.line($0) + "\n" }.joined().utf8))
        var slowest = Duration.zero
        var isDegraded = false
        var mostMemory = 0
        eventually("status says degraded, and why", within: .seconds(15)) {
            let begin = ContinuousClock.now
            let status = try? daemon.status()
            slowest = max(slowest, ContinuousClock.now - begin)
            mostMemory = max(mostMemory, daemon.residentMiB)
            // Unhealthy once the test event is late as well; either way not healthy, and the store says why.
            isDegraded = ["degraded", "unhealthy"].contains(status?["status"] as? String ?? "")
            let module = (status?["modules"] as? [[String: Any]])?.first { $0["name"] as? String == "alert-hub" }
            return isDegraded && (module?["reason"] as? String ?? "").contains("locked")
        }
        // It stays that way: memory has settled once two looks a second apart agree.
        var last = 0
        var looks = 0
        eventually("memory settles", within: .seconds(15)) {
            let begin = ContinuousClock.now
            let status = try? daemon.status()
            slowest = max(slowest, ContinuousClock.now - begin)
            #expect(["degraded", "unhealthy"].contains(status?["status"] as? String ?? ""), "\(status ?? [:])")
            let now = daemon.residentMiB
            mostMemory = max(mostMemory, now)
            looks = abs(now - last) <= 1 ? looks + 1 : 0
            last = now
            poll(nil, 0, 500)
            return looks >= 6
        }
        lock.release()
        try eventually("everything is stored", within: .seconds(120)) { try daemon.numbered().distinct == total }
        let (alerts, distinct) = try daemon.numbered()
        print(
            "stalled store: \(before) MiB before, at most \(mostMemory) MiB during, status within \(slowest); "
                + "\(distinct) of \(total) stored, \(alerts) alerts")
        #expect(slowest < .seconds(1))
        #expect(isDegraded)
        #expect(mostMemory - before < 150)
        #expect(alerts == total)
        eventually("healthy again") { ((try? daemon.status()["status"] as? String) ?? "") == "healthy" }
        #expect(daemon.end() == 0)
        daemon.expectBalance()
        #expect(daemon.finalStatistics()["store"]?.stored == total)
    }

    @Test("a stop is heard while a reload waits for a store that stands still")
    func stopDuringReload() throws {
        let folder = try TemporaryDirectory()
        _ = try folder.write(NumberedLines.rule, to: "rules/numbered.yml")
        let log = try LogFile(folder.path + "/numbers.log")
        let daemon = DaemonProcess(data: folder.path + "/data", configuration: folder.path + "/ironpost.toml")
        let (first, second) = (HTTPGet.freePort(), HTTPGet.freePort())
        let good = ReloadTests.configuration(folder, port: daemon.port)
            .replacingOccurrences(of: "sources = [\"file\"]", with: "sources = [\"file\", \"syslog\"]")
            .replacingOccurrences(
                of: "[log_pipeline.file]",
                with: "[log_pipeline.syslog]\nudp = \"127.0.0.1:\(first)\"\ntcp = \"\"\n[log_pipeline.file]")
        _ = try folder.write(
            good.replacingOccurrences(of: "[general]", with: "[general]\nshutdown_timeout = \"2s\""),
            to: "ironpost.toml")
        try daemon.start()
        log.append(NumberedLines.line(0))
        try eventually("the first is stored") { try daemon.numbered().distinct == 1 }
        let lock = try Lock(daemon.database, in: folder)
        // Enough to fill every lane of the queue behind the store.
        let flooding = Flood(port: first, limit: 400_000, text: NumberedLines.line)
        _ = flooding.wait()
        eventually("the store stalls", within: .seconds(15)) {
            ((try? daemon.module("alert-hub")["health"] as? String) ?? "") == "degraded"
        }
        _ = try folder.write(
            good.replacingOccurrences(of: "[general]", with: "[general]\nshutdown_timeout = \"2s\"")
                .replacingOccurrences(of: "127.0.0.1:\(first)", with: "127.0.0.1:\(second)"), to: "ironpost.toml")
        Foundation.kill(daemon.pid, SIGHUP)
        Foundation.kill(daemon.pid, SIGTERM)
        #expect(daemon.end(SIGTERM, within: .seconds(20)) == 0)
        lock.release()
        #expect(try daemon.sql("PRAGMA integrity_check") == "ok")
    }

    @Test(
        "a second SIGTERM during a stalled stop ends it within 3 s; the database is whole, the next run does the rest")
    func secondSignal() throws {
        let folder = try TemporaryDirectory()
        let log = try LogFile(folder.path + "/numbers.log")
        let daemon = try Self.daemon(folder, log, ["general.shutdown_timeout=10m"])
        try daemon.start()
        log.append(NumberedLines.line(0))
        try eventually("the first is stored") { try daemon.numbered().distinct == 1 }
        let lock = try Lock(daemon.database, in: folder)
        // More than may wait to be stored (8192).
        let total = 25_000
        log.append(bytes: Array((1..<total).map { NumberedLines.line($0) + "\n" }.joined().utf8))
        eventually("the store stalls", within: .seconds(15)) {
            ((try? daemon.module("alert-hub")["health"] as? String) ?? "") == "degraded"
        }
        Foundation.kill(daemon.pid, SIGTERM)
        eventually("it is stopping") { daemon.log.contains("stopping") }
        let begin = ContinuousClock.now
        #expect(daemon.end(SIGTERM, within: .seconds(10)) == 0)
        let took = ContinuousClock.now - begin
        print("second SIGTERM: ended within \(took)")
        #expect(took < .seconds(3))
        #expect(daemon.log.contains("second signal"))
        daemon.expectBalance()
        lock.release()
        #expect(try daemon.sql("PRAGMA integrity_check") == "ok")
        let stored = try daemon.numbered().distinct
        #expect(stored < total)
        try daemon.start()
        try eventually("the rest is stored", within: .seconds(120)) { try daemon.numbered().distinct == total }
        print(
            "second SIGTERM: \(stored) were stored before, \(total - stored) by the next run, "
                + "\(try daemon.numbered().alerts) alerts")
        #expect(daemon.end() == 0)
        daemon.expectBalance()
    }
}
