package import IronpostCore
import Synchronization

/// The containers as the daemon knows them: those of now, and for a while which cgroup, namespace, interface and address
/// belonged to whom when. Fed by `apply`; answers from memory.
package final class LiveDirectory: ContainerDirectory, Sendable {
    package struct Bounds: Sendable {
        /// How long after its end it is remembered what a container had.
        package var history = Duration.seconds(3600)
        /// Remembered at once, over all; with more, what ended is forgotten before its time.
        package var tenuresMax = 200_000
        /// Containers that are gone and whose names are remembered.
        package var departedMax = 10_000

        package init() {}
    }

    struct State {
        var records: [ContainerID: ContainerRecord] = [:]
        /// Of containers that are gone, oldest first.
        var departed: [ContainerID: (record: ContainerRecord, at: Timestamp)] = [:]
        var cgroups = Tenures<CgroupNumber>()
        var paths = Tenures<String>()
        var namespaces = Tenures<UInt64>()
        var links = Tenures<UInt32>()
        var addresses = Tenures<String>()
        var engine: EngineState
        /// Everything that the inventory knew was told at least once.
        var isComplete = false
        var swept: Timestamp
        var forgottenEarly = 0

        var tenures: Int { cgroups.count + paths.count + namespaces.count + links.count + addresses.count }
    }

    private let bounds: Bounds
    private let time: any TimeSource
    private let state: Mutex<State>
    /// The network namespace of the host, in which shared ones are nobody's.
    let hostNamespace: UInt64

    package init(
        time: any TimeSource, bounds: Bounds = Bounds(),
        hostNamespace: UInt64 = ProcessTable.inode("/proc/self/ns/net") ?? 0
    ) {
        self.time = time
        self.bounds = bounds
        self.hostNamespace = hostNamespace
        state = Mutex(State(engine: EngineState(link: .connecting, socket: ""), swept: time.now()))
    }

    func read<Value>(_ body: (borrowing State) -> Value) -> Value { state.withLock { body($0) } }

    // MARK: - Changes

    package func apply(_ changes: ContainerChanges) {
        let now = time.now()
        state.withLock { state in
            state.engine = changes.engine
            if changes.isReset {
                let kept = Set(changes.records.map(\.id))
                // What a first page does not have may come with the next one, and then begins anew where it was.
                for id in state.records.keys.sorted() where !kept.contains(id) { depart(id, at: now, &state) }
            }
            for record in changes.records { put(record, at: now, &state) }
            for id in changes.removed { depart(id, at: now, &state) }
            state.isComplete = !changes.hasMore || state.isComplete && !changes.isReset
            sweep(&state, now)
        }
    }

    /// The engine cannot be followed any more; what is known of it stays until it is known better.
    package func apply(_ engine: EngineState) {
        state.withLock { $0.engine = engine }
    }

    private func put(_ new: ContainerRecord, at now: Timestamp, _ state: inout State) {
        let old = state.records[new.id]
        state.records[new.id] = new
        state.departed[new.id] = nil
        // Ids of cgroups and namespaces are told for live processes only. One that just started had them since then.
        let isSameProcess = old.map { $0.pid == new.pid && $0.pidStart == new.pidStart } ?? false
        let began = isSameProcess ? now : new.started ?? now
        let ended = new.state.isAlive ? now : new.finished.map { min($0, now) } ?? now
        if let old, !isSameProcess || !new.state.isAlive { end(old, keeping: nil, at: ended, &state) }
        if let old, isSameProcess { end(old, keeping: new, at: now, &state) }
        for cgroup in new.cgroups {
            state.cgroups.begin(cgroup.number, new.id, at: began)
            if cgroup.hierarchy == .unified { state.paths.begin(cgroup.path, new.id, at: began) }
        }
        if new.networkNamespace != 0 { state.namespaces.begin(new.networkNamespace, new.id, at: began) }
        for link in new.hostLinks { state.links.begin(link, new.id, at: isSameProcess ? now : began) }
        guard new.state.isAlive else { return }
        for address in new.addresses { state.addresses.begin(address, new.id, at: isSameProcess ? now : began) }
    }

    /// Ends what a container had, except what it still has.
    private func end(_ old: ContainerRecord, keeping new: ContainerRecord?, at time: Timestamp, _ state: inout State) {
        for cgroup in old.cgroups where new?.cgroups.contains(cgroup) != true {
            state.cgroups.end(cgroup.number, old.id, at: time)
            state.paths.end(cgroup.path, old.id, at: time)
        }
        if old.networkNamespace != 0, new?.networkNamespace != old.networkNamespace {
            state.namespaces.end(old.networkNamespace, old.id, at: time)
        }
        for link in old.hostLinks where new?.hostLinks.contains(link) != true {
            state.links.end(link, old.id, at: time)
        }
        for address in old.addresses where new?.addresses.contains(address) != true {
            state.addresses.end(address, old.id, at: time)
        }
    }

    private func depart(_ id: ContainerID, at now: Timestamp, _ state: inout State) {
        guard let old = state.records.removeValue(forKey: id) else { return }
        end(old, keeping: nil, at: old.finished.map { min($0, now) } ?? now, &state)
        if state.departed.count >= bounds.departedMax,
            let oldest = state.departed.min(by: { $0.value.at < $1.value.at })?.key
        {
            state.departed[oldest] = nil
        }
        state.departed[id] = (old, now)
    }

    private func sweep(_ state: inout State, _ now: Timestamp) {
        let isCrowded = state.tenures > bounds.tenuresMax
        guard isCrowded || now.since(state.swept) > .seconds(60) else { return }
        state.swept = now
        let before = state.tenures
        let limit = isCrowded ? now : now.advanced(by: .zero - bounds.history)
        state.cgroups.forget(before: limit)
        state.paths.forget(before: limit)
        state.namespaces.forget(before: limit)
        state.links.forget(before: limit)
        state.addresses.forget(before: limit)
        if isCrowded { state.forgottenEarly += before - state.tenures }
        state.departed = state.departed.filter { $0.value.at >= limit }
    }

    // MARK: - Looking

    package var engine: EngineState { state.withLock { $0.engine } }
    /// Whether all containers are known as the engine tells of them.
    package var isComplete: Bool { state.withLock { $0.isComplete && $0.engine.link == .following } }
    package var count: Int { state.withLock { $0.records.count } }
    package var runningCount: Int { state.withLock { $0.records.values.count { $0.state.isAlive } } }
    package var tenuresForgottenEarly: Int { state.withLock { $0.forgottenEarly } }

    /// Containers about which the engine's or the kernel's word is missing.
    package var faulty: [ContainerRecord] {
        state.withLock { state in state.records.values.filter { !$0.fault.isEmpty } }.sorted { $0.id < $1.id }
    }

    package subscript(id: ContainerID) -> ContainerRecord? { state.withLock { $0.records[id] } }

    package func containers() -> ContainerListing {
        state.withLock { state in
            ContainerListing(
                engine: state.engine,
                containers: state.records.values.sorted { ($0.name, $0.id) < ($1.name, $1.id) })
        }
    }

    static let prefixDigitsMin = 4

    package func resolve(_ name: String) throws(ContainerNameFault) -> ContainerRecord {
        let (exact, named, prefixed) = state.withLock { state in
            (
                ContainerID(name).flatMap { state.records[$0] },
                state.records.values.filter { $0.name == name },
                name.utf8.count >= Self.prefixDigitsMin
                    ? state.records.values.filter { $0.id.text.hasPrefix(name) } : []
            )
        }
        if let exact { return exact }
        // A name is unique in an engine; one that looks like another's id is still a name.
        if let found = named.first, named.count == 1 { return found }
        guard let found = prefixed.first else { throw .unknown(name) }
        guard prefixed.count == 1 else { throw .ambiguous(name, count: prefixed.count) }
        return found
    }
}

extension ContainerRecord {
    package var addresses: [String] { networks.flatMap { [$0.address4, $0.address6] }.filter { !$0.isEmpty } }
}
