import Foundation
import Testing

/// Whole logs through the whole daemon: what is blocked, what is withheld, what is quiet.
struct ResponseProofTests {
    /// Feeds a log to a daemon in a network namespace; nil where a machine lacks what it needs.
    private static func feed(_ lines: [String], mode: String) throws -> (
        values: [String: String], blocked: Set<String>
    )? {
        let folder = try TemporaryDirectory()
        unsafe chmod(folder.path, 0o755)
        let file = try folder.write(lines.joined(separator: "\n") + "\n", to: "lines")
        let arguments = [folder.path, Programs.directory, Programs.root + "/rules", mode, file]
        guard let output = try BlockingTests.run("feed", arguments, needs: ["ip", "nft", "python3"]) else { return nil }
        let values = BlockingTests.values(output.out)
        #expect(values["fault"] == nil && values["audit"] == "1", "\(output.out)\n\(output.err)")
        let blocked = output.out.split(separator: "\n").filter { $0.hasPrefix("blocked=") }.map {
            String($0.dropFirst(8))
        }
        return (values, Set(blocked))
    }

    private static func failure(_ address: String, at time: String = "Nov 25 10:00:00") -> String {
        "\(time) host sshd[7]: Failed password for root from \(address) port 22 ssh2"
    }

    // MARK: - Injection

    /// The address that a stranger wants to see blocked: another stranger's, ours, the gateway's, loopback.
    private static let victims = [
        "198.51.100.77", "10.251.9.1", "10.251.9.254", "127.0.0.1", "::ffff:198.51.100.77", "fe80::1%eth0",
    ]

    private static func names(_ victim: String) -> [String] {
        [
            "root from \(victim) port 22 ssh2", "x from \(victim)", victim, "from \(victim) port 22",
            "a from \(victim) port 1 ssh2: RSA SHA256:abcdef", "\(victim) port 22 [preauth]",
            "root\\012Failed password for root from \(victim) port 22 ssh2", "a\" from \(victim) port 22 ssh2",
            "rhost=\(victim)  user=root", "; client: \(victim), server: x", "u from UNKNOWN rhost=\(victim)",
            "invalid user b from \(victim) port 7 ssh2 [preauth]",
        ]
    }

    /// What sshd makes of a name that a stranger chose: `X` is the name, `T` the real other end.
    private static let messages = [
        "Failed password for invalid user X from T port 41 ssh2", "Failed none for invalid user X from T port 41 ssh2",
        "Invalid user X from T port 41", "Connection closed by invalid user X T port 41 [preauth]",
        "Disconnected from authenticating user X T port 41 [preauth]",
        "User X from T not allowed because not listed in AllowUsers",
        "pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=T  user=X",
        "error: PAM: Authentication failure for illegal user X from T",
        "Bad protocol version identification 'X' from T port 41", "Received disconnect from T port 41:11: X [preauth]",
        "reverse mapping checking getaddrinfo for X [T] failed.",
    ]

    private static let requests = [
        "T - U [25/Nov/2026:10:00:00 +0000] \"GET / HTTP/1.1\" 401 5 \"-\" \"-\"",
        "T - - [25/Nov/2026:10:00:00 +0000] \"GET /U HTTP/1.1\" 401 5 \"-\" \"-\"",
        "T - - [25/Nov/2026:10:00:00 +0000] \"GET / HTTP/1.1\" 401 5 \"U\" \"U\"",
    ]

    /// Lines of which each is written twelve times over, more than any rule needs; with `T` where the real other end
    /// stands, which is another one each time.
    private static let templates: [String] = {
        var lines: [String] = []
        for (number, message) in messages.enumerated() {
            for victim in number < 4 ? victims : Array(victims.prefix(2)) {
                for name in names(victim) {
                    lines.append(
                        "Nov 25 10:00:00 host sshd[7]: " + message.replacing("X", with: name, maxReplacements: 1))
                }
            }
        }
        for victim in victims {
            for name in names(victim).prefix(4) {
                let escaped = name.replacing("\"", with: "\\\"").replacing(" ", with: "%20")
                lines += requests.map { $0.replacing("U", with: escaped) }
            }
            lines += [
                "Nov 25 10:00:00 host app[7]: Failed password for root from \(victim) port 22 ssh2",
                "{\"program\":\"sshd\",\"event\":\"auth_failed\",\"src_ip\":\"\(victim)\"}",
                "program=sshd event=auth_failed src_ip=\(victim) msg=x",
                "Failed password for root from \(victim) port 22 ssh2",
                "Nov 25 10:00:00 host su[7]: pam_unix(su:auth): authentication failure; logname= uid=1000 euid=0 "
                    + "tty=pts/0 ruser=a rhost=\(victim)  user=root",
            ]
        }
        // The daemon's own word about addresses that must never be blocked.
        let ours = ["127.0.0.1", "10.251.9.1", "10.251.9.254", "::1", "::ffff:127.0.0.1", "fe80::1%eth0", "0.0.0.0"]
        return lines + ours.map { failure($0) }
    }()

