"""A day of a busy server's log, the same bytes every time: sshd, sudo, cron, systemd, kernel and others, in the proportions
of real ones, and one line in a thousand a failed login."""
import os
import random

LINES = 2_000_000
LINES_QUICK = 5_000
HOSTS = ["web-01.fra.example", "web-02.fra.example", "db-01.fra.example", "cache-01.fra.example"]
USERS = ["deploy", "alice", "bob", "carol", "backup", "jenkins"]
GUESSES = ["root", "admin", "test", "oracle", "ubuntu", "postgres", "git", "pi"]
UNITS = [
    "Daily apt download activities", "Cleanup of Temporary Directories", "Rotate log files", "system activity accounting tool",
    "Discard unused blocks on filesystems from /etc/fstab", "PHP 8.2 FastCGI Process Manager", "The nginx HTTP Server",
    "PostgreSQL Cluster 15-main", "Message of the Day", "Online ext4 Metadata Check for All Filesystems",
]
JOBS = [
    "command -v debian-sa1 > /dev/null && debian-sa1 1 1", "   cd / && run-parts --report /etc/cron.hourly",
    "/usr/local/bin/backup-database --incremental --quiet", "[ -x /usr/lib/php/sessionclean ] && /usr/lib/php/sessionclean",
    "test -x /usr/sbin/anacron || ( cd / && run-parts --report /etc/cron.daily )",
]
COMMANDS = [
    "/usr/bin/systemctl restart app.service", "/usr/bin/apt-get update", "/usr/bin/journalctl -u nginx --since today",
    "/usr/bin/tail -n 200 /var/log/nginx/error.log", "/usr/sbin/nginx -t", "/usr/bin/docker compose ps",
]


def path(setting):
    """The file and how many lines it has; made at the first call."""
    lines = LINES_QUICK if setting.quick else LINES
    file = os.path.join(setting.folder, f"corpus-{lines}.log")
    if not os.path.exists(file):
        print(f"   writing {file}", flush=True)
        with open(file + ".new", "w") as out:
            write(out, lines)
        os.replace(file + ".new", file)
    return file, lines


def write(out, lines):
    random_ = random.Random(20261123)
    attackers = [f"203.0.113.{number}" for number in range(1, 41)]
    pending = []
    seconds = 0.0
    for number in range(lines):
        seconds += random_.random() * 86_000 * 2 / max(lines, LINES)
        stamp = int(seconds)
        header = f"Nov 22 {stamp // 3600:02}:{stamp // 60 % 60:02}:{stamp % 60:02} {HOSTS[number % 7 % 4]} "
        if number % 1000 == 999:
            # One attacker after the other, each for some minutes.
            message = failure(random_, attackers[number // 25_000 % len(attackers)])
        else:
            if not pending:
                pending = story(random_, number)
            message = pending.pop(0)
        out.write(header + message + "\n")


def failure(random_, attacker):
    user = random_.choice(GUESSES)
    unknown = "" if user == "root" else "invalid user "
    return (f"sshd[{random_.randint(1000, 99999)}]: Failed password for {unknown}{user} from {attacker} "
            f"port {random_.randint(30000, 60999)} ssh2")


def story(random_, number):
    """What one program writes about one thing."""
    pid = random_.randint(600, 99999)
    user = random_.choice(USERS)
    kind = random_.random()
    if kind < 0.22:
        job = random_.choice(JOBS)
        return [
            f"CRON[{pid}]: pam_unix(cron:session): session opened for user root(uid=0) by (uid=0)",
            f"CRON[{pid + 1}]: (root) CMD ({job})",
            f"CRON[{pid}]: pam_unix(cron:session): session closed for user root",
        ]
    if kind < 0.50:
        unit = random_.choice(UNITS)
        name = unit.split()[0].lower() + ".service"
        return [
            f"systemd[1]: Starting {name} - {unit}...",
            f"systemd[1]: {name}: Deactivated successfully.",
            f"systemd[1]: Finished {name} - {unit}.",
            f"systemd[1]: {name}: Consumed {random_.random() * 9:.3f}s CPU time.",
        ]
    if kind < 0.62:
        address = f"198.51.100.{random_.randint(1, 250)}"
        port = random_.randint(30000, 60999)
        return [
            f"sshd[{pid}]: Accepted publickey for {user} from {address} port {port} ssh2: ED25519 "
            "SHA256:Wq0kMv3rTzJ8y1uC5nXb7aLdFhGjKpQsRtUvYxZ2o4E",
            f"sshd[{pid}]: pam_unix(sshd:session): session opened for user {user}(uid=1000) by (uid=0)",
            f"systemd-logind[612]: New session {number} of user {user}.",
            f"sshd[{pid + 7}]: Received disconnect from {address} port {port}:11: disconnected by user",
            f"sshd[{pid + 7}]: Disconnected from user {user} {address} port {port}",
            f"sshd[{pid}]: pam_unix(sshd:session): session closed for user {user}",
            f"systemd-logind[612]: Session {number} logged out. Waiting for processes to exit.",
        ]
    if kind < 0.68:
        return [
            f"sudo:   {user} : TTY=pts/{pid % 9} ; PWD=/home/{user} ; USER=root ; COMMAND={random_.choice(COMMANDS)}",
            f"sudo: pam_unix(sudo:session): session opened for user root(uid=0) by {user}(uid=1000)",
            "sudo: pam_unix(sudo:session): session closed for user root",
        ]
    if kind < 0.80:
        clock = f"[{number / 23:12.6f}]"
        return [
            f"kernel: {clock} device veth{pid:x} entered promiscuous mode",
            f"kernel: {clock} br-4f1d2c0a9b7e: port 3(veth{pid:x}) entered forwarding state",
            f"kernel: {clock} IPv6: ADDRCONF(NETDEV_CHANGE): veth{pid:x}: link becomes ready",
            f"kernel: {clock} EXT4-fs (vda1): mounted filesystem with ordered data mode. Quota mode: none.",
        ]
    if kind < 0.92:
        key = f"{pid:X}{number % 65536:04X}"
        return [
            f"postfix/smtpd[{pid}]: connect from mail.example.org[192.0.2.{pid % 250}]",
            f"postfix/cleanup[{pid + 3}]: {key}: message-id=<20261122.{number}@mail.example.org>",
            f"postfix/qmgr[901]: {key}: from=<{user}@example.org>, size={pid}, nrcpt=1 (queue active)",
            f"postfix/smtp[{pid + 5}]: {key}: to=<{random_.choice(USERS)}@example.com>, relay=mx.example.com[192.0.2.25]:25, "
            f"delay={random_.random() * 3:.2f}, delays=0.1/0.02/0.3/0.4, dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as {key})",
            f"postfix/qmgr[901]: {key}: removed",
        ]
    return [
        f"dhclient[{pid}]: DHCPREQUEST for 192.0.2.17 on eth0 to 192.0.2.1 port 67",
        f"dhclient[{pid}]: DHCPACK of 192.0.2.17 from 192.0.2.1",
        f"dhclient[{pid}]: bound to 192.0.2.17 -- renewal in {random_.randint(1500, 3600)} seconds.",
        f"app[{pid}]: request id={number:08x} method=GET route=/api/v2/items/{pid} status=200 duration={random_.random():.4f}s "
        f"bytes={pid * 3}",
    ]
