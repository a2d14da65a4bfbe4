import Foundation
import Testing

/// `ironpost top` on the built programs: as data, and on a terminal.
@Suite(.serialized)
struct TopCommandTests {
    /// A terminal, as programs see one, and what they wrote to it.
    final class PseudoTerminal {
        private let controller: Int32
        let program: Int32
        private(set) var text = ""

        init?(rows: UInt16, columns: UInt16) {
            controller = unsafe open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC)
            guard controller >= 0 else { return nil }
            // TIOCSPTLCK and TIOCGPTN of asm-generic/ioctls.h: unlocks it, and says which one it is.
            var (lock, number) = (Int32(0), Int32(0))
            guard unsafe ioctl(controller, 0x4004_5431, &lock) == 0, unsafe ioctl(controller, 0x8004_5430, &number) == 0
            else { return nil }
            program = unsafe open("/dev/pts/\(number)", O_RDWR | O_NOCTTY | O_CLOEXEC)
            guard program >= 0 else { return nil }
            _ = fcntl(controller, F_SETFL, O_NONBLOCK)
            resize(rows: rows, columns: columns)
        }

        deinit {
            close(program)
            close(controller)
        }

        func resize(rows: UInt16, columns: UInt16) {
            var size = winsize(ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0)
            _ = unsafe ioctl(controller, UInt(TIOCSWINSZ), &size)
        }

        func type(_ key: String) {
            let bytes = Array(key.utf8)
            _ = unsafe write(controller, bytes, bytes.count)
        }

        /// Everything written so far.
        func read() -> String {
            var bytes = [UInt8](repeating: 0, count: 65536)
            while true {
                let count = unsafe Glibc.read(controller, &bytes, bytes.count)
                guard count > 0 else { return text }
                text += String(decoding: bytes.prefix(count), as: UTF8.self)
            }
        }

