import FoundationEssentials
import Glibc
import IronpostCore
import LogPipeline

/// One thing that Ironpost needs of a host.
struct HostCheck: Encodable, Equatable, Sendable {
    enum State: String, Encodable, Sendable {
        case ok, limited, missing
    }

    var name: String
    var state: State
    var finding: String
    /// What does not work because of it.
    var cost: String?
    /// The command that mends it.
    var fix: String?
    /// Nothing works without it.
    var isRequired = false

    private enum CodingKeys: String, CodingKey {
        case name, state, finding, cost, fix
    }
}

/// Looks at the kernel, the user's rights, the logs and the room on disk; changes nothing.
struct HostChecks {
    let dataDir: String
    /// Paths and patterns of the logs that the daemon is to follow.
    let logFiles: [String]
    /// `general.user` and `general.sandbox`.
    let user: String
    let isSandboxed: Bool

    /// Whom the daemon's core becomes where `general.user` names nobody and this one exists.
    static let defaultUser = "ironpost"

    static let watchesMin = 8192
    static let diskBytesMin = 256 << 20
    static let clockMin = 1_704_067_200

    private static let timeServices = [
        (name: "systemd-timesyncd", path: "/run/systemd/timesync/synchronized"),
        (name: "chrony", path: "/run/chrony/chronyd.pid"), (name: "ntpd", path: "/run/ntpd.pid"),
    ]

    func all() -> [HostCheck] {
        [
            kernel(), rights(), logs(), journal(), containers(), watches(), packets(), sandbox(), clock(), disk(),
            store(),
        ]
    }

    private func kernel() -> HostCheck {
        var name = utsname()
        guard unsafe uname(&name) == 0 else {
            return HostCheck(name: "kernel", state: .missing, finding: "unknown", isRequired: true)
        }
        let release = unsafe withUnsafeBytes(of: &name.release) {
            unsafe String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
        }
        let numbers = release.split(whereSeparator: { !$0.isNumber }).prefix(2).compactMap { Int($0) }
        guard numbers.count == 2, (numbers[0], numbers[1]) >= (5, 10) else {
            return HostCheck(
                name: "kernel", state: .limited, finding: "Linux \(release)", cost: "what needs Linux 5.10 or later",
                fix: "apt full-upgrade"
            )
        }
        return HostCheck(name: "kernel", state: .ok, finding: "Linux \(release)")
    }

    private func rights() -> HostCheck {
        let effective =
            SmallFile.read("/proc/self/status")?.split(separator: "\n")
            .first { $0.hasPrefix("CapEff:") }?.split(separator: "\t").last.map(String.init) ?? "unknown"
        if geteuid() == 0 { return HostCheck(name: "rights", state: .ok, finding: "root, capabilities \(effective)") }
        return HostCheck(
            name: "rights", state: .limited, finding: "user \(geteuid()), capabilities \(effective)",
            cost: "logs that only root may read, and acting on containers and packets", fix: "sudo ironpost start -d"
        )
    }

    /// What holds the part of the daemon that reads what strangers wrote.
    private func sandbox() -> HostCheck {
        let name = "sandbox"
        guard isSandboxed else {
            return HostCheck(
                name: name, state: .limited, finding: "general.sandbox is off",
                cost: "whoever takes over the part that reads what strangers wrote has all its rights",
                fix: "remove general.sandbox from the configuration"
            )
        }
        let wanted = user.isEmpty ? Self.defaultUser : user
        let isThere = unsafe getpwnam(wanted) != nil
        let advice = "useradd --system --no-create-home --shell /usr/sbin/nologin \(wanted)"
        if !isThere, !user.isEmpty {
            return HostCheck(
                name: name, state: .missing, finding: "there is no user \(user), which general.user names",
                cost: "the daemon does not start as root", fix: advice
            )
        }
        if !isThere {
            return HostCheck(
                name: name, state: .limited, finding: "there is no user \(wanted)",
                cost: "started as root, the daemon's core keeps user id 0, without capabilities", fix: advice
            )
        }
        // Only there where securityfs is mounted; without it the daemon says at its start what holds.
        let modules = SmallFile.read("/sys/kernel/security/lsm")?.filter { !$0.isWhitespace }
        if let modules, !modules.split(separator: ",").contains("landlock") {
            return HostCheck(
                name: name, state: .limited, finding: "user \(wanted), seccomp; no Landlock (active: \(modules))",
                cost: "which files the daemon's core can open is decided by its user alone",
                fix: "add lsm=landlock,\(modules) to the kernel's command line"
            )
        }
        return HostCheck(
            name: name, state: .ok, finding: "user \(wanted), seccomp" + (modules == nil ? "" : ", Landlock"))
    }

