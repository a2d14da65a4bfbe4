import AlertHub
import EventStore
import Foundation
import IronpostCore
import Logging
import Synchronization
import Testing

let start = Timestamp(seconds: 1_790_000_000)

/// One event at `second` of a rule and source address.
func event(
    _ second: Double = 0, rule: String = "rule", ip: String? = "203.0.113.7", group: [Field] = [], count: Int = 1,
    demo: Bool = false, title: String = "Title", severity: Severity = .high, source: String = "file",
    fields: [Field] = []
) -> AlertEvent {
    let time = start.advanced(by: .seconds(second))
    return AlertEvent(
        Alert(
            id: .make(at: time), time: time, severity: severity, title: title, description: "", source: "test",
            rule: RuleReference(id: rule, title: rule, level: "high"), node: "node",
            event: EventRecord(time: time, fields: fields), evidence: Evidence(source: source, raw: "", sha256: ""),
            group: group, count: count, firstSeen: time, lastSeen: time, srcIP: ip, traceID: "", generation: 1,
            labels: demo ? ["demo": "true"] : [:]
        )
    )
}

/// Waits for something that other threads bring about.
func eventually(_ what: Comment, _ condition: () -> Bool) async {
    for _ in 0..<10_000 {
        if condition() { return }
        try? await Task.sleep(for: .milliseconds(1))
    }
    Issue.record("never happened: \(what)")
}

struct Failure: CommitFailure {
    var outlook = CommitOutlook.transient
}

/// The real store behind a door that a test can close, with failures that it can order.
final class GuardedStore: AlertCommit, AlertStore, ActionLog {
    private struct State {
        var isOpen = true
        var waiting = 0
        var failures: [any Error] = []
        var rejectedTitle: String?
        /// Commits that a disk has room for; `nil` is any number.
        var room: Int?
        var commits = 0
        var largest = 0
    }

    let store: EventStore
    private let directory: String
    private let state = Mutex(State())

    init() throws {
        directory = FileManager.default.temporaryDirectory.appendingPathComponent("ironpost-\(UUID().uuidString)").path
        store = try EventStore(path: directory + "/ironpost.db")
    }

    deinit { try? FileManager.default.removeItem(atPath: directory) }

    func close() { state.withLock { $0.isOpen = false } }
    func open() { state.withLock { $0.isOpen = true } }
    func fail(with error: any Error, times: Int) {
        state.withLock { $0.failures = Array(repeating: error, count: times) }
    }
    func reject(title: String) { state.withLock { $0.rejectedTitle = title } }
    var waiting: Int { state.withLock { $0.waiting } }
    var failuresLeft: Int { state.withLock { $0.failures.count } }
    var commits: Int { state.withLock { $0.commits } }
    var largest: Int { state.withLock { $0.largest } }

    private func pass() throws {
        state.withLock { $0.waiting += 1 }
        defer { state.withLock { $0.waiting -= 1 } }
        while !state.withLock({ $0.isOpen }) { usleep(500) }
        let failure = state.withLock { $0.failures.popLast() }
        if let failure { throw failure }
        try state.withLock { state in
            guard let room = state.room else { return }
            guard room > 0 else { throw Failure(outlook: .full) }
            state.room = room - 1
        }
    }

    /// A disk with room for so many more commits.
    func setRoom(_ commits: Int?) { state.withLock { $0.room = commits } }
    func addRoom(_ commits: Int) { state.withLock { $0.room = $0.room.map { $0 + commits } } }
    func takeRoom(_ commits: Int) -> Bool {
        state.withLock { state in
            guard let room = state.room else { return true }
            guard room >= commits else { return false }
            state.room = room - commits
            return true
        }
    }

    func commit(_ transaction: AlertTransaction) throws -> CommitReceipt {
        try pass()
        let rejected = state.withLock { $0.rejectedTitle }
        if let rejected, transaction.inserts.contains(where: { $0.title == rejected }) {
            throw Failure(outlook: .rejected)
        }
        let receipt = try store.commit(transaction)
        state.withLock {
            $0.commits += 1
            $0.largest = max($0.largest, transaction.inserts.count)
        }
        return receipt
    }

