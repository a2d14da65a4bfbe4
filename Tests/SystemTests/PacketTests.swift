import Foundation
import Testing

/// The built daemon watches a network of the test's own: two namespaces with a cable between them, real tools at one end.
///
/// One daemon at a time; never the machine's own interfaces.
@Suite(.serialized, .enabled(if: Cable.obstacle == nil, "\(Cable.obstacle ?? "")"))
struct PacketTests {
    static func start(
        _ cable: Cable, _ folder: TemporaryDirectory, mode: String = "monitor", settings: [String] = []
    ) throws -> DaemonProcess {
        let daemon = DaemonProcess(
            data: folder.path + "/data",
            settings: [
                "ebpf.enabled=true", "ebpf.interfaces=\(cable.inside)", "ebpf.mode=\(mode)", "http.enabled=false",
                "log_pipeline.file.include=\(folder.path)/none.log",
            ] + settings,
            program: Programs.daemon, namespace: cable.victim
        )
        try daemon.start()
        return daemon
    }

    struct Scan: CustomTestStringConvertible, Sendable {
        var arguments: [String]
        var technique: String
        var shape = "vertical"
        var source = Cable.attackerAddress
        var testDescription: String { arguments.joined(separator: " ") }
    }

    static let scans = [
        Scan(arguments: ["-sS", "-p", "1-200", Cable.victimAddress], technique: "syn"),
        Scan(arguments: ["-sN", "-p", "1-50", Cable.victimAddress], technique: "null"),
        Scan(arguments: ["-sF", "-p", "1-50", Cable.victimAddress], technique: "fin"),
        Scan(arguments: ["-sX", "-p", "1-50", Cable.victimAddress], technique: "xmas"),
        Scan(arguments: ["-sU", "-p", "1-40", "--max-retries", "0", Cable.victimAddress], technique: "udp"),
        Scan(
            arguments: ["-6", "-sS", "-p", "1-200", Cable.victimAddress6], technique: "syn",
            source: Cable.attackerAddress6),
        Scan(arguments: ["-sS", "-T2", "-p", "7000-7017", Cable.victimAddress], technique: "syn"),
        Scan(arguments: ["-sS", "-p", "23", "10.77.0.10-40"], technique: "syn", shape: "horizontal"),
    ]

    @Test("each kind of scan is one alert with the right address", arguments: scans)
    func scan(_ scan: Scan) throws {
        let nmap = try #require(Programs.find("nmap"))
        let (cable, folder) = (try Cable(), try TemporaryDirectory())
        let daemon = try Self.start(cable, folder)
        let result = try cable.run(at: cable.attacker, [nmap, "-n", "-Pn", "--disable-arp-ping"] + scan.arguments)
        #expect(result.status == 0, "\(result.err)")
        try eventually("an alert is stored") { try daemon.count("select count(*) from alerts") >= 1 }
        // What else there is has come when it ends.
        #expect(daemon.end() == 0)
        let alerts = try Self.alerts(daemon)
        #expect(alerts.map(\.rule) == ["port_scan"], "\(alerts)")
        let alert = try #require(alerts.first)
        #expect(alert.source == scan.source)
        #expect(alert.group == ["scan": scan.shape, "src_ip": scan.source, "technique": scan.technique])
        #expect(daemon.finalStatistics()["packets"].map { $0.accepted == $0.stored + $0.dropped } == true)
    }

