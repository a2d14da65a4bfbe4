import LogPipeline
import Sigma
import Testing

/// Headers of RFC 5424 and RFC 3164, in the shapes met in the field.
@Suite struct SyslogTests {
    /// Seconds since 1970 of 2026-11-23T01:22:37Z, the moment most lines here name.
    static let moment: Int64 = 1_795_396_957

    static let rfc3164: [(line: String, host: String?, program: String?, pid: String?, message: String)] = [
        ("Nov 23 01:22:37 host sshd[123]: hello", "host", "sshd", "123", "hello"),
        ("<38>Nov 23 01:22:37 host sshd[123]: hello", "host", "sshd", "123", "hello"),
        ("Nov 23 01:22:37 host sshd: hello", "host", "sshd", nil, "hello"),
        ("Nov 23 01:22:37 2026 host sshd[1]: hello", "host", "sshd", "1", "hello"),
        ("Nov 23 2026 01:22:37 host sshd[1]: hello", "host", "sshd", "1", "hello"),
        ("Nov 23 01:22:37.000 host sshd[1]: hello", "host", "sshd", "1", "hello"),
        ("Nov 23 01:22:37 sshd[1]: hello", nil, "sshd", "1", "hello"),
        ("Nov 23 01:22:37 2001:db8::1 sshd[1]: hello", "2001:db8::1", "sshd", "1", "hello"),
        ("Nov 23 01:22:37 host text without a tag", "host", nil, nil, "text without a tag"),
        ("Nov 23 01:22:37 host /usr/sbin/cron[7]: x", "host", "/usr/sbin/cron", "7", "x"),
        (
            "Nov 23 01:22:37 combo sshd(pam_unix)[19939]: check pass; user unknown", "combo", "sshd", "19939",
            "check pass; user unknown"
        ),
        ("Nov 23 01:22:37 host app: http://x/y", "host", "app", nil, "http://x/y"),
        ("Nov 23 01:22:37 host last message repeated 3 times", "host", nil, nil, "last message repeated 3 times"),
        ("2026-11-23T01:22:37.000000+00:00 host sshd[123]: hello", "host", "sshd", "123", "hello"),
        ("2026-11-23T02:22:37+01:00 host sshd[123]: hello", "host", "sshd", "123", "hello"),
        ("<38>2026-11-23T01:22:37Z host sshd[123]: hello", "host", "sshd", "123", "hello"),
        ("<189>45: *Nov 23 01:22:37.000: %SYS-5-CONFIG_I: Configured", nil, "%SYS-5-CONFIG_I", nil, "Configured"),
        ("<189>45: Nov 23 01:22:37.000 UTC: %SYS-5-CONFIG_I: Configured", nil, "%SYS-5-CONFIG_I", nil, "Configured"),
        ("<189>45: .Nov 23 01:22:37 UTC: %LINK-3-UPDOWN: down", nil, "%LINK-3-UPDOWN", nil, "down"),
        ("*Nov 23 01:22:37.000: %SYS-5-CONFIG_I: Configured", nil, "%SYS-5-CONFIG_I", nil, "Configured"),
        ("<13>1 2026-11-23T01:22:37Z host app 42 id - hello", "host", "app", "42", "hello"),
        ("<13>1 2026-11-23T01:22:37+00:00 host app 42 - - \u{FEFF}hello", "host", "app", "42", "hello"),
    ]

    @Test(arguments: rfc3164.indices)
    func `a header's parts`(index: Int) {
        let (text, host, program, pid, message) = Self.rfc3164[index]
        let line = ParsedLine(text)
        #expect(line["host"] == host)
        #expect(line["program"] == program)
        #expect(line["pid"] == pid)
        #expect(line["message"] == message)
        #expect(line.time == Self.moment * 1_000_000_000)
        #expect(line.parseErrors == 0)
    }

    @Test func `a day of one digit has two spaces, or one`() {
        for text in ["Nov  5 01:22:37 myhost sshd[99]: x", "Nov 5 01:22:37 myhost sshd[99]: x"] {
            let line = ParsedLine(text)
            #expect(line["host"] == "myhost")
            #expect(line["program"] == "sshd")
            #expect(line["pid"] == "99")
            #expect(line.time == (Self.moment - 18 * 86_400) * 1_000_000_000)
        }
    }

    @Test(arguments: [
        // (line's time, received at, expected) in seconds since 1970, UTC.
        ("Dec 31 23:59:59", 1_798_761_600 as Int64, 1_798_761_599 as Int64),  // received 2027-01-01T00:00:00Z
        ("Jan  1 00:00:01", 1_798_761_599, 1_798_761_601),  // received a second before New Year
        ("Nov 24 01:22:37", 1_795_396_957, 1_795_483_357),  // exactly one day ahead
        ("Nov 24 01:22:38", 1_795_396_957, 1_763_947_358),  // more: last year's
        ("Feb 29 00:00:00", 1_795_396_957, 1_709_164_800),  // the last leap year was 2024
    ])
    func `the year that is missing`(time: String, received: Int64, expected: Int64) {
        let text = "\(time) host sshd[1]: x"
        let line = ParsedLine(Array(text.utf8), receivedAt: received * 1_000_000_000)
        #expect(line.time == expected * 1_000_000_000)
    }

