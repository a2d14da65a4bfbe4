internal import ContainerEngine
import Glibc
import IronpostCore
import Logging
import Synchronization

/// Acts on containers: looks each one up anew, checks the guardrails, acts, and verifies in the kernel and the engine.
/// Every order may come again, also after a crash in the middle of it.
struct ContainerIsolation: Sendable {
    /// What a container may use of one processor while it is throttled.
    static let throttleShare = 0.05
    static let throttlePeriod: Int64 = 100_000
    /// Longer than this an engine counts as hung when there is another way.
    static let enginePatience = Duration.seconds(1)
    static let engineTimeout = Duration.seconds(10)
    /// Longest wait for the engine's first list of all containers.
    static let knowledgePatience = Duration.seconds(5)
    /// Longest wait for the engine's word on a container that is just ending.
    static let endingPatience = Duration.seconds(2)
    /// Longest wait for a pause that the engine was asked for before it hung: it carries it out once it goes on.
    static let latePausePatience = Duration.seconds(3)
    /// Seconds between SIGTERM and SIGKILL.
    static let stopGrace = 10

    private let inventory: ContainerInventory
    private let cgroups: CgroupControl
    private let guardrails: ContainerGuardrails
    private let evidence: EvidenceCollector
    private let logger: Logger
    private let latePauses = LatePauses()

    /// Containers that the engine was asked to pause and did not answer about; at most as many as it has.
    private final class LatePauses: Sendable {
        let containers = Mutex<Set<ContainerID>>([])
    }

    init(_ inventory: ContainerInventory, _ configuration: Configuration, logger: Logger) {
        self.inventory = inventory
        self.logger = logger
        cgroups = CgroupControl(table: inventory.table)
        guardrails = ContainerGuardrails(configuration.response, table: inventory.table)
        evidence = EvidenceCollector(directory: configuration.evidenceDirectory, table: inventory.table)
    }

    func take(_ configuration: Configuration) { guardrails.take(configuration.response) }

    func carryOut(_ verb: ResponderVerb, _ order: ContainerOrder) throws -> ContainerOutcome {
        switch verb {
        case .prepareContainer: return try prepare(order)
        case .isolateContainer: return try isolate(order)
        case .verifyContainer: return ContainerOutcome(isSettled: try isInForce(order, try IsolationDetail(order)))
        case .releaseContainer: return try release(order)
        default: throw Refusal("\(verb) is no order for a container")
        }
    }

    private func known(_ order: ContainerOrder) throws -> ContainerRecord {
        guard let record = try found(order) else {
            throw Refusal("container \(order.container.short) is not known to the engine")
        }
        return record
    }

    /// The container as it is known; `nil` when it is known to be gone. Right after this program was started nothing is
    /// known yet, and that a container is not among it means nothing: then this waits.
    private func found(_ order: ContainerOrder) throws -> ContainerRecord? {
        let begun = ContinuousClock.now
        while true {
            let waited = ContinuousClock.now - begun
            if let record = inventory[order.container] {
                // One that runs without a process is just ending, and the engine does not know it yet.
                guard record.state.isAlive, record.pid == 0, waited < Self.endingPatience else { return record }
                inventory.refresh(record.id)
            } else {
                guard inventory.engine.link != .following else { return nil }
                guard waited < Self.knowledgePatience else {
                    throw EngineFault.timedOut("the containers are not known yet")
                }
            }
            usleep(20_000)
        }
    }

    private func engine() throws -> EngineClient {
        guard let client = inventory.client else {
            throw EngineFault.absent(inventory.engine.reason.isEmpty ? "it is not connected" : inventory.engine.reason)
        }
        return client
    }

    // MARK: - Before

    private func prepare(_ order: ContainerOrder) throws -> ContainerOutcome {
        let record = try known(order)
        try guardrails.check(record)
        var detail = IsolationDetail(record)
        detail.wasRunning = record.state.isAlive
        guard record.state.isAlive else { throw Refusal("container \(record.shownName) is \(record.state.word)") }
        switch order.kind {
        case .freeze, .pause:
            detail.wasFrozen = try cgroups.isFrozen(record)
        case .throttle:
            detail.limit = try cgroups.limit(record)
        case .networkDisconnect where !record.sharesNetwork:
            let view = try engine().view(order.container, timeout: Self.engineTimeout)
            detail.networks = view.networks.filter { order.networks.isEmpty || order.networks.contains($0.name) }
            if detail.networks.isEmpty { throw Refusal("container \(record.shownName) is on no such network") }
        case .networkDisconnect:
            detail.wasFrozen = try cgroups.isFrozen(record)
        case .stop, .kill:
            break
        }
        detail.evidence = evidence.path(of: order.action)
        return ContainerOutcome(isSettled: false, detail: try detail.encoded, evidencePath: detail.evidence)
    }

