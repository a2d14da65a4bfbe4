package import Sigma

/// The classes of events that the parsers of this target tell apart; a class's place here is its `EventClassID`.
///
/// Chosen by format and program name alone, never by what a message says.
package enum EventClasses {
    package static let syslog = EventClassID(0)
    package static let sshd = EventClassID(1)
    package static let sudo = EventClassID(2)
    package static let su = EventClassID(3)
    package static let cron = EventClassID(4)
    package static let kernel = EventClassID(5)
    package static let systemd = EventClassID(6)
    /// Programs that manage accounts and logins: useradd, passwd, login, polkitd, ….
    package static let auth = EventClassID(7)
    package static let webAccess = EventClassID(8)
    package static let webError = EventClassID(9)
    package static let json = EventClassID(10)
    package static let logfmt = EventClassID(11)
    /// Lines that no parser understood; nothing is known of them, so every rule is tried.
    package static let plain = EventClassID(12)
    /// Packets that ask for something, as the packet engine saw them.
    package static let networkConnection = EventClassID(13)
    /// Packets that a block list says something of.
    package static let firewall = EventClassID(14)
    /// The live pipeline's own test events: no line from outside is ever one, and no rule but its own is tried on them.
    package static let canary = EventClassID(15)
    /// Records of the Linux audit system, one by one.
    package static let auditd = EventClassID(16)
    /// A started program, put together from its audit records (`AuditJoin`).
    package static let processCreation = EventClassID(17)

    /// What people call them, in the order of `all`.
    package static let names = [
        "syslog", "sshd", "sudo", "su", "cron", "kernel", "systemd", "auth", "web access", "web error", "json",
        "logfmt",
        "plain", "network connection", "firewall", "canary", "auditd", "process creation",
    ]

    package static let all: [EventClass] = [
        EventClass(product: "linux", services: ["syslog"]),
        EventClass(product: "linux", services: ["sshd", "auth", "syslog"]),
        EventClass(product: "linux", services: ["sudo", "auth", "syslog"]),
        EventClass(product: "linux", services: ["su", "auth", "syslog"]),
        EventClass(product: "linux", services: ["cron", "syslog"]),
        EventClass(product: "linux", services: ["kernel", "syslog"]),
        EventClass(product: "linux", services: ["systemd", "syslog"]),
        EventClass(product: "linux", services: ["auth", "syslog"]),
        EventClass(category: "webserver"),
        EventClass(category: "webserver", services: ["error"]),
        EventClass(),
        EventClass(),
        EventClass(),
        EventClass(product: "linux", category: "network_connection"),
        EventClass(category: "firewall"),
        EventClass(product: "ironpost", services: ["canary"], isExclusive: true),
        EventClass(product: "linux", services: ["auditd"]),
        EventClass(product: "linux", category: "process_creation"),
    ]
}