    func latestAlert(
        rule: String, group: [Field], labels: [String: String], since: Timestamp, until: Timestamp
    ) throws -> AlertKey? {
        try store.latestAlert(rule: rule, group: group, labels: labels, since: since, until: until)
    }

    func alerts(_ query: AlertQuery) throws -> AlertPage { try store.alerts(query) }
    func alert(id: UUIDv7) throws -> Alert? { try store.alert(id: id) }
    func append(_ records: [ActionRecord]) throws {
        try pass()
        try store.append(records)
    }
    func actions(limit: Int) throws -> [ActionRecord] { try store.actions(limit: limit) }
}

/// A reserve on the disk of a `GuardedStore`: each piece is room for one commit.
final class StubReserve: StorageReserve {
    private let store: GuardedStore
    private let pieces: Int
    private let held: Mutex<Int>

    init(store: GuardedStore, pieces: Int) {
        self.store = store
        self.pieces = pieces
        held = Mutex(pieces)
    }

    func release() -> Bool {
        held.withLock { held in
            guard held > 0 else { return false }
            held -= 1
            store.addRoom(1)
            return true
        }
    }

    func restore() -> Bool {
        held.withLock { held in
            guard store.takeRoom(pieces - held) else { return false }
            held = pieces
            return true
        }
    }

    var level: ReserveLevel { ReserveLevel(bytesWanted: pieces << 20, bytesHeld: held.withLock { $0 } << 20) }
}

/// A running hub with everything around it.
final class Rig: Sendable {
    let store: GuardedStore
    let batches: BoundedChannel<CommitBatch>
    let actions = BoundedChannel<ActionRecord>(name: "actions", capacity: 256)
    let feed = Feed<Alert>()
    let ledger = Ledger()
    let time: ManualTime
    let hub: AlertHub
    private let sends = Atomic<Int>(0)
    private let replies = Mutex<[Bool]>([])
    private let task: Task<Void, any Error>

    init(
        store: GuardedStore? = nil, capacity: Int = 256, limits: AlertLimits = AlertLimits(dedupWindow: .zero),
        reserve pieces: Int = 0, policy: FullDiskPolicy = .shed, keeping: Duration = .zero,
        now: Timestamp = start
    ) throws {
        time = ManualTime(now: now)
        let store = try store ?? GuardedStore()
        self.store = store
        batches = BoundedChannel(name: "alerts", capacity: capacity)
        let hub = AlertHub(
            batches: batches, actions: actions, commit: store, reader: store, actionLog: store, feed: feed,
            ledger: ledger, time: time, limits: limits, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
            reserve: pieces > 0 ? StubReserve(store: store, pieces: pieces) : NoReserve(), policy: policy,
            retention: store.store, keeping: keeping
        )
        self.hub = hub
        task = Task { try await hub.run() }
    }

    func send(_ events: [AlertEvent], checkpoints: [Checkpoint] = []) async throws {
        try await batches.send(
            CommitBatch(alerts: events, checkpoints: checkpoints) { [self] isDurable in
                replies.withLock { $0.append(isDurable) }
            }
        )
        sends.add(1, ordering: .relaxed)
    }

    /// Batches that the channel took.
    var sent: Int { sends.load(ordering: .relaxed) }

    /// What the batches were told so far.
    var told: [Bool] { replies.withLock { $0 } }

    func entry(_ hop: String) -> LedgerEntry { ledger.hop(hop).entry() }

    var stored: [Alert] {
        get throws { try store.alerts(AlertQuery(limit: AlertQuery.limitMax)).alerts }
    }

    /// Drains and expects every hop to balance.
    func stop(within patience: Duration = .seconds(30)) async throws {
        await hub.drain(deadline: .now + patience)
        try await task.value
        for entry in ledger.entries() { #expect(entry.imbalance == 0, "\(entry)") }
    }
}