    // MARK: - Acting

    private func isolate(_ order: ContainerOrder) throws -> ContainerOutcome {
        let record = try known(order)
        let detail = try IsolationDetail(order)
        try guardrails.check(record)
        // What proved the container proved this process of it; the next one under the same name did nothing.
        guard record.pid == detail.pid && record.pidStart == detail.start || !record.state.isAlive else {
            throw Refusal("container \(record.shownName) was started anew meanwhile")
        }
        if try isInForce(order, detail) { return ContainerOutcome(isSettled: true, note: "it was so already") }
        try guardrails.count(order, running: inventory.all.count { $0.state.isAlive })
        var note = ""
        // What is lost with the processes is collected before; what stands still keeps, and is isolated first.
        let isDestructive = order.kind == .stop || order.kind == .kill || order.kind == .networkDisconnect
        if isDestructive { evidence.collect(order, record, inventory.client) }
        switch order.kind {
        case .freeze:
            try freeze(record, detail)
        case .pause:
            note = try pause(record, detail)
        case .throttle:
            try throttle(record)
        case .stop:
            try engine().stop(
                record.id, grace: Self.stopGrace, timeout: .seconds(Int64(Self.stopGrace)) + Self.engineTimeout)
            note = "what its processes held in memory is lost"
        case .kill:
            try engine().kill(record.id, timeout: Self.engineTimeout)
            note = "what its processes held in memory, and had not written, is lost"
        case .networkDisconnect where record.sharesNetwork:
            try freeze(record, detail)
            note = "its network is the host's or another container's and cannot be taken away: it is frozen instead"
        case .networkDisconnect:
            for network in detail.networks { try engine().leave(record.id, network, timeout: Self.engineTimeout) }
        }
        // What only the cgroup knows of, the engine need not be asked about: it may hang.
        if isDestructive || order.kind == .pause && note.isEmpty { inventory.refresh(record.id) }
        guard try isInForce(order, detail) else { throw Refusal("it was done, and is not so") }
        if !isDestructive { evidence.collectBeside(order, record, inventory.client) }
        logger.notice(
            "container isolated",
            metadata: [
                "container": "\(record.shownName)", "id": "\(record.id.short)", "action": "\(order.kind)",
                "note": "\(note)",
            ])
        return ContainerOutcome(isSettled: true, note: note)
    }

    private func freeze(_ record: ContainerRecord, _ detail: IsolationDetail) throws {
        try cgroups.setFrozen(record, true)
        // Between the look-up and the write the process may have ended and its cgroup with it; then this is nobody's.
        guard inventory.table.start(of: detail.pid) == detail.start else {
            throw Refusal("container \(record.shownName) ended meanwhile")
        }
    }

    private func pause(_ record: ContainerRecord, _ detail: IsolationDetail) throws -> String {
        var isAsked = false
        do {
            // Asked first whether it answers at all: an engine that hangs would carry out the order once it goes on, when
            // everything may have been taken back long since.
            let client = try EngineClient(socketPath: try engine().socketPath, timeout: Self.enginePatience)
            isAsked = true
            try client.pause(record.id, timeout: Self.enginePatience)
            return ""
        } catch let fault as EngineFault {
            guard fault.isOutage else {
                if try cgroups.isFrozen(record) { return "" }
                throw fault
            }
            if isAsked { latePauses.containers.withLock { _ = $0.insert(record.id) } }
            if try cgroups.isFrozen(record) { return "" }
            try freeze(record, detail)
            return "the engine did not answer within \(Self.enginePatience): it is frozen through its cgroup instead"
        }
    }

    private func throttle(_ record: ContainerRecord) throws {
        let quota = Int64(Double(Self.throttlePeriod) * Self.throttleShare)
        switch try cgroups.limit(record) {
        case .version1: try cgroups.setLimit(record, .version1(quota: quota, period: Self.throttlePeriod))
        case .version2: try cgroups.setLimit(record, .version2("\(quota) \(Self.throttlePeriod)"))
        }
    }

    // MARK: - Looking

