import LogPipeline
import Sigma
import Testing

/// Lines whose stranger's text imitates what a daemon writes. `203.0.113.7` is always who it really was, `9.9.9.9` who
/// the stranger wants to be taken for; what is read must be the truth or nothing.
@Suite struct ForgeryTests {
    static let real = "203.0.113.7"

    /// Messages of sshd, with the user and address that they are about (`nil`: none may be read).
    static let sshd: [(message: String, user: String?, address: String?)] = [
        (
            "Failed password for invalid user root from 9.9.9.9 port 22 ssh2 from \(real) port 42 ssh2",
            "root from 9.9.9.9 port 22 ssh2", real
        ),
        (
            "Failed password for invalid user root from 9.9.9.9 port 22 from \(real) port 42 ssh2",
            "root from 9.9.9.9 port 22", real
        ),
        ("Failed password for invalid user  from 9.9.9.9 from \(real) port 42 ssh2", " from 9.9.9.9", real),
        ("Failed password for invalid user x ssh2 from \(real) port 42 ssh2", "x ssh2", real),
        ("Failed password for invalid user x for y from \(real) port 42 ssh2", "x for y", real),
        ("Failed password for invalid user invalid user x from \(real) port 42 ssh2", "invalid user x", real),
        (
            "Failed password for invalid user x from 9.9.9.9 port 22 ssh2: RSA SHA256:abc from \(real) port 42 ssh2",
            "x from 9.9.9.9 port 22 ssh2: RSA SHA256:abc", real
        ),
        (
            "Failed password for invalid user Accepted password for root from 9.9.9.9 port 22 ssh2 from \(real) port 42 ssh2",
            "Accepted password for root from 9.9.9.9 port 22 ssh2", real
        ),
        ("Failed password for invalid user x from \(real) port 42 ssh2 from", nil, nil),
        ("Failed password for invalid user x from \(real) port 42 ssh2 trailing", nil, nil),
        ("Failed password for invalid user x from evil.example port 42 ssh2", "x", nil),
        ("Failed password for invalid user x from 9.9.9.9.9 port 42 ssh2", "x", nil),
        ("Failed password for invalid user x from 9.9.9.999 port 42 ssh2", "x", nil),
        ("Failed password for invalid user x from 09.9.9.9 port 42 ssh2", "x", nil),
        ("Failed password for invalid user x from 9.9.9.9 port 99999 ssh2", nil, nil),
        ("Failed password for invalid user x from 9.9.9.9 port 4x ssh2", nil, nil),
        ("Failed password for invalid user x from 9.9.9.9 port -1 ssh2", nil, nil),
        ("Failed password for invalid user x from 9.9.9.9 port  ssh2", nil, nil),
        ("Failed password for invalid user x from9.9.9.9 port 42 ssh2", nil, nil),
        ("Failed password for invalid user x\tfrom 9.9.9.9 port 42 ssh2", nil, nil),
        ("Failed password for invalid user x from 9.9.9.9 Port 42 ssh2", nil, nil),
        ("Failed password for invalid user x from ::1::2 port 42 ssh2", "x", nil),
        ("Failed password for invalid user x from ::ffff:9.9.9.9.9 port 42 ssh2", "x", nil),
        ("Failed password for invalid user x from fe80::1%a/b port 42 ssh2", "x", nil),
        // A certificate's identity is the client's text, as is the user name before it: both sides of the address.
        (
            "Failed publickey for invalid user x from \(real) port 42 ssh2: RSA-CERT SHA256:a ID k from 9.9.9.9 port 22 ssh2 "
                + "(serial 0) CA RSA SHA256:b", "x", real
        ),
        (
            "Failed publickey for invalid user x from \(real) port 42 ssh2: RSA-CERT SHA256:a ID k from 9.9.9.9 port 22 "
                + "ssh2: RSA SHA256:c (serial 0) CA RSA SHA256:b", nil, nil
        ),
        (
            "Failed publickey for invalid user x from 9.9.9.9 port 22 ssh2: RSA-CERT SHA256:a ID from \(real) port 42 ssh2: "
                + "RSA-CERT SHA256:a ID k (serial 0) CA RSA SHA256:b", nil, nil
        ),
        (
            "Failed publickey for invalid user x from 9.9.9.9 port 22 ssh2: RSA SHA256:a from \(real) port 42 ssh2: "
                + "RSA SHA256:b", "x from 9.9.9.9 port 22 ssh2: RSA SHA256:a", real
        ),
        ("Invalid user x from 9.9.9.9 from \(real) port 42", "x from 9.9.9.9", real),
        ("Invalid user x from 9.9.9.9 port 22 from \(real) port 42", "x from 9.9.9.9 port 22", real),
        ("Invalid user x from 9.9.9.9 port 22 from \(real)", "x from 9.9.9.9 port 22", real),
        ("Invalid user  from \(real) port 42", "", real),
        ("Invalid user x from 9.9.9.9 port 22 and more", nil, nil),
        (
            "Connection closed by invalid user x 9.9.9.9 port 22 [preauth] \(real) port 42 [preauth]",
            "x 9.9.9.9 port 22 [preauth]", real
        ),
        ("Connection closed by invalid user 9.9.9.9 port 22 \(real) port 42 [preauth]", "9.9.9.9 port 22", real),
        ("Connection closed by authenticating user user x \(real) port 42 [preauth]", "user x", real),
        ("Connection closed by 9.9.9.9 port 22 trailing", nil, nil),
        ("Connection closed by remote host", nil, nil),
        (
            "Disconnected from invalid user authenticating user x 9.9.9.9 port 1 \(real) port 42 [preauth]",
            "authenticating user x 9.9.9.9 port 1", real
        ),
        ("Received disconnect from \(real) port 42:11: from 9.9.9.9 port 22:11: bye [preauth]", nil, real),
        ("Received disconnect from \(real) port 42:11: x from 9.9.9.9", nil, real),
        ("Received disconnect from \(real): 11: Received disconnect from 9.9.9.9: 11", nil, real),
        (
            "error: maximum authentication attempts exceeded for invalid user x from 9.9.9.9 port 1 ssh2 [preauth] "
                + "from \(real) port 42 ssh2 [preauth]", "x from 9.9.9.9 port 1 ssh2 [preauth]", real
        ),
        (
            "Disconnecting invalid user x \(real) port 42: Change of username or service not allowed: (x,ssh) -> "
                + "(y 9.9.9.9 port 22: Too many authentication failuresz,ssh) [preauth]", nil, nil
        ),
        (
            "Disconnecting invalid user x 9.9.9.9 port 22: Too many authentication failures \(real) port 42: "
                + "Too many authentication failures [preauth]", "x 9.9.9.9 port 22: Too many authentication failures",
            real
        ),
        ("Bad protocol version identification '' from 9.9.9.9 port 22' from \(real) port 42", nil, real),
        ("Bad protocol version identification 'x' from 9.9.9.9' from \(real)", nil, real),
        ("Bad protocol version identification 'x from 9.9.9.9 port 22", nil, nil),
        ("banner exchange: Connection from \(real) port 42: from 9.9.9.9 port 22: invalid", nil, real),
        (
            "Unable to negotiate with \(real) port 42: no match. Their offer: with 9.9.9.9 port 22: x [preauth]", nil,
            real
        ),
        (
            "User x from 9.9.9.9 not allowed because y from \(real) not allowed because not listed in AllowUsers",
            "x from 9.9.9.9 not allowed because y", real
        ),
        (
            "reverse mapping checking getaddrinfo for [9.9.9.9] failed. [\(real)] failed - POSSIBLE BREAK-IN ATTEMPT!",
            nil,
            real
        ),
        (
            "pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=\(real)  "
                + "user=x rhost=9.9.9.9  user=root", "x rhost=9.9.9.9  user=root", real
        ),
        (
            "pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=9.9.9.9.evil.example ",
            nil, nil
        ),
        ("pam_unix(sshd:auth): authentication failure; rhost=9.9.9.9  user=root", nil, nil),
        (
            "pam_unix(sshd:auth): authentication failure; logname=a rhost=9.9.9.9 uid=0 euid=0 tty=ssh ruser= rhost=\(real) ",
            nil, nil
        ),
        ("input_userauth_request: invalid user x from 9.9.9.9 port 22 ssh2 [preauth]", nil, nil),
        ("x Failed password for root from 9.9.9.9 port 22 ssh2", nil, nil),
        (" Failed password for root from 9.9.9.9 port 22 ssh2", nil, nil),
        (
            "message repeated 2 times: [ Failed password for invalid user x from 9.9.9.9 port 22 ssh2] from \(real) port 42 "
                + "ssh2]", "x from 9.9.9.9 port 22 ssh2]", real
        ),
        ("message repeated x times: [ Failed password for root from 9.9.9.9 port 22 ssh2]", nil, nil),
        // Cut by sshd's buffer right after the forged end.
        ("Connection closed by invalid user \(String(repeating: "x", count: 950)) 9.9.9.9 port 22 [preauth]", nil, nil),
    ]

