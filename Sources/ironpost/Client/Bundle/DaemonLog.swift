import FoundationEssentials
import Glibc
import IronpostCore

/// The last lines that the daemon logged: of its unit in the journal, else of the file that `start -d` gave it.
enum DaemonLog {
    static let linesMax = 500
    static let bytesMax = 1 << 20
    static let unit = "ironpost.service"

    /// - Parameter pid: of the running daemon.
    /// - Returns: `nil` when there is no log of it that can be read.
    static func lastLines(pid: Int?) -> [String]? {
        if let lines = journal(pid: pid), !lines.isEmpty { return lines }
        guard let pid, let file = RunningDaemon(pid: pid)?.log else { return nil }
        let lines = SmallFile.lastLines(file, count: linesMax)
        return lines.isEmpty ? nil : lines
    }

    private static func journal(pid: Int?) -> [String]? {
        var arguments = [
            "journalctl", "--quiet", "--no-pager", "--output=cat", "--lines=\(linesMax)", "_SYSTEMD_UNIT=\(unit)",
        ]
        // The number alone may have been another process's before.
        if let pid { arguments += ["+", "_PID=\(pid)", "_COMM=\(DaemonProgram.name)"] }
        guard let result = try? ChildProgram.run(arguments, outputBytesMax: bytesMax, isQuiet: true), result.exit == 0
        else { return nil }
        return result.text.split(separator: "\n").map(String.init)
    }

    /// Fields whose values are always words of the daemon's own.
    private static let ownFields: Set = ["module", "version", "verb", "signal", "hop", "cause", "mode", "state"]

    /// A line without what it may have of others: of the fields beside its message only numbers, durations and the
    /// daemon's own words are kept.
    /// - Returns: `nil` for a line that is none of the daemon's own.
    static func redacted(_ line: String) -> String? {
        line.hasPrefix("{") ? redactedJSON(line) : redactedPretty(line)
    }

    private struct Line: Codable {
        var time: String
        var level: String
        var module: String
        var message: String
        var metadata: [String: String]?
    }

    private static func redactedJSON(_ line: String) -> String? {
        guard var parsed = try? JSONDecoder().decode(Line.self, from: Data(line.utf8)) else { return nil }
        for (name, value) in parsed.metadata ?? [:] where !ownFields.contains(name) && !isPlain(value) {
            parsed.metadata?[name] = Secret<String>.mask
        }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return (try? encoder.encode(parsed)).map { String(decoding: $0, as: UTF8.self) }
    }

    /// `TIME LEVEL module  message name=value name="value"`.
    private static func redactedPretty(_ line: String) -> String? {
        guard let time = line.split(separator: " ").first, Timestamp(rfc3339: time) != nil else { return nil }
        var result = ""
        var rest = line[...]
        while let equals = rest.firstIndex(of: "=") {
            let value = rest[rest.index(after: equals)...]
            result += rest[...equals]
            let isQuoted = value.first == "\""
            let length =
                isQuoted
                ? quotedLength(value) : value.prefix { $0 != " " }.count
            let written = value.prefix(length)
            let name = rest[..<equals].split(separator: " ").last.map(String.init) ?? ""
            result += ownFields.contains(name) || isPlain(String(written)) ? String(written) : Secret<String>.mask
            rest = value.dropFirst(length)
        }
        return result + rest
    }

    private static func quotedLength(_ text: Substring) -> Int {
        var length = 1
        var isEscaped = false
        for character in text.dropFirst() {
            length += 1
            if isEscaped {
                isEscaped = false
            } else if character == "\\" {
                isEscaped = true
            } else if character == "\"" {
                break
            }
        }
        return length
    }

    /// A number, with or without a unit.
    private static func isPlain(_ value: String) -> Bool {
        guard let first = value.utf8.first, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(first) else {
            return value == "true" || value == "false"
        }
        return Double(value) != nil || DurationText.parse(value) != nil
    }
}
