import ControlAPI
import IronpostCore
import Synchronization

/// Everything the control side shows, with answers a test can set.
final class StubPorts: StatusSource, AlertStore, AlertTriage, ActionLog, RuleCatalog, Demonstration, DaemonControl {
    let alertFeed = Feed<Alert>()
    let eventFeed = Feed<TappedEvent>()

    private struct State {
        var status = DaemonStatus(
            pid: 42, version: "1.2.3", uptime: .seconds(61), generation: 1, health: .healthy,
            modules: [
                ModuleStatus(
                    name: "log-pipeline", isEnabled: true, state: .running, health: .degraded("auth.log \"gone\""),
                    details: [Field("cannot", "x"), Field("watches", "/var/log/a"), Field("watches", "/var/log/b")],
                    figures: [Figure(name: "ironpost_log_pipeline_parse_errors_total", help: "Help.", value: 5)]
                )
            ],
            ledger: [
                LedgerEntry(hop: "source:file", accepted: 10, stored: 9, dropped: ["too_long": 1]),
                LedgerEntry(hop: "source:we\"ird\\\n", accepted: 1, stored: 1, dropped: [:]),
                LedgerEntry(hop: "parse", accepted: 10, stored: 8, dropped: ["malformed": 2]),
                LedgerEntry(hop: "detect", accepted: 8, stored: 8, dropped: [:]),
                LedgerEntry(hop: "alert", accepted: 9, stored: 9, dropped: [:]),
                LedgerEntry(hop: "store", accepted: 3, stored: 3, dropped: [:]),
            ],
            isReady: true
        )
        var alerts: [Alert] = []
        var queries: [AlertQuery] = []
        var stops = 0
        var demos = 0
    }

    private let state = Mutex(State())

    var ports: ControlPorts {
        ControlPorts(
            status: self, alerts: self, triage: self, actions: self, rules: self, demonstration: self,
            daemon: self, alertFeed: alertFeed, eventFeed: eventFeed
        )
    }

    var stops: Int { state.withLock { $0.stops } }
    var demos: Int { state.withLock { $0.demos } }
    var queries: [AlertQuery] { state.withLock { $0.queries } }

    func setHealth(_ health: Health, isReady: Bool = true) {
        state.withLock {
            $0.status.health = health
            $0.status.isReady = isReady
        }
    }

    func add(_ alert: Alert) {
        state.withLock { $0.alerts.insert(alert, at: 0) }
    }

    func status() -> DaemonStatus { state.withLock { $0.status } }

    func alerts(_ query: AlertQuery) throws -> AlertPage {
        state.withLock {
            $0.queries.append(query)
            return AlertPage(alerts: Array($0.alerts.prefix(query.limit)), total: $0.alerts.count)
        }
    }

    func alert(id: UUIDv7) throws -> Alert? {
        state.withLock { $0.alerts.first { $0.id == id } }
    }

    func setStatus(_ status: Alert.Status, of id: UUIDv7) throws -> Bool {
        state.withLock { state in
            guard let index = state.alerts.firstIndex(where: { $0.id == id }) else { return false }
            state.alerts[index].status = status
            return true
        }
    }

    func append(_ records: [ActionRecord]) throws {}
    func actions(limit: Int) throws -> [ActionRecord] { [] }

    func rules() -> RuleListing {
        RuleListing(
            entries: [
                RuleListing.Entry(
                    reference: RuleReference(id: "r1", title: "Rule", level: "high"), kind: "rule",
                    logsource: "linux/sshd", file: "r1.yml", matches: 4
                )
            ],
            faults: [RuleListing.Fault(file: "bad.yml", line: 3, message: "no detection")]
        )
    }

    func start() throws -> DemoRun {
        state.withLock { $0.demos += 1 }
        return DemoRun(
            started: Timestamp(seconds: 1_700_000_000), expectedRules: ["r1"], sourceIP: "203.0.113.7",
            file: "/tmp/demo.log"
        )
    }

    func reload(dryRun: Bool) async -> ReloadOutcome {
        ReloadOutcome(changes: [], faults: [], generation: 1)
    }

    func requestStop() { state.withLock { $0.stops += 1 } }
}

extension Alert {
    static func example(title: String = "Many failed logins", count: Int = 12) -> Alert {
        let time = Timestamp(seconds: 1_700_000_000)
        return Alert(
            id: UUIDv7.make(at: time), time: time, severity: .high, title: title, description: "Somebody guesses.",
            source: "log-pipeline", rule: RuleReference(id: "r1", title: "Rule", author: "A. Author", level: "high"),
            node: "host", event: EventRecord(time: time, fields: [Field("user", "root")]),
            evidence: Evidence(
                source: "file", file: "/var/log/auth.log", offset: 99, line: 3, raw: "line", sha256: "00"),
            count: count, firstSeen: time, lastSeen: time.advanced(by: .seconds(30)), srcIP: "203.0.113.7",
            traceID: "t", generation: 1
        )
    }
}
