import EventStore
import Glibc
import IronpostCore

/// Commits alerts, checkpoints and audit records, and tells on stdout what was acknowledged, so that a test can watch its
/// system calls or make them fail: `CommitRecorder DATABASE COMMITS`.
///
/// Commit n has 1 to 4 alerts titled `n of m`, the checkpoint `n`, and every third time an audit record. Lines:
/// `ack n m`, `error n REASON` (the same commit is tried again), `shown n` when a commit that failed can be read, `bad
/// AUDIT` and `end`.
@main
struct CommitRecorder {
    static let attemptsMax = 200

    static func main() {
        guard CommandLine.arguments.count == 3, let count = Int(CommandLine.arguments[2]) else { exit(2) }
        do {
            let store = try EventStore(
                path: CommandLine.arguments[1],
                options: EventStore.Options(busyTimeout: .milliseconds(50), checkpointPages: 24)
            )
            for number in 1...count { try commit(number, to: store) }
            if let bad = try store.verify() { say("bad \(bad)") }
            try store.close()
            say("end")
        } catch {
            say("failed \(error)")
            exit(1)
        }
    }

    private static func commit(_ number: Int, to store: EventStore) throws {
        let alerts = (0..<1 + number % 4).map { alert(number, of: 1 + number % 4, place: $0) }
        let transaction = AlertTransaction(inserts: alerts, checkpoints: [Checkpoint(key: "n", value: "\(number)")])
        var attempts = 0
        while true {
            do {
                _ = try store.commit(transaction)
                break
            } catch let error as StoreError {
                say("error \(number) \(error.reason)")
                attempts += 1
                guard attempts < attemptsMax else { throw error }
                if (try? store.alert(id: alerts[0].id)).flatMap({ $0 }) != nil { say("shown \(number)") }
                usleep(10_000)
            }
        }
        if number % 3 == 0 { try record(number, in: store) }
        say("ack \(number) \(alerts.count)")
    }

    private static func record(_ number: Int, in store: EventStore) throws {
        let time = Timestamp(seconds: 1_790_000_000 + Int64(number))
        let action = ActionRecord(
            id: .make(at: time), time: time, actionType: "network_block", target: "203.0.113.\(number % 250)",
            mode: "enforce", state: .done
        )
        var attempts = 0
        while true {
            do {
                return try store.append([action])
            } catch let error as StoreError {
                say("error \(number) \(error.reason)")
                attempts += 1
                guard attempts < attemptsMax else { throw error }
                usleep(10_000)
            }
        }
    }

    private static func alert(_ number: Int, of count: Int, place: Int) -> Alert {
        let time = Timestamp(seconds: 1_790_000_000 + Int64(number))
        let raw = String(repeating: "\(number % 10)", count: 100 + number * 2654 % 5000)
        return Alert(
            id: .make(at: time), time: time, severity: .low, title: "\(number) of \(count)", description: "",
            source: "test",
            rule: RuleReference(id: "r\(number)", title: "r", level: "low"), node: "node",
            event: EventRecord(time: time, fields: []), evidence: Evidence(source: "file", raw: raw, sha256: ""),
            firstSeen: time, lastSeen: time, traceID: "", generation: 1
        )
    }

    /// One write(2) a line: its place among the other system calls is what counts.
    private static func say(_ line: String) {
        let bytes = Array((line + "\n").utf8)
        _ = unsafe write(STDOUT_FILENO, bytes, bytes.count)
    }
}