    @Test(arguments: sshd.indices)
    func `a stranger's text in sshd's messages`(index: Int) {
        let (message, user, address) = Self.sshd[index]
        let line = ParsedLine("Nov 23 01:22:37 host sshd[42]: \(message)")
        #expect(line.eventClass == EventClasses.sshd)
        #expect(line["message"] == message)
        #expect(line.all("user") == (user.map { [$0] } ?? []))
        #expect(line.all("src_ip") == (address.map { [$0] } ?? []))
        #expect(!line.all("outcome").contains("success"))
        #expect(line["src_port"].map { ["42"].contains($0) } ?? true)
    }

    /// Other programs' messages, and all that is read from them.
    static let others: [(program: String, message: String, fields: [String])] = [
        (
            "sudo", "bob : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/echo ; USER=nobody ; COMMAND=/bin/true",
            [
                "command=/bin/echo ; USER=nobody ; COMMAND=/bin/true", "cwd=/", "event=command", "outcome=success",
                "target_user=root", "tty=pts/0", "user=bob",
            ]
        ),
        (
            "sudo", "bob : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/echo eve : user NOT in sudoers ; TTY=x",
            [
                "command=/bin/echo eve : user NOT in sudoers ; TTY=x", "cwd=/", "event=command", "outcome=success",
                "target_user=root", "tty=pts/0", "user=bob",
            ]
        ),
        (
            "sudo", "bob : command not allowed ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/x ; TTY=pts/9 ; USER=eve",
            [
                "command=/bin/x ; TTY=pts/9 ; USER=eve", "cwd=/", "event=not_allowed", "outcome=failure",
                "reason=command not allowed", "target_user=root", "tty=pts/0", "user=bob",
            ]
        ),
        (
            "sudo",
            "pam_unix(sudo:auth): authentication failure; logname=bob uid=1000 euid=0 tty=/dev/pts/0 ruser=bob "
                + "rhost=  user=bob rhost=9.9.9.9",
            [
                "event=auth_failed", "method=pam", "outcome=failure", "target_user=bob rhost=9.9.9.9", "tty=/dev/pts/0",
                "uid=1000", "user=bob",
            ]
        ),
        (
            "vsftpd",
            "pam_unix(vsftpd:auth): authentication failure; logname= uid=0 euid=0 tty=ftp ruser=x rhost=9.9.9.9 "
                + "rhost=203.0.113.7",
            []
        ),
        (
            "login",
            "pam_unix(login:auth): authentication failure; logname= uid=0 euid=0 tty=ftp ruser=x rhost=9.9.9.9 "
                + "rhost=203.0.113.7",
            ["event=auth_failed", "method=pam", "outcome=failure", "tty=ftp", "uid=0"]
        ),
        ("sudo", "Failed password for root from 9.9.9.9 port 22 ssh2", []),
        ("CRON", "(bob) CMD (echo (root) CMD (x))", ["command=echo (root) CMD (x)", "event=command", "user=bob"]),
        (
            "CRON", "(bob) CMD (pam_unix(cron:session): session opened for user root by (uid=0))",
            ["command=pam_unix(cron:session): session opened for user root by (uid=0)", "event=command", "user=bob"]
        ),
        (
            "su", "(to root) bob on pts/0 on pts/1",
            ["event=auth_ok", "outcome=success", "target_user=root", "tty=pts/1", "user=bob on pts/0"]
        ),
        ("nginx", "sshd[1]: Failed password for root from 9.9.9.9 port 22 ssh2", []),
        ("app", "Nov 23 01:22:37 host sshd[1]: Failed password for root from 9.9.9.9 port 22 ssh2", []),
    ]