    @Test("a flood from forged sources is one alert of the flood, and accuses nobody")
    func flood() throws {
        let hping = try #require(Programs.find("hping3"))
        let (cable, folder) = (try Cable(), try TemporaryDirectory())
        let daemon = try Self.start(cable, folder)
        _ = try cable.run(
            at: cable.attacker,
            // It never ends by itself when nothing answers.
            [
                "/usr/bin/env", "timeout", "-s", "KILL", "4", hping, "-q", "-S", "-p", "80", "-i", "u500",
                "--rand-source",
            ]
                + [Cable.victimAddress])
        try eventually("an alert is stored") { try daemon.count("select count(*) from alerts") >= 1 }
        #expect(daemon.end() == 0)
        let alerts = try Self.alerts(daemon)
        #expect(alerts.map(\.rule) == ["syn_flood"], "\(alerts)")
        #expect(alerts.first?.source == nil)
        #expect(alerts.first?.group == ["dst_ip": Cable.victimAddress, "dst_port": "80"])
        // At the highest rate that the generator reaches: what was not told is counted, to the last packet.
        try daemon.start()
        _ = try cable.run(
            at: cable.attacker,
            ["/usr/bin/env", "timeout", "-s", "KILL", "2", hping, "-q", "-S", "-p", "80", "--flood", "--rand-source"]
                + [Cable.victimAddress])
        #expect(daemon.end() == 0)
        let hop = try #require(daemon.finalStatistics()["packets"])
        #expect(hop.accepted > 5000 && hop.accepted == hop.stored + hop.dropped, "\(hop)")
    }

    @Test("a thousand ordinary connections and a client of closed ports' retries are nothing")
    func ordinary() throws {
        let python = try #require(Programs.find("python3"))
        let (cable, folder) = (try Cable(), try TemporaryDirectory())
        let daemon = try Self.start(cable, folder)
        let server = try cable.start(
            at: cable.victim,
            [
                python, "-c",
                """
                import socket
                s = socket.create_server(("\(Cable.victimAddress)", 8080), backlog=1024)
                while True:
                    c, _ = s.accept()
                    c.recv(16)
                    c.close()
                """,
            ])
        defer { server.terminate() }
        let client = try cable.run(
            at: cable.attacker,
            [
                python, "-c",
                """
                \(Self.waiting(for: Cable.victimAddress, 8080))
                for i in range(1000):
                    c = socket.create_connection(("\(Cable.victimAddress)", 8080)); c.send(b"x"); c.close()
                for i in range(200):
                    try:
                        socket.create_connection(("\(Cable.victimAddress)", 9), 1)
                    except OSError:
                        pass
                u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                for i in range(500):
                    u.sendto(b"x", ("\(Cable.victimAddress)", 9))
                """,
            ])
        #expect(client.status == 0, "\(client.err)")
        try eventually("the connections were seen") {
            let status = try daemon.ironpost("status", "-o", "json").out
            return status.contains("\"packets\"") && status.contains("ebpf-engine")
        }
        #expect(daemon.end() == 0)
        #expect(try Self.alerts(daemon).isEmpty)
    }

