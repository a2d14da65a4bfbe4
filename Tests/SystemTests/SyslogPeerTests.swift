import Foundation
import Testing

/// What the syslog sources make of the senders that people really run: rsyslog, and logger from util-linux.
@Suite(.serialized)
struct SyslogPeerTests {
    /// A daemon that listens on UDP, TCP and a unix socket of its own.
    struct Listening {
        let folder: TemporaryDirectory
        let daemon: DaemonProcess
        let udp = HTTPGet.freePort()
        let tcp = HTTPGet.freePort()
        let unix: String

        init(_ settings: [String] = []) throws {
            folder = try TemporaryDirectory()
            unix = folder.path + "/syslog.sock"
            daemon = DaemonProcess(
                data: folder.path + "/data",
                settings: [
                    "log_pipeline.sources=syslog", "log_pipeline.syslog.udp=127.0.0.1:\(udp)",
                    "log_pipeline.syslog.tcp=127.0.0.1:\(tcp)", "log_pipeline.syslog.unix=\(unix)",
                ] + (try Counting.settings(folder)) + settings
            )
        }

        /// The distinct values of an event's field over all alerts.
        func values(of field: String) throws -> [String] {
            try daemon.sql("select distinct json_extract(record, '$.event.\(field)') from alerts")
                .split(separator: "\n").map(String.init)
        }
    }

    /// rsyslogd with a configuration of its own, that forwards what comes in.
    struct Rsyslog {
        let folder = try? TemporaryDirectory()
        let peer: Peer
        let socket: String
        let file: String
        let log: String

        enum Forwarding: String, CaseIterable, CustomTestStringConvertible {
            case udp, octetCounted, traditional

            var testDescription: String { rawValue }

            func action(_ daemon: Listening) -> String {
                switch self {
                case .udp:
                    "action(type=\"omfwd\" target=\"127.0.0.1\" port=\"\(daemon.udp)\" protocol=\"udp\" "
                        + "template=\"RSYSLOG_TraditionalForwardFormat\")"
                case .octetCounted:
                    "action(type=\"omfwd\" target=\"127.0.0.1\" port=\"\(daemon.tcp)\" protocol=\"tcp\" "
                        + "tcp_framing=\"octet-counted\" template=\"RSYSLOG_SyslogProtocol23Format\" \(Self.queue))"
                case .traditional:
                    "action(type=\"omfwd\" target=\"127.0.0.1\" port=\"\(daemon.tcp)\" protocol=\"tcp\" "
                        + "tcp_framing=\"traditional\" template=\"RSYSLOG_ForwardFormat\" \(Self.queue))"
                }
            }

            private static let queue =
                "queue.type=\"LinkedList\" queue.size=\"200000\" "
                + "action.resumeRetryCount=\"-1\" action.resumeInterval=\"1\""
        }

        init(_ forwarding: Forwarding, to daemon: Listening) throws {
            let folder = try #require(folder)
            socket = folder.path + "/log.sock"
            file = folder.path + "/input.log"
            log = folder.path + "/rsyslog.log"
            _ = try folder.write("", to: "input.log")
            let configuration = try folder.write(
                """
                global(workDirectory="\(folder.path)")
                module(load="imuxsock" sysSock.use="off")
                module(load="imfile" mode="inotify")
                input(type="imuxsock" socket="\(socket)" rateLimit.interval="0")
                input(type="imfile" file="\(file)" tag="counter[7]:")
                \(forwarding.action(daemon))

                """, to: "rsyslog.conf"
            )
            let program = try #require(Programs.find("rsyslogd"))
            let peer = try Peer(program, ["-n", "-f", configuration, "-i", folder.path + "/pid"], log: log)
            self.peer = peer
            let socket = socket
            eventually("rsyslogd listens") { FileManager.default.fileExists(atPath: socket) || !peer.isRunning }
            let said = (try? String(contentsOfFile: log, encoding: .utf8)) ?? ""
            #expect(peer.isRunning, "\(said)")
        }
    }

    static func numbers(_ range: Range<Int>, in folder: TemporaryDirectory) throws -> String {
        try folder.write(range.map { "number \($0)\n" }.joined(), to: "numbers-\(range.lowerBound)")
    }

    static func logger(_ arguments: [String], file: String) throws {
        let program = try #require(Programs.find("logger"))
        let output = try Programs.run(program, arguments + ["-t", "counter", "--id=7", "-f", file])
        #expect(output.status == 0, "logger \(arguments): \(output.err)")
    }