    @Test(arguments: others.indices)
    func `a stranger's text in other programs' messages`(index: Int) {
        let (program, message, fields) = Self.others[index]
        #expect(ParsedLine("Nov 23 01:22:37 host \(program)[42]: \(message)").extracted == fields)
    }

    /// Access log lines, and what must be read from them.
    static let access: [(line: String, fields: [String: String?])] = [
        (
            #"\#(real) - - [23/Nov/2026:01:22:37 +0000] "GET /\" 200 5 \"x HTTP/1.1" 404 9 "-" "-""#,
            ["src_ip": real, "sc-status": "404", "sc-bytes": "9", "cs-uri": #"/" 200 5 "x"#]
        ),
        (
            #"\#(real) - - [23/Nov/2026:01:22:37 +0000] "GET /\x22 200 5 HTTP/1.1" 404 9 "-" "-""#,
            ["src_ip": real, "sc-status": "404", "cs-uri": #"/" 200 5"#]
        ),
        (
            #"\#(real) - - [23/Nov/2026:01:22:37 +0000] "GET / HTTP/1.1" 404 9 "-" "a\" \"9.9.9.9\" 200""#,
            ["src_ip": real, "sc-status": "404", "cs-user-agent": #"a" "9.9.9.9" 200"#]
        ),
        (
            #"\#(real) - - [23/Nov/2026:01:22:37 +0000] "GET / HTTP/1.1" 404 9 "-" "a\\" 200"#,
            ["sc-status": "404", "cs-user-agent": #"a\"#]
        ),
        (
            #"\#(real) - - [23/Nov/2026:01:22:37 +0000] "GET / HTTP/1.1" 404 9 "-" "a\n9.9.9.9 - - [x] \"GET""#,
            ["src_ip": real, "cs-user-agent": "a\n9.9.9.9 - - [x] \"GET"]
        ),
        // A user name of HTTP's basic authentication.
        (
            #"\#(real) - x [22/Nov/2026:01:22:37 +0000] \"GET /a HTTP/1.1\" 200 1 [23/Nov/2026:01:22:37 +0000] "GET /b HTTP/1.1" 401 9 "-" "-""#,
            [
                "src_ip": real, "sc-status": "401", "cs-uri": "/b",
                "user": #"x [22/Nov/2026:01:22:37 +0000] \"GET /a HTTP/1.1\" 200 1"#,
            ]
        ),
        (
            #"\#(real) - x\x22 9.9.9.9 [23/Nov/2026:01:22:37 +0000] "GET /b HTTP/1.1" 401 9 "-" "-""#,
            ["src_ip": real, "user": #"x\x22 9.9.9.9"#, "cs-uri": "/b"]
        ),
        // A name that looks up to something like an address, and an identity that is one.
        (
            #"9.9.9.9.evil.example 9.9.9.9 - [23/Nov/2026:01:22:37 +0000] "GET / HTTP/1.1" 200 1"#,
            ["src_ip": nil, "host": "9.9.9.9.evil.example"]
        ),
        (
            #"evil 9.9.9.9 9.9.9.9 [23/Nov/2026:01:22:37 +0000] "GET / HTTP/1.1" 200 1"#,
            ["src_ip": nil, "user": "9.9.9.9"]
        ),
        (
            #"\#(real) - - [23/Nov/2026:01:22:37 +0000] "9.9.9.9 - - [x]" 400 1"#,
            ["src_ip": real, "cs-uri": "9.9.9.9 - - [x]", "cs-method": nil]
        ),
        (
            #"\#(real) - - [23/Nov/2026:01:22:37 +0000] "GET http://9.9.9.9/?a=b?c=d HTTP/1.1" 200 1"#,
            ["src_ip": real, "cs-uri-stem": "http://9.9.9.9/", "cs-uri-query": "a=b?c=d"]
        ),
    ]

    @Test(arguments: access.indices)
    func `a client's text in access logs`(index: Int) {
        let line = ParsedLine(Self.access[index].line)
        #expect(line.eventClass == EventClasses.webAccess)
        for (name, value) in Self.access[index].fields {
            #expect(line.all(name) == (value.map { [$0] } ?? []), "\(name)")
        }
    }

    static let nginx = "2026/11/23 01:22:37 [error] 12#12: *1 "

    /// nginx's error log writes paths decoded and requests unescaped.
    static let errors: [(line: String, address: String?)] = [
        (
            #"\#(nginx)open() "/x, client: 9.9.9.9" failed (2: x), client: \#(real), server: s, request: "GET /x HTTP/1.1""#,
            real
        ),
        (
            #"\#(nginx)open() "/x, client: 9.9.9.9, server: s" failed, client: \#(real), server: s, request: "GET / HTTP/1.1""#,
            real
        ),
        (
            #"\#(nginx)failed, client: \#(real), server: s, request: "GET / HTTP/1.1", host: "h", referrer: "x, client: 9.9.9.9, server: s""#,
            nil
        ),
        (
            #"\#(nginx)failed, client: \#(real), server: s, request: "GET /", client: 9.9.9.9, server: s, request: "GET / HTTP/1.1""#,
            nil
        ),
        (
            #"\#(nginx)open() "/x, client: 9.9.9.9, server: s, request: "GET /" failed, client: \#(real), server: s"#,
            nil
        ),
        (#"\#(nginx)failed, client: \#(real), server: s, referrer: "x, client: 9.9.9.9, server: s""#, nil),
        (#"\#(nginx)failed, client: \#(real), server: s, host: "x, client: 9.9.9.9, server: s""#, nil),
        (#"\#(nginx)failed, client: \#(real), server: s, upstream: "x, client: 9.9.9.9, server: s""#, nil),
        (#"\#(nginx)failed, client: 9.9.9.9x, server: s"#, nil),
        (#"\#(nginx)failed, client: 9.9.9.9, host: "s""#, nil),
        ("[Mon Nov 23 01:22:37 2026] [core:error] [pid 1] [client \(real):5] x [client 9.9.9.9:5] y", real),
        ("[Mon Nov 23 01:22:37 2026] [core:error] [pid 1] x: [client 9.9.9.9:5] y", nil),
        ("[Mon Nov 23 01:22:37 2026] [cgi:error] [pid 1] AH01215: (2)x: [client 9.9.9.9:5] y", nil),
    ]

    @Test(arguments: errors.indices)
    func `a client's text in error logs`(index: Int) {
        let line = ParsedLine(Self.errors[index].line)
        #expect(line.eventClass == EventClasses.webError)
        #expect(line.all("src_ip") == (Self.errors[index].address.map { [$0] } ?? []))
    }

    @Test func `names that occur twice in JSON are both kept`() {
        let line = ParsedLine(#"{"src_ip":"203.0.113.7","src_ip":"9.9.9.9","src\u005fip":"8.8.8.8"}"#)
        #expect(line.all("src_ip") == ["203.0.113.7", "9.9.9.9", "8.8.8.8"])
    }

    @Test func `a JSON string cannot become another field`() {
        let line = ParsedLine(#"{"a":"x\",\"src_ip\":\"9.9.9.9"}"#)
        #expect(line["src_ip"] == nil)
        #expect(line["a"] == #"x","src_ip":"9.9.9.9"#)
    }

    @Test func `a logfmt value cannot become another field`() {
        let line = ParsedLine(#"level=info a="x\" src_ip=9.9.9.9 b=\"""#)
        #expect(line["src_ip"] == nil)
        #expect(line["a"] == #"x" src_ip=9.9.9.9 b=""#)
    }

    @Test func `structured data cannot become another field`() {
        let line = ParsedLine(#"<13>1 2026-11-23T01:22:37Z h app - - [a x="1\"] [b y=\"2"] m"#)
        #expect(line.fields.filter { $0.name.hasPrefix("sd_") }.map(\.name) == ["sd_a_x"])
        #expect(line["message"] == "m")
    }
}