    @Test("a resolver, a proxy, a swarm of peers and their retransmissions are nothing")
    func crowds() throws {
        let python = try #require(Programs.find("python3"))
        let (cable, folder) = (try Cable(), try TemporaryDirectory())
        for host in 60...99 {
            let added = try cable.run(
                at: cable.attacker,
                ["/usr/bin/env", "ip", "addr", "add", "10.77.0.\(host)/24", "dev", cable.outside])
            try #require(added.status == 0, "\(added.err)")
        }
        let daemon = try Self.start(cable, folder)
        let outside = try cable.start(
            at: cable.attacker,
            [
                python, "-c",
                """
                import selectors, socket
                chosen = selectors.DefaultSelector()
                names = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                names.bind(("\(Cable.attackerAddress)", 53))
                chosen.register(names, selectors.EVENT_READ)
                for port in range(8000, 8060):
                    one = socket.create_server(("\(Cable.attackerAddress)", port), backlog=64)
                    chosen.register(one, selectors.EVENT_READ)
                while True:
                    for key, _ in chosen.select():
                        if key.fileobj is names:
                            question, sender = names.recvfrom(512)
                            for _ in range(2):
                                names.sendto(question, sender)
                        else:
                            key.fileobj.accept()[0].close()
                """,
            ])
        defer { outside.terminate() }
        let inside = try cable.run(
            at: cable.victim,
            [
                python, "-c",
                """
                \(Self.waiting(for: Cable.attackerAddress, 8059))
                # A resolver: each question from a port of its own, which is closed before its second answer comes.
                for number in range(300):
                    one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                    one.settimeout(1)
                    one.sendto(b"?", ("\(Cable.attackerAddress)", 53))
                    one.recv(512)
                    one.close()
                # A proxy: out to many ports.
                for number in range(600):
                    socket.create_connection(("\(Cable.attackerAddress)", 8000 + number % 60), 2).close()
                """,
            ])
        #expect(inside.status == 0, "\(inside.err)")
        // A swarm: forty peers, each again and again for the same two ports that nobody listens on any more.
        let swarm = try cable.run(
            at: cable.attacker,
            [
                python, "-c",
                """
                import socket
                for turn in range(6):
                    for host in range(60, 100):
                        datagram = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                        datagram.bind((f"10.77.0.{host}", 6881))
                        for port in (6881, 6889):
                            datagram.sendto(b"x" * 40, ("\(Cable.victimAddress)", port))
                            try:
                                socket.create_connection(("\(Cable.victimAddress)", port), 1, (f"10.77.0.{host}", 0)).close()
                            except OSError:
                                pass
                        datagram.close()
                """,
            ])
        #expect(swarm.status == 0, "\(swarm.err)")
        try eventually("their packets were seen") {
            try daemon.ironpost("status", "-v").out.contains(/[0-9]{4,} seen/)
        }
        #expect(daemon.end() == 0)
        let alerts = try Self.alerts(daemon)
        #expect(alerts.isEmpty, "\(alerts)")
    }

    /// A client's first lines in Python: until a server is there.
    private static func waiting(for host: String, _ port: Int) -> String {
        """
        import socket, time
        for attempt in range(3000):
            try:
                socket.create_connection(("\(host)", \(port)), 1).close(); break
            except OSError:
                time.sleep(0.02)
        """
    }

    private static let server = """
        import socket
        s = socket.create_server(("0.0.0.0", 80), backlog=64)
        while True:
            c, _ = s.accept()
            c.close()
        """

    /// A daemon that blocks scanners for five seconds, and a host with one open port.
    private static func startEnforcing(
        _ cable: Cable, _ folder: TemporaryDirectory
    ) throws -> (DaemonProcess, Process) {
        let python = try #require(Programs.find("python3"))
        _ = try folder.write(
            """
            id = "block-scans"
            name = "Block scans"
            enabled = true
            severity_threshold = "low"
            priority = 1

            [match]
            rule_ids = ["port_scan"]

            [action]
            type = "block"
            ttl = "12s"
            """, to: "policies/scan.toml")
        let daemon = try start(
            cable, folder, mode: "enforce",
            settings: ["response.mode=enforce", "response.policy_path=\(folder.path)/policies"])
        let server = try cable.start(at: cable.victim, [python, "-c", Self.server])
        try eventually("the open port answers") { try cable.reaches(from: Cable.neighbourAddress) }
        return (daemon, server)
    }

