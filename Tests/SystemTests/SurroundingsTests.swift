import Foundation
import Testing

/// Directories and files that come, go, are too many, or are not for us to read.
@Suite(.serialized)
struct SurroundingsTests {
    @Test("a directory that vanishes and returns: what is written there afterwards is read, and nothing twice")
    func vanishing() throws {
        let folder = try TemporaryDirectory()
        let logs = folder.path + "/logs"
        try FileManager.default.createDirectory(atPath: logs, withIntermediateDirectories: false)
        let daemon = DaemonProcess(
            data: folder.path + "/data",
            settings: ["log_pipeline.file.include=\(logs)/*.log"] + (try Counting.settings(folder)),
            program: Programs.directory + "/FaultDaemon"
        )
        let uptime = try folder.write("0", to: "uptime")
        do {
            let log = try LogFile(logs + "/numbers.log")
            try daemon.start(environment: ["FAULT_UPTIME": uptime])
            for number in 0..<10 { log.append(NumberedLines.line(number)) }
            try eventually("the first are stored") { try daemon.numbered().distinct == 10 }
        }
        // Moved away and back: the same file, nothing is new.
        try FileManager.default.moveItem(atPath: logs, toPath: folder.path + "/away")
        // A file that has no name any more is let go of once it has been quiet for ten seconds.
        try "11".write(toFile: uptime, atomically: true, encoding: .utf8)
        try eventually("it is not followed any more", within: .seconds(40)) {
            try !daemon.ironpost("status", "-v").out.contains("numbers.log")
        }
        try FileManager.default.moveItem(atPath: folder.path + "/away", toPath: logs)
        let back = try LogFile(logs + "/numbers.log")
        for number in 10..<20 { back.append(NumberedLines.line(number)) }
        try eventually("those after the return are stored") { try daemon.numbered().distinct == 20 }
        #expect(try daemon.numbered().alerts == 20, "read twice after the directory came back")
        // Removed and made again: other files.
        try FileManager.default.removeItem(atPath: logs)
        try eventually("it is not followed any more") {
            try !daemon.ironpost("status", "-v").out.contains("numbers.log")
        }
        try FileManager.default.createDirectory(atPath: logs, withIntermediateDirectories: false)
        let new = try LogFile(logs + "/numbers.log")
        for number in 20..<30 { new.append(NumberedLines.line(number)) }
        try eventually("those in the new directory are stored") { try daemon.numbered().distinct == 30 }
        #expect(try daemon.numbered().alerts == 30)
        #expect(daemon.end() == 0)
        daemon.expectBalance()
    }

    @Test("more files than files_max: those beyond are counted and shown, and followed once there is room")
    func tooManyFiles() throws {
        let folder = try TemporaryDirectory()
        let daemon = DaemonProcess(
            data: folder.path + "/data",
            settings: ["log_pipeline.file.include=\(folder.path)/logs/*.log", "log_pipeline.file.files_max=3"]
                + (try Counting.settings(folder))
        )
        try FileManager.default.createDirectory(atPath: folder.path + "/logs", withIntermediateDirectories: false)
        let logs = try (0..<5).map { try LogFile(folder.path + "/logs/\($0).log") }
        try daemon.start()
        let status = try daemon.ironpost("status", "-v")
        #expect(status.out.contains("2 files beyond log_pipeline.file.files_max"), "\(status.out)")
        #expect(status.out.contains("degraded"))
        for (number, log) in logs.enumerated() { log.append(NumberedLines.line(number)) }
        try eventually("those within are stored") { try daemon.numbered().distinct == 3 }
        // The demonstration's own file is never among those left out.
        let demo = try daemon.ironpost("demo")
        #expect(!demo.err.contains("cannot"), "\(demo.err)")
        #expect(demo.err.contains("not in force"), "\(demo.err)")
        try eventually("the demonstration is read") { try daemon.hop("source:file").accepted == 3 + 8 }
        for number in 0..<2 { try FileManager.default.removeItem(atPath: folder.path + "/logs/\(number).log") }
        try eventually("the others are followed") {
            try !daemon.ironpost("status", "-v").out.contains("beyond log_pipeline.file.files_max")
        }
        logs[4].append(NumberedLines.line(14))
        try eventually("what is written there is stored") {
            try daemon.count("select count(*) from alerts where cast(record as text) like '%number 14\"%'") >= 1
        }
        #expect(daemon.end() == 0)
        daemon.expectBalance()
    }

    @Test(
        "a file that may not be read is named with the reason while the others are read",
        .enabled(if: Needs.hasOtherUser, "\(Needs.otherUser)")
    )
    func unreadable() throws {
        let folder = try TemporaryDirectory()
        let logs = folder.path + "/logs"
        let state = folder.path + "/state"
        unsafe chmod(folder.path, 0o755)
        for path in [logs, state] {
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
        }
        unsafe chown(state, 65534, 65534)
        let setpriv = try #require(Programs.find("setpriv"))
        let program = try folder.write(
            "#!/bin/sh\nexec \(setpriv) --reuid=65534 --regid=65534 --clear-groups \(Programs.daemon) \"$@\"\n",
            to: "daemon"
        )
        unsafe chmod(program, 0o755)
        // The build directory may be closed to others: then there is nothing to test with.
        let probe = try Programs.run(program, ["--version"])
        guard probe.status == 0 else {
            print("passed over: another user cannot run \(Programs.daemon): \(probe.err)")
            return
        }
        let open = try LogFile(logs + "/open.log")
        let closed = try LogFile(logs + "/closed.log")
        let shut = try LogFile(logs + "/shut.log")
        unsafe chmod(closed.path, 0o600)
        unsafe chmod(shut.path, 0o600)
        let daemon = DaemonProcess(
            data: state + "/data",
            settings: ["log_pipeline.file.include=\(logs)/*.log", "log_pipeline.file.start_at=beginning"]
                + (try Counting.settings(folder)), program: program
        )
        try daemon.start()
        open.append(NumberedLines.line(1))
        closed.append(NumberedLines.line(2))
        shut.append(NumberedLines.line(3))
        try eventually("the readable one is read") { try daemon.numbered().distinct == 1 }
        // Long lines are wrapped between words.
        func status() throws -> String {
            try daemon.ironpost("status", "-v").out.split(whereSeparator: \.isWhitespace).joined(separator: " ")
        }
        let before = try status()
        for path in [closed.path, shut.path] {
            #expect(before.contains("cannot open \(path): Permission denied"), "\(before)")
        }
        #expect(before.contains("watching"))
        #expect(before.contains(open.path))
        #expect(before.contains("degraded"))
        // Made readable: read from then on, what it holds included.
        unsafe chmod(closed.path, 0o644)
        unsafe chmod(shut.path, 0o644)
        try eventually("the others are read") { try daemon.numbered().distinct == 3 }
        try eventually("the fault is gone") { try !status().contains("Permission denied") }
        #expect(daemon.end() == 0)
        daemon.expectBalance()
    }
}
