import ControlAPI
import Foundation
import IronpostCore
import Logging
import Synchronization
import Testing

@testable import ironpost

/// The commands against the real control socket, with a daemon behind it that a test sets.
@Suite(.timeLimit(.minutes(1)))
struct AgainstServerTests {
    private final class Daemon: StatusSource, AlertStore, AlertTriage, ActionLog, RuleCatalog, Demonstration,
        DaemonControl
    {
        struct State {
            var health = Health.healthy
            var alerts: [Alert] = []
            var firesInDemo = ["a", "b"]
            var inForce = ["a", "b"]
            var stops = 0
        }

        let state = Mutex(State())
        let time = Timestamp(seconds: 1_700_000_000)

        func status() -> DaemonStatus {
            // A pid that is nobody's, so that `stop` finds the daemon gone.
            DaemonStatus(
                pid: 0, version: "1", uptime: .seconds(1), generation: 1, health: state.withLock { $0.health },
                modules: [], ledger: [], isReady: true
            )
        }

        func alerts(_ query: AlertQuery) throws -> AlertPage {
            let all = state.withLock { $0.alerts }.filter { alert in
                query.labels.allSatisfy { alert.labels[$0.key] == $0.value }
            }
            return AlertPage(alerts: Array(all.reversed().prefix(query.limit)), total: all.count)
        }

        func alert(id: UUIDv7) throws -> Alert? { state.withLock { $0.alerts.first { $0.id == id } } }
        func append(_ records: [ActionRecord]) throws {}
        func actions(limit: Int) throws -> [ActionRecord] { [] }
        func rules() -> RuleListing {
            let entries = state.withLock { $0.inForce }.map { rule in
                RuleListing.Entry(
                    reference: RuleReference(id: rule, title: "t", level: "high"), kind: "rule", logsource: "linux",
                    file: "/x/\(rule).yml", matches: 0)
            }
            return RuleListing(entries: entries, faults: [])
        }

        func setStatus(_ status: Alert.Status, of id: UUIDv7) throws -> Bool { false }

        func reload(dryRun: Bool) async -> ReloadOutcome {
            ReloadOutcome(changes: [], faults: [], generation: 1)
        }

        func requestStop() { state.withLock { $0.stops += 1 } }

        func start() throws -> DemoRun {
            state.withLock { state in
                for rule in state.firesInDemo { state.alerts.append(alert(rule: rule)) }
            }
            return DemoRun(started: time, expectedRules: ["a", "b"], sourceIP: "203.0.113.7", file: "/x/demo.log")
        }

        func alert(rule: String) -> Alert {
            Alert(
                id: UUIDv7.make(at: time), time: time, severity: .high, title: "t", description: "d",
                source: "log-pipeline", rule: RuleReference(id: rule, title: "t", level: "high"), node: "n",
                event: EventRecord(time: time, fields: []), evidence: Evidence(source: "file", raw: "r", sha256: "0"),
                firstSeen: time, lastSeen: time, srcIP: "203.0.113.7", traceID: "t", generation: 1,
                labels: ["demo": "true"]
            )
        }
    }

    private static func with(_ body: (Daemon, String) async throws -> Void) async throws {
        let directory = "/tmp/ironpost-cli-" + UUID().uuidString.prefix(8)
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let daemon = Daemon()
        let socket = directory + "/c.sock"
        let server = ControlServer(
            options: ControlOptions(socketPath: socket, listen: nil, tokenFile: "", nodeName: "n", version: "1"),
            ports: ControlPorts(
                status: daemon, alerts: daemon, triage: daemon, actions: daemon, rules: daemon, demonstration: daemon,
                daemon: daemon,
                alertFeed: Feed(), eventFeed: Feed()
            ),
            logger: Logger(label: "test"), time: SystemTime()
        )
        try await server.prepare()
        async let run: Void = server.run()
        do {
            try await body(daemon, socket)
        } catch {
            await server.drain(deadline: .now + .milliseconds(200))
            throw error
        }
        await server.drain(deadline: .now + .seconds(5))
        try await run
    }

    private static func run(_ socket: String, _ arguments: String...) async -> ironpost.ExitStatus {
        await Ironpost.run(["--socket", socket] + arguments)
    }

    @Test func statusTellsHealthByItsExit() async throws {
        try await Self.with { (daemon, socket) async throws in
            #expect(await Self.run(socket, "status") == .success)
            daemon.state.withLock { $0.health = .degraded("x") }
            #expect(await Self.run(socket, "status", "-v") == .success)
            daemon.state.withLock { $0.health = .unhealthy("x") }
            #expect(await Self.run(socket, "status", "-o", "json") == .failure)
        }
    }

    @Test func theDemoSucceedsWhenEveryRuleFires() async throws {
        try await Self.with { (daemon, socket) async throws in
            #expect(await Self.run(socket, "demo", "--timeout", "5") == .success)
        }
    }

    @Test func theDemoFailsWhenARuleIsSilent() async throws {
        try await Self.with { (daemon, socket) async throws in
            daemon.state.withLock { $0.firesInDemo = ["a"] }
            #expect(await Self.run(socket, "demo", "--timeout", "1") == .failure)
        }
    }

    @Test(.timeLimit(.minutes(1)))
    func theDemoDoesNotWaitForARuleThatIsNotInForce() async throws {
        try await Self.with { (daemon, socket) async throws in
            daemon.state.withLock { state in
                state.firesInDemo = ["a"]
                state.inForce = ["a"]
            }
            #expect(await Self.run(socket, "demo", "--timeout", "86400") == .failure)
            daemon.state.withLock { $0.inForce = [] }
            #expect(await Self.run(socket, "demo", "--timeout", "86400") == .failure)
        }
    }

    /// It was once waited for without end.
    @Test func aSourceThatIsNotThereIsNoSource() async throws {
        try await Self.with { (_, socket) async throws in
            #expect(await Self.run(socket, "events", "tail", "--source", "bogus") == .usage)
        }
    }

    @Test func stopAsksAndWaits() async throws {
        try await Self.with { (daemon, socket) async throws in
            #expect(await Self.run(socket, "stop", "--timeout", "1") == .success)
            #expect(daemon.state.withLock { $0.stops } == 1)
        }
    }

    @Test func anAlertIsFoundByItsBeginning() async throws {
        try await Self.with { (daemon, socket) async throws in
            let (first, second) = (daemon.alert(rule: "a"), daemon.alert(rule: "b"))
            daemon.state.withLock { $0.alerts = [first, second] }
            #expect(await Self.run(socket, "alerts") == .success)
            #expect(await Self.run(socket, "alerts", "show", first.id.description) == .success)
            let lookup = AlertLookup(client: ControlClient(socketPath: socket))
            #expect(try await lookup.alert(String(second.id.description.prefix(30))).rule.id == "b")
            #expect(await Self.run(socket, "alerts", "show", String(first.id.description.prefix(8))) == .usage)
            #expect(await Self.run(socket, "alerts", "show", "ffff0000") == .failure)
            #expect(await Self.run(socket, "alerts", "show", UUIDv7.make(at: daemon.time).description) == .failure)
        }
    }
}
