import Foundation
import Testing

/// What a host does to a daemon: no descriptors left, a clock that jumps, processes that stand still, floods.
@Suite(.serialized)
struct EnduranceTests {
    static var isDeep: Bool { RobustnessTests.isDeep }

    private static func daemon(
        _ folder: TemporaryDirectory, _ settings: [String] = [], program: String = Programs.daemon
    ) throws -> DaemonProcess {
        DaemonProcess(
            data: folder.path + "/data",
            settings: ["log_pipeline.file.include=\(folder.path)/numbers.log"] + (try Counting.settings(folder))
                + settings,
            program: program
        )
    }

    /// A connection to a port of loopback, if it comes within a moment: a full backlog lets connect(2) wait for minutes.
    private static func connectBriefly(_ port: Int) -> Int32? {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0)
        guard descriptor >= 0 else { return nil }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let result = unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        if result == 0 || errno == EINPROGRESS { return descriptor }
        close(descriptor)
        return nil
    }

    @Test("64 descriptors and 10,000 connections: no exit, alerts are stored meanwhile, and all is well afterwards")
    func descriptors() throws {
        let folder = try TemporaryDirectory()
        let log = try LogFile(folder.path + "/numbers.log")
        let limited = try folder.write("#!/bin/sh\nulimit -n 64\nexec \(Programs.daemon) \"$@\"\n", to: "limited")
        unsafe chmod(limited, 0o755)
        let syslog = HTTPGet.freePort()
        let daemon = try Self.daemon(
            folder,
            [
                "log_pipeline.sources=file,syslog", "log_pipeline.syslog.udp=",
                "log_pipeline.syslog.tcp=127.0.0.1:\(syslog)",
            ],
            program: limited)
        try daemon.start()
        var open: [Int32] = []
        var tried = 0
        var stored = 0
        for round in 0..<50 {
            for number in 0..<200 {
                guard let made = Self.connectBriefly(number % 2 == 0 ? daemon.port : syslog) else { continue }
                open.append(made)
                tried += 1
            }
            // Two hundred at once stay open, so that the daemon never has a descriptor to spare.
            if open.count > 400 {
                for descriptor in open.prefix(200) { close(descriptor) }
                open.removeFirst(200)
            }
            guard round % 10 == 5 else { continue }
            log.append(NumberedLines.line(stored))
            stored += 1
            try eventually("alert \(stored) is stored among \(tried) connections") {
                try daemon.numbered().distinct == stored
            }
        }
        #expect(daemon.isRunning)
        for descriptor in open { close(descriptor) }
        eventually("it answers again", within: .seconds(10)) { daemon.isReady() }
        try eventually("all is well", within: .seconds(10)) {
            try daemon.status()["status"] as? String == "healthy"
        }
        print("64 descriptors: \(tried) connections, \(stored) alerts meanwhile, \(daemon.residentMiB) MiB")
        #expect(tried >= 9000)
        #expect(daemon.end() == 0)
        daemon.expectBalance()
    }

    @Test("the clock jumps a year ahead and two back: no exit, nothing stored is gone, new attacks alert")
    func clock() throws {
        let folder = try TemporaryDirectory()
        let log = try LogFile(folder.path + "/numbers.log")
        let clock = try folder.write("0", to: "clock")
        let daemon = try Self.daemon(
            folder, ["storage.retention=30d"], program: Programs.directory + "/FaultDaemon")
        try daemon.launch(environment: ["FAULT_CLOCK": clock])
        eventually("the daemon is ready") { daemon.isReady() }
        let year = 365 * 86_400
        var stored = 0
        for (round, shift) in [0, year, 0, -year, year, 0].enumerated() {
            try "\(shift)".write(toFile: clock, atomically: true, encoding: .utf8)
            // The clock is read anew, and a commit and a look at what is too old happen under it.
            for _ in 0..<20 {
                log.append(NumberedLines.line(stored))
                stored += 1
            }
            try eventually("\(stored) alerts are stored after jump \(round)") {
                try daemon.numbered().distinct == stored
            }
            try eventually("the daemon is healthy", within: .seconds(10)) {
                try daemon.status()["status"] as? String == "healthy"
            }
        }
        // The canary goes round under the wrong clock too.
        try "\(year)".write(toFile: clock, atomically: true, encoding: .utf8)
        poll(nil, 0, 5000)
        #expect(try daemon.status()["status"] as? String == "healthy")
        #expect(try daemon.numbered().distinct == stored, "alerts are gone")
        #expect(daemon.end() == 0)
        daemon.expectBalance()
    }

    @Test(
        "each process stands still for a while: no exit, no line lost, healthy within ten seconds after",
        .enabled(if: geteuid() == 0, "needs root: without it there is one process only"))
    func standingStill() throws {
        // Longer than a worker may be silent.
        let seconds: Int32 = Self.isDeep ? 30 : 6
        let folder = try TemporaryDirectory()
        let log = try LogFile(folder.path + "/numbers.log")
        let daemon = try Self.daemon(folder)
        try daemon.start()
        let writer = RotatedWriter(to: log, perSecond: 500)
        for name in ["core", "keeper", "worker"] {
            let processes = try #require(ResponderProcessTests.processes(of: daemon))
            let pid = name == "core" ? daemon.pid : name == "keeper" ? processes.keeper : processes.worker
            kill(pid, SIGSTOP)
            poll(nil, 0, seconds * 1000)
            kill(pid, SIGCONT)
            try eventually("healthy after the \(name) stood still", within: .seconds(10)) {
                try daemon.status()["status"] as? String == "healthy"
            }
            #expect(daemon.isRunning)
        }
        let written = writer.stop()
        try eventually("every line is stored", within: .seconds(40)) { try daemon.numbered().distinct == written }
        print("stood still \(seconds) s each: \(written) lines, all stored")
        #expect(daemon.end() == 0)
        daemon.expectBalance()
    }

    @Test("a flood of garbage datagrams: memory is bounded, and a quiet source is heard at once")
    func garbage() throws {
        let folder = try TemporaryDirectory()
        let log = try LogFile(folder.path + "/numbers.log")
        let port = HTTPGet.freePort()
        let daemon = try Self.daemon(
            folder,
            [
                "log_pipeline.sources=file,syslog", "log_pipeline.syslog.tcp=",
                "log_pipeline.syslog.udp=127.0.0.1:\(port)",
            ])
        try daemon.start()
        let noise = (0..<64).map { _ in
            String(decoding: (0..<Int.random(in: 1...200)).map { _ in UInt8.random(in: 0...255) }, as: UTF8.self)
        }
        let begin = ContinuousClock.now
        let flood = Flood(port: port) { noise[$0 & 63] }
        var latencies: [Duration] = []
        var most = 0
        for number in 0..<(Self.isDeep ? 60 : 8) {
            poll(nil, 0, 400)
            let wrote = ContinuousClock.now
            log.append(NumberedLines.line(number))
            try eventually("the quiet source's alert \(number)") { try daemon.numbered().distinct == number + 1 }
            latencies.append(.now - wrote)
            most = max(most, daemon.residentMiB)
        }
        let sent = flood.stop()
        let rate = Int(Double(sent) / ((ContinuousClock.now - begin) / .seconds(1)))
        let worst = latencies.max() ?? .zero
        print("garbage: \(sent) datagrams, \(rate)/s, quiet source's alert after at most \(worst), \(most) MiB")
        // One second is what a quiet machine keeps by far; a loaded one is given more.
        #expect(worst < .seconds(Self.isDeep ? 1 : 5))
        #expect(most <= 256)
        #expect(daemon.isRunning)
        #expect(daemon.end() == 0)
        daemon.expectBalance()
    }
}
