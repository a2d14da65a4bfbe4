import LogPipeline
import Testing

/// sudo, su, cron and the programs that change accounts.
@Suite struct ProgramTests {
    static let shapes: [(program: String, message: String, fields: [String])] = [
        (
            "sudo", "     bob : TTY=pts/0 ; PWD=/home/bob ; USER=root ; COMMAND=/bin/ls -l",
            [
                "command=/bin/ls -l", "cwd=/home/bob", "event=command", "outcome=success", "target_user=root",
                "tty=pts/0", "user=bob",
            ]
        ),
        (
            "sudo", "bob : TTY=pts/0 ; PWD=/ ; USER=root ; GROUP=adm ; ENV=A=1 ; COMMAND=/bin/ls",
            [
                "command=/bin/ls", "cwd=/", "event=command", "group=adm", "outcome=success", "target_user=root",
                "tty=pts/0", "user=bob",
            ]
        ),
        (
            "sudo", "bob : user NOT in sudoers ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/ls",
            [
                "command=/bin/ls", "cwd=/", "event=not_in_sudoers", "outcome=failure", "reason=user NOT in sudoers",
                "target_user=root", "tty=pts/0", "user=bob",
            ]
        ),
        (
            "sudo", "bob : 3 incorrect password attempts ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/ls",
            [
                "command=/bin/ls", "cwd=/", "event=auth_failed", "outcome=failure",
                "reason=3 incorrect password attempts", "target_user=root", "tty=pts/0", "user=bob",
            ]
        ),
        (
            "sudo", "bob : command not allowed ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/ls",
            [
                "command=/bin/ls", "cwd=/", "event=not_allowed", "outcome=failure", "reason=command not allowed",
                "target_user=root", "tty=pts/0", "user=bob",
            ]
        ),
        (
            "sudo",
            "pam_unix(sudo:auth): authentication failure; logname=bob uid=1000 euid=0 tty=/dev/pts/0 ruser=bob rhost=  "
                + "user=bob",
            [
                "event=auth_failed", "method=pam", "outcome=failure", "target_user=bob", "tty=/dev/pts/0", "uid=1000",
                "user=bob",
            ]
        ),
        (
            "sudo", "pam_unix(sudo:session): session opened for user root(uid=0) by bob(uid=1000)",
            ["event=session_opened", "outcome=success", "target_user=root", "user=bob"]
        ),
        ("sudo", "pam_unix(sudo:session): session closed for user root", ["event=session_closed", "target_user=root"]),
        ("sudo", "pam_unix(sudo:auth): conversation failed", []),
        (
            "sudo", "pam_unix(sudo:auth): auth could not identify password for [bob]",
            ["event=auth_failed", "method=pam", "outcome=failure", "user=bob"]
        ),
        ("sudo", "unable to resolve host x : y", []),
        (
            "su", "FAILED SU (to root) bob on pts/0",
            ["event=auth_failed", "outcome=failure", "target_user=root", "tty=pts/0", "user=bob"]
        ),
        (
            "su", "(to root) bob on pts/0",
            ["event=auth_ok", "outcome=success", "target_user=root", "tty=pts/0", "user=bob"]
        ),
        ("su", "FAILED su for root by bob", ["event=auth_failed", "outcome=failure", "target_user=root", "user=bob"]),
        ("su", "Successful su for root by bob", ["event=auth_ok", "outcome=success", "target_user=root", "user=bob"]),
        (
            "su", "- /dev/pts/0 bob:root",
            ["event=auth_failed", "outcome=failure", "target_user=root", "tty=/dev/pts/0", "user=bob"]
        ),
        (
            "su-l", "pam_unix(su-l:session): session opened for user root(uid=0) by bob(uid=1000)",
            ["event=session_opened", "outcome=success", "target_user=root", "user=bob"]
        ),
        ("CRON", "(root) CMD (cd / && ls (x))", ["command=cd / && ls (x)", "event=command", "user=root"]),
        ("CRON", "(root) CMD (   ls)", ["command=ls", "event=command", "user=root"]),
        ("crontab", "(root) REPLACE (root)", []),
        (
            "CRON", "pam_unix(cron:session): session opened for user root(uid=0) by (uid=0)",
            ["event=session_opened", "outcome=success", "user=root"]
        ),
        (
            "useradd", "new user: name=eve, UID=1001, GID=1001, home=/home/eve, shell=/bin/bash, from=/dev/pts/0",
            ["event=user_added", "outcome=success", "uid=1001", "user=eve"]
        ),
        ("useradd", "failed adding user 'eve', exit code: 9", ["event=user_added", "outcome=failure", "user=eve"]),
        ("usermod", "add 'eve' to group 'sudo'", ["event=group_changed", "group=sudo", "outcome=success", "user=eve"]),
        (
            "usermod", "add 'eve' to shadow group 'sudo'",
            ["event=group_changed", "group=sudo", "outcome=success", "user=eve"]
        ),
        (
            "gpasswd", "user eve added by root to group sudo",
            ["event=group_changed", "group=sudo", "outcome=success", "user=eve"]
        ),
        ("userdel", "delete user 'eve'", ["event=user_deleted", "outcome=success", "user=eve"]),
        ("groupadd", "new group: name=g, GID=7", ["event=group_added", "group=g", "outcome=success"]),
        ("usermod", "change user 'eve' password", ["event=password_changed", "outcome=success", "user=eve"]),
        (
            "usermod", "change user 'eve' shell from '/bin/sh' to '/bin/bash'",
            ["event=user_changed", "outcome=success", "user=eve"]
        ),
        (
            "passwd", "pam_unix(passwd:chauthtok): password changed for eve",
            ["event=password_changed", "outcome=success", "user=eve"]
        ),
        ("kernel", "Failed password for root from 203.0.113.7 port 22 ssh2", []),
        ("myapp", "Failed password for root from 203.0.113.7 port 22 ssh2", []),
    ]

    @Test(arguments: shapes.indices)
    func `a message's fields`(index: Int) {
        let (program, message, fields) = Self.shapes[index]
        let line = ParsedLine("Nov 23 01:22:37 host \(program)[42]: \(message)")
        #expect(line.extracted == fields)
    }
}