    @Test("a scanner that completed a handshake is dropped, its neighbour is not, and all of it ends on time")
    func enforce() throws {
        let nmap = try #require(Programs.find("nmap"))
        let (cable, folder) = (try Cable(), try TemporaryDirectory())
        let (daemon, server) = try Self.startEnforcing(cable, folder)
        defer { server.terminate() }
        let ping = try cable.start(
            at: cable.attacker,
            [
                "/usr/bin/env", "ping", "-q", "-i", "0.01", "-w", "60", "-I", Cable.neighbourAddress,
                Cable.victimAddress,
            ],
            output: folder.path + "/ping")
        _ = try cable.run(
            at: cable.attacker,
            [nmap, "-n", "-Pn", "--disable-arp-ping", "-sT", "-p", "1-400", "--max-retries", "0", Cable.victimAddress])
        try eventually("the scanner is blocked") {
            try daemon.count("select count(*) from actions where state = 'done'") >= 1
        }
        let blocked = ContinuousClock.now
        #expect(try !cable.reaches(from: Cable.attackerAddress))
        #expect(try cable.reaches(from: Cable.neighbourAddress))
        let alerts = try Self.alerts(daemon)
        #expect(alerts.contains { $0.source == Cable.attackerAddress && $0.proof == "handshake" }, "\(alerts)")
        // Nobody of ours runs when the time is over: the kernel ends it.
        daemon.kill()
        #expect(try !cable.reaches(from: Cable.attackerAddress))
        try eventually("the scanner has access again", within: .seconds(60)) {
            try cable.reaches(from: Cable.attackerAddress)
        }
        let length = ContinuousClock.now - blocked
        #expect(length > .seconds(6) && length < .seconds(30), "\(length)")
        ping.interrupt()
        ping.waitUntilExit()
        let summary = try String(contentsOfFile: folder.path + "/ping", encoding: .utf8)
        #expect(summary.contains(" 0% packet loss"), "\(summary)")
        // The next daemon takes the program over, without a gap.
        try daemon.start()
        #expect(daemon.end() == 0)
    }

    @Test("a scan in somebody else's name blocks nobody")
    func forged() throws {
        let hping = try #require(Programs.find("hping3"))
        let (cable, folder) = (try Cable(), try TemporaryDirectory())
        let (daemon, server) = try Self.startEnforcing(cable, folder)
        defer { server.terminate() }
        // Its answers never come back to who sends: the address is of a host that is not there.
        _ = try cable.run(
            at: cable.attacker,
            ["/usr/bin/env", "timeout", "-s", "KILL", "4", hping, "-q", "-S", "-a", "10.77.0.99", "-p", "++1000"]
                + ["-i", "u20000", Cable.victimAddress])
        try eventually("an alert is stored") { try daemon.count("select count(*) from alerts") >= 1 }
        try eventually("it was decided upon") { try daemon.count("select count(*) from actions") >= 1 }
        let alert = try #require(try Self.alerts(daemon).first { $0.rule == "port_scan" })
        #expect(alert.source == "10.77.0.99" && alert.proof == nil)
        #expect(try daemon.count("select count(*) from actions where state = 'done'") == 0)
        #expect(try daemon.sql("select distinct state from actions") == "withheld")
        #expect(daemon.end() == 0)
    }

    @Test("a ping flood goes through restarts without a loss, and blocks of files stay in force meanwhile")
    func restart() throws {
        let (cable, folder) = (try Cable(), try TemporaryDirectory())
        _ = try folder.write("\(Cable.attackerAddress)\n", to: "rules/bad.list")
        let settings = ["ebpf.rules_path=\(folder.path)/rules"]
        let daemon = try Self.start(cable, folder, mode: "enforce", settings: settings)
        try eventually("the address is blocked") { try !cable.answers(from: Cable.attackerAddress) }
        let ping = try cable.start(
            at: cable.attacker,
            [
                "/usr/bin/env", "ping", "-q", "-i", "0.005", "-w", "60", "-I", Cable.neighbourAddress,
                Cable.victimAddress,
            ],
            output: folder.path + "/ping")
        for _ in 0..<2 {
            #expect(daemon.end() == 0)
            #expect(try !cable.answers(from: Cable.attackerAddress))
            try daemon.start()
            daemon.kill()
            #expect(try !cable.answers(from: Cable.attackerAddress))
            try daemon.start()
        }
        ping.interrupt()
        ping.waitUntilExit()
        let summary = try String(contentsOfFile: folder.path + "/ping", encoding: .utf8)
        #expect(summary.contains(" 0% packet loss"), "\(summary)")
        // Another one's program is left alone, and said.
        let other = try TemporaryDirectory()
        let second = DaemonProcess(
            data: other.path + "/data",
            settings: [
                "ebpf.enabled=true", "ebpf.interfaces=\(cable.inside)", "http.enabled=false",
                "log_pipeline.file.include=\(other.path)/none.log",
            ],
            namespace: cable.victim)
        try second.start()
        #expect(try second.ironpost("status", "-v").out.contains("another XDP program is attached"))
        #expect(second.end() == 0)
        #expect(try !cable.answers(from: Cable.attackerAddress))
        #expect(daemon.end() == 0)
    }