    private func logs() -> HostCheck {
        let existing = logFiles.flatMap { $0.contains(where: "*?[".contains) ? PathPattern.expand($0) : [$0] }
            .filter(exists)
        let readable = existing.filter(isReadable)
        if existing.isEmpty {
            return HostCheck(
                name: "log files", state: .limited, finding: "none of \(logFiles.joined(separator: ", ")) exists",
                cost: "detection in log files; the journal may hold the same", fix: "apt install rsyslog"
            )
        }
        guard readable.count < existing.count else {
            return HostCheck(name: "log files", state: .ok, finding: readable.joined(separator: ", "))
        }
        let closed = existing.filter { !readable.contains($0) }
        return HostCheck(
            name: "log files", state: readable.isEmpty ? .missing : .limited,
            finding: "not readable: \(closed.joined(separator: ", "))", cost: "detection in these files",
            fix: "usermod -aG adm \(Self.userName())"
        )
    }

    private func journal() -> HostCheck {
        let directories = ["/var/log/journal", "/run/log/journal"].filter(exists)
        guard let directory = directories.first else {
            return HostCheck(
                name: "journal", state: .limited, finding: "there is none", cost: "detection in the journal",
                fix: "apt install systemd"
            )
        }
        guard unsafe access(directory, R_OK | X_OK) == 0 else {
            return HostCheck(
                name: "journal", state: .missing, finding: "\(directory) is not readable",
                cost: "detection in the journal", fix: "usermod -aG systemd-journal \(Self.userName())"
            )
        }
        return HostCheck(name: "journal", state: .ok, finding: directory)
    }

    private func containers() -> HostCheck {
        let name = "containers"
        guard let socket = Configuration.Container.usualSockets.first(where: exists) else {
            return HostCheck(
                name: name, state: .limited, finding: "no container engine listens in its usual place",
                cost: "following and isolating containers; container.socket may name another place",
                fix: "systemctl start docker.socket"
            )
        }
        guard unsafe access(socket, R_OK | W_OK) == 0 else {
            return HostCheck(
                name: name, state: .limited, finding: "\(socket) is not open to user \(geteuid())",
                cost: "following and isolating containers", fix: "sudo ironpost start -d"
            )
        }
        return HostCheck(name: name, state: .ok, finding: socket)
    }

    private func watches() -> HostCheck {
        let path = "/proc/sys/fs/inotify/max_user_watches"
        guard let text = SmallFile.read(path), let count = Int(text.filter(\.isNumber)) else {
            return HostCheck(
                name: "inotify", state: .limited, finding: "\(path) cannot be read", cost: "quick notice of new lines")
        }
        guard count < Self.watchesMin else {
            return HostCheck(name: "inotify", state: .ok, finding: "\(count) watches a user")
        }
        return HostCheck(
            name: "inotify", state: .limited, finding: "only \(count) watches a user",
            cost: "following many files at once", fix: "sysctl fs.inotify.max_user_watches=65536"
        )
    }

