package import Sigma

extension EventClasses {
    /// Lines of syslog, whoever wrote them: what a program is decides their class.
    package static let ofSyslog = [syslog, sshd, sudo, su, cron, kernel, systemd, auth]
    /// Whose input names its fields itself, so that rules for any log are tried on them.
    package static let general = [json, logfmt, plain]

    private static let header: Set<String> = [
        "message", "timestamp", "host", "program", "pid", "msgid", "facility", "severity", "repeated",
    ]
    /// What PAM says in the name of a program.
    private static let pam: Set<String> = ["event", "outcome", "user", "target_user", "method", "tty", "uid"]
    private static let web: Set<String> = [
        "message", "timestamp", "host", "user", "src_ip", "dst_port", "cs-method", "cs-uri", "cs-uri-stem",
        "cs-uri-query", "cs-version", "cs-host", "cs-user-agent", "cs-referer", "sc-status", "sc-bytes",
        "cs-uri-decoded", "cs-uri-stem-decoded", "cs-uri-query-decoded",
    ]
    private static let webErrors: Set<String> = [
        "message", "timestamp", "severity", "pid", "src_ip", "src_port", "server", "cs-method", "cs-uri", "cs-uri-stem",
        "cs-uri-query", "cs-version", "cs-host", "cs-referer", "cs-uri-decoded", "cs-uri-stem-decoded",
        "cs-uri-query-decoded",
    ]
    private static let packet: Set<String> = [
        "category", "src_ip", "dst_ip", "protocol", "src_port", "dst_port", "tcp_flags", "vlan", "interface_index",
        "interface", "length", "weight",
    ]

    /// The fields that events of a class can have, but for those whose names the input brings along; `nil` where it
    /// brings all of them.
    package static func fields(of eventClass: EventClassID) -> Set<String>? {
        switch eventClass {
        case syslog, kernel, systemd: header
        case sshd: header.union(pam).union(["src_ip", "src_port", "reason"])
        case sudo: header.union(pam).union(["command", "cwd", "group", "reason"])
        case su: header.union(pam)
        case cron: header.union(pam).union(["command"])
        case auth: header.union(pam).union(["group"])
        case webAccess: web
        case webError: webErrors
        case plain: ["message"]
        case networkConnection:
            packet.union([
                "Initiated", "SourceIp", "SourcePort", "DestinationIp", "DestinationPort", "Protocol", "event",
                "destination_state",
            ])
        case firewall: packet.union(["action"])
        case processCreation:
            [
                "Image", "CommandLine", "CurrentDirectory", "User", "ProcessId", "ParentProcessId", "timestamp",
                "serial", "node",
            ]
        default: nil
        }
    }
}
