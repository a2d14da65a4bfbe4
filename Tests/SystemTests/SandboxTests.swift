import Foundation
import Testing

/// What the core can still do once it has given up its rights, tried from inside it, and that it still does its work.
@Suite(.serialized, .enabled(if: geteuid() == 0, "needs root: only root has rights to give up"))
struct SandboxTests {
    /// A user that every Debian has, and that nobody uses.
    static let otherUser = "nobody"

    /// Things to act on, all the test's own.
    final class Targets {
        let folder: TemporaryDirectory
        let sleeper = Process()
        private let unixSocket: Int32
        private let tcpSocket: Int32
        let port: Int

        init() throws {
            folder = try TemporaryDirectory()
            // The other user must get through to the data directory.
            unsafe chmod(folder.path, 0o711)
            try FileManager.default.createDirectory(atPath: folder.path + "/theirs", withIntermediateDirectories: true)
            let closed = try folder.write("secret", to: "closed")
            unsafe chmod(closed, 0o600)
            _ = unsafe chown(closed, 12345, 12345)
            sleeper.executableURL = URL(fileURLWithPath: "/bin/sleep")
            sleeper.arguments = ["600"]
            try sleeper.run()
            let unix = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
            unixSocket = unix
            var address = sockaddr_un()
            address.sun_family = sa_family_t(AF_UNIX)
            let path = Array((folder.path + "/engine.sock").utf8CString)
            unsafe withUnsafeMutableBytes(of: &address.sun_path) { target in
                for (index, byte) in path.enumerated() where index < target.count {
                    unsafe target[index] = UInt8(bitPattern: byte)
                }
            }
            unsafe withUnsafePointer(to: &address) { pointer in
                unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    _ = unsafe bind(unix, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
                }
            }
            listen(unix, 8)
            // As an engine's: root's, and open to its group.
            unsafe chmod(folder.path + "/engine.sock", 0o660)
            port = HTTPGet.freePort()
            let tcp = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
            tcpSocket = tcp
            var loopback = sockaddr_in()
            loopback.sin_family = sa_family_t(AF_INET)
            loopback.sin_port = UInt16(port).bigEndian
            loopback.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
            unsafe withUnsafePointer(to: &loopback) { pointer in
                unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    _ = unsafe bind(tcp, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
            listen(tcp, 8)
        }

        deinit {
            kill(sleeper.processIdentifier, SIGKILL)
            sleeper.waitUntilExit()
            close(unixSocket)
            close(tcpSocket)
        }

        /// What came of each act: its error number, 0 for done.
        func acts(_ settings: [String]) throws -> [String: Int32] {
            let data = folder.path + "/data"
            let daemon = DaemonProcess(
                data: data, settings: ["log_pipeline.file.include=/nowhere/*"] + settings,
                program: Programs.directory + "/FaultDaemon"
            )
            try daemon.launch(environment: [
                "FAULT_MODULES": "forbidden-acts",
                "FAULT_ACTS": "\(data),\(folder.path)/engine.sock,\(port),\(sleeper.processIdentifier),"
                    + "\(folder.path)/closed,\(folder.path)/theirs",
            ])
            eventually("the acts were tried: \(daemon.log.suffix(500))") {
                FileManager.default.fileExists(atPath: data + "/acts") || !daemon.isRunning
            }
            eventually("they are written whole") {
                (try? String(contentsOfFile: data + "/acts", encoding: .utf8))?.contains("new-namespace") ?? false
            }
            let text = try String(contentsOfFile: data + "/acts", encoding: .utf8)
            daemon.kill()
            let pairs = text.split(separator: "\n").map { $0.split(separator: " ") }
            return Dictionary(uniqueKeysWithValues: pairs.map { (String($0[0]), Int32($0[1]) ?? -1) })
        }
    }

    @Test(
        "twenty forbidden acts, tried from inside the core, are all denied",
        arguments: [[], ["general.user=\(otherUser)"]])
    func denied(_ settings: [String]) throws {
        let results = try Targets().acts(settings)
        #expect(results.count == 21)
        for (act, code) in results { #expect(code == EPERM || code == EACCES, "\(act): error \(code)") }
    }

    @Test("without the sandbox the same acts can be done: what denies them is the sandbox, not the host")
    func control() throws {
        let results = try Targets().acts(["general.sandbox=off"])
        // What this machine's kernel does not have at all is denied either way.
        let possible = results.filter { $0.value == 0 }.map(\.key)
        for act in [
            "engine-socket", "connect-out", "ptrace", "signal", "write-outside", "write-etc", "read-others-file",
            "run-shell", "raw-socket", "netlink", "write-and-execute", "become-root", "change-owner",
        ] {
            #expect(possible.contains(act), "\(act): error \(results[act] ?? -1)")
        }
    }

    @Test("the core has no capability, no way back to one, and no other user's number left")
    func status() throws {
        let folder = try TemporaryDirectory()
        unsafe chmod(folder.path, 0o711)
        let daemon = DaemonProcess(
            data: folder.path + "/data",
            settings: ["log_pipeline.file.include=/nowhere/*", "general.user=\(Self.otherUser)"])
        try daemon.start()
        let status = try String(contentsOfFile: "/proc/\(daemon.pid)/status", encoding: .utf8)
        func field(_ name: String) -> [Substring] {
            status.split(separator: "\n").first { $0.hasPrefix(name) }?.split(separator: "\t").dropFirst().map { $0 }
                ?? []
        }
        for set in ["CapInh:", "CapPrm:", "CapEff:", "CapBnd:", "CapAmb:"] {
            #expect(field(set) == ["0000000000000000"], "\(set)")
        }
        #expect(field("NoNewPrivs:") == ["1"])
        #expect(field("Seccomp:") == ["2"])
        let number = unsafe try #require(unsafe getpwnam(Self.otherUser)).pointee.pw_uid
        #expect(field("Uid:") == Array(repeating: "\(number)", count: 4))
        let shown = try daemon.ironpost("status", "-v")
        #expect(shown.out.contains("\(Self.otherUser), no capabilities"))
        #expect(shown.out.contains("landlock") && shown.out.contains("seccomp"))
        var owner = stat()
        #expect(unsafe stat(daemon.database, &owner) == 0 && owner.st_uid == number)
        #expect(daemon.end() == 0)
    }

    @Test("a user that there is not, and a data directory that he cannot reach: named, with what to do; exit 1")
    func unusableUser() throws {
        let folder = try TemporaryDirectory()
        let unknown = DaemonProcess(data: folder.path + "/data", settings: ["general.user=nobody-of-this-name"])
        try unknown.launch()
        eventually("it ends") { !unknown.isRunning }
        #expect(unknown.log.contains("useradd"))
        let unreachable = DaemonProcess(
            data: folder.path + "/closed/data", settings: ["general.user=\(Self.otherUser)"])
        try FileManager.default.createDirectory(atPath: folder.path + "/closed", withIntermediateDirectories: true)
        try unreachable.launch()
        eventually("it ends") { !unreachable.isRunning }
        #expect(unreachable.log.contains("is closed to it"))
    }

    // MARK: - Logs that the core's user may not read

    static func lines(_ range: Range<Int>, to log: LogFile) {
        for number in range { log.append(NumberedLines.line(number)) }
    }

    @Test(
        "log files in a directory that is closed to the core are read through the responder, over rotation and kill -9")
    func closedLogs() throws {
        let folder = try TemporaryDirectory()
        unsafe chmod(folder.path, 0o711)
        for name in ["closed", "other", "rules"] {
            try FileManager.default.createDirectory(
                atPath: folder.path + "/" + name, withIntermediateDirectories: true)
        }
        let rules = try folder.write(NumberedLines.rule, to: "rules/numbered.yml")
        let file = folder.path + "/closed/numbers.log"
        let log = try LogFile(file)
        unsafe chmod(file, 0o600)
        unsafe chmod(folder.path + "/closed", 0o700)
        let configuration = folder.path + "/ironpost.toml"
        func write(_ include: String, port: Int) throws {
            try """
            [general]
            data_dir = "\(folder.path)/data"
            user = "\(Self.otherUser)"
            [http]
            listen = "127.0.0.1:\(port)"
            [log_pipeline]
            sources = ["file"]
            [log_pipeline.file]
            include = [\(include)]
            [detection]
            rules = ["\(rules)"]
            dedup_window = 0
            rate_limit_per_rule = 0
            """.write(toFile: configuration, atomically: false, encoding: .utf8)
        }
        let daemon = DaemonProcess(data: folder.path + "/data", configuration: configuration)
        try write("\"\(folder.path)/closed/*.log\"", port: daemon.port)
        try daemon.start()
        Self.lines(0..<100, to: log)
        try eventually("lines of a closed file are stored") { try daemon.count(NumberedLines.storedQuery) == 100 }
        let status = try daemon.ironpost("status", "-v").out
        #expect(status.contains("is healthy"), "\(status)")

        // Rotated while it is followed, and again while nobody is there.
        unsafe rename(file, file + ".1")
        Self.lines(100..<150, to: log)
        log.reopen()
        unsafe chmod(file, 0o600)
        Self.lines(150..<200, to: log)
        try eventually("both files are read") { try daemon.count(NumberedLines.storedQuery) == 200 }
        daemon.kill()
        Self.lines(200..<230, to: log)
        unsafe rename(file, file + ".2")
        log.reopen()
        unsafe chmod(file, 0o600)
        Self.lines(230..<250, to: log)
        try daemon.start()
        try eventually("what was written meanwhile is read") { try daemon.count(NumberedLines.storedQuery) == 250 }

        // A reload that names another closed directory.
        let other = try LogFile(folder.path + "/other/numbers.log")
        Self.lines(250..<250, to: other)
        unsafe chmod(folder.path + "/other", 0o700)
        try write("\"\(folder.path)/closed/*.log\", \"\(folder.path)/other/*.log\"", port: daemon.port)
        let reload = try daemon.ironpost("reload")
        #expect(reload.status == 0, "\(reload.err)\(reload.out)")
        try eventually("the new file is followed") {
            try daemon.ironpost("status", "-v").out.contains("file \(folder.path)/other/numbers.log")
        }
        Self.lines(250..<300, to: other)
        try eventually("the new file is read") { try daemon.count(NumberedLines.storedQuery) == 300 }
        #expect(daemon.end() == 0)
    }

    @Test(
        "a journal that is closed to the core is read through the responder, new files of it too",
        .enabled(if: Needs.hasJournal, "\(Needs.journal)"))
    func closedJournal() throws {
        let journal = try JournalPeerTests.JournalDirectory()
        unsafe chmod(journal.folder.path, 0o711)
        unsafe chmod(journal.path, 0o700)
        let daemon = DaemonProcess(
            data: journal.folder.path + "/data",
            settings: JournalPeerTests.settings(journal) + ["general.user=\(Self.otherUser)"])
        for number in 1...5 {
            journal.append([
                JournalPeerTests.JournalDirectory.entry(
                    second: number, message: JournalPeerTests.JournalDirectory.failure(number, from: "203.0.113.7"))
            ])
        }
        try daemon.start()
        try eventually("the alert is stored") { try daemon.count("select count(*) from alerts") == 1 }
        journal.append([
            JournalPeerTests.JournalDirectory.entry(
                second: 20, message: JournalPeerTests.JournalDirectory.failure(6, from: "203.0.113.7"))
        ])
        try eventually("the sixth is counted") { try daemon.count("select sum(count) from alerts") == 6 }
        // It was once given up and opened anew every few seconds, because nothing tells of news in such a journal.
        #expect(!daemon.log.contains("cannot wait"), "\(daemon.log)")
        #expect(daemon.end() == 0)
    }
}