    /// What watching packets in the kernel needs.
    private func packets() -> HostCheck {
        let cost = "watching packets and dropping them where they come in"
        guard exists("/proc/sys/net/core/bpf_jit_enable") else {
            return HostCheck(name: "packets", state: .missing, finding: "this kernel has no BPF", cost: cost)
        }
        guard geteuid() == 0 else {
            return HostCheck(
                name: "packets", state: .limited, finding: "loading kernel programs takes root", cost: cost,
                fix: "sudo ironpost start -d")
        }
        guard exists("/sys/kernel/btf/vmlinux") else {
            return HostCheck(
                name: "packets", state: .limited, finding: "the kernel carries no types (BTF)",
                cost: "knowing who completed a handshake, so no scanner is blocked by a policy",
                fix: "a kernel with CONFIG_DEBUG_INFO_BTF")
        }
        let jit = SmallFile.read("/proc/sys/net/core/bpf_jit_enable")?.first
        guard jit != "0" else {
            return HostCheck(
                name: "packets", state: .limited, finding: "BPF programs are interpreted", cost: "speed under a flood",
                fix: "sysctl net.core.bpf_jit_enable=1")
        }
        return HostCheck(name: "packets", state: .ok, finding: "BPF with BTF and JIT")
    }

    private func clock() -> HostCheck {
        let now = time(nil)
        guard now > Self.clockMin else {
            return HostCheck(
                name: "clock", state: .missing, finding: "it is set to long ago",
                cost: "correlation over time, retention",
                fix: "timedatectl set-ntp true"
            )
        }
        if let service = Self.timeServices.first(where: { exists($0.path) }) {
            return HostCheck(name: "clock", state: .ok, finding: "set, kept right by \(service.name)")
        }
        return HostCheck(
            name: "clock", state: .limited, finding: "set, but no time service is seen here",
            cost: "comparing times with other hosts, should the clock drift", fix: "apt install systemd-timesyncd"
        )
    }

    private func disk() -> HostCheck {
        var path = dataDir
        // The nearest directory above that exists already.
        while !exists(path), path != "/" {
            path = path.lastIndex(of: "/").map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
        }
        var figures = statvfs()
        guard unsafe statvfs(path, &figures) == 0 else {
            return HostCheck(
                name: "disk", state: .missing, finding: "\(dataDir) has no place", cost: "everything", isRequired: true)
        }
        let free = Int(figures.f_bavail) * Int(figures.f_frsize)
        let finding = "\(free >> 20) MiB free for \(dataDir)"
        guard free < Self.diskBytesMin else { return HostCheck(name: "disk", state: .ok, finding: finding) }
        return HostCheck(
            name: "disk", state: free < Self.diskBytesMin / 8 ? .missing : .limited, finding: finding,
            cost: "storing alerts once it is full", fix: "journalctl --vacuum-size=200M", isRequired: true
        )
    }

    private func store() -> HostCheck {
        let paths = [
            "/usr/lib/x86_64-linux-gnu/libsqlite3.so.0", "/usr/lib/aarch64-linux-gnu/libsqlite3.so.0",
            "/usr/lib64/libsqlite3.so.0", "/usr/lib/libsqlite3.so.0", "/lib/x86_64-linux-gnu/libsqlite3.so.0",
        ]
        if let path = paths.first(where: isReadable) {
            return HostCheck(name: "sqlite", state: .ok, finding: path)
        }
        return HostCheck(
            name: "sqlite", state: .missing, finding: "libsqlite3 is not where it usually is", cost: "storing alerts",
            fix: "apt install libsqlite3-0", isRequired: true
        )
    }

    private func exists(_ path: String) -> Bool { unsafe access(path, F_OK) == 0 }

    private func isReadable(_ path: String) -> Bool { unsafe access(path, R_OK) == 0 }

    private static func userName() -> String {
        guard let entry = unsafe getpwuid(geteuid()), let name = unsafe entry.pointee.pw_name else {
            return "\(geteuid())"
        }
        return unsafe String(cString: name)
    }
}
