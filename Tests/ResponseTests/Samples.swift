import EventStore
import Foundation
import IronpostCore
import Logging
import Synchronization
import Testing

@testable import Response

let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
let start = Timestamp(seconds: 1_790_000_000)

/// A directory that goes with its owner.
final class TemporaryDirectory: Sendable {
    let path: String

    init() throws {
        path = FileManager.default.temporaryDirectory.appendingPathComponent("ironpost-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(
            atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o755])
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func write(_ text: String, to name: String) throws {
        try text.write(toFile: path + "/" + name, atomically: false, encoding: .utf8)
        try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: path + "/" + name)
    }
}

func alert(
    _ address: String? = "203.0.113.7", confidence: AddressProof.Confidence? = .trustedWriter,
    severity: Severity = .high, tags: [String] = ["attack.t1110.001"], labels: [String: String] = [:],
    at time: Timestamp
) -> Alert {
    Alert(
        id: .make(at: time), time: time, severity: severity, title: "guessing", description: "", source: "log-pipeline",
        rule: RuleReference(id: "rule-1", title: "Rule One", level: "high", tags: tags), node: "n",
        event: EventRecord(time: time, fields: []), evidence: Evidence(source: "file", raw: "", sha256: ""),
        group: address.map { [Field("src_ip", $0)] } ?? [], firstSeen: time, lastSeen: time, srcIP: address,
        srcIPProof: confidence.map { AddressProof(origin: .daemonField, confidence: $0) }, traceID: "t", generation: 1,
        labels: labels
    )
}

/// A kernel's table without a kernel: what is in it, and how often it was told what.
final class FakeTable: BlockTable {
    struct State {
        var entries: [BlockTarget: Duration] = [:]
        var generation: UInt64 = 1
        var adds: [BlockTarget: Int] = [:]
        var removes: [BlockTarget: Int] = [:]
        /// Thrown by the next calls that change something.
        var failures = 0
        var lists = 0
        /// What a guardrail of the responder's own forbids.
        var forbidden: Set<String> = []
        /// What happens while something is added.
        var meanwhile: (@Sendable () async -> Void)?
    }

    struct Broken: Error {}

    let state = Mutex(State())

    var targets: Set<String> { state.withLock { Set($0.entries.keys.map(\.description)) } }

    func add(_ entries: [BlockEntry]) async throws -> BlockReceipt {
        state.withLock { $0.generation += 1 }
        await state.withLock { $0.meanwhile }?()
        let forbidden = state.withLock { $0.forbidden }
        let withheld = entries.map(\.target).filter { forbidden.contains($0.description) }
        let generation = try change { state in
            for entry in entries where !withheld.contains(entry.target) {
                state.entries[entry.target] = entry.remaining
                state.adds[entry.target, default: 0] += 1
            }
        }
        let refusal = BlockRefused(guardrail: "operator_session", detail: "somebody is logged in from there")
        return BlockReceipt(generation: generation, withheld: withheld.map { .init(target: $0, refusal: refusal) })
    }

    func remove(_ targets: [BlockTarget]) async throws -> UInt64 {
        try change { state in
            for target in targets {
                state.entries[target] = nil
                state.removes[target, default: 0] += 1
            }
        }
    }

    private func change(_ body: (inout State) -> Void) throws -> UInt64 {
        try state.withLock { state in
            if state.failures > 0 {
                state.failures -= 1
                throw Broken()
            }
            body(&state)
            state.generation += 1
            return state.generation
        }
    }

    func list() async throws -> [BlockEntry] {
        state.withLock { state in
            state.lists += 1
            return state.entries.map { BlockEntry($0.key, remaining: $0.value) }
        }
    }

    func flush() async throws { state.withLock { $0.entries = [:] } }
    func generation() async throws -> UInt64 { state.withLock { $0.generation } }
}

/// A desk with a real store, a table that is none, and a clock that moves by hand.
final class Bench: Sendable {
    let directory: TemporaryDirectory
    let store: EventStore
    let table: FakeTable
    let clock: ManualTime
    let ledger = Ledger()
    let blocks: NetworkBlocks
    let desk: ResponseDesk

    init(
        mode: Configuration.Response.Mode = .enforce, policies: [Policy] = [.builtIn], on old: Bench? = nil,
        own: Set<IPAddress> = [], sessions: Set<IPAddress> = [], boot: String = "boot",
        change: (inout Configuration.Response) -> Void = { _ in }
    ) async throws {
        directory = try old?.directory ?? TemporaryDirectory()
        store = try old?.store ?? EventStore(path: directory.path + "/data/ironpost.db")
        table = old?.table ?? FakeTable()
        clock = old?.clock ?? ManualTime(now: start)
        var configuration = Configuration.Response()
        configuration.mode = mode
        change(&configuration)
        let host = AddressGuard.Host(
            ownAddresses: { own }, gateways: { [] }, nameServers: { [] },
            sessions: { network in sessions.filter(network.contains) }
        )
        blocks = NetworkBlocks(
            table: table, store: store, time: clock, boot: boot, logger: quiet, host: host)
        desk = ResponseDesk(
            store: store, backends: [blocks],
            settings: ResponseDesk.Settings(configuration: configuration, policies: PolicySet(policies)), time: clock,
            boot: boot, ledger: ledger, logger: quiet, wake: {}
        )
        try await desk.restore()
    }

    func raise(_ alerts: Alert...) async throws {
        _ = try store.commit(AlertTransaction(inserts: alerts))
        try await settle()
    }

    func settle() async throws {
        _ = await desk.turn()
        await desk.settledAll()
    }

    /// The states of the last transition of each action, newest first.
    func states() throws -> [String] {
        try store.latestActions(ActionQuery(limit: AlertQuery.limitMax)).map { record in
            record.state.rawValue + (record.guardrail.map { ":\($0)" } ?? "")
        }
    }

    var now: Timestamp { clock.now() }
}
