import Logging

/// One log record with everything that a line shows.
struct LogRecord {
    /// Bytes of one text in a line (message, metadata name or value); the rest is cut and an ellipsis says so.
    static let textBytesMax = 8192
    /// Metadata entries in a line, after nested ones are flattened.
    static let entriesMax = 64
    /// How deep metadata is flattened; what lies deeper is shown as one text.
    static let depthMax = 8

    var time: LogTime
    var level: Logger.Level
    var label: String
    var message: String
    /// Flat, in order of their names; nested names are joined by dots.
    var metadata: [(name: String, value: String)]

    init(time: LogTime, level: Logger.Level, label: String, message: String, metadata: Logger.Metadata) {
        self.time = time
        self.level = level
        self.label = label
        self.message = message
        self.metadata = []
        flatten(metadata, prefix: "", depth: 0)
    }

    private mutating func flatten(_ metadata: Logger.Metadata, prefix: String, depth: Int) {
        for (name, value) in metadata.sorted(by: { $0.key < $1.key }) {
            if case .dictionary(let inner) = value, depth < Self.depthMax {
                flatten(inner, prefix: "\(prefix)\(name).", depth: depth + 1)
            } else if self.metadata.count < Self.entriesMax {
                self.metadata.append((prefix + name, value.description))
            }
        }
    }

    /// The line in bytes, with its newline.
    /// - Parameters:
    ///   - isColoured: whether the level is coloured in the pretty form.
    ///   - isJournal: whether the journal reads the line, and a priority comes first.
    func line(_ format: LogFormat, isColoured: Bool, isJournal: Bool) -> [UInt8] {
        var text = LogText()
        if isJournal { text.append(plain: "<\(level.syslogPriority)>") }
        switch format {
        case .json: appendJSON(to: &text)
        case .pretty: appendPretty(to: &text, isColoured: isColoured)
        }
        text.append(plain: "\n")
        return text.bytes
    }

    private func appendJSON(to text: inout LogText) {
        text.append(plain: "{\"time\":\"\(time)\",\"level\":\"\(level.rawValue)\",\"module\":")
        text.append(quoted: label)
        text.append(plain: ",\"message\":")
        text.append(quoted: message)
        if !metadata.isEmpty {
            var separator = ",\"metadata\":{"
            for (name, value) in metadata {
                text.append(plain: separator)
                text.append(quoted: name)
                text.append(plain: ":")
                text.append(quoted: value)
                separator = ","
            }
            text.append(plain: "}")
        }
        text.append(plain: "}")
    }

    private func appendPretty(to text: inout LogText, isColoured: Bool) {
        let padding = String(repeating: " ", count: 8 - level.rawValue.utf8.count)
        let (colour, plain) = isColoured ? ("\u{1B}[\(level.colour)m", "\u{1B}[0m") : ("", "")
        text.append(plain: "\(time) \(colour)\(level.rawValue)\(plain)\(padding) ")
        text.append(escaped: label)
        text.append(plain: "  ")
        text.append(escaped: message)
        for (name, value) in metadata {
            text.append(plain: " ")
            text.append(word: name)
            text.append(plain: "=")
            text.append(word: value)
        }
    }
}

extension Logger.Level {
    /// The priority of syslog(3).
    fileprivate var syslogPriority: Int {
        switch self {
        case .critical: 2
        case .error: 3
        case .warning: 4
        case .notice: 5
        case .info: 6
        case .debug, .trace: 7
        }
    }

    /// The number of the terminal's colour.
    fileprivate var colour: Int {
        switch self {
        case .critical, .error: 31
        case .warning: 33
        case .notice: 36
        case .info: 32
        case .debug, .trace: 90
        }
    }
}
