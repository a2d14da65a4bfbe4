import LogPipeline
import Testing

/// OpenSSH's messages, each in the shape its source prints it.
@Suite struct SshdTests {
    static let shapes: [(message: String, fields: [String])] = [
        (
            "Failed password for root from 203.0.113.7 port 4242 ssh2",
            [
                "event=auth_failed", "method=password", "outcome=failure", "src_ip=203.0.113.7", "src_port=4242",
                "user=root",
            ]
        ),
        (
            "Failed password for invalid user admin from 203.0.113.7 port 4242 ssh2",
            [
                "event=auth_failed", "method=password", "outcome=failure", "src_ip=203.0.113.7", "src_port=4242",
                "user=admin",
            ]
        ),
        (
            "Failed none for invalid user  from 2001:db8::7 port 1 ssh2",
            ["event=auth_failed", "method=none", "outcome=failure", "src_ip=2001:db8::7", "src_port=1", "user="]
        ),
        (
            "Failed keyboard-interactive/pam for bob from fe80::1%eth0 port 22 ssh2",
            [
                "event=auth_failed", "method=keyboard-interactive/pam", "outcome=failure", "src_ip=fe80::1",
                "src_port=22", "user=bob",
            ]
        ),
        (
            "Failed password for bob from ::ffff:203.0.113.7 port 22 ssh2",
            [
                "event=auth_failed", "method=password", "outcome=failure", "src_ip=203.0.113.7", "src_port=22",
                "user=bob",
            ]
        ),
        (
            "Failed publickey for bob from 203.0.113.7 port 22 ssh2: RSA SHA256:abc/+d",
            [
                "event=auth_failed", "method=publickey", "outcome=failure", "src_ip=203.0.113.7", "src_port=22",
                "user=bob",
            ]
        ),
        (
            "Accepted publickey for bob from 203.0.113.7 port 22 ssh2: ED25519 SHA256:abc",
            ["event=auth_ok", "method=publickey", "outcome=success", "src_ip=203.0.113.7", "src_port=22", "user=bob"]
        ),
        (
            "Accepted publickey for bob from 203.0.113.7 port 22 ssh2: ED25519-CERT SHA256:abc ID bob@x (serial 0) "
                + "CA RSA SHA256:def",
            ["event=auth_ok", "method=publickey", "outcome=success", "src_ip=203.0.113.7", "src_port=22", "user=bob"]
        ),
        (
            "Accepted password for bob from 203.0.113.7 port 22 ssh2",
            ["event=auth_ok", "method=password", "outcome=success", "src_ip=203.0.113.7", "src_port=22", "user=bob"]
        ),
        (
            "Invalid user admin from 203.0.113.7 port 4242",
            ["event=invalid_user", "outcome=failure", "src_ip=203.0.113.7", "src_port=4242", "user=admin"]
        ),
        (
            "Invalid user admin from 203.0.113.7",
            ["event=invalid_user", "outcome=failure", "src_ip=203.0.113.7", "user=admin"]
        ),
        (
            "Connection closed by authenticating user root 203.0.113.7 port 42 [preauth]",
            ["event=connection_closed", "src_ip=203.0.113.7", "src_port=42", "user=root"]
        ),
        (
            "Connection closed by invalid user a b 203.0.113.7 port 42 [preauth]",
            ["event=connection_closed", "src_ip=203.0.113.7", "src_port=42", "user=a b"]
        ),
        ("Connection closed by 203.0.113.7 port 42", ["event=connection_closed", "src_ip=203.0.113.7", "src_port=42"]),
        ("Connection closed by 203.0.113.7 [preauth]", ["event=connection_closed", "src_ip=203.0.113.7"]),
        (
            "Connection reset by 203.0.113.7 port 42 [preauth]",
            ["event=connection_closed", "src_ip=203.0.113.7", "src_port=42"]
        ),
        (
            "Disconnected from user bob 203.0.113.7 port 42",
            ["event=disconnected", "src_ip=203.0.113.7", "src_port=42", "user=bob"]
        ),
        (
            "Disconnected from authenticating user root 203.0.113.7 port 42 [preauth]",
            ["event=disconnected", "src_ip=203.0.113.7", "src_port=42", "user=root"]
        ),
        (
            "Disconnecting authenticating user root 203.0.113.7 port 42: Too many authentication failures [preauth]",
            ["event=max_auth", "outcome=failure", "src_ip=203.0.113.7", "src_port=42", "user=root"]
        ),
        (
            "Received disconnect from 203.0.113.7 port 42:11: Bye Bye [preauth]",
            ["event=disconnected", "src_ip=203.0.113.7", "src_port=42"]
        ),
        ("Received disconnect from 203.0.113.7: 11: Bye Bye [preauth]", ["event=disconnected", "src_ip=203.0.113.7"]),
        ("Received disconnect from 2001:db8::7: 11: Bye", ["event=disconnected", "src_ip=2001:db8::7"]),
        (
            "error: Received disconnect from 203.0.113.7 port 42:3: x: Auth fail [preauth]",
            ["event=disconnected", "src_ip=203.0.113.7", "src_port=42"]
        ),
        (
            "error: maximum authentication attempts exceeded for root from 203.0.113.7 port 42 ssh2 [preauth]",
            ["event=max_auth", "outcome=failure", "src_ip=203.0.113.7", "src_port=42", "user=root"]
        ),
        (
            "error: maximum authentication attempts exceeded for invalid user x from 203.0.113.7 port 42 ssh2 [preauth]",
            ["event=max_auth", "outcome=failure", "src_ip=203.0.113.7", "src_port=42", "user=x"]
        ),
        (
            "pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=203.0.113.7  user=root",
            [
                "event=auth_failed", "method=pam", "outcome=failure", "src_ip=203.0.113.7", "tty=ssh", "uid=0",
                "user=root",
            ]
        ),
        (
            "pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=203.0.113.7 ",
            ["event=auth_failed", "method=pam", "outcome=failure", "src_ip=203.0.113.7", "tty=ssh", "uid=0"]
        ),
        (
            "PAM 2 more authentication failures; logname= uid=0 euid=0 tty=ssh ruser= rhost=203.0.113.7  user=root",
            [
                "event=auth_failed", "method=pam", "outcome=failure", "src_ip=203.0.113.7", "tty=ssh", "uid=0",
                "user=root",
            ]
        ),
        (
            "pam_unix(sshd:session): session opened for user bob(uid=1000) by (uid=0)",
            ["event=session_opened", "outcome=success", "user=bob"]
        ),
        (
            "pam_unix(sshd:session): session opened for user bob by (uid=0)",
            ["event=session_opened", "outcome=success", "user=bob"]
        ),
        ("pam_unix(sshd:session): session closed for user bob", ["event=session_closed", "user=bob"]),
        (
            "Unable to negotiate with 203.0.113.7 port 42: no matching key exchange method found. Their offer: x [preauth]",
            ["event=preauth_probe", "src_ip=203.0.113.7", "src_port=42"]
        ),
        (
            "Bad protocol version identification 'GET / HTTP/1.1' from 203.0.113.7 port 42",
            ["event=preauth_probe", "src_ip=203.0.113.7", "src_port=42"]
        ),
        ("Did not receive identification string from 203.0.113.7", ["event=preauth_probe", "src_ip=203.0.113.7"]),
        (
            "Did not receive identification string from 203.0.113.7 port 42",
            ["event=preauth_probe", "src_ip=203.0.113.7", "src_port=42"]
        ),
        (
            "User bob from 203.0.113.7 not allowed because not listed in AllowUsers",
            [
                "event=not_allowed", "outcome=failure", "reason=not listed in AllowUsers", "src_ip=203.0.113.7",
                "user=bob",
            ]
        ),
        (
            "banner exchange: Connection from 203.0.113.7 port 42: invalid format",
            ["event=preauth_probe", "src_ip=203.0.113.7", "src_port=42"]
        ),
        (
            "Postponed publickey for bob from 203.0.113.7 port 42 ssh2 [preauth]",
            ["method=publickey", "src_ip=203.0.113.7", "src_port=42", "user=bob"]
        ),
        (
            "fatal: Timeout before authentication for 203.0.113.7 port 42",
            ["event=preauth_probe", "src_ip=203.0.113.7", "src_port=42"]
        ),
        (
            "reverse mapping checking getaddrinfo for a.example [203.0.113.7] failed - POSSIBLE BREAK-IN ATTEMPT!",
            ["src_ip=203.0.113.7"]
        ),
        ("kex_exchange_identification: Connection closed by remote host", ["event=preauth_probe"]),
        (
            "message repeated 3 times: [ Failed password for root from 203.0.113.7 port 42 ssh2]",
            [
                "event=auth_failed", "method=password", "outcome=failure", "repeated=3", "src_ip=203.0.113.7",
                "src_port=42", "user=root",
            ]
        ),
        ("Server listening on 0.0.0.0 port 22.", []),
    ]

    @Test(arguments: shapes)
    func `a message's fields`(message: String, fields: [String]) {
        for header in ["Nov 23 01:22:37 host sshd[42]: ", "<38>1 2026-11-23T01:22:37Z host sshd-session 42 - - "] {
            let line = ParsedLine(header + message)
            #expect(line.eventClass == EventClasses.sshd)
            #expect(line["message"] == message)
            #expect(line["pid"] == "42")
            #expect(line.extracted == fields)
        }
    }
}