    @Test func `a remembered time is not used for another year`() {
        var parser = LogParser(fieldNames: FieldNames(wellKnown: Fields.names), zone: .offset(seconds: 0))
        var table = EventTable()
        let line = table.append(bytes: Array("Nov 23 01:22:37 host sshd[1]: x".utf8).span)
        for received in [Self.moment, Self.moment + 365 * 86_400, Self.moment] {
            table.beginEvent(line: line, time: 0, origin: 0, position: 0)
            parser.parse(line: line, format: .auto, receivedAt: received * 1_000_000_000, into: &table)
        }
        #expect(
            table.events.map { $0.time / 1_000_000_000 } == [
                Self.moment, Self.moment + 365 * 86_400, Self.moment,
            ])
    }

    @Test func `a remembered time is not used for one that says its year`() {
        var parser = LogParser(fieldNames: FieldNames(wellKnown: Fields.names), zone: .offset(seconds: 0))
        var table = EventTable()
        for text in ["Nov 23 01:22:37 host a: x", "Nov 23 01:22:37 2025 host a: x", "Nov 23 01:22:37 host a: x"] {
            let line = table.append(bytes: Array(text.utf8).span)
            table.beginEvent(line: line, time: 0, origin: 0, position: 0)
            parser.parse(line: line, format: .auto, receivedAt: ParsedLine.receivedAt, into: &table)
        }
        let lastYear = Self.moment - 365 * 86_400
        #expect(table.events.map { $0.time / 1_000_000_000 } == [Self.moment, lastYear, Self.moment])
    }

    @Test func `local time is read in the zone given`() {
        let line = ParsedLine("Nov 23 02:22:37 host sshd[1]: x", zone: .offset(seconds: 3600))
        #expect(line.time == Self.moment * 1_000_000_000)
    }

    @Test func `priority becomes facility and severity`() {
        let line = ParsedLine("<38>Nov 23 01:22:37 host sshd[1]: x")
        #expect(line["facility"] == "auth")
        #expect(line["severity"] == "info")
        #expect(ParsedLine("<191>Nov 23 01:22:37 host a: x")["facility"] == "local7")
        #expect(ParsedLine("<192>Nov 23 01:22:37 host a: x")["facility"] == nil)
    }

    @Test func `several elements of structured data, with escapes`() {
        let line = ParsedLine(
            #"<13>1 2026-11-23T01:22:37.5Z h app - - [a@1 x="1" y="q\"b\\c\]d\e"][b][c z=""] [not data] text"#
        )
        #expect(line["sd_a@1_x"] == "1")
        #expect(line["sd_a@1_y"] == #"q"b\c]d\e"#)
        #expect(line["sd_c_z"] == "")
        #expect(line["message"] == "[not data] text")
        #expect(line.time == Self.moment * 1_000_000_000 + 500_000_000)
    }

    @Test(arguments: [
        (#"<13>1 2026-11-23T01:22:37Z h app - - [a x="1" oops"#, #"[a x="1" oops"#),
        (#"<13>1 2026-11-23T01:22:37Z h app - - [a x=1] m"#, "[a x=1] m"),
        ("<13>1 2026-11-23T01:22:37Z h app - - [] m", "[] m"),
        ("<13>1 2026-99-23T01:22:37Z h app - - - m", "m"),
        ("<13>1 2026-11-23T01:22:37.Z h app - - - m", "m"),
    ])
    func `a bad time or bad data keeps the message`(text: String, message: String) {
        let line = ParsedLine(text)
        #expect(line["message"] == message)
        #expect(line["program"] == "app")
        #expect(!line.fields.contains { $0.name.hasPrefix("sd_") })
        #expect(line.parseErrors == 1)
    }

    @Test func `a bad time leaves the time of receipt`() {
        let line = ParsedLine("<13>1 2026-02-30T01:22:37Z h app - - - m")
        #expect(line.time == ParsedLine.receivedAt)
        #expect(line["timestamp"] == "2026-02-30T01:22:37Z")
    }

    @Test(arguments: ["<13>", "<13>hello", "<13>1 ", "<13>1 -", "<13>1 - - - - - -", "<0>1 x", "<13>Nov 23", "<13>: x"])
    func `what starts with a priority is syslog however short`(text: String) {
        let line = ParsedLine(text)
        #expect(line.eventClass == EventClasses.syslog)
        #expect(line["facility"] != nil)
        #expect(line["message"] != nil)
    }

    @Test(arguments: [
        ("hello world", "hello world"), ("", ""), ("Error: something", "Error: something"),
        ("Nov 23", "Nov 23"), ("<999>x", "<999>x"), ("<>x", "<>x"),
    ])
    func `what nobody understands is the message of a plain event`(text: String, message: String) {
        let line = ParsedLine(text)
        #expect(line.eventClass == EventClasses.plain)
        #expect(line.fields.map(\.name) == ["message"])
        #expect(line["message"] == message)
        #expect(line.parseErrors == 0)
    }

    @Test func `a line that is not what was promised counts as an error`() {
        for format in [LineFormat.json, .clf, .webError, .syslog] {
            let line = ParsedLine("hello world", format: format)
            #expect(line.eventClass == EventClasses.plain)
            #expect(line["message"] == "hello world")
            #expect(line.parseErrors == 1)
        }
    }

    @Test(arguments: [
        ("sshd", EventClasses.sshd), ("sshd-session", EventClasses.sshd), ("sudo", EventClasses.sudo),
        ("su", EventClasses.su), ("CRON", EventClasses.cron), ("/usr/sbin/crond", EventClasses.cron),
        ("kernel", EventClasses.kernel), ("systemd", EventClasses.systemd), ("systemd-logind", EventClasses.auth),
        ("useradd", EventClasses.auth), ("passwd", EventClasses.auth), ("nginx", EventClasses.syslog),
        ("sshdx", EventClasses.syslog), ("xsshd", EventClasses.syslog), ("SSHD", EventClasses.syslog),
    ])
    func `the program decides the class`(program: String, expected: EventClassID) {
        #expect(ParsedLine("Nov 23 01:22:37 host \(program)[1]: x").eventClass == expected)
        #expect(ParsedLine("Nov 23 01:22:37 host other[1]: \(program)[2]: x").eventClass == EventClasses.syslog)
    }
}
