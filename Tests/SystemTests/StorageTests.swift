import Foundation
import Testing

/// The built daemon on a disk that is full, slow, broken or locked.
@Suite(.serialized)
struct StorageTests {
    static let isRoot = geteuid() == 0

    /// Whether a file system of our own can be mounted here.
    static let canMount: Bool = {
        guard let folder = try? TemporaryDirectory() else { return false }
        guard unsafe mount("tmpfs", folder.path, "tmpfs", 0, "size=64k") == 0 else { return false }
        unsafe umount2(folder.path, Int32(MNT_DETACH))
        return true
    }()

    static let rule = """
        title: Numbered line
        id: 11111111-2222-4333-8444-555555555555
        level: low
        logsource:
            product: linux
        detection:
            selection:
                program: counter
            condition: selection
        ---
        title: Alarm
        id: 11111111-2222-4333-8444-555555555558
        level: high
        logsource:
            product: linux
        detection:
            selection:
                program: alarm
            condition: selection
        """

    static func alarm(_ number: Int) -> String { "2026-11-23T01:22:37.000000+00:00 host alarm[7]: alarm \(number)" }

    private static func daemon(_ folder: TemporaryDirectory, data: String, _ settings: [String] = []) throws
        -> DaemonProcess
    {
        let rules = try folder.write(rule, to: "rules/storage.yml")
        return DaemonProcess(
            data: data,
            settings: [
                "log_pipeline.file.include=\(folder.path)/numbers.log,\(folder.path)/alarms.log",
                "detection.rules=\(rules)", "detection.dedup_window=0",
                "detection.rate_limit_per_rule=0", "general.control_socket=\(folder.path)/c.sock",
            ] + settings
        )
    }

    private static func status(_ daemon: DaemonProcess, _ folder: TemporaryDirectory) throws -> (
        word: String, text: String
    ) {
        let output = try Programs.run(Programs.ironpost, ["--socket", folder.path + "/c.sock", "status", "-o", "json"])
        let object = try JSONSerialization.jsonObject(with: Data(output.out.utf8)) as? [String: Any]
        return (object?["status"] as? String ?? "none", output.out)
    }

