import EventStore
import Foundation
import IronpostCore

/// A directory that goes with its owner.
final class TemporaryDirectory: Sendable {
    let path: String

    init() throws {
        path = FileManager.default.temporaryDirectory.appendingPathComponent("ironpost-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit {
        try? FileManager.default.removeItem(atPath: path)
    }

    var database: String { path + "/data/ironpost.db" }
}

let start = Timestamp(seconds: 1_790_000_000)

func sampleAlert(
    _ number: Int = 0, rule: String = "ssh_brute_force", severity: Severity = .high, group: [Field]? = nil,
    labels: [String: String] = [:], status: Alert.Status = .open, raw: String = "Failed password for root"
) -> Alert {
    let time = start.advanced(by: .seconds(number))
    return Alert(
        id: .make(at: time), time: time, severity: severity, title: "SSH brute force",
        description: "Many failed logins",
        source: "log-pipeline",
        rule: RuleReference(
            id: rule, title: "SSH Brute Force", author: "An Author", level: "high", tags: ["attack.t1110"],
            references: ["https://example.org/"], license: "DRL-1.1"
        ),
        node: "node-1",
        event: EventRecord(time: time, fields: [Field("message", raw), Field("src_ip", "203.0.113.7")]),
        evidence: Evidence(
            source: "file", file: "/var/log/auth.log", inode: 7, offset: 4096, line: 12, raw: raw,
            sha256: String(repeating: "ab", count: 32)
        ),
        group: group ?? [Field("src_ip", "203.0.113.7")], firstSeen: time, lastSeen: time, status: status,
        srcIP: "203.0.113.7", process: ProcessReference(pid: 4711, exe: "/usr/sbin/sshd"),
        traceID: "00000000000000010000000000000002", generation: 1, labels: labels
    )
}
