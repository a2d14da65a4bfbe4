import Foundation
import Testing

/// A journal that systemd's own program writes, read by the built daemon.
@Suite(.serialized, .enabled(if: Needs.hasJournal, "\(Needs.journal)"))
struct JournalPeerTests {
    /// A journal directory, filled through systemd-journal-remote.
    struct JournalDirectory {
        let folder: TemporaryDirectory
        let path: String
        private let writer: Peer

        init() throws {
            folder = try TemporaryDirectory()
            path = folder.path + "/journal"
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
            let program = try #require(Programs.find("systemd-journal-remote"))
            writer = try Peer(program, ["-o", path + "/test.journal", "-"], log: folder.path + "/remote.log")
        }

        /// Entries in the journal's export format; the same process goes on writing to the same file.
        func append(_ entries: [[(String, String)]]) {
            writer.say(entries.map { fields in fields.map { "\($0)=\($1)\n" }.joined() + "\n" }.joined())
        }

        static let firstSecond = 1_795_396_957

        static func entry(
            second: Int, message: String, uid: Int = 0, comm: String = "sshd", exe: String = "/usr/sbin/sshd",
            identifier: String = "sshd"
        ) -> [(String, String)] {
            [
                ("__REALTIME_TIMESTAMP", "\((firstSecond + second) * 1_000_000)"),
                ("__MONOTONIC_TIMESTAMP", "\((1000 + second) * 1_000_000)"),
                ("_BOOT_ID", "aaaaaaaabbbbccccddddeeeeeeeeeeee"), ("_MACHINE_ID", "0123456789abcdef0123456789abcdef"),
                ("_HOSTNAME", "web1"), ("_TRANSPORT", "syslog"), ("PRIORITY", "6"), ("SYSLOG_FACILITY", "10"),
                ("SYSLOG_IDENTIFIER", identifier), ("_PID", "4321"), ("_UID", "\(uid)"), ("_COMM", comm), ("_EXE", exe),
                ("_CMDLINE", "\(comm): root [priv]"), ("_SYSTEMD_UNIT", "ssh.service"), ("MESSAGE", message),
            ]
        }

        static func failure(_ number: Int, from address: String) -> String {
            "Failed password for root from \(address) port \(50_000 + number) ssh2"
        }

        static func numbered(_ number: Int) -> [(String, String)] {
            entry(
                second: number / 100, message: "number \(number)", comm: "counter", exe: "/usr/bin/counter",
                identifier: "counter"
            )
        }
    }

    static func settings(_ journal: JournalDirectory) -> [String] {
        [
            "log_pipeline.sources=journald", "log_pipeline.journald.directory=\(journal.path)",
            "log_pipeline.journald.start_at=beginning",
        ]
    }

    @Test("five failures of the real sshd make an alert that names the process and the entry; a stranger's text none")
    func genuineAndForged() throws {
        let journal = try JournalDirectory()
        let daemon = DaemonProcess(data: journal.folder.path + "/data", settings: Self.settings(journal))
        for number in 1...8 {
            journal.append([
                JournalDirectory.entry(
                    second: number, message: JournalDirectory.failure(number, from: "198.51.100.66"), uid: 1000,
                    comm: "logger",
                    exe: "/usr/bin/logger"
                )
            ])
        }
        for number in 1...5 {
            journal.append([
                JournalDirectory.entry(
                    second: 10 + number, message: JournalDirectory.failure(number, from: "203.0.113.7"))
            ])
        }
        try daemon.start()
        try eventually("the alert is stored") { try daemon.count("select count(*) from alerts") >= 1 }
        try eventually("everything is evaluated") { try daemon.hop("detect").stored == 13 }
        #expect(try daemon.sql("select distinct src_ip from alerts") == "203.0.113.7")
        #expect(try daemon.count("select count(*) from alerts where cast(record as text) like '%198.51.100.66%'") == 0)
        func value(_ path: String) throws -> String {
            try daemon.sql("select json_extract(record, '$.\(path)') from alerts limit 1")
        }
        #expect(try value("count") == "5")
        #expect(try value("process.pid") == "4321")
        #expect(try value("process.exe") == "/usr/sbin/sshd")
        #expect(try value("process.uid") == "0")
        #expect(try value("process.unit") == "ssh.service")
        #expect(try value("evidence.source") == "journald")
        #expect(try value("evidence.raw") == JournalDirectory.failure(5, from: "203.0.113.7"))
        let cursor = try value("evidence.place")
        #expect(cursor.hasPrefix("s=") && cursor.contains(";i="), "\(cursor)")
        if let journalctl = Programs.find("journalctl") {
            // The very entry, found again with systemd's own program.
            let found = try Programs.run(
                journalctl, ["-D", journal.path, "--cursor", cursor, "-n", "1", "-o", "cat", "--no-pager"]
            )
            #expect(found.out.contains("port 50005"), "\(found.out)\(found.err)")
        }

        // The next run goes on behind the cursor: nothing is counted again.
        #expect(daemon.end() == 0)
        try daemon.start()
        journal.append([JournalDirectory.entry(second: 20, message: JournalDirectory.failure(6, from: "203.0.113.7"))])
        try eventually("the sixth is counted") { try daemon.count("select sum(count) from alerts") == 6 }
        #expect(try daemon.count("select count(*) from alerts") == 1)
        #expect(daemon.end() == 0)
        daemon.expectBalance()
        #expect(daemon.finalStatistics()["source:journald"]?.accepted == 1)
    }