    @Test(
        "a 64 MB disk filled and freed under load: no exit, high alerts stored meanwhile, the rest stored or counted",
        .enabled(if: canMount, "this test mounts a tmpfs, which this machine does not allow"),
        arguments: ["shed", "wait"]
    )
    func fullDisk(policy: String) throws {
        let folder = try TemporaryDirectory()
        let disk = folder.path + "/disk"
        try FileManager.default.createDirectory(atPath: disk, withIntermediateDirectories: false)
        try #require(unsafe mount("tmpfs", disk, "tmpfs", 0, "size=64m") == 0)
        defer { unsafe umount2(disk, Int32(MNT_DETACH)) }
        let log = try LogFile(folder.path + "/numbers.log")
        let alarms = try LogFile(folder.path + "/alarms.log")
        let daemon = try Self.daemon(folder, data: disk + "/data", ["storage.when_full=\(policy)"])
        try FileManager.default.createDirectory(atPath: disk + "/data", withIntermediateDirectories: false)
        try FileManager.default.createSymbolicLink(
            atPath: disk + "/data.log", withDestinationPath: folder.path + "/daemon.txt")
        _ = FileManager.default.createFile(atPath: folder.path + "/daemon.txt", contents: nil)
        try daemon.start()
        let writer = RobustnessTests.Writer(to: log, perSecond: 300)
        try eventually("some is stored") { try daemon.count("select count(*) from alerts") > 50 }

        // Another program takes what there is, and goes on taking.
        let filler = try LogFile(disk + "/filler")
        let stopFilling = DispatchSemaphore(value: 0)
        let filled = DispatchSemaphore(value: 0)
        Thread.detachNewThread {
            let block = [UInt8](repeating: 0x78, count: 65536)
            while stopFilling.wait(timeout: .now() + .milliseconds(5)) == .timedOut {
                for _ in 0..<64 { filler.append(bytes: block) }
            }
            filled.signal()
        }
        try eventually("the disk is full and status says so") {
            let status = try Self.status(daemon, folder)
            return status.word == "degraded" && status.text.contains("disk is full")
        }
        var number = 0
        for _ in 0..<5 {
            let begin = ContinuousClock.now
            alarms.append(Self.alarm(number))
            number += 1
            try eventually(
                "alarm \(number) is stored while the disk is full", within: .seconds(RobustnessTests.isDeep ? 5 : 20)
            ) {
                try daemon.count("select count(*) from alerts where severity = 3") == number
            }
            print("full disk (\(policy)): alarm \(number) stored after \(ContinuousClock.now - begin)")
        }
        #expect(daemon.isRunning)
        let during = try Self.status(daemon, folder)
        #expect(during.text.contains("MiB of reserve"), "\(during.text)")
        #expect(during.text.contains("make room"), "\(during.text)")
        eventually("/health says that it copes") { HTTPGet.status(port: daemon.port, path: "/health") == 200 }

        stopFilling.signal()
        filled.wait()
        let freed = ContinuousClock.now
        unsafe unlink(disk + "/filler")
        filler.reopen()
        unsafe unlink(disk + "/filler")
        try eventually("healthy again", within: .seconds(RobustnessTests.isDeep ? 10 : 30)) {
            try Self.status(daemon, folder).word == "healthy"
        }
        print("full disk (\(policy)): healthy \(ContinuousClock.now - freed) after there was room")
        let total = writer.stop()
        try eventually("all of it is evaluated", within: .seconds(30)) {
            try daemon.count("select count(*) from checkpoints where value like '%:\(Self.size(log.path))%'") == 1
                || daemon.count("select count(*) from alerts") >= total + number
        }
        #expect(daemon.end() == 0)
        let hops = daemon.finalStatistics()
        let rows = try daemon.count("select count(*) from alerts")
        for (hop, entry) in hops { #expect(entry.accepted == entry.stored + entry.dropped, "\(hop): \(entry)") }
        #expect(hops["store"]?.stored == rows)
        #expect(hops["alert"]?.stored == rows)
        #expect(hops["alert"]?.accepted == total + number)
        #expect(try daemon.count("select count(*) from alerts where severity = 3") == number)
        if policy == "wait" { #expect(rows == total + number) }
        let check = try Programs.run(Programs.ironpost, ["store", "check", "--data-dir", disk + "/data"])
        #expect(check.status == 0, "\(check.out)\(check.err)")
    }

    private static func size(_ path: String) -> Int {
        ((try? FileManager.default.attributesOfItem(atPath: path))?[.size] as? Int) ?? 0
    }

    @Test("another process holds the database: status answers and says degraded, nothing is lost")
    func lockedDatabase() throws {
        let folder = try TemporaryDirectory()
        let log = try LogFile(folder.path + "/numbers.log")
        let daemon = try Self.daemon(folder, data: folder.path + "/data")
        try daemon.start()
        let sqlite = try #require(Programs.find("sqlite3"), "the sqlite3 program is not installed")
        let holder = Process()
        holder.executableURL = URL(fileURLWithPath: sqlite)
        holder.arguments = ["-batch", "-bail", daemon.database]
        let input = Pipe()
        let output = Pipe()
        holder.standardInput = input
        holder.standardOutput = output
        try holder.run()
        defer { holder.terminate() }
        try input.fileHandleForWriting.write(
            contentsOf: Data(".timeout 20000\nBEGIN EXCLUSIVE;\nSELECT 'held';\n".utf8))
        _ = output.fileHandleForReading.availableData
        for number in 0..<100 { log.append(NumberedLines.line(number)) }
        try eventually("status says that the store takes long") {
            let begin = ContinuousClock.now
            let status = try Self.status(daemon, folder)
            #expect(ContinuousClock.now - begin < .seconds(2))
            return status.word == "degraded"
        }
        #expect(try daemon.count("select count(*) from alerts") == 0)
        try input.fileHandleForWriting.write(contentsOf: Data("ROLLBACK;\n.quit\n".utf8))
        try eventually("all of it is stored") { try daemon.count("select count(*) from alerts") == 100 }
        try eventually("healthy again") { try Self.status(daemon, folder).word == "healthy" }
        #expect(daemon.end() == 0)
    }

    @Test("fsync fails and later works: what was told is stored, once; checkpoints and alerts agree")
    func failingSync() throws {
        let folder = try TemporaryDirectory()
        guard let strace = Programs.find("strace"),
            try Programs.run(strace, ["-o", "/dev/null", "/bin/true"]).status == 0
        else {
            print("strace is not installed or may not trace: this test is skipped")
            return
        }
        let log = try LogFile(folder.path + "/numbers.log")
        let daemon = try Self.daemon(folder, data: folder.path + "/data")
        try daemon.start()
        log.append(NumberedLines.line(0))
        try eventually("the first is stored") { try daemon.count("select count(*) from alerts") == 1 }
        let tracer = Process()
        tracer.executableURL = URL(fileURLWithPath: strace)
        tracer.arguments = [
            "-f", "-p", "\(daemon.pid)", "-o", folder.path + "/trace", "-e", "trace=fsync,fdatasync", "-e",
            "inject=fsync,fdatasync:error=EIO",
        ]
        tracer.standardError = FileHandle.nullDevice
        try tracer.run()
        poll(nil, 0, 500)
        for number in 1..<200 { log.append(NumberedLines.line(number)) }
        try eventually("status says so") {
            let status = try Self.status(daemon, folder)
            return status.word == "degraded" && status.text.contains("I/O error")
        }
        // Through the daemon: nothing that is not durable is shown.
        let list = try Programs.run(Programs.ironpost, ["--socket", folder.path + "/c.sock", "alerts", "-o", "json"])
        #expect(list.out.contains("\"total\" : 1"), "\(list.out.suffix(200))")
        // The test runner blocks the gentler signals; what is traced goes on by itself.
        kill(tracer.processIdentifier, SIGKILL)
        tracer.waitUntilExit()
        try eventually("all of it is stored") { try daemon.count("select count(*) from alerts") >= 200 }
        try eventually("healthy again") { try Self.status(daemon, folder).word == "healthy" }
        #expect(daemon.end() == 0)
        #expect(try daemon.count(NumberedLines.storedQuery) == 200)
        #expect(try daemon.count("select count(*) from alerts") == 200)
        #expect(daemon.finalStatistics()["store"]?.stored == 200)
    }

    @Test("a database that cannot be used at start: exit 1, named, with what to do; the tools name the damage")
    func unusableDatabase() throws {
        let folder = try TemporaryDirectory()
        let daemon = try Self.daemon(folder, data: folder.path + "/data")
        let log = try LogFile(folder.path + "/numbers.log")
        try daemon.start()
        for number in 0..<300 { log.append(NumberedLines.line(number)) }
        try eventually("all is stored") { try daemon.count("select count(*) from alerts") == 300 }

        let id = try daemon.sql("select id from alerts limit 1")
        let ack = try Programs.run(Programs.ironpost, ["--socket", folder.path + "/c.sock", "alerts", "ack", id])
        #expect(ack.status == 0, "\(ack.err)")
        #expect(try daemon.sql("select status from alerts where id = '\(id)'") == "acknowledged")
        let close = try Programs.run(Programs.ironpost, ["--socket", folder.path + "/c.sock", "alerts", "close", id])
        #expect(close.status == 0 && close.err.contains("closed"))
        let backup = folder.path + "/backup.db"
        let written = try Programs.run(Programs.ironpost, ["store", "backup", backup, "--data-dir", daemon.data])
        #expect(written.status == 0, "\(written.err)")
        let again = try Programs.run(Programs.ironpost, ["store", "backup", backup, "--data-dir", daemon.data])
        #expect(again.status == 10 && again.err.contains("exists"), "\(again.err)")
        #expect(try Programs.run(Programs.ironpost, ["store", "check", "--data-dir", daemon.data]).status == 0)
        let audit = try Programs.run(Programs.ironpost, ["audit", "verify", "--data-dir", daemon.data, "-o", "json"])
        #expect(audit.status == 0 && audit.out.contains("\"sound\" : true"), "\(audit.out)\(audit.err)")
        #expect(daemon.end() == 0)

        let handle = try #require(FileHandle(forUpdatingAtPath: daemon.database))
        for page in 20..<40 {
            try handle.seek(toOffset: UInt64(page) * 4096)
            try handle.write(contentsOf: Data(repeating: 0xA5, count: 4096))
        }
        try handle.close()
        let check = try Programs.run(Programs.ironpost, ["store", "check", "--data-dir", daemon.data])
        #expect(check.status == 1)
        #expect(check.out.contains("bad: "), "\(check.out)")
        try daemon.launch()
        #expect(eventually("it exits") { !daemon.isRunning })
        for words in [daemon.database, "ironpost store check", "restore a backup", "move the file"] {
            #expect(daemon.log.contains(words), "\(words): \(daemon.log.suffix(500))")
        }
        for suffix in ["", "-wal", "-shm"] { unsafe unlink(daemon.database + suffix) }
        try FileManager.default.copyItem(atPath: backup, toPath: daemon.database)
        try daemon.start()
        #expect(try daemon.count("select count(*) from alerts") == 300)
        #expect(daemon.end() == 0)
    }
}
