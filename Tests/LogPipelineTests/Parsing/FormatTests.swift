import LogPipeline
import Sigma
import Testing

/// JSON lines, access and error logs of web servers, logfmt, journal records.
@Suite struct FormatTests {
    static let moment: Int64 = 1_795_396_957_000_000_000

    static let json: [(line: String, fields: [String])] = [
        (#"{"a":"x","b":1,"c":true,"d":null}"#, ["a=x", "b=1", "c=true", "d=null"]),
        (#" { "a" : { "b" : { "c" : "x" } , "d" : -1.5e3 } } "#, ["a.b.c=x", "a.d=-1.5e3"]),
        (#"{"a":["x","y",{"z":1}],"e":[],"o":{}}"#, ["a=x", "a=y", "a.z=1"]),
        (#"{"a.b":"flat","a":{"b":"nested"}}"#, ["a.b=flat", "a.b=nested"]),
        (#"{"a":"1","a":"2"}"#, ["a=1", "a=2"]),
        (#"{"a":"q\"\\\/\b\f\n\r\té\u20ac\ud83d\ude00"}"#, ["a=q\"\\/\u{8}\u{c}\n\r\té€😀"]),
        (#"{"a":"\ud83d x \ude00 \uZZZZ \q \u12"}"#, ["a=\u{FFFD} x \u{FFFD} \u{FFFD}ZZZZ \u{FFFD} \u{FFFD}12"]),
        (#"{"k\"ey":{"n":1}}"#, [#"k"ey.n=1"#]),
        (#"{"msg":"hi"}"#, ["message=hi", "msg=hi"]),
        (#"{"":"x"}"#, ["=x"]),
        ("{}", []),
    ]

    @Test(arguments: json.indices)
    func `JSON becomes dotted names`(index: Int) {
        let line = ParsedLine(Self.json[index].line)
        #expect(line.eventClass == EventClasses.json)
        #expect(line.fields.map { "\($0.name)=\($0.value)" } == Self.json[index].fields)
    }

    @Test(arguments: [
        "{", "{\"a\"", "{\"a\":", "{\"a\":1", "{\"a\":1,}", "{\"a\":1} x", "{\"a\":tru}", "{\"a\":\"x}", "{a:1}",
        "{\"a\":[1,}", "{\"a\":\"\\\"}", "{\"a\":1}{\"b\":2}",
    ])
    func `JSON that is none stays a plain event`(text: String) {
        let line = ParsedLine(text)
        #expect(line.eventClass == EventClasses.plain)
        #expect(line["message"] == text)
        #expect(line.fields.count == 1)
        #expect(line.parseErrors == 1)
    }

    @Test(arguments: [(#"{"a":"b\n","c":1"#, LineFormat.json), (#"a=1 b="x"#, .logfmt), (#"a=1 b="x"#, .auto)])
    func `what was read of a line before it proved to be none is discarded`(text: String, format: LineFormat) {
        #expect(ParsedLine(text, format: format).fields.map(\.name) == ["message"])
    }

    @Test(arguments: [
        #"{"@timestamp":"2026-11-23T01:22:37Z"}"#, #"{"timestamp":"2026-11-23T02:22:37.000+01:00"}"#,
        #"{"time":"2026-11-23 01:22:37"}"#, #"{"ts":1795396957}"#, #"{"ts":1795396957.0}"#, #"{"ts":1795396957000}"#,
        #"{"ts":1795396957000000}"#, #"{"ts":1795396957000000000}"#,
        #"{"ts":1,"time":"2026-11-23T01:22:37Z"}"#, #"{"time":"2026-11-23T01:22:37Z","ts":1}"#,
    ])
    func `JSON's time`(text: String) {
        #expect(ParsedLine(Array(text.utf8), receivedAt: 7).time == Self.moment)
    }

    @Test func `a time inside a nested value is not the event's`() {
        #expect(ParsedLine(Array(#"{"a":{"ts":1795396957},"ts":"soon"}"#.utf8), receivedAt: 7).time == 7)
    }

    @Test func `JSON deeper than 64 is kept as text`() {
        let deep = String(repeating: #"{"a":"#, count: 100) + "1" + String(repeating: "}", count: 100)
        let line = ParsedLine(deep)
        #expect(line.eventClass == EventClasses.json)
        #expect(line.fields.count == 1)
        #expect(line.fields[0].name.split(separator: ".").count == 64)
        #expect(
            line.fields[0].value == String(repeating: #"{"a":"#, count: 36) + "1" + String(repeating: "}", count: 36))
    }

    @Test func `JSON's names cannot use up memory`() {
        let name = String(repeating: "n", count: 900)
        let many = (0..<20_000).map { "\"k\($0)\":1" }.joined(separator: ",")
        var parser = LogParser(fieldNames: FieldNames(wellKnown: Fields.names), zone: .offset(seconds: 0))
        var table = EventTable()
        let line = table.append(bytes: Array("{\"\(name)\":{\(many)}}".utf8).span)
        table.beginEvent(line: line, time: 0, origin: 0, position: 0)
        parser.parse(line: line, format: .json, receivedAt: 0, into: &table)
        #expect(table.events[0].fieldCount == EventTable.fieldsPerEventMax)
        #expect(parser.fieldsDropped == 20_000 - UInt64(EventTable.fieldsPerEventMax))
        #expect(table.bytes.count < Int(line.length) + 1024 * 1024)
    }

    /// Fields after the 1,024th were once left out whoever asked for them: padding hid what came after it.
    @Test(arguments: [LineFormat.json, .logfmt])
    func `padding does not hide what rules name`(format: LineFormat) throws {
        let many = 0..<3000
        let text =
            format == .json
            ? "{\"a\":[\(many.map { "\($0)" }.joined(separator: ",")),\"needle\"],\"o\":{\"x\":1,\"EventID\":2},\"EventID\":2}"
            : many.map { "k\($0)=1" }.joined(separator: " ") + " o.EventID=2 EventID=2"
        var names = FieldNames(wellKnown: Fields.names)
        let (first, second) = (names.intern("EventID"), names.intern("o.EventID"))
        let (wanted, nested) = (try #require(first), try #require(second))
        var parser = LogParser(fieldNames: names, zone: .offset(seconds: 0))
        var table = EventTable()
        let line = table.append(bytes: Array(text.utf8).span)
        table.beginEvent(line: line, time: 0, origin: 0, position: 0)
        parser.parse(line: line, format: format, receivedAt: 0, into: &table)
        #expect(table.first(wanted, of: 0).map { table.text($0.value) } == "2")
        #expect(table.first(nested, of: 0).map { table.text($0.value) } == "2")
        #expect(parser.fieldsDropped > 1900)
        #expect(table.events[0].fieldCount < 1100)
        // An array of a name that is known is kept whole.
        let known = Array("{\"EventID\":[\(many.map { "\($0)" }.joined(separator: ","))]}".utf8)
        let other = table.append(bytes: known.span)
        table.beginEvent(line: other, time: 0, origin: 0, position: 0)
        parser.parse(line: other, format: .json, receivedAt: 0, into: &table)
        #expect(table.fields(of: 1).last.map { table.text($0.value) } == "2999")
    }

    @Test(arguments: [
        ("/a%20b", "/a b"), ("/%2e%2E/x?y=%3d", "/../x?y=="), ("/%2520%252520", "/ %20"), ("/a?b%3Fc", "/a?b?c"),
        ("/%", nil), ("/%zz?%4", nil), ("/plain?a=b", nil), ("/%4%31", "/A"), ("/%25", "/%"),
    ])
    func `percent escapes`(target: String, decoded: String?) {
        let line = ParsedLine(#"203.0.113.7 - - [23/Nov/2026:01:22:37 +0000] "GET \#(target) HTTP/1.1" 200 5"#)
        #expect(line["cs-uri"] == target)
        #expect(line["cs-uri-decoded"] == decoded)
        if let decoded {
            let parts = target.split(separator: "?", maxSplits: 1)
            #expect(line["cs-uri-stem-decoded"].map { decoded.hasPrefix($0) } == true)
            #expect((line["cs-uri-query-decoded"] != nil) == (parts.count == 2))
        }
    }

    static let access: [(line: String, fields: [String])] = [
        (
            #"203.0.113.7 - bob [23/Nov/2026:01:22:37 +0000] "GET /a/b?c=d HTTP/1.1" 200 512 "http://r/" "curl/8""#,
            [
                "cs-method=GET", "cs-referer=http://r/", "cs-uri-query=c=d", "cs-uri-stem=/a/b", "cs-uri=/a/b?c=d",
                "cs-user-agent=curl/8", "cs-version=HTTP/1.1", "sc-bytes=512", "sc-status=200", "src_ip=203.0.113.7",
                "user=bob",
            ]
        ),
        (
            #"2001:db8::7 - - [23/Nov/2026:02:22:37 +0100] "GET / HTTP/2.0" 304 -"#,
            [
                "cs-method=GET", "cs-uri-stem=/", "cs-uri=/", "cs-version=HTTP/2.0", "sc-status=304",
                "src_ip=2001:db8::7",
            ]
        ),
        (
            #"host.example - - [23/Nov/2026:01:22:37 +0000] "\x16\x03\x01" 400 0 "-" "-""#,
            ["cs-referer=-", "cs-uri=\u{16}\u{3}\u{1}", "cs-user-agent=-", "sc-bytes=0", "sc-status=400"]
        ),
        (
            #"203.0.113.7 - - [23/Nov/2026:01:22:37 +0000] "GET /a b c" 400 0 "-" "a \"b\" c""#,
            [
                "cs-method=GET", "cs-referer=-", "cs-uri-stem=/a b c", "cs-uri=/a b c", #"cs-user-agent=a "b" c"#,
                "sc-bytes=0", "sc-status=400", "src_ip=203.0.113.7",
            ]
        ),
        (
            #"203.0.113.7 - - [23/Nov/2026:01:22:37 +0000] "-" 408 0 "-" "-""#,
            ["cs-referer=-", "cs-uri=-", "cs-user-agent=-", "sc-bytes=0", "sc-status=408", "src_ip=203.0.113.7"]
        ),
    ]

    /// Debian writes this by default where virtual hosts share a log; no client's address was read from it.
    @Test(arguments: [
        ("example.com:443 203.0.113.7 - bob", "example.com", "443", "203.0.113.7"),
        ("192.0.2.1:80 203.0.113.7 - bob", "192.0.2.1", "80", "203.0.113.7"),
        ("example.com:443 2001:db8::7 - bob", "example.com", "443", "2001:db8::7"),
    ])
    func `access log with virtual hosts`(front: String, host: String, port: String, address: String) {
        let line = ParsedLine(front + #" [23/Nov/2026:01:22:37 +0000] "GET /a HTTP/1.1" 200 512 "-" "curl/8""#)
        #expect(line.eventClass == EventClasses.webAccess)
        #expect(line["src_ip"] == address)
        #expect(line["cs-host"] == host)
        #expect(line["dst_port"] == port)
        #expect(line["user"] == "bob")
        #expect(line["cs-uri"] == "/a")
    }

    /// An address in the place of ident or user is the client's word, not the server's.
    @Test(arguments: [
        "2001:db8::80 9.9.9.9 -", "203.0.113.7 9.9.9.9 9.9.9.9", "host.example 9.9.9.9 -", "x:y 9.9.9.9 -",
    ])
    func `only a name with a port is a virtual host`(front: String) {
        let line = ParsedLine(front + #" [23/Nov/2026:01:22:37 +0000] "GET /a HTTP/1.1" 200 512 "-" "curl/8""#)
        #expect(line.eventClass == EventClasses.webAccess)
        #expect(line["src_ip"] != "9.9.9.9")
        #expect(line["cs-host"] == nil)
    }

    @Test(arguments: access.indices)
    func `access log`(index: Int) {
        let line = ParsedLine(Self.access[index].line)
        #expect(line.eventClass == EventClasses.webAccess)
        #expect(line.extracted == Self.access[index].fields)
        #expect(line.time == Self.moment)
        #expect(line["message"] == Self.access[index].line)
    }

    static let errors: [(line: String, fields: [String], message: String)] = [
        (
            "2026/11/23 01:22:37 [error] 12#13: *1 open() \"/x\" failed (2: No such file or directory), "
                + "client: 203.0.113.7, server: s.example, request: \"GET /x HTTP/1.1\", host: \"h\"",
            ["cs-method=GET", "cs-uri=/x", "server=s.example", "src_ip=203.0.113.7"],
            "*1 open() \"/x\" failed (2: No such file or directory), "
                + "client: 203.0.113.7, server: s.example, request: \"GET /x HTTP/1.1\", host: \"h\""
        ),
        ("2026/11/23 01:22:37 [notice] 12#13: start worker processes", [], "start worker processes"),
        (
            "[Mon Nov 23 01:22:37.000000 2026] [core:error] [pid 1:tid 2] [client 203.0.113.7:5] AH00126: Invalid URI",
            ["src_ip=203.0.113.7", "src_port=5"], "AH00126: Invalid URI"
        ),
        (
            "[Mon Nov 23 01:22:37.000000 2026] [core:error] [pid 1:tid 2] [client 2001:db8::7:5000] x",
            ["src_ip=2001:db8::7", "src_port=5000"], "x"
        ),
        (
            "[Mon Nov 23 01:22:37.000000 2026] [core:error] [pid 1:tid 2] (13)Permission denied: [client 203.0.113.7:5] x",
            ["src_ip=203.0.113.7", "src_port=5"], "(13)Permission denied: [client 203.0.113.7:5] x"
        ),
        (
            "[Mon Nov 23 01:22:37 2026] [error] [client 203.0.113.7] File does not exist", ["src_ip=203.0.113.7"],
            "File does not exist"
        ),
        ("[Mon Nov 23 01:22:37 2026] [notice] workerEnv.init() ok", [], "workerEnv.init() ok"),
    ]

    @Test(arguments: errors.indices)
    func `error log`(index: Int) {
        let line = ParsedLine(Self.errors[index].line)
        #expect(line.eventClass == EventClasses.webError)
        #expect(line.extracted == Self.errors[index].fields)
        #expect(line["message"] == Self.errors[index].message)
        #expect(line.time == Self.moment)
        #expect(["error", "notice"].contains(line["severity"]))
    }

    @Test func `logfmt`() {
        let line = ParsedLine(#"time=2026-11-23T01:22:37Z level=info msg="a \"b\"" n=1 empty= x="y z""#)
        #expect(line.eventClass == EventClasses.logfmt)
        #expect(
            line.fields.map { "\($0.name)=\($0.value)" } == [
                "time=2026-11-23T01:22:37Z", "level=info", #"msg=a "b""#, "n=1", "empty=", "x=y z",
            ]
        )
        #expect(line.time == Self.moment)
        #expect(ParsedLine("a=1 b", format: .logfmt).extracted == ["a=1", "b="])
        #expect(ParsedLine("a=1 and then text").eventClass == EventClasses.plain)
        #expect(ParsedLine("a=1").eventClass == EventClasses.plain)
    }

    static func record(_ fields: [(String, String)]) -> [UInt8] {
        var record: [UInt8] = []
        for (name, value) in fields {
            JournalRecord.append(name: Array(name.utf8).span, value: Array(value.utf8).span, to: &record)
        }
        return record
    }

    static let failed = "Failed password for root from 203.0.113.7 port 22 ssh2"

    @Test func `a journal record`() {
        let line = ParsedLine(
            Self.record([
                ("__REALTIME_TIMESTAMP", "1795396957000000"), ("MESSAGE", Self.failed), ("PRIORITY", "6"),
                ("SYSLOG_FACILITY", "4"), ("SYSLOG_IDENTIFIER", "sshd"), ("_COMM", "sshd-session"), ("_PID", "42"),
                ("_UID", "0"), ("_HOSTNAME", "h"), ("_SYSTEMD_UNIT", "ssh.service"),
            ]), format: .journal, receivedAt: 7)
        #expect(line.eventClass == EventClasses.sshd)
        #expect(line.time == Self.moment)
        for (name, value) in [
            ("message", Self.failed), ("program", "sshd"), ("pid", "42"), ("severity", "info"), ("facility", "auth"),
            ("host", "h"), ("_UID", "0"), ("_SYSTEMD_UNIT", "ssh.service"), ("_COMM", "sshd-session"),
            ("src_ip", "203.0.113.7"), ("event", "auth_failed"),
        ] {
            #expect(line[name] == value)
        }
    }

    @Test(arguments: [
        // (uid, executable, whether its word is sshd's)
        ("0", "/usr/bin/anything", true), ("1000", "/usr/bin/logger", false), ("1000", "/usr/sbin/sshd", true),
        ("1000", "/usr/lib/openssh/sshd-session", true), ("1000", "/home/eve/sshd", false),
        ("1000", "/usr/local/bin/sshd", false), ("1000", "sshd", false),
    ])
    func `anyone may log as sshd, but is believed only if it is sshd`(uid: String, exe: String, isBelieved: Bool) {
        let line = ParsedLine(
            Self.record([("SYSLOG_IDENTIFIER", "sshd"), ("_UID", uid), ("_EXE", exe), ("MESSAGE", Self.failed)]),
            format: .journal)
        #expect(line["message"] == Self.failed)
        #expect((line["src_ip"] != nil) == isBelieved)
        #expect((line["event"] != nil) == isBelieved)
    }

    @Test func `a damaged journal record keeps what was read`() {
        let whole = Self.record([("SYSLOG_IDENTIFIER", "sshd"), ("MESSAGE", Self.failed), ("A", "b")])
        for cut in 0..<whole.count {
            let line = ParsedLine(Array(whole[..<cut]), format: .journal)
            #expect(line.fields.count <= 10)
        }
        let line = ParsedLine(Array(whole.dropLast()), format: .journal)
        #expect(line["message"] == Self.failed)
        #expect(line.parseErrors == 1)
    }

    @Test func `a parser keeps lines apart`() {
        var parser = LogParser(fieldNames: FieldNames(wellKnown: Fields.names), zone: .offset(seconds: 0))
        var table = EventTable()
        let texts = [
            "Nov 23 01:22:37 h sshd[1]: Failed password for root from 203.0.113.7 port 22 ssh2", #"{"a":"b\n"}"#,
            "plain", Self.access[0].line, "Nov 23 01:22:37 h sshd[1]: hello",
        ]
        var sizes: Set<Int> = []
        for _ in 0..<3 {
            table.removeAll()
            var expected: [EventClassID] = []
            for text in texts {
                let line = table.append(bytes: Array(text.utf8).span)
                table.beginEvent(line: line, time: 0, origin: 0, position: 0)
                parser.parse(line: line, format: .auto, receivedAt: ParsedLine.receivedAt, into: &table)
                expected.append(ParsedLine(text).eventClass)
            }
            #expect(table.events.map(\.eventClass) == expected)
            sizes.insert(table.bytes.count)
            for (index, text) in texts.enumerated() {
                let alone = ParsedLine(text)
                #expect(table.fields(of: index).map { table.text($0.value) } == alone.fields.map(\.value))
            }
        }
        #expect(sizes.count == 1)
        #expect(table.first(Fields.event, of: 0).map { table.text($0.value) } == "auth_failed")
    }
}