    @Test("where another's XDP program is, packets are watched and dropped behind it, and before it once that has gone")
    func behindAnother() throws {
        let nmap = try #require(Programs.find("nmap"))
        let (cable, folder, other) = (try Cable(), try TemporaryDirectory(), try TemporaryDirectory())
        let first = try Self.start(cable, other)
        _ = try folder.write("\(Cable.neighbourAddress)\n", to: "rules/bad.list")
        let second = try Self.start(cable, folder, mode: "enforce", settings: ["ebpf.rules_path=\(folder.path)/rules"])
        #expect(try second.ironpost("status", "-v").out.contains("in tc mode: another XDP program is attached there"))
        #expect(try !cable.answers(from: Cable.neighbourAddress))
        #expect(try cable.answers(from: Cable.attackerAddress))
        _ = try cable.run(
            at: cable.attacker,
            [nmap, "-n", "-Pn", "--disable-arp-ping", "-sS", "-p", "1-40", Cable.victimAddress])
        for daemon in [first, second] {
            try eventually("an alert is stored") { try daemon.count("select count(*) from alerts") >= 1 }
            #expect(try Self.alerts(daemon).map(\.rule) == ["port_scan"])
        }
        // Blocks stay in force while nobody of ours runs, here as well.
        second.kill()
        #expect(try !cable.answers(from: Cable.neighbourAddress))
        try second.start()
        #expect(try !cable.answers(from: Cable.neighbourAddress))
        #expect(first.end() == 0)
        try eventually("it takes the free place") { try second.ironpost("status", "-v").out.contains("(skb mode") }
        #expect(try !cable.answers(from: Cable.neighbourAddress))
        let filters = try cable.run(
            at: cable.victim, ["/usr/bin/env", "tc", "filter", "show", "dev", cable.inside, "ingress"]
        ).out
        #expect(!filters.contains("packets"), "\(filters)")
        #expect(second.end() == 0)
    }

    @Test("mode, lists and thresholds change while it runs")
    func reload() throws {
        let nmap = try #require(Programs.find("nmap"))
        let (cable, folder) = (try Cable(), try TemporaryDirectory())
        _ = try folder.write("\(Cable.neighbourAddress)\n", to: "rules/bad.list")
        func configuration(mode: String, targets: Int) -> String {
            """
            [general]
            data_dir = "\(folder.path)/data"
            [http]
            enabled = false
            [log_pipeline]
            sources = ["file"]
            [log_pipeline.file]
            include = ["\(folder.path)/none.log"]
            [ebpf]
            interfaces = ["\(cable.inside)"]
            mode = "\(mode)"
            rules_path = "\(folder.path)/rules"
            [ebpf.port_scan]
            targets = \(targets)
            """
        }
        let file = try folder.write(configuration(mode: "shadow", targets: 250), to: "ironpost.toml")
        let daemon = DaemonProcess(data: folder.path + "/data", configuration: file, namespace: cable.victim)
        try daemon.start(environment: ["IRONPOST_EBPF_ENABLED": "true"])
        #expect(try cable.answers(from: Cable.neighbourAddress))
        try eventually("it would have been dropped") {
            try !daemon.ironpost("status", "-v").out.contains(" 0 would be dropped")
        }
        let probe = [nmap, "-n", "-Pn", "--disable-arp-ping", "-sS", "-p", "1-40", Cable.victimAddress]
        _ = try cable.run(at: cable.attacker, probe)
        _ = try folder.write(configuration(mode: "enforce", targets: 5), to: "ironpost.toml")
        let reloaded = try daemon.ironpost("reload")
        #expect(reloaded.status == 0, "\(reloaded.out) \(reloaded.err)")
        try eventually("it is dropped") { try !cable.answers(from: Cable.neighbourAddress) }
        #expect(try daemon.count("select count(*) from alerts") == 0)
        _ = try cable.run(at: cable.attacker, probe)
        try eventually("an alert is stored") { try daemon.count("select count(*) from alerts") == 1 }
        // A list that says nothing any more lets everybody in again.
        _ = try folder.write("# nobody\n", to: "rules/bad.list")
        #expect(try daemon.ironpost("reload").status == 0)
        try eventually("it is let in again") { try cable.answers(from: Cable.neighbourAddress) }
        #expect(daemon.end() == 0)
        // Nothing is left behind where nothing is blocked.
        let link = try cable.run(at: cable.victim, ["/usr/bin/env", "ip", "link", "show", cable.inside]).out
        #expect(!link.contains("xdp"), "\(link)")
    }

