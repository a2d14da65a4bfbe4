/// How lines are to be read.
package enum LineFormat: String, CaseIterable, Sendable {
    /// Decided for every line by how it starts.
    case auto
    /// RFC 5424, RFC 3164, with or without PRI.
    case syslog
    /// One JSON object a line.
    case json
    /// Common and combined log format of web servers.
    case clf
    /// Error logs of nginx and Apache.
    case webError = "web-error"
    case logfmt
    /// Records of the Linux audit system, as auditd writes them.
    case auditd
    /// `JournalRecord`s.
    case journal
    /// What the packet engine tells of a packet: a JSON object that starts with its category.
    case packet
    /// No structure: the line is the message.
    case plain
}
