internal import IronpostCore
internal import Logging

/// Decides about alerts and keeps every standing action: the one place where they change, one change at a time.
///
/// What takes time (`ActionBackend`) runs beside it, one call an action at a time; every change is stored before it is
/// acted upon.
actor ResponseDesk {
    struct Settings: Sendable {
        var configuration: Configuration.Response
        var policies: PolicySet
    }

    /// Alerts that are decided upon in one transaction.
    static let alertsPerTurn = 256
    /// Proposals that wait for approval at once.
    static let proposalsMax = 1000
    /// An alert that is older when it is read is not acted upon any more.
    static let staleAfter = Duration.seconds(60)
    /// A lift that failed is tried again after this.
    static let retryAfter: Int64 = 2_000_000_000
    static let reader = "response"

    let store: any DecisionStore & CursorLog & ActionView
    /// Where decisions are stored from when the disk is full.
    let reserve: any StorageReserve
    let backends: [String: any ActionBackend]
    private let executor = QueueExecutor(name: "response")
    let time: any TimeSource
    let boot: String
    let logger: Logger
    private let hop: LedgerHop
    /// Called whenever there is something new to do.
    private let wake: @Sendable () -> Void

    private(set) var settings: Settings
    private(set) var allowed: [AllowEntry] = []
    private(set) var actions: [UUIDv7: StandingAction] = [:]
    /// Actions that a backend is busy with.
    private var busy: Set<UUIDv7> = []
    private var waiters: [UUIDv7: [CheckedContinuation<Void, Never>]] = [:]
    private var notBefore: [UUIDv7: Int64] = [:]
    private var cursor: Int64 = 0
    private var lastTending: Int64 = .min / 2
    private(set) var fault: String?

    nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe executor.asUnownedSerialExecutor() }

    init(
        store: any DecisionStore & CursorLog & ActionView, reserve: any StorageReserve = NoReserve(),
        backends: [any ActionBackend], settings: Settings, time: any TimeSource, boot: String, ledger: Ledger,
        logger: Logger, wake: @escaping @Sendable () -> Void
    ) {
        self.store = store
        self.reserve = reserve
        self.backends = Dictionary(
            backends.flatMap { backend in backend.actionTypes.map { ($0, backend) } },
            uniquingKeysWith: { first, _ in first }
        )
        self.settings = settings
        self.time = time
        self.boot = boot
        self.logger = logger
        self.wake = wake
        hop = ledger.hop("response")
    }

    var distinctBackends: [any ActionBackend] {
        var seen: Set<String> = []
        return backends.sorted { $0.key < $1.key }.map(\.value).filter { backend in
            seen.insert(backend.actionTypes.sorted().joined()).inserted
        }
    }

    // MARK: - Start

    /// Takes up what stood when the last run ended.
    func restore() async throws {
        allowed = try store.allowed()
        actions = Dictionary(try store.standingActions().map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
        let last = try store.lastSequence()
        // The first run does not act on what is there already.
        if let known = try store.cursor(of: Self.reader) {
            cursor = min(known, last)
        } else {
            cursor = last
            try store.setCursor(of: Self.reader, to: last)
        }
        for backend in distinctBackends {
            await backend.update(settings.configuration, allowed: allowed)
            try await backend.restore(actions.values.filter { backend.actionTypes.contains($0.actionType) })
        }
        for action in actions.values.sorted(by: { $0.id < $1.id }) {
            if action.phase == .proposed, action.mode == Configuration.Response.Mode.enforce.rawValue {
                try await resumeStart(action)
            } else if let order = ActionMachine.order(for: action.phase) {
                run(action, order)
            }
        }
    }

    /// Decided, and then the daemon ended before the intent was written: done now if it still makes sense.
    private func resumeStart(_ action: StandingAction) async throws {
        if action.origin == .policy, time.now().since(action.created) > Self.staleAfter {
            var change = DecisionChange()
            change.records = [record(of: action, .withheld, guardrail: Guardrail.stale.rawValue)]
            change.ended = [action.id]
            try store.commit(change, from: reserve)
            actions[action.id] = nil
            return
        }
        prepareAndStart(action)
    }

    // MARK: - A turn

    /// Everything that is due now.
    /// - Returns: how long nothing else is due.
    func turn() async -> Duration {
        do {
            // While alerts keep coming, ends come on time, and commands and a reload get their turn.
            var hasMore = true
            while hasMore {
                hasMore = try await decideNext()
                try await fireDeadlines()
                await Task.yield()
            }
            fault = nil
        } catch {
            if fault == nil { logger.error("the response cannot store what it decides; trying again: \(error)") }
            fault = "\(error)"
            return .seconds(1)
        }
        if time.uptime() - lastTending >= 1_000_000_000 {
            lastTending = time.uptime()
            for backend in distinctBackends { await backend.tend() }
        }
        let now = actions.values.map { remaining($0) }.min() ?? .seconds(1)
        return min(max(now, .milliseconds(5)), .seconds(1))
    }

    private func remaining(_ action: StandingAction) -> Duration {
        if busy.contains(action.id) { return .seconds(1) }
        let retry = notBefore[action.id].map { Duration.nanoseconds($0 - time.uptime()) }
        switch action.phase {
        case .proposed, .applied: return max(action.deadline.remaining(clock: time, boot: boot), retry ?? .zero)
        case .applying, .undoing, .expiring: return retry ?? .seconds(1)
        }
    }

    private func fireDeadlines() async throws {
        let due = actions.values.filter { !busy.contains($0.id) && remaining($0) <= .zero }
        for action in due.sorted(by: { $0.id < $1.id }) {
            switch action.phase {
            case .proposed: try take(action, .lapse)
            case .applied: try take(action, .expire)
            case .applying: run(action, .apply)
            case .undoing, .expiring: run(action, .takeBack)
            }
        }
    }

    // MARK: - Deciding

    /// Reads the next alerts and decides about each.
    /// - Returns: whether there may be more.
    private func decideNext() async throws -> Bool {
        let batch = try store.alerts(after: cursor, limit: Self.alertsPerTurn)
        guard let last = batch.last else { return false }
        hop.accept(batch.count)
        var change = DecisionChange()
        var starts: [StandingAction] = []
        var decided = 0
        for entry in batch {
            if SeededLoss.happens(at: "response") { continue }
            decided += 1
            // The first that is for this alert and its container; one that is for other containers is passed over.
            for policy in settings.policies.policies where policy.covers(entry.alert) {
                if await decide(entry.alert, policy, into: &change, starts: &starts) { break }
            }
        }
        change.cursor = DecisionChange.Cursor(reader: Self.reader, sequence: last.sequence)
        do {
            try store.commit(change, from: reserve)
        } catch  where change.isOnlyCursor && (error as? any CommitFailure)?.outlook == .full {
            // Kept in memory until something else is stored: not worth room that high alerts need.
        } catch {
            hop.drop(batch.count, cause: "retried")
            throw error
        }
        hop.store(decided)
        cursor = last.sequence
        for action in change.standing { actions[action.id] = action }
        for action in starts {
            if action.phase == .applying { run(action, .apply) } else { prepareAndStart(action) }
        }
        return batch.count == Self.alertsPerTurn
    }

    /// - Returns: whether the policy is for this alert.
    private func decide(
        _ alert: Alert, _ policy: Policy, into change: inout DecisionChange, starts: inout [StandingAction]
    ) async -> Bool {
        let type = policy.action.recordName
        let now = time.now()
        var mode = min(settings.configuration.mode, policy.modeMax)
        var action = StandingAction(
            id: .make(at: now), actionType: type, target: alert.srcIP ?? alert.container?.name ?? "", alertID: alert.id,
            policyID: policy.id, mode: mode.rawValue, phase: .proposed, origin: .policy, reason: alert.title,
            created: now, duration: policy.ttl ?? settings.configuration.defaultTTL,
            deadline: Deadline(after: .zero, clock: time, boot: boot)
        )
        do throws(Withheld) {
            if alert.labels["demo"] == "true" { throw Withheld(.demo) }
            guard let backend = backends[type] else { throw Withheld(.unavailable) }
            let target = try await backend.aim(policy, at: alert)
            action.target = target.target
            action.reason = target.reason
            if let duration = target.duration { action.duration = duration }
            if now.since(alert.time) > Self.staleAfter { throw Withheld(.stale) }
            if isUnderWay(type, target.target, among: change.standing) { throw Withheld(.alreadyInForce) }
            // What is only shown uses nothing up.
            if mode == .observe { try await backend.admit(action, isAutomatic: false) }
            if mode != .observe {
                do throws(Withheld) {
                    try await backend.admit(action, isAutomatic: mode == .enforce)
                } catch {
                    guard error.guardrail == .budget else { throw error }
                    mode = .ask
                    action.mode = mode.rawValue
                    action.guardrail = error.guardrail.rawValue
                }
            }
            if mode == .ask {
                let waiting = (Array(actions.values) + change.standing).count { $0.phase == .proposed }
                guard waiting < Self.proposalsMax else { throw Withheld(.tooManyProposals) }
            }
            await propose(action, mode, backend, into: &change, starts: &starts)
        } catch {
            if error.guardrail == .notTargeted { return false }
            var record = record(of: action, .withheld, guardrail: error.guardrail.rawValue, error: error.detail)
            record.expiresAt = nil
            change.records.append(record)
        }
        return true
    }

    /// One that waits for approval, or is being carried out, is not asked for again by every further alert.
    private func isUnderWay(_ type: String, _ target: String, among new: [StandingAction]) -> Bool {
        func isSame(_ other: StandingAction) -> Bool {
            (other.phase == .proposed || other.phase == .applying) && other.actionType == type && other.target == target
        }
        return new.contains(where: isSame) || actions.values.contains(where: isSame)
    }

    private func propose(
        _ action: StandingAction, _ mode: Configuration.Response.Mode, _ backend: any ActionBackend,
        into change: inout DecisionChange, starts: inout [StandingAction]
    ) async {
        var action = action
        let waiting = mode == .ask ? settings.configuration.approvalTimeout : action.duration
        action.deadline = Deadline(after: waiting, clock: time, boot: boot)
        change.records.append(record(of: action, .proposed))
        // What is only shown does not stand: nothing will come of it.
        guard mode != .observe else { return }
        guard mode == .enforce, let preparation = await (backend as? any ImmediateBackend)?.prepareAtOnce(action) else {
            change.standing.append(action)
            if mode == .enforce { starts.append(action) }
            return
        }
        do {
            let started = try started(action, preparation, into: &change)
            change.blocks += preparation.blocks
            change.standing.append(started)
            starts.append(started)
        } catch {
            logger.error("\(error)")
        }
    }

    /// Records the intent of an action whose preparation is known.
    func started(
        _ action: StandingAction, _ preparation: ActionPreparation, into change: inout DecisionChange
    ) throws(ActionMachine.Fault) -> StandingAction {
        let step = try ActionMachine.next(action, on: .start, now: time.now(), deadline: action.deadline)
        change.records += step.records
        var started = step.action ?? action
        started.detail = preparation.detail
        started.evidencePath = preparation.evidencePath
        return started
    }

    func record(
        of action: StandingAction, _ state: ActionRecord.State, guardrail: String? = nil, error: String? = nil
    ) -> ActionRecord {
        ActionRecord(
            id: action.id, time: time.now(), alertID: action.alertID, policyID: action.policyID,
            actionType: action.actionType, target: action.target, mode: action.mode, state: state,
            guardrail: guardrail ?? action.guardrail, expiresAt: action.deadline.time,
            evidencePath: action.evidencePath, error: error
        )
    }

    // MARK: - Carrying out

    /// Stores what an event makes of an action, and then gives the order.
    func take(_ action: StandingAction, _ event: ActionMachine.Event, preparation: ActionPreparation? = nil) throws {
        let deadline =
            event == .approve ? Deadline(after: action.duration, clock: time, boot: boot) : action.deadline
        var step = try ActionMachine.next(action, on: event, now: time.now(), deadline: deadline)
        var change = DecisionChange()
        change.records = step.records
        if let preparation {
            step.action?.detail = preparation.detail
            step.action?.evidencePath = preparation.evidencePath ?? action.evidencePath
            change.blocks = preparation.blocks
        }
        if let next = step.action {
            change.standing = [next]
        } else {
            change.ended = [action.id]
            change.blocksRemovedOf = [action.id]
        }
        try store.commit(change, from: reserve)
        actions[action.id] = step.action
        notBefore[action.id] = nil
        if let next = step.action, let order = step.order { run(next, order) }
        if step.action == nil, let backend = backends[action.actionType] {
            Task { await backend.forget(action) }
        }
    }

    /// Collects what it takes, writes the intent, and acts.
    func prepareAndStart(_ action: StandingAction, on event: ActionMachine.Event = .start) {
        guard let backend = backends[action.actionType], busy.insert(action.id).inserted else { return }
        Task {
            do {
                let preparation = try await backend.prepare(action)
                busy.remove(action.id)
                try take(action, event, preparation: preparation)
            } catch {
                busy.remove(action.id)
                giveUp(action, event, error)
            }
            release(action.id)
        }
    }

    /// The intent was never written, or could not be: nothing was done.
    private func giveUp(_ action: StandingAction, _ event: ActionMachine.Event, _ error: any Error) {
        do {
            var change = DecisionChange()
            change.records = [record(of: action, .failed, error: "\(error)")]
            change.ended = [action.id]
            try store.commit(change, from: reserve)
            actions[action.id] = nil
        } catch {
            postpone(action, error)
        }
    }

    private func postpone(_ action: StandingAction, _ error: any Error) {
        logger.error("\(action.actionType) of \(action.target): \(error); trying again")
        notBefore[action.id] = time.uptime() + Self.retryAfter
    }

    func run(_ action: StandingAction, _ order: ActionMachine.Order) {
        guard let backend = backends[action.actionType], busy.insert(action.id).inserted else { return }
        Task {
            var outcome: ActionMachine.Event?
            do {
                switch order {
                case .apply:
                    try await backend.apply(action)
                    guard try await backend.verify(action) else { throw NotVerified() }
                    outcome = .done
                case .takeBack:
                    try await backend.undo(action)
                    outcome = .takenBack
                }
            } catch {
                outcome = await failed(action, order, backend, error)
            }
            busy.remove(action.id)
            if let outcome { finish(action.id, outcome) }
            release(action.id)
            wake()
        }
    }

    /// What a failure means: an action that could not be brought about is over, one that could not be taken back stands.
    private func failed(
        _ action: StandingAction, _ order: ActionMachine.Order, _ backend: any ActionBackend, _ error: any Error
    ) async -> ActionMachine.Event? {
        guard order == .apply else {
            postpone(action, error)
            return nil
        }
        logger.error("\(action.actionType) of \(action.target) failed: \(error)")
        do {
            try await backend.undo(action)
            if let refused = error as? BlockRefused { return .refused(refused.guardrail, refused.detail) }
            return .failed("\(error)")
        } catch {
            postpone(action, error)
            return nil
        }
    }

    private func finish(_ id: UUIDv7, _ event: ActionMachine.Event) {
        guard let action = actions[id] else { return }
        do {
            try take(action, event)
        } catch {
            // The deed is done and its record is not: both are repeated.
            postpone(action, error)
        }
    }

    private func release(_ id: UUIDv7) {
        guard !busy.contains(id) else { return }
        for waiter in waiters.removeValue(forKey: id) ?? [] { waiter.resume() }
    }

    /// Waits until no backend is busy with an action.
    func settled(_ id: UUIDv7) async {
        while busy.contains(id) {
            await withCheckedContinuation { waiters[id, default: []].append($0) }
        }
    }

    func settledAll() async {
        for id in busy { await settled(id) }
    }

    var isBusy: Bool { !busy.isEmpty }

    // MARK: - Settings

    func put(_ settings: Settings) async {
        self.settings = settings
        for backend in distinctBackends { await backend.update(settings.configuration, allowed: allowed) }
        guard settings.configuration.mode == .enforce else { return }
        // What a person asked for while the daemon only observed.
        for action in actions.values where action.phase == .proposed && action.origin != .policy {
            prepareAndStart(action)
        }
    }

    func put(_ allowed: [AllowEntry]) async {
        self.allowed = allowed
        for backend in distinctBackends { await backend.update(settings.configuration, allowed: allowed) }
    }

    func insert(_ action: StandingAction) { actions[action.id] = action }
}

/// Could not be found in force after it was carried out.
struct NotVerified: Error, CustomStringConvertible {
    var description: String { "it was carried out, and is not in force" }
}
