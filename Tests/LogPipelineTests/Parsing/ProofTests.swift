import LogPipeline
import Sigma
import Testing

/// Which lines prove the address in them: the grade that an event has after parsing.
@Suite struct ProofTests {
    static let genuine = "Nov 23 01:22:37 host sshd[1]: Failed password for root from 203.0.113.7 port 4242 ssh2"

    /// 0 unproven, 1 by a file that only the system writes, 2 by a writer that is known.
    static func grade(
        _ bytes: [UInt8], format: LineFormat = .auto, writer: LineWriter = .system, journal: Bool = false
    ) -> UInt64 {
        var parser = LogParser(fieldNames: FieldNames(wellKnown: Fields.names), zone: .offset(seconds: 0))
        parser.isJournalRead = journal
        var table = EventTable()
        let line = table.append(bytes: bytes.span)
        table.beginEvent(line: line, time: 0, origin: 0xABC0, position: 0)
        parser.parse(line: line, format: format, receivedAt: ParsedLine.receivedAt, writer: writer, into: &table)
        #expect(table.events[0].origin & ~EventTable.gradeMask == 0xABC0)
        return table.events[0].origin & EventTable.gradeMask
    }

    static func grade(_ text: String, writer: LineWriter = .system, journal: Bool = false) -> UInt64 {
        grade(Array(text.utf8), writer: writer, journal: journal)
    }

    static func journal(_ fields: [(String, String)], _ message: String) -> UInt64 {
        var record: [UInt8] = []
        for (name, value) in fields + [("MESSAGE", message)] {
            JournalRecord.append(name: Array(name.utf8).span, value: Array(value.utf8).span, to: &record)
        }
        return grade(record, format: .journal, writer: .anybody)
    }

    @Test(arguments: [
        genuine,
        "203.0.113.7 - - [23/Nov/2026:01:22:37 +0000] \"GET / HTTP/1.1\" 404 5 \"-\" \"-\"",
        "2026/11/23 01:22:37 [error] 1#1: *1 open() failed, client: 203.0.113.7, server: x, request: \"GET / HTTP/1.1\"",
        "[Mon Nov 23 01:22:37.123456 2026] [core:error] [pid 1:tid 2] [client 203.0.113.7:5] refused",
        "Nov 23 01:22:37 host sshd[1]: pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh "
            + "ruser= rhost=203.0.113.7  user=root",
    ])
    func aDaemonsOwnPlaceIsProof(line: String) {
        #expect(Self.grade(line) == 1)
        #expect(Self.grade(line, writer: .anybody) == 0)
    }

    @Test(arguments: [
        "{\"src_ip\":\"203.0.113.7\",\"event\":\"auth_failed\",\"program\":\"sshd\"}",
        "level=warn msg=x src_ip=203.0.113.7",
        "Nov 23 01:22:37 host app[1]: Failed password for root from 203.0.113.7 port 4242 ssh2",
        "Nov 23 01:22:37 host su[1]: pam_unix(su:auth): authentication failure; logname= uid=1000 euid=0 tty=pts/0 "
            + "ruser=a rhost=203.0.113.7  user=root",
        "Nov 23 01:22:37 host sshd[1]: Failed password for root from name.example port 4242 ssh2",
    ])
    func everythingElseIsNone(line: String) {
        #expect(Self.grade(line) == 0)
    }

    @Test func aFileProvesNothingOfWhatTheJournalTells() {
        #expect(Self.grade(Self.genuine, journal: true) == 0)
        // The journal does not have web servers' access logs.
        #expect(
            Self.grade("203.0.113.7 - - [23/Nov/2026:01:22:37 +0000] \"GET / HTTP/1.1\" 404 5", journal: true) == 1)
    }

    @Test func aSocketsPeerHasToBeTheDaemon() {
        #expect(Self.grade(Self.genuine, writer: .rootProcess(executable: "/usr/sbin/sshd")) == 2)
        for writer in ["/usr/bin/logger", "/usr/local/sbin/sshd", "/tmp/sshd", "/usr/sbin/sshd (deleted)"] {
            #expect(Self.grade(Self.genuine, writer: .rootProcess(executable: writer)) == 0, "\(writer)")
        }
        #expect(Self.grade(Self.genuine, writer: .rootProcess(executable: nil)) == 0)
        #expect(Self.grade(Self.genuine, writer: .rootNamed("sshd")) == 2)
        #expect(Self.grade(Self.genuine, writer: .rootNamed("logger")) == 0)
    }

    static let writers: [(fields: [(String, String)], grade: UInt64)] = [
        ([("_UID", "0"), ("_EXE", "/usr/sbin/sshd")], 2),
        ([("_UID", "0"), ("_COMM", "sshd"), ("_SYSTEMD_UNIT", "ssh.service")], 2),
        ([("_UID", "1000"), ("_EXE", "/usr/bin/logger")], 0),
        ([("_UID", "0"), ("_EXE", "/usr/bin/logger")], 0),
        ([("_UID", "1000"), ("_EXE", "/usr/sbin/sshd")], 0),
        ([("_EXE", "/usr/sbin/sshd")], 0),
        ([("_UID", "0"), ("_COMM", "sshd")], 0),
        ([("_UID", "0"), ("_EXE", "/usr/sbin/sshd"), ("_SYSTEMD_CGROUP", "/system.slice/docker-ab.scope")], 0),
    ]

    @Test(arguments: writers.indices)
    func theJournalTellsWhoWrote(index: Int) {
        let writer = Self.writers[index]
        let all = [("SYSLOG_IDENTIFIER", "sshd")] + writer.fields
        #expect(Self.journal(all, "Failed password for root from 203.0.113.7 port 4242 ssh2") == writer.grade)
    }
}
