import Dispatch
import Glibc
package import IronpostCore
package import Logging
import Synchronization

/// The engine's containers as they are, followed by events and read anew from the engine whenever these may have been
/// missed. Lives beside the engine's socket (in the responder); who wants to know asks for what changed since.
package final class ContainerInventory: Sendable {
    package struct Bounds: Sendable {
        /// Containers that are known at once; further ones are left out and counted.
        package var containersMax = 10_000
        /// Removals that are remembered for who asks later; who asks later still gets everything anew.
        package var removalsMax = 4096
        package var callTimeout = Duration.seconds(5)
        /// Between attempts to reach an engine that is away.
        package var retryMin = Duration.milliseconds(100)
        package var retryMax = Duration.seconds(1)
        /// Between looks at the whole list while events come, for what they did not tell.
        package var listInterval = Duration.seconds(10)

        package init() {}
    }

    private struct State {
        /// By id, with the revision at which each changed last.
        var records: [ContainerID: (record: ContainerRecord, revision: UInt64)] = [:]
        var removed: [(id: ContainerID, revision: UInt64)] = []
        var revision: UInt64 = 0
        /// Removals up to this revision are forgotten.
        var forgottenUpTo: UInt64 = 0
        var engine: EngineState
        var waiters: [DispatchSemaphore] = []
        var isStopping = false
        /// Nobody waits for news any more.
        var isHurried = false
    }

    /// Of what is told about a fault.
    static let reasonBytesMax = 1024

    /// Of this inventory: revisions of another one mean nothing here.
    package let epoch = UInt64.random(in: 1 ... .max)
    private let socketPath: String
    private let survey: ContainerSurvey
    private let bounds: Bounds
    private let clientBounds: EngineClient.Bounds
    private let logger: Logger
    private let state: Mutex<State>
    private let connected = Mutex<EngineClient?>(nil)

    package init(
        socketPath: String, table: ProcessTable = ProcessTable(), home: String = "/proc/self/ns/net",
        bounds: Bounds = Bounds(),
        clientBounds: EngineClient.Bounds = EngineClient.Bounds(), logger: Logger
    ) {
        self.socketPath = socketPath
        survey = ContainerSurvey(table: table, home: home)
        self.bounds = bounds
        self.clientBounds = clientBounds
        self.logger = logger
        state = Mutex(State(engine: EngineState(link: .absent, socket: socketPath)))
    }

    /// The client of the engine that is followed; `nil` while there is none.
    package var client: EngineClient? { connected.withLock { $0 } }
    package var table: ProcessTable { survey.table }
    package var engine: EngineState { state.withLock { $0.engine } }

    package subscript(id: ContainerID) -> ContainerRecord? { state.withLock { $0.records[id]?.record } }
    package var count: Int { state.withLock { $0.records.count } }
    package var all: [ContainerRecord] { state.withLock { $0.records.values.map(\.record) } }

    // MARK: - Following

    /// Follows the engine until `stop`. To be run on a thread of its own.
    package func follow() {
        var pause = bounds.retryMin
        while !isStopping {
            do throws(EngineFault) {
                let client = try EngineClient(
                    socketPath: socketPath, bounds: clientBounds, timeout: bounds.callTimeout)
                // Events first: what happens while the list is read waits in the connection.
                var events = try client.events(timeout: bounds.callTimeout)
                connected.withLock { $0 = client }
                set {
                    $0.link = .connecting; $0.version = client.version.description; $0.reason = ""
                }
                try reconcile(client)
                set { $0.link = .following }
                pause = bounds.retryMin
                try follow(client, &events)
            } catch {
                connected.withLock { $0 = nil }
                let isAbsent = if case .absent = error { true } else { false }
                var wasThere = false
                set { engine in
                    wasThere = engine.link == .following || engine.link == .connecting
                    if wasThere { engine.reconnects += 1 }
                    engine.link = isAbsent && engine.version.isEmpty ? .absent : .lost
                    engine.reason = error.description.bounded(bytes: Self.reasonBytesMax)
                }
                if wasThere { logger.warning("containers are not followed", metadata: ["reason": "\(error)"]) }
                wait(for: pause)
                pause = min(pause * 2, bounds.retryMax)
            }
        }
    }

    package func stop() {
        change { state in
            state.isStopping = true
            return true
        }
    }

    /// From now on nobody waits for news, also who waits already; everything else goes on.
    package func stopWaiting() {
        change { state in
            state.isHurried = true
            return true
        }
    }

    private var isStopping: Bool { state.withLock { $0.isStopping } }

    private func wait(for pause: Duration) {
        let end = ContinuousClock.now + pause
        while !isStopping, ContinuousClock.now < end { usleep(20_000) }
    }

    private func follow(_ client: EngineClient, _ events: inout EngineEvents) throws(EngineFault) {
        var listed = ContinuousClock.now
        while !isStopping {
            let found = try events.next(deadline: .now + .milliseconds(250))
            // Several events of one container are answered by one look at it.
            for id in Set(found.map(\.container)) { try look(at: id, client) }
            if ContinuousClock.now - listed >= bounds.listInterval {
                try reconcile(client)
                listed = .now
            }
        }
    }

    /// Compares what is known with what the engine lists, and looks at everything that differs or runs.
    private func reconcile(_ client: EngineClient) throws(EngineFault) {
        let listed = try client.list(timeout: bounds.callTimeout)
        var ids: [ContainerID] = []
        var leftOut = 0
        // Those that live first: they are what can be attacked.
        let ordered = listed.sorted { ($0.state == "running" ? 0 : 1) < ($1.state == "running" ? 0 : 1) }
        for container in ordered {
            guard let id = ContainerID(container.id) else {
                leftOut += 1
                continue
            }
            if ids.count < bounds.containersMax { ids.append(id) } else { leftOut += 1 }
        }
        let present = Set(ids)
        let gone = state.withLock { state in state.records.keys.filter { !present.contains($0) } }
        for id in gone { remove(id) }
        for id in ids where !isStopping { try look(at: id, client) }
        set { $0.leftOut = leftOut }
    }

    /// One container as it is now.
    private func look(at id: ContainerID, _ client: EngineClient) throws(EngineFault) {
        do {
            put(survey.record(id, try client.inspect(id, timeout: bounds.callTimeout)))
        } catch .refused(let status, _) where status == 404 {
            remove(id)
        } catch  where error.isOutage {
            throw error
        } catch {
            // Its own fault: the others are not touched by it, and nothing is proved by what is not known.
            var record = self[id] ?? ContainerRecord(id: id)
            record.fault = error.description.bounded(bytes: Self.reasonBytesMax)
            record.pid = 0
            record.cgroups = []
            record.hostLinks = []
            record.networkNamespace = 0
            put(record)
        }
    }

    /// Looks at one container out of turn, as after it was acted on.
    package func refresh(_ id: ContainerID) {
        guard let client else { return }
        do {
            try look(at: id, client)
        } catch {
            logger.info("container was not looked at", metadata: ["container": "\(id.short)", "reason": "\(error)"])
        }
    }

    // MARK: - Changes

    private func put(_ record: ContainerRecord) {
        change { state in
            let known = state.records[record.id]
            guard known?.record != record, known != nil || state.records.count < bounds.containersMax else {
                return false
            }
            state.revision += 1
            state.records[record.id] = (record, state.revision)
            return true
        }
    }

    private func remove(_ id: ContainerID) {
        change { state in
            guard state.records.removeValue(forKey: id) != nil else { return false }
            state.revision += 1
            state.removed.append((id, state.revision))
            if state.removed.count > bounds.removalsMax {
                state.forgottenUpTo = state.removed.removeFirst().revision
            }
            return true
        }
    }

    private func set(_ body: (inout EngineState) -> Void) {
        change { state in
            let before = state.engine
            body(&state.engine)
            return state.engine != before
        }
    }

    private func change(_ body: (inout State) -> Bool) {
        let waiters: [DispatchSemaphore] = state.withLock { state in
            guard body(&state) else { return [] }
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.signal() }
    }

    /// What changed after `cursor`, oldest first, as far as `fits` takes it. Waits up to `patience` when there is nothing.
    /// - Parameter engine: how the asker believes that it stands with the engine; a difference is news as well.
    package func changes(
        since cursor: ContainerCursor, engine: EngineState?, patience: Duration, fits: (ContainerRecord?) -> Bool
    ) -> ContainerChanges {
        let end = ContinuousClock.now + patience
        while true {
            let semaphore = DispatchSemaphore(value: 0)
            let found: ContainerChanges? = state.withLock { state in
                let isReset = cursor.epoch != epoch || cursor.asOf < state.forgottenUpTo || cursor.asOf > state.revision
                let hasNews = isReset || state.revision > cursor.revision || state.engine != engine
                if !hasNews, !state.isStopping, !state.isHurried, ContinuousClock.now < end {
                    state.waiters.append(semaphore)
                    return nil
                }
                let start = ContainerCursor(
                    epoch: epoch, revision: isReset ? 0 : cursor.revision, asOf: isReset ? state.revision : cursor.asOf)
                return Self.collect(state, since: start, isReset: isReset, fits: fits)
            }
            if let found { return found }
            let left = max(Duration.zero, end - ContinuousClock.now)
            _ = semaphore.wait(timeout: .now() + .nanoseconds(Int(left.nanoseconds)))
            state.withLock { state in state.waiters.removeAll { $0 === semaphore } }
        }
    }

    private enum Change {
        case put(ContainerRecord)
        case remove(ContainerID)
    }

    private static func collect(
        _ state: borrowing State, since start: ContainerCursor, isReset: Bool, fits: (ContainerRecord?) -> Bool
    ) -> ContainerChanges {
        var changes = ContainerChanges(
            cursor: start, isReset: isReset, records: [], removed: [], hasMore: false, engine: state.engine)
        var all: [(revision: UInt64, change: Change)] = []
        for entry in state.records.values where entry.revision > start.revision {
            all.append((entry.revision, .put(entry.record)))
        }
        // Who starts anew has nothing that could be removed.
        for entry in state.removed where entry.revision > start.revision && !isReset {
            all.append((entry.revision, .remove(entry.id)))
        }
        all.sort { $0.revision < $1.revision }
        for (revision, change) in all {
            switch change {
            case .put(let record):
                changes.hasMore = !fits(record)
                if !changes.hasMore { changes.records.append(record) }
            case .remove(let id):
                changes.hasMore = !fits(nil)
                if !changes.hasMore { changes.removed.append(id) }
            }
            if changes.hasMore { return changes }
            changes.cursor.revision = revision
        }
        changes.cursor = ContainerCursor(epoch: start.epoch, revision: state.revision, asOf: state.revision)
        return changes
    }
}