    @Test func noHostileLineHasSomebodyElseBlocked() throws {
        #expect(Set(Self.templates).count >= 500)
        var lines: [String] = []
        var peer = 0
        for template in Self.templates {
            for _ in 0..<12 {
                peer += 1
                lines.append(template.replacing("T", with: "100.64.\(peer / 256).\(peer % 256)", maxReplacements: 1))
            }
        }
        let attackers = (1...5).map { "203.0.113.\($0)" } + ["2001:db8::77"]
        for attacker in attackers { lines += Array(repeating: Self.failure(attacker), count: 8) }
        guard let found = try Self.feed(lines, mode: "enforce") else { return }
        #expect(found.blocked == Set(attackers), "\(found)")
        print("\(Set(Self.templates).count) hostile lines: \(found.values)")
    }

    // MARK: - A quiet day

    /// A day of a busy web server and the people who keep it: cron, apt, sudo, logins, and what they mistype.
    private static func day() -> [String] {
        var lines: [String] = []
        func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
        let pages = ["", "index.html", "style.css", "img/logo.png", "search?q=shoes", "product/17", "cart"]
        for second in stride(from: 0, to: 86_400, by: 5) {
            let clock = "\(two(second / 3600)):\(two(second / 60 % 60)):\(two(second % 60))"
            let head = "Nov 24 \(clock) web1 "
            if second % 300 == 0 {
                lines += [
                    head
                        + "CRON[\(second + 2)]: pam_unix(cron:session): session opened for user root(uid=0) by (uid=0)",
                    head + "CRON[\(second + 3)]: (root) CMD (command -v debian-sa1 > /dev/null && debian-sa1 1 1)",
                    head + "CRON[\(second + 2)]: pam_unix(cron:session): session closed for user root",
                ]
            }
            if second % 3600 == 120 {
                lines += [
                    head + "systemd[1]: Starting Daily apt download activities...",
                    head + "systemd[1]: apt-daily.service: Deactivated successfully.",
                    head + "systemd[1]: Finished Daily apt download activities.",
                ]
            }
            if second % 1800 == 600 {
                let (user, from) = (["alice", "bob", "carol"][second / 1800 % 3], "192.0.2.\(10 + second / 1800 % 30)")
                if second / 1800 % 3 == 0 {
                    lines.append(
                        head
                            + "sshd[\(second)]: Failed password for \(user) from \(from) port \(2000 + second % 999) ssh2"
                    )
                }
                lines += [
                    head
                        + "sshd[\(second)]: Accepted publickey for \(user) from \(from) port 3000 ssh2: ED25519 SHA256:abc",
                    head
                        + "sshd[\(second)]: pam_unix(sshd:session): session opened for user \(user)(uid=1001) by (uid=0)",
                    head + "sudo[\(second + 1)]:    \(user) : TTY=pts/0 ; PWD=/home/\(user) ; USER=root ; "
                        + "COMMAND=/usr/bin/apt update",
                    head + "sudo[\(second + 1)]: pam_unix(sudo:session): session opened for user root(uid=0) by "
                        + "\(user)(uid=1001)",
                    head + "sudo[\(second + 1)]: pam_unix(sudo:session): session closed for user root",
                    head + "sshd[\(second)]: pam_unix(sshd:session): session closed for user \(user)",
                ]
            }
            if second % 7200 == 900 {
                lines.append(
                    head
                        + "sudo[\(second)]: pam_unix(sudo:auth): authentication failure; logname=alice uid=1001 euid=0 "
                        + "tty=/dev/pts/0 ruser=alice rhost=  user=alice")
            }
            let status = second % 125 == 0 ? 404 : second % 85 == 0 ? 304 : 200
            lines.append(
                "192.0.2.\(second / 5 % 250 + 1) - - [24/Nov/2026:\(clock) +0000] \"GET /\(pages[second / 5 % 7]) HTTP/1.1\" "
                    + "\(status) \(200 + second % 9000) \"-\" \"Mozilla/5.0 (X11; Linux x86_64)\"")
        }
        return lines
    }

    @Test func aQuietDayStaysQuiet() throws {
        guard let found = try Self.feed(Self.day(), mode: "observe") else { return }
        let loud = ["medium", "high", "critical"].compactMap { Int(found.values["alerts_\($0)"] ?? "") }.reduce(0, +)
        #expect(loud <= 1, "\(found.values)")
        #expect(found.values.keys.allSatisfy { !$0.hasPrefix("actions_") } && found.blocked.isEmpty, "\(found.values)")
    }

    // MARK: - A storm

