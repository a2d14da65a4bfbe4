import Foundation
import Testing

/// What auditd writes, on the built programs: offline, and in a followed file.
@Suite(.serialized)
struct AuditLogTests {
    static let rules = """
        title: Immutable file
        id: 3f1c0f4e-0d5e-4f0e-9a44-0b7e8c6c6f01
        level: high
        logsource: {product: linux, service: auditd}
        detection: {s: {type: EXECVE, a0: chattr, a2|contains: 'a b'}, condition: s}
        ---
        title: Program in a temporary folder
        id: 3f1c0f4e-0d5e-4f0e-9a44-0b7e8c6c6f02
        level: high
        logsource: {product: linux, category: process_creation}
        detection: {s: {Image|startswith: /tmp/, CommandLine: 'chattr -i /tmp/a b', User: root}, condition: s}
        """

    static func lines(serial: Int) -> [String] {
        func head(_ type: String) -> String { "type=\(type) msg=audit(\(1_700_000_000 + serial).123:\(serial)): " }
        return [
            head("SYSCALL") + "arch=c000003e syscall=59 success=yes exit=0 a0=55 a1=56 items=2 ppid=10 pid=11 uid=33 "
                + "comm=\"chattr\" exe=\"/tmp/chattr\" key=(null)\u{1D}ARCH=x86_64 SYSCALL=execve UID=\"root\"",
            head("EXECVE") + "argc=3 a0=\"chattr\" a1=\"-i\" a2=2F746D702F612062",
            head("CWD") + "cwd=\"/root\"", head("PROCTITLE") + "proctitle=63686174747200",
        ]
    }

    @Test("records and the program that they tell of, offline")
    func offline() throws {
        let folder = try TemporaryDirectory()
        let rules = try folder.write(Self.rules, to: "rules/r.yml")
        let text = (Self.lines(serial: 1) + Self.lines(serial: 2)).joined(separator: "\n") + "\n"
        let log = try folder.write(text, to: "audit.log")
        let parsed = try Programs.run(Programs.ironpost, ["parse", "--format", "auditd", log])
        #expect(parsed.status == 0, "\(parsed.err)")
        #expect(parsed.err == "")
        let events = try parsed.out.split(separator: "\n").map {
            try #require(try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: String])
        }
        #expect(events.count == 10)
        #expect(
            events[4] == [
                "time": "2023-11-14T22:13:21.123Z", "Image": "/tmp/chattr", "CommandLine": "chattr -i /tmp/a b",
                "CurrentDirectory": "/root", "User": "root", "ProcessId": "11", "ParentProcessId": "10", "serial": "1",
            ])
        #expect(events[0]["SYSCALL"] == "execve")
        #expect(events[0]["key"] == nil)
        // The same from standard input, recognised by itself.
        let piped = try Programs.run(Programs.ironpost, ["parse", "-"], input: text)
        #expect(piped.out == parsed.out)
        // For people: one line an event, with nothing in it that a terminal would obey.
        let evil = Self.lines(serial: 1)[1] + " a3=1B5B33316D"
        let table = try Programs.run(Programs.ironpost, ["-o", "table", "parse", "-"], input: evil + "\n")
        #expect(table.status == 0, "\(table.err)")
        #expect(
            table.out.split(separator: "\n").first
                == "2023-11-14 22:13:21 type=EXECVE serial=1 argc=3 a0=chattr a1=-i a2=/tmp/a b a3=\\e[31m")

        let found = try Programs.run(
            Programs.ironpost, ["detect", "--rules", rules, "--format", "auditd", "--output", "ndjson", "--stats", log])
        #expect(found.status == 0, "\(found.err)")
        let matches = try found.out.split(separator: "\n").map {
            try #require(try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
        }
        #expect(
            matches.map { "\($0["rule_title"] ?? "") \($0["line"] ?? "") \($0["event"] ?? "")" } == [
                "Immutable file 2 1", "Program in a temporary folder 1 4", "Immutable file 6 6",
                "Program in a temporary folder 5 9",
            ])
        #expect(found.err.contains("\"events\":10"))
        #expect(found.err.contains("\"parse_errors\":0"))
    }

    /// In a mount namespace of its own, where /var/log is the test's: what stands there on this host is left alone.
    @Test(
        "the source audit is auditd's own log, closed to the core as it is",
        .enabled(if: getuid() == 0 && Programs.find("unshare") != nil, "this takes root and unshare"))
    func source() throws {
        let folder = try TemporaryDirectory()
        let rules = try folder.write(Self.rules, to: "rules/r.yml")
        let path = try folder.write("", to: "log/audit/audit.log")
        // Closed to the core, which has no rights over others' files, whoever it is.
        unsafe chmod(path, 0o600)
        unsafe chown(path, 54321, 54321)
        let program = try folder.write(
            """
            #!/bin/sh
            exec unshare -m sh -c 'mount --bind \(folder.path)/log /var/log && exec "$0" "$@"' \(Programs.daemon) "$@"

            """, to: "daemon")
        unsafe chmod(program, 0o755)
        let daemon = DaemonProcess(
            data: folder.path + "/data", settings: ["log_pipeline.sources=audit", "detection.rules=\(rules)"],
            program: program)
        try daemon.start()
        let status = try daemon.ironpost("status", "-v")
        #expect(status.out.contains("file /var/log/audit/audit.log"), "\(status.out)")
        #expect(!status.out.contains("auth.log"))
        let log = try LogFile(path)
        for line in Self.lines(serial: 1) { log.append(line) }
        try eventually("an alert is stored") { try daemon.count("select count(*) from alerts") >= 1 }
        #expect(
            try daemon.sql("select json_extract(record,'$.evidence.file') from alerts") == "/var/log/audit/audit.log")
        #expect(daemon.end() == 0)
    }

    @Test("a followed audit.log is evaluated record by record")
    func followed() throws {
        let folder = try TemporaryDirectory()
        let rules = try folder.write(Self.rules, to: "rules/r.yml")
        let log = try LogFile(folder.path + "/audit.log")
        let daemon = DaemonProcess(
            data: folder.path + "/data",
            settings: ["log_pipeline.file.include=\(log.path)", "detection.rules=\(rules)"]
        )
        try daemon.start()
        for line in Self.lines(serial: 1) { log.append(line) }
        try eventually("an alert is stored") { try daemon.count("select count(*) from alerts") >= 1 }
        #expect(try daemon.sql("select json_extract(record,'$.rule.title') from alerts") == "Immutable file")
        #expect(try daemon.sql("select json_extract(record,'$.evidence.line') from alerts") == "2")
        #expect(try daemon.sql("select json_extract(record,'$.evidence.raw') from alerts") == Self.lines(serial: 1)[1])
        #expect(daemon.end() == 0)
    }
}