        var localModes: tcflag_t {
            var mode = termios()
            unsafe tcgetattr(program, &mode)
            return mode.c_lflag
        }
    }

    @Test("a snapshot says what passes, what was found, what is done about it, and what it costs")
    func snapshots() throws {
        let folder = try TemporaryDirectory()
        let log = try LogFile(folder.path + "/auth.log")
        let daemon = DaemonProcess(data: folder.path + "/data", settings: ["log_pipeline.file.include=\(log.path)"])
        try daemon.start()
        for number in 1...6 { log.append(DetectionTests.sshFailure(number)) }
        try eventually("all six are counted") { try daemon.count("select sum(count) from alerts") == 6 }
        #expect(try daemon.ironpost("block", "add", "198.51.100.9", "--ttl", "1h").status == 0)

        let top = try daemon.ironpost("top", "-n", "2", "--interval", "100ms", "-o", "json")
        #expect(top.status == 0, "\(top.err)")
        let lines = try top.out.split(separator: "\n").map {
            try #require(try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
        }
        #expect(lines.count == 2)
        let last = try #require(lines.last)
        let status = try daemon.ironpost("status", "-o", "json")
        let known = try #require(try JSONSerialization.jsonObject(with: Data(status.out.utf8)) as? [String: Any])
        #expect(last["pid"] as? Int == known["pid"] as? Int)
        let hops = try #require(last["hops"] as? [[String: Any]])
        let file = try #require(hops.first { $0["hop"] as? String == "source:file" })
        #expect(file["accepted"] as? Int == 6)
        #expect(hops.first { $0["hop"] as? String == "detect" }?["stored"] as? Int == 6)
        // Since the start six events passed; between the two snapshots none.
        let first = try #require(
            (lines[0]["hops"] as? [[String: Any]])?.first { $0["hop"] as? String == "source:file" })
        #expect((first["events_per_second"] as? Double ?? 0) > 0)
        #expect(file["events_per_second"] as? Double == 0)
        let alerts = try #require(last["alerts"] as? [String: Any])
        #expect(
            alerts["by_severity"] as? [String: Int] == ["critical": 0, "high": 1, "medium": 0, "low": 0, "info": 0])
        let rules = try #require(last["rules"] as? [[String: Any]])
        #expect(rules.map { $0["events"] as? Int } == [6])
        let blocks = try #require(last["blocks"] as? [String: Any])
        #expect(blocks["total"] as? Int == 1)
        let actions = try #require(last["actions"] as? [[String: Any]])
        #expect(actions.contains { $0["target"] as? String == "198.51.100.9" && $0["state"] as? String == "proposed" })
        let processes = try #require(last["processes"] as? [[String: Any]])
        let own = try #require(processes.first { $0["name"] as? String == "daemon" })
        #expect(own["pid"] as? Int == known["pid"] as? Int)
        #expect((own["resident_bytes"] as? Int ?? 0) > 1 << 20)
        if getuid() == 0 {
            // It says so with the first answer to a ping.
            try eventually("the responder says what it uses") {
                try daemon.ironpost("top", "-n", "1").out.contains("\nresponder  ")
            }
        }
        let table = try daemon.ironpost("top", "-n", "1")
        #expect(table.out.contains("alerts in 15 minutes: 0 critical, 1 high, "))
        #expect(!table.out.contains("\u{1B}"))
        #expect(daemon.end() == 0)
        #expect(try daemon.ironpost("top", "-n", "1").status == 3)
    }

    @Test(
        "on a terminal it draws in place, fits, and leaves the terminal as it was",
        .enabled(if: FileManager.default.isWritableFile(atPath: "/dev/ptmx"), "this machine has no pseudo-terminals"),
        arguments: ["q", "\u{3}", "TERM"])
    func live(end: String) throws {
        let folder = try TemporaryDirectory()
        let daemon = DaemonProcess(data: folder.path + "/data", settings: ["log_pipeline.file.include=/nowhere/*.log"])
        try daemon.start()
        let terminal = try #require(PseudoTerminal(rows: 12, columns: 60))
        let before = terminal.localModes
        let top = Process()
        top.executableURL = URL(fileURLWithPath: Programs.ironpost)
        top.arguments = ["--socket", folder.path + "/data/control.sock", "top", "--interval", "100ms"]
        let handle = FileHandle(fileDescriptor: terminal.program, closeOnDealloc: false)
        (top.standardInput, top.standardOutput) = (handle, handle)
        try Programs.withNoSignalBlocked { try top.run() }
        // Whatever fails below, it does not stay.
        defer { if top.isRunning { top.interrupt(with: SIGKILL) } }
        // Two pictures, each of at most twelve lines.
        eventually("it draws again and again") { terminal.read().components(separatedBy: "\u{1B}[H").count > 3 }
        #expect(terminal.localModes & tcflag_t(ICANON | ECHO) == 0)
        let pictures = terminal.text.components(separatedBy: "\u{1B}[H").dropFirst(2)
        for picture in pictures.dropLast() {
            let lines = picture.utf8.split(separator: 10, omittingEmptySubsequences: false).map { String($0) ?? "" }
            #expect(lines.count == 12)
            #expect(lines.first?.contains("is") == true)
            #expect(lines.last?.contains("more lines") == true)
        }
        terminal.resize(rows: 60, columns: 100)
        top.interrupt(with: SIGWINCH)
        eventually("it takes the room that there is") {
            terminal.read().components(separatedBy: "\u{1B}[H").dropLast().last?.contains("response") == true
        }
        if end == "TERM" { top.terminate() } else { terminal.type(end) }
        eventually("it ends") { !top.isRunning }
        #expect(top.terminationStatus == 0)
        #expect(terminal.read().hasSuffix("\u{1B}[?7h\u{1B}[?25h\u{1B}[?1049l"))
        #expect(terminal.localModes == before)
        #expect(daemon.end() == 0)
    }
}

extension Process {
    fileprivate func interrupt(with signal: Int32) {
        _ = kill(processIdentifier, signal)
    }
}