    @Test(
        "what rsyslog forwards arrives whole, with its fields",
        .enabled(if: Needs.hasRsyslog, "\(Needs.rsyslog)"), arguments: Rsyslog.Forwarding.allCases
    )
    func forwarded(_ forwarding: Rsyslog.Forwarding) throws {
        let listening = try Listening()
        try listening.daemon.start()
        let rsyslog = try Rsyslog(forwarding, to: listening)
        let total = 3000
        try Self.logger(["-u", rsyslog.socket], file: try Self.numbers(0..<total, in: listening.folder))
        let name = forwarding == .udp ? "source:syslog_udp" : "source:syslog_tcp"
        try eventually("every message is accounted for") {
            let hop = try listening.daemon.hop(name)
            return hop.accepted == total && hop.stored + hop.dropped.values.reduce(0, +) == total
        }
        let hop = try listening.daemon.hop(name)
        let lost = hop.dropped["kernel_buffer"] ?? 0
        if forwarding != .udp { #expect(lost == 0) }
        try eventually("every message that arrived is stored") {
            try listening.daemon.numbered().distinct == total - lost
        }
        let (alerts, distinct) = try listening.daemon.numbered()
        print("rsyslog \(forwarding): sent \(total), stored \(distinct), counted as lost in the kernel \(lost)")
        #expect(alerts == total - lost)
        let host = ProcessInfo.processInfo.hostName.split(separator: ".").first.map(String.init) ?? ""
        #expect(
            try listening.values(of: "host").map { $0.split(separator: ".").first.map(String.init) ?? "" } == [host])
        #expect(try listening.values(of: "program") == ["counter"])
        #expect(try listening.values(of: "pid") == ["7"])
        #expect(try listening.values(of: "severity") == ["notice"])
        #expect(
            try listening.daemon.sql(
                "select json_extract(record, '$.event.message') from alerts where "
                    + "json_extract(record, '$.event.message') = 'number 17'") == "number 17")
        #expect(
            try listening.daemon.sql("select distinct json_extract(record, '$.evidence.place') from alerts")
                == "127.0.0.1"
        )
        #expect(listening.daemon.end() == 0)
        listening.daemon.expectBalance()
    }

    @Test(
        "the daemon stops and starts again under rsyslog with a queue: no message is lost",
        .enabled(if: Needs.hasRsyslog, "\(Needs.rsyslog)"), arguments: [Rsyslog.Forwarding.octetCounted, .traditional]
    )
    func restarted(_ forwarding: Rsyslog.Forwarding) throws {
        let listening = try Listening()
        try listening.daemon.start()
        let rsyslog = try Rsyslog(forwarding, to: listening)
        let writer = RotatedWriter(to: try LogFile(rsyslog.file), perSecond: 2000) { "number \($0)" }
        for _ in 0..<3 {
            let before = writer.count
            eventually("some more is written") { writer.count > before + 1000 }
            #expect(listening.daemon.end() == 0)
            listening.daemon.expectBalance()
            try listening.daemon.start()
        }
        let total = writer.stop()
        try eventually("every message is stored", within: .seconds(30)) {
            try listening.daemon.numbered().distinct == total
        }
        let (alerts, distinct) = try listening.daemon.numbered()
        print("rsyslog \(forwarding), three restarts: sent \(total), stored \(distinct), \(alerts) alerts")
        // rsyslog itself may send the message again that it was not sure of.
        #expect(alerts <= total + 3 * 100)
        #expect(listening.daemon.end() == 0)
    }

    @Test(
        "kill -9 under rsyslog: what was in the kernel's buffers and the queue is lost, what comes after is not",
        .enabled(if: Needs.hasRsyslog, "\(Needs.rsyslog)")
    )
    func killed() throws {
        let listening = try Listening()
        try listening.daemon.start()
        let rsyslog = try Rsyslog(.octetCounted, to: listening)
        let writer = RotatedWriter(to: try LogFile(rsyslog.file), perSecond: 2000) { "number \($0)" }
        eventually("some is written") { writer.count > 2000 }
        listening.daemon.kill()
        let killedAt = writer.count
        eventually("some more is written") { writer.count > killedAt + 1000 }
        try listening.daemon.start()
        let startedAt = writer.count
        eventually("some more is written") { writer.count > startedAt + 1000 }
        let total = writer.stop()
        try eventually("the last message is stored", within: .seconds(30)) {
            try listening.daemon.count(
                "select count(*) from alerts where json_extract(record,'$.event.message') = 'number \(total - 1)'") >= 1
        }
        try eventually("everything sent after the start is stored") {
            try listening.daemon.count(
                "select count(distinct json_extract(record,'$.event.message')) from alerts "
                    + "where cast(substr(json_extract(record,'$.event.message'), 8) as integer) >= \(startedAt)"
            ) == total - startedAt
        }
        let distinct = try listening.daemon.numbered().distinct
        print("rsyslog, kill -9: sent \(total), stored \(distinct), lost \(total - distinct)")
        // At 2,000 messages a second: what one second brings at most, and rsyslog's one batch.
        #expect(total - distinct < 2500)
        #expect(listening.daemon.end() == 0)
    }

    @Test(
        "every way in which logger sends",
        .enabled(if: Needs.hasLogger, "\(Needs.logger)"),
        arguments: [
            ["-u", "UNIX"], ["-n", "127.0.0.1", "-P", "UDP", "-d"],
            ["-n", "127.0.0.1", "-P", "UDP", "-d", "--rfc3164"],
            ["-n", "127.0.0.1", "-P", "UDP", "-d", "--rfc5424"], ["-n", "127.0.0.1", "-P", "TCP", "-T"],
            ["-n", "127.0.0.1", "-P", "TCP", "-T", "--octet-count"],
            ["-n", "127.0.0.1", "-P", "TCP", "-T", "--octet-count", "--rfc3164"],
            [
                "-n", "127.0.0.1", "-P", "TCP", "-T", "--octet-count", "--rfc5424", "--sd-id", "origin@32473",
                "--sd-param", "tag=\"a \\\"quoted\\\" \\] value\"", "--msgid", "ID47",
            ],
        ]
    )
    func logger(_ arguments: [String]) throws {
        let listening = try Listening()
        try listening.daemon.start()
        let total = 500
        let places = ["UNIX": listening.unix, "UDP": "\(listening.udp)", "TCP": "\(listening.tcp)"]
        let placed = arguments.map { places[$0] ?? $0 } + ["-p", "authpriv.warning"]
        try Self.logger(placed, file: try Self.numbers(0..<total, in: listening.folder))
        let name = arguments.contains("UNIX") ? "syslog_unix" : arguments.contains("UDP") ? "syslog_udp" : "syslog_tcp"
        try eventually("every message is accounted for") {
            let hop = try listening.daemon.hop("source:\(name)")
            return hop.accepted == total && hop.stored + hop.dropped.values.reduce(0, +) == total
        }
        let lost = try listening.daemon.hop("source:\(name)").dropped["kernel_buffer"] ?? 0
        #expect(lost == 0 || name == "syslog_udp")
        try eventually("every message that arrived is stored") {
            try listening.daemon.numbered().distinct == total - lost
        }
        #expect(try listening.daemon.numbered().alerts == total - lost)
        #expect(try listening.values(of: "program") == ["counter"])
        #expect(try listening.values(of: "pid") == ["7"])
        #expect(try listening.values(of: "facility") == ["authpriv"])
        #expect(try listening.values(of: "severity") == ["warning"])
        #expect(
            try listening.daemon.sql("select distinct json_extract(record,'$.evidence.source') from alerts") == name)
        if name != "syslog_unix" {
            let host = ProcessInfo.processInfo.hostName.split(separator: ".").first.map(String.init) ?? ""
            #expect(
                try listening.values(of: "host").map { $0.split(separator: ".").first.map(String.init) ?? "" } == [host]
            )
        }
        if arguments.contains("--sd-id") {
            let event = try listening.daemon.sql("select json_extract(record,'$.event') from alerts limit 1")
            #expect(event.contains("ID47"), "\(event)")
            #expect(event.contains(#"a \"quoted\" ] value"#), "\(event)")
        }
        #expect(listening.daemon.end() == 0)
        listening.daemon.expectBalance()
    }

    @Test(
        "thousands of connections, slow senders, a promise of 100 MB and random bytes: bounded, and the others are heard"
    )
    func hostileSenders() throws {
        let listening = try Listening(["log_pipeline.syslog.tcp_connections_max=64"])
        try listening.daemon.start()
        let before = listening.daemon.residentMiB
        var held: [TCPClient] = []
        // Slow senders: half a message each, and nothing more.
        for number in 0..<60 {
            guard let client = TCPClient(port: listening.tcp) else { continue }
            client.send(number % 2 == 0 ? "<34>Nov 23 01:22:37 host counter[7]: numb" : "9999 <34>1 - half")
            held.append(client)
        }
        // An octet count of 100 MB, and as much of it as is taken.
        let promising = try #require(TCPClient(port: listening.tcp))
        promising.send("9999999 ")
        let chunk = [UInt8](repeating: 0x41, count: 256 << 10)
        for _ in 0..<40 { promising.send(chunk) }
        promising.send("104857600 ")
        for _ in 0..<100 { promising.send(chunk) }
        let random = try #require(TCPClient(port: listening.tcp))
        let noise = try #require(FileHandle(forReadingAtPath: "/dev/urandom"))
        for _ in 0..<64 { random.send(Array(try noise.read(upToCount: 64 << 10) ?? Data())) }
        var refused = 0
        let connections = RobustnessTests.isDeep ? 5000 : 1000
        for number in 0..<connections {
            guard let client = TCPClient(port: listening.tcp) else {
                refused += 1
                continue
            }
            // Beyond the limit the daemon closes; a sender that does not notice is no reason to keep anything.
            client.send("9", waiting: false)
            if number % 10 == 0, held.count < 500 { held.append(client) }
        }
        var slowest = Duration.zero
        for number in 1...5 {
            let begin = ContinuousClock.now
            let program = Programs.find("logger")
            if let program {
                _ = try Programs.run(program, ["-u", listening.unix, "-t", "counter", "--id=7", "number \(number)"])
            }
            try eventually("the unix socket is heard", within: .seconds(5)) {
                try listening.daemon.numbered().distinct == (program == nil ? 0 : number)
            }
            slowest = max(slowest, ContinuousClock.now - begin)
        }
        let after = listening.daemon.residentMiB
        let status = try listening.daemon.ironpost("status", "-v")
        print(
            "\(connections) connections (\(refused) not taken by the kernel): \(before) MiB before, \(after) MiB after, another "
                + "source was heard within \(slowest)")
        #expect(slowest < .seconds(2))
        #expect(after - before < 100)
        #expect(listening.daemon.isRunning)
        #expect(status.out.contains("beyond log_pipeline.syslog.tcp_connections_max"), "\(status.out)")
        // Who goes makes room.
        held.removeAll()
        eventually("a new connection is served") {
            guard let client = TCPClient(port: listening.tcp) else { return false }
            client.send("<34>Nov 23 01:22:37 host counter[7]: number 77\n")
            poll(nil, 0, 100)
            return ((try? listening.daemon.numbered().distinct) ?? 0) >= 1
                && ((try? listening.daemon.count(
                    "select count(*) from alerts where json_extract(record,'$.event.message') = 'number 77'"
                )) ?? 0) > 0
        }
        #expect(listening.daemon.end() == 0)
        listening.daemon.expectBalance()
    }

    @Test("a flood of datagrams does not keep the daemon from stopping, and what the kernel dropped is counted")
    func flood() throws {
        let listening = try Listening()
        try listening.daemon.start()
        let flooding = Flood(port: listening.udp)
        eventually("the flood is under way") { flooding.sent > 200_000 }
        let begin = ContinuousClock.now
        #expect(listening.daemon.end(SIGTERM, within: .seconds(20)) == 0)
        let took = ContinuousClock.now - begin
        let sent = flooding.stop()
        let hop = listening.daemon.finalStatistics()["source:syslog_udp"]
        print("flood: \(sent) datagrams, the daemon stopped within \(took), \(hop.map { "\($0)" } ?? "no statistics")")
        #expect(took < .seconds(10))
        listening.daemon.expectBalance()
    }

    @Test("datagrams that the kernel dropped while the store was held up are counted: sent is stored plus dropped")
    func kernelDrops() throws {
        let listening = try Listening(["log_pipeline.queue_bytes=1048576"])
        try listening.daemon.start()
        let flooding = Flood(port: listening.udp, limit: 150_000, text: NumberedLines.line)
        let sent = flooding.wait()
        try eventually("every datagram is accounted for", within: .seconds(60)) {
            let hop = try listening.daemon.hop("source:syslog_udp")
            return hop.accepted == sent && hop.stored + hop.dropped.values.reduce(0, +) == sent
        }
        let hop = try listening.daemon.hop("source:syslog_udp")
        print("datagrams: \(sent) sent, \(hop.stored) evaluated, dropped \(hop.dropped)")
        #expect(hop.dropped["kernel_buffer"] ?? 0 > 0)
        #expect(listening.daemon.end() == 0)
        listening.daemon.expectBalance()
        #expect(try listening.daemon.numbered().distinct == hop.stored)
    }
}
