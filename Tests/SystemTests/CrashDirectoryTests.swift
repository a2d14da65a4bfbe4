import CrashReplay
import Foundation
import Testing

/// Every point at which the power can fail under the whole daemon: what it wrote into its data directory is recorded
/// under load and replayed up to each point, the last write torn and what was not forced to the disk lost in part.
struct CrashDirectoryTests {
    static let canTrace: Bool = {
        guard let strace = Programs.find("strace") else { return false }
        return (try? Programs.run(strace, ["-o", "/dev/null", "/bin/true"]))?.status == 0
    }()

    @Test(
        "whenever the power fails, the data directory opens with all that anybody was told, and nothing by half",
        .enabled(if: canTrace, "this test needs strace and the right to trace"))
    func everyPoint() throws {
        let folder = try TemporaryDirectory()
        let (trace, ids) = try Self.record(folder)
        // What was told to somebody, alerts and actions, by the step that told it.
        let told = trace.steps.map { step -> Set<String> in
            guard case .say(let bytes) = step else { return [] }
            return Self.identifiers(bytes).intersection(ids)
        }
        let first = try #require(told.firstIndex { !$0.isEmpty }) + 1
        #expect(told.reduce(into: Set()) { $0.formUnion($1) }.count > 100)

        var random = Numbers(state: 0x2545_F491_4F6C_DD1D)
        let count = RobustnessTests.isDeep ? 400 : 12
        var counts: Set<Int> = []
        for number in 0..<count {
            let point = Int.random(in: first...trace.steps.count, using: &random)
            let files = trace.files(at: point, isLossy: number % 2 == 1, using: &random)
            let copy = try TemporaryDirectory()
            try Self.write(files, to: copy.path + "/data")
            let known = told[..<point].reduce(into: Set()) { $0.formUnion($1) }
            let check = try Programs.run(Programs.ironpost, ["store", "check", "--data-dir", copy.path + "/data"])
            #expect(check.status == 0, "point \(point): \(check.out)\(check.err)")
            let stored = try Self.stored(copy.path + "/data/ironpost.db")
            let missing = known.subtracting(stored)
            #expect(missing.isEmpty, "point \(point)")
            counts.insert(stored.count)
            // And the daemon goes on from there.
            if number % 4 == 0 {
                let daemon = try Self.daemon(folder, data: copy.path + "/data")
                try daemon.start()
                #expect(daemon.end() == 0, "point \(point): \(daemon.log.suffix(2000))")
            }
        }
        print(
            "crash points of the data directory: \(trace.steps.count) steps, \(count) tried, \(counts.count) different")
        #expect(counts.count > count / 3)
    }

    // MARK: - Recording

    private static func daemon(_ folder: TemporaryDirectory, data: String, program: String = Programs.daemon) throws
        -> DaemonProcess
    {
        let rules = try folder.write(NumberedLines.rule, to: "rules/numbered.yml")
        return DaemonProcess(
            data: data,
            settings: [
                "log_pipeline.file.include=\(folder.path)/numbers.log", "detection.rules=\(rules)",
                "detection.dedup_window=0", "detection.rate_limit_per_rule=0",
            ],
            program: program
        )
    }

    /// - Returns: what the daemon and its responder did, and the ids of all alerts and actions there were at the end.
    private static func record(_ folder: TemporaryDirectory) throws -> (trace: WriteTrace, ids: Set<String>) {
        let strace = try #require(Programs.find("strace"))
        let program = try folder.write(
            """
            #!/bin/sh
            exec \(strace) -f -qq -e signal=none -o \(folder.path)/trace -y -xx -s 1000000 \
            -e trace=\(WriteTrace.systemCalls) \(Programs.daemon) "$@"
            """, to: "traced")
        unsafe chmod(program, 0o755)
        let log = try LogFile(folder.path + "/numbers.log")
        let daemon = try daemon(folder, data: folder.path + "/data", program: program)
        try daemon.start()
        let status = try JSONSerialization.jsonObject(with: Data(daemon.ironpost("status", "-o", "json").out.utf8))
        let traced = try #require((status as? [String: Any])?["pid"] as? Int32)
        let tail = Process()
        tail.executableURL = URL(fileURLWithPath: Programs.ironpost)
        tail.arguments = ["--socket", folder.path + "/data/control.sock", "alerts", "tail", "-o", "json"]
        tail.standardInput = FileHandle.nullDevice
        tail.standardOutput = FileHandle.nullDevice
        tail.standardError = FileHandle.nullDevice
        try tail.run()
        defer { tail.terminate() }
        let writer = RobustnessTests.Writer(to: log, perSecond: 100)
        try eventually("some is stored") { try daemon.count(NumberedLines.storedQuery) > 50 }
        for arguments in [
            ["block", "add", "203.0.113.7", "--ttl", "1h"], ["allow", "add", "198.51.100.0/24"], ["reload"],
            ["block", "remove", "203.0.113.7"], ["block", "add", "203.0.113.8", "--ttl", "1h"],
        ] {
            _ = try Programs.run(
                Programs.ironpost, ["--socket", folder.path + "/data/control.sock"] + arguments)
        }
        try eventually("more is stored") { try daemon.count(NumberedLines.storedQuery) > 200 }
        let total = writer.stop()
        try eventually("all of it is stored") { try daemon.count(NumberedLines.storedQuery) == total }
        // strace(1) takes no signal for the program.
        Foundation.kill(traced, SIGTERM)
        eventually("the daemon ends") { !daemon.isRunning }
        let trace = try WriteTrace(file: folder.path + "/trace", directory: folder.path + "/data")
        return (trace, try stored(daemon.database))
    }

    // MARK: - Replaying

    private static func write(_ files: [String: [UInt8]], to directory: String) throws {
        for (name, bytes) in files where !name.hasSuffix("-shm") && !name.hasSuffix(".sock") {
            let path = directory + "/" + name
            try FileManager.default.createDirectory(
                atPath: (path as NSString).deletingLastPathComponent, withIntermediateDirectories: true,
                attributes: [.posixPermissions: 0o700])
            try Data(bytes).write(to: URL(fileURLWithPath: path))
            unsafe chmod(path, 0o600)
        }
    }

    private static func stored(_ database: String) throws -> Set<String> {
        let sqlite = try #require(Programs.find("sqlite3"), "the sqlite3 program is not installed")
        let output = try Programs.run(
            sqlite, ["-batch", "-noheader", database, "select id from alerts union select id from actions"])
        try #require(output.status == 0, "\(output.err)")
        return Set(output.out.split(separator: "\n").map(String.init))
    }

    /// Everything that looks like a UUID.
    private static func identifiers(_ bytes: [UInt8]) -> Set<String> {
        let text = String(decoding: bytes, as: UTF8.self)
        return Set(text.matches(of: /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/).map { String($0.output) })
    }
}
