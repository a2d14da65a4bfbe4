package import Sigma

/// The fields that parsers fill, with the numbers they have in every `FieldNames` made from `names`.
package enum Fields {
    // What every line may carry.
    package static let message = FieldID(0)
    package static let timestamp = FieldID(1)
    package static let host = FieldID(2)
    package static let program = FieldID(3)
    package static let pid = FieldID(4)
    package static let msgid = FieldID(5)
    package static let facility = FieldID(6)
    package static let severity = FieldID(7)
    // What was read out of a daemon's message, from its fixed places only.
    package static let event = FieldID(8)
    package static let outcome = FieldID(9)
    package static let user = FieldID(10)
    package static let targetUser = FieldID(11)
    package static let srcIP = FieldID(12)
    package static let srcPort = FieldID(13)
    package static let dstIP = FieldID(14)
    package static let dstPort = FieldID(15)
    package static let method = FieldID(16)
    package static let command = FieldID(17)
    package static let cwd = FieldID(18)
    package static let tty = FieldID(19)
    package static let uid = FieldID(20)
    package static let group = FieldID(21)
    package static let reason = FieldID(22)
    /// How many times a message stood for (`message repeated N times: [ … ]`).
    package static let repeated = FieldID(23)
    // Web servers, by the names of W3C's extended log format that Sigma's rules use.
    package static let csMethod = FieldID(24)
    package static let csURI = FieldID(25)
    package static let csURIStem = FieldID(26)
    package static let csURIQuery = FieldID(27)
    package static let csVersion = FieldID(28)
    package static let scStatus = FieldID(29)
    package static let scBytes = FieldID(30)
    package static let csUserAgent = FieldID(31)
    package static let csReferer = FieldID(32)
    package static let csHost = FieldID(33)
    package static let server = FieldID(34)
    // With percent-escapes decoded, also those that were escaped twice; only where that makes a difference.
    package static let csURIDecoded = FieldID(35)
    package static let csURIStemDecoded = FieldID(36)
    package static let csURIQueryDecoded = FieldID(37)
    // Of audit records, by their own names, and what they lack of them.
    package static let type = FieldID(38)
    package static let serial = FieldID(39)
    package static let node = FieldID(40)
    package static let syscall = FieldID(41)
    // Of a started program, by the names of Sigma's rules.
    package static let image = FieldID(42)
    package static let commandLine = FieldID(43)
    package static let currentDirectory = FieldID(44)
    package static let processUser = FieldID(45)
    package static let processID = FieldID(46)
    package static let parentProcessID = FieldID(47)

    package static let names: [String] = [
        "message", "timestamp", "host", "program", "pid", "msgid", "facility", "severity",
        "event", "outcome", "user", "target_user", "src_ip", "src_port", "dst_ip", "dst_port", "method", "command",
        "cwd", "tty", "uid", "group", "reason", "repeated",
        "cs-method", "cs-uri", "cs-uri-stem", "cs-uri-query", "cs-version", "sc-status", "sc-bytes",
        "cs-user-agent", "cs-referer", "cs-host", "server",
        "cs-uri-decoded", "cs-uri-stem-decoded", "cs-uri-query-decoded",
        "type", "serial", "node", "SYSCALL",
        "Image", "CommandLine", "CurrentDirectory", "User", "ProcessId", "ParentProcessId",
    ]
}