    @Test("an interface that comes, goes and comes again is watched each time, whatever is reloaded meanwhile")
    func hotPlug() throws {
        let (cable, folder) = (try Cable(), try TemporaryDirectory())
        func configuration(targets: Int) -> String {
            """
            [general]
            data_dir = "\(folder.path)/data"
            [http]
            enabled = false
            [log_pipeline]
            sources = ["file"]
            [log_pipeline.file]
            include = ["\(folder.path)/none.log"]
            [ebpf]
            interfaces = ["ipx*"]
            [ebpf.port_scan]
            targets = \(targets)
            """
        }
        let file = try folder.write(configuration(targets: 15), to: "ironpost.toml")
        let daemon = DaemonProcess(data: folder.path + "/data", configuration: file, namespace: cable.victim)
        try daemon.start(environment: ["IRONPOST_EBPF_ENABLED": "true"])
        #expect(try daemon.ironpost("status", "-v").out.contains("there is no such interface now"))
        for round in 0..<3 {
            for command in [
                ["link", "add", "ipx1", "type", "veth", "peer", "name", "ipy1"], ["link", "set", "ipx1", "up"],
            ] {
                #expect(try cable.run(at: cable.victim, ["/usr/bin/env", "ip"] + command).status == 0)
            }
            _ = try folder.write(configuration(targets: 16 + round), to: "ironpost.toml")
            #expect(try daemon.ironpost("reload").status == 0)
            try eventually("it is watched") { try daemon.ironpost("status", "-v").out.contains("packets on ipx1") }
            #expect(try cable.run(at: cable.victim, ["/usr/bin/env", "ip", "link", "del", "ipx1"]).status == 0)
            _ = try folder.write(configuration(targets: 26 + round), to: "ironpost.toml")
            #expect(try daemon.ironpost("reload").status == 0)
            try eventually("it is gone") { try !daemon.ironpost("status", "-v").out.contains("packets on ipx1") }
        }
        #expect(daemon.end() == 0)
    }

    struct StoredAlert: Sendable {
        var rule: String
        var source: String?
        var group: [String: String]
        var proof: String?
    }

    /// Also once the daemon has ended, which takes everything that the kernel has told with it.
    static func alerts(_ daemon: DaemonProcess) throws -> [StoredAlert] {
        let records = try daemon.sql(
            "select '[' || coalesce(group_concat(cast(record as text)), '') || ']' from alerts")
        let list = try #require(try JSONSerialization.jsonObject(with: Data(records.utf8)) as? [[String: Any]])
        return list.map { alert in
            StoredAlert(
                rule: (alert["rule"] as? [String: Any])?["id"] as? String ?? "", source: alert["src_ip"] as? String,
                group: alert["group"] as? [String: String] ?? [:],
                proof: (alert["src_ip_proof"] as? [String: Any])?["origin"] as? String)
        }
    }
}