    /// Thousands of attackers at once: the caps hold, nobody waits, and each that was left alone has a reason on record.
    @Test func aStormIsBoundedAndExplained() throws {
        let sources = ProcessInfo.processInfo.environment["IRONPOST_DEEP"] == "1" ? 10_000 : 2_000
        var lines: [String] = []
        for source in 0..<sources {
            lines += Array(repeating: Self.failure("100.64.\(source / 256).\(source % 256)"), count: 5)
        }
        guard let found = try Self.feed(lines, mode: "enforce") else { return }
        func number(_ name: String) -> Int { Int(found.values[name] ?? "") ?? 0 }
        #expect(number("alerts_high") == sources, "\(found.values)")
        #expect(number("actions_done") == found.blocked.count)
        #expect(number("actions_done") + number("actions_withheld") == sources, "\(found.values)")
        // As many as a minute may have, for each minute that it took.
        let minutes = number("milliseconds") / 60_000 + 2
        #expect((60...60 * minutes).contains(number("actions_done")), "\(found.values)")
        #expect(number("withheld_none") == 0 && number("withheld_rate_cap") == number("actions_withheld"))
        print("\(sources) sources: \(found.values)")
    }

    // MARK: - Killed

    /// kill -9 of the daemon or of the responder's worker at any moment from the line to the lift.
    @Test func whateverIsKilledWhenTheKernelAndTheRecordAgreeAfterwards() throws {
        let folder = try TemporaryDirectory()
        unsafe chmod(folder.path, 0o755)
        let rounds = ProcessInfo.processInfo.environment["IRONPOST_DEEP"] == "1" ? 200 : 8
        let output = try BlockingTests.run(
            "kill-anywhere", [folder.path, Programs.directory, Programs.root + "/rules", "\(rounds)"],
            needs: ["ip", "nft", "python3", "sqlite3", "pgrep"])
        guard let output else { return }
        let found = BlockingTests.values(output.out)
        #expect(found["fault"] == nil && found["agreed"] == "\(rounds)", "\(output.out)\n\(output.err)")
        #expect(found["blocked"] == "\(rounds)" && found["done_twice"] == "0" && found["left"] == "0", "\(found)")
        #expect(found["audit"] == "1")
    }

    /// Every state of a block by itself, the daemon and then the worker killed in it.
    @Test func inEachStateAKillLeavesKernelAndRecordAgreed() throws {
        let folder = try TemporaryDirectory()
        unsafe chmod(folder.path, 0o755)
        let output = try BlockingTests.run(
            "kill-each-state", [folder.path, Programs.directory, Programs.root + "/rules"],
            needs: ["ip", "nft", "python3"])
        guard let output else { return }
        let found = BlockingTests.values(output.out)
        #expect(
            found["fault"] == nil && found["cases"] == "10" && found["sound"] == "10", "\(output.out)\n\(output.err)")
        #expect(found["audit"] == "1")
    }

    // MARK: - Tampered with

    /// Whoever changes a byte of the record in its file is told which entry it was.
    @Test func aFlippedByteOfTheRecordIsNamed() throws {
        guard Programs.find("python3") != nil else {
            print("passed over: python3 is not installed")
            return
        }
        let folder = try TemporaryDirectory()
        let daemon = DaemonProcess(
            data: folder.path + "/data",
            settings: ["log_pipeline.file.include=\(folder.path)/none.log", "detection.rules=\(Programs.root)/rules"])
        try daemon.start()
        for number in 1...3 {
            let added = try daemon.ironpost("block", "add", "203.0.113.\(number)", "--reason", "it knocked")
            #expect(added.status == 0, "\(added.err)")
        }
        #expect(try daemon.ironpost("block", "remove", "203.0.113.2").status == 0)
        #expect(daemon.end() == 0)
        let (step, masks) = ProcessInfo.processInfo.environment["IRONPOST_DEEP"] == "1" ? ("1", "8") : ("5", "1")
        let output = try Programs.run(
            Programs.root + "/scripts/proofs/flip-record", [daemon.database, Programs.ironpost, step, masks])
        let found = BlockingTests.values(output.out)
        #expect(output.status == 0 && !output.out.contains("missed:"), "\(output.out)\n\(output.err)")
        let (tried, named) = (Int(found["tried"] ?? "") ?? 0, Int(found["named"] ?? "") ?? 0)
        let same = Int(found["same"] ?? "") ?? 0
        // One bit of a row's header says in another way that its number is kept elsewhere.
        #expect(tried >= 100 && named + same == tried && same <= 4, "\(found)")
        for name in ["removed", "cut", "emptied", "swapped"] { #expect(found[name] == "1", "\(name): \(found)") }
        #expect(found["untouched"] == "0" && found["records"] == "4", "\(found)")
        print("\(tried) flipped bytes of the record, \(named) named")
    }
}