    @Test("appended entries are picked up; restarts count none twice; kill -9 loses none")
    func appendedAndKilled() throws {
        let journal = try JournalDirectory()
        let daemon = DaemonProcess(
            data: journal.folder.path + "/data",
            settings: Self.settings(journal) + (try Counting.settings(journal.folder))
        )
        journal.append((0..<100).map(JournalDirectory.numbered))
        try daemon.start()
        try eventually("those that were there are stored") { try daemon.numbered().distinct == 100 }
        journal.append((100..<200).map(JournalDirectory.numbered))
        try eventually("those that came are stored") { try daemon.numbered().distinct == 200 }
        #expect(daemon.end() == 0)
        journal.append((200..<300).map(JournalDirectory.numbered))
        try daemon.start()
        try eventually("those that came meanwhile are stored") { try daemon.numbered().distinct == 300 }
        #expect(try daemon.numbered().alerts == 300, "counted twice over a clean restart")

        let rounds = RobustnessTests.isDeep ? 50 : 6
        var total = 300
        var random = SystemRandomNumberGenerator()
        for _ in 0..<rounds {
            for _ in 0..<10 {
                journal.append((total..<total + 50).map(JournalDirectory.numbered))
                total += 50
                poll(nil, 0, Int32.random(in: 1...20, using: &random))
            }
            daemon.kill()
            try daemon.start()
        }
        try eventually("every entry is stored") { try daemon.numbered().distinct == total }
        let (alerts, distinct) = try daemon.numbered()
        print("journal, killed \(rounds) times: \(total) entries, \(distinct) stored once or more (\(alerts) alerts)")
        #expect(distinct == total)
        #expect(daemon.end() == 0)
        daemon.expectBalance()
    }

    @Test("a journal directory that is not there is named with the reason, and read once it comes")
    func directoryComesLater() throws {
        let journal = try JournalDirectory()
        journal.append((0..<10).map(JournalDirectory.numbered))
        let hidden = journal.folder.path + "/hidden"
        eventually("the journal is written") { FileManager.default.fileExists(atPath: journal.path + "/test.journal") }
        try FileManager.default.moveItem(atPath: journal.path, toPath: hidden)
        let daemon = DaemonProcess(
            data: journal.folder.path + "/data",
            settings: Self.settings(journal) + (try Counting.settings(journal.folder))
        )
        try daemon.start()
        let status = try daemon.ironpost("status", "-v")
        #expect(status.out.contains("No such file or directory"), "\(status.out)")
        #expect(status.out.contains(journal.path), "\(status.out)")
        try FileManager.default.moveItem(atPath: hidden, toPath: journal.path)
        try eventually("the entries are stored") { try daemon.numbered().distinct == 10 }
        #expect(daemon.end() == 0)
    }
}