    private func isInForce(_ order: ContainerOrder, _ detail: IsolationDetail) throws -> Bool {
        guard let record = try found(order) else { return order.kind == .stop || order.kind == .kill }
        let isSame = record.pid == detail.pid && record.pidStart == detail.start
        switch order.kind {
        case .freeze, .pause:
            return isSame && record.pid > 0 ? try cgroups.holds(record) : false
        case .networkDisconnect where record.sharesNetwork:
            return isSame && record.pid > 0 ? try cgroups.holds(record) : false
        case .throttle:
            guard isSame, record.pid > 0 else { return false }
            let quota = Int64(Double(Self.throttlePeriod) * Self.throttleShare)
            switch try cgroups.limit(record) {
            case .version1(let now, let period): return now == quota && period == Self.throttlePeriod
            case .version2(let text): return text == "\(quota) \(Self.throttlePeriod)"
            }
        case .stop, .kill:
            if isSame, record.pid > 0, inventory.table.start(of: record.pid) == record.pidStart { return false }
            return try !engine().view(order.container, timeout: Self.engineTimeout).isRunning
        case .networkDisconnect:
            let view = try engine().view(order.container, timeout: Self.engineTimeout)
            return !detail.networks.contains { place in view.networks.contains { $0.name == place.name } }
        }
    }

    // MARK: - Taking back

    private func release(_ order: ContainerOrder) throws -> ContainerOutcome {
        let detail = try IsolationDetail(order)
        guard let record = try found(order) else {
            return ContainerOutcome(isSettled: true, note: "the container is gone")
        }
        let isSame = record.pid == detail.pid && record.pidStart == detail.start && record.pid > 0
        var note = ""
        switch order.kind {
        case .freeze, .pause:
            let mayBePaused = order.kind == .pause || record.state == .paused
            if latePauses.containers.withLock({ $0.remove(record.id) }) != nil, isSame {
                note = waitForLatePause(record)
            }
            if isSame, !detail.wasFrozen { try thaw(record, askingEngine: mayBePaused) }
        case .networkDisconnect where record.sharesNetwork:
            if isSame, !detail.wasFrozen { try thaw(record, askingEngine: record.state == .paused) }
        case .throttle:
            if isSame, let limit = detail.limit { try cgroups.setLimit(record, limit) }
        case .stop, .kill:
            if detail.wasRunning, try !engine().view(record.id, timeout: Self.engineTimeout).isRunning {
                try engine().start(record.id, timeout: Self.engineTimeout)
                note = "it was started anew; what its processes held in memory is lost"
            }
        case .networkDisconnect:
            note = try rejoin(record, detail)
        }
        if order.kind != .freeze, order.kind != .throttle { inventory.refresh(record.id) }
        logger.notice(
            "container released",
            metadata: [
                "container": "\(record.shownName)", "id": "\(record.id.short)", "action": "\(order.kind)",
                "note": "\(note)",
            ])
        return ContainerOutcome(isSettled: true, note: note)
    }

    /// What the engine was asked for before it hung is waited for, or it would pause what was let go.
    private func waitForLatePause(_ record: ContainerRecord) -> String {
        let end = ContinuousClock.now + Self.latePausePatience
        while ContinuousClock.now < end {
            do {
                if try engine().view(record.id, timeout: Self.enginePatience).isPaused { return "" }
            } catch {
                break
            }
            usleep(50_000)
        }
        return "the engine was asked to pause it before it hung, and may still do so"
    }

    /// The way it was frozen: what the engine believes to be paused only the engine can let go, or it would go on
    /// believing so.
    private func thaw(_ record: ContainerRecord, askingEngine: Bool) throws {
        guard try cgroups.isFrozen(record) else { return }
        do {
            let client = try engine()
            if askingEngine, try client.view(record.id, timeout: Self.enginePatience).isPaused {
                try client.unpause(record.id, timeout: Self.enginePatience)
                return
            }
        } catch let fault as EngineFault {
            logger.notice(
                "thawing without the engine", metadata: ["container": "\(record.shownName)", "reason": "\(fault)"])
        }
        if try cgroups.isFrozen(record) { try cgroups.setFrozen(record, false) }
    }

    /// Sessions first: what was open when the network went away would go on where it was.
    private func rejoin(_ record: ContainerRecord, _ detail: IsolationDetail) throws -> String {
        var notes: [String] = []
        let client = try engine()
        let view = try client.view(record.id, timeout: Self.engineTimeout)
        let missing = detail.networks.filter { place in !view.networks.contains { $0.name == place.name } }
        if !missing.isEmpty, record.pid > 0 {
            switch NetworkNamespace.closeConnections(of: record, inventory.table) {
            case .success(let count): notes.append("\(count) connections that had survived were closed")
            case .failure(let fault): throw fault
            }
        }
        for network in missing {
            do throws(EngineFault) {
                let lost = try client.join(record.id, network, timeout: Self.engineTimeout)
                if !lost.isEmpty { notes.append(lost) }
            } catch {
                // A network that was removed meanwhile cannot be joined, and must not keep the others away.
                guard case .refused(404, let message) = error else { throw error }
                notes.append("network \(network.name) is gone: \(message)")
            }
        }
        return notes.joined(separator: "; ")
    }
}
