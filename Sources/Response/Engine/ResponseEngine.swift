package import IronpostCore
package import Logging
internal import Synchronization

/// The response: reads alerts behind its own durable cursor, decides by policies and guardrails, acts, and takes back.
///
/// A module. The feed of committed alerts only wakes it; what it acts upon it reads from the store.
package final class ResponseEngine: Reloadable {
    package let name = "response"

    let desk: ResponseDesk
    private let blocks: NetworkBlocks?
    let backends: [any ActionBackend]
    private let feed: Feed<Alert>
    let time: any TimeSource
    let boot: String
    private let logger: Logger
    private let waker: Waker
    private let isStopping = Atomic<Bool>(false)
    private let shown = Mutex(Shown())

    /// What `health` and `details` tell without waiting.
    private struct Shown {
        var fault: String?
        var mode = ""
        var policies = 0
        var isBuiltIn = false
        var standing = 0
        var allow: [IPNetwork] = []
    }

    /// - Parameters:
    ///   - configuration: its policies are read at once.
    ///   - reserve: kept on the store's disk for when it is full.
    ///   - boot: names this boot of the kernel.
    /// - Throws: `PolicyFolder.Faults`.
    package init(
        configuration: Configuration.Response, store: any DecisionStore & CursorLog & ActionView,
        reserve: any StorageReserve = NoReserve(), backends: [any ActionBackend], feed: Feed<Alert>, ledger: Ledger,
        time: any TimeSource, boot: String,
        logger: Logger
    ) throws(PolicyFolder.Faults) {
        let waker = Waker()
        self.waker = waker
        let settings = ResponseDesk.Settings(
            configuration: configuration, policies: try PolicyFolder.load(configuration.policyPath)
        )
        desk = ResponseDesk(
            store: store, reserve: reserve, backends: backends, settings: settings, time: time, boot: boot,
            ledger: ledger,
            logger: logger, wake: { waker.wake() }
        )
        blocks = backends.lazy.compactMap { $0 as? NetworkBlocks }.first
        self.backends = backends
        self.feed = feed
        self.time = time
        self.boot = boot
        self.logger = logger
        show(settings)
    }

    private func show(_ settings: ResponseDesk.Settings) {
        shown.withLock { shown in
            shown.mode = settings.configuration.mode.rawValue
            shown.policies = settings.policies.policies.count
            shown.isBuiltIn = settings.policies.isBuiltIn
            shown.allow = settings.configuration.allow
        }
    }

    /// Addresses that the configuration in force allows.
    package var configuredAllow: [IPNetwork] { shown.withLock { $0.allow } }

    package func prepare() async throws {
        try await desk.restore()
    }

    package func run() async throws {
        let subscription = feed.subscribe()
        let watcher = Task { [waker] in
            guard let subscription else { return }
            for await _ in subscription.elements { waker.wake() }
        }
        defer { watcher.cancel() }
        while !isStopping.load(ordering: .acquiring), !Task.isCancelled {
            let pause = await desk.turn()
            let (fault, standing) = await (desk.fault, desk.actions.count)
            shown.withLock { shown in
                shown.fault = fault
                shown.standing = standing
            }
            await waker.wait(pause)
        }
        await desk.settledAll()
    }

    package func drain(deadline: ContinuousClock.Instant) async {
        isStopping.store(true, ordering: .releasing)
        waker.wake()
    }

    package func health() -> Health {
        var parts: [(name: String, health: Health)] = []
        if let fault = shown.withLock({ $0.fault }) { parts.append(("decisions", .unhealthy(fault))) }
        for backend in backends {
            guard let obstacle = backend.obstacle() else { continue }
            parts.append((backend.actionTypes.sorted().first ?? "", .degraded(obstacle)))
        }
        return Health.worst(of: parts)
    }

    package func details() -> [Field] {
        let shown = shown.withLock { $0 }
        let policies =
            shown.isBuiltIn ? "the built-in one (blocks addresses that guess passwords)" : "\(shown.policies)"
        return [Field("mode", shown.mode), Field("policies", policies), Field("actions standing", "\(shown.standing)")]
            + backends.flatMap { $0.details() }
    }

    // MARK: - Reload

    package func stage(_ configuration: Configuration, generation: Int) async throws -> any StagedChange {
        let response = configuration.response
        return Staged(
            engine: self,
            settings: ResponseDesk.Settings(
                configuration: response, policies: try PolicyFolder.load(response.policyPath))
        )
    }

    private struct Staged: StagedChange {
        let engine: ResponseEngine
        let settings: ResponseDesk.Settings

        func commit() async {
            await engine.desk.put(settings)
            engine.show(settings)
            engine.waker.wake()
        }

        func discard() async {}
    }
}

extension ResponseEngine: ResponseControl {
    package func block(_ request: BlockRequest) async throws(ResponseRefusal) -> BlockOutcome {
        let configuration = await desk.settings.configuration
        let isPending = configuration.mode != .enforce
        let action = action(
            "\(request.target)", origin: .operator, reason: request.reason, configuration, duration: request.duration
        )
        let old = blocks?.action(blocking: request.target)
        let record = try await desk.request(action, waits: isPending)
        await supersede(old)
        return BlockOutcome(action: record, count: 1, warning: isPending ? Self.pending(configuration.mode) : nil)
    }

    private static func pending(_ mode: Configuration.Response.Mode) -> String {
        "stored, and not in force: response.mode is \(mode.rawValue); it takes effect with the mode enforce"
    }

    /// An action whose only block was taken over by a newer one is over.
    private func supersede(_ old: UUIDv7?) async {
        guard let old, let blocks, blocks.count(of: old) == 0 else { return }
        do throws(ResponseRefusal) {
            _ = try await desk.undo(old, because: "replaced")
        } catch {
            logger.info("\(error)")
        }
    }

    private func action(
        _ target: String, origin: Block.Origin, reason: String, _ configuration: Configuration.Response,
        duration: Duration?
    ) -> StandingAction {
        let duration = duration ?? configuration.defaultTTL
        let now = time.now()
        return StandingAction(
            id: .make(at: now), actionType: NetworkBlocks.actionType, target: target, mode: configuration.mode.rawValue,
            phase: .proposed, origin: origin, reason: reason, created: now, duration: duration,
            deadline: Deadline(after: duration, clock: time, boot: boot)
        )
    }

    package func unblock(_ target: BlockTarget) async throws(ResponseRefusal) -> Int {
        guard let blocks, let id = blocks.action(blocking: target) else { return 0 }
        if blocks.count(of: id) > 1 {
            do {
                try await blocks.lift(target)
            } catch {
                throw ResponseRefusal(.failed, "\(error)")
            }
        } else {
            _ = try await desk.undo(id, because: "block remove")
        }
        return 1
    }

    package func importBlocks(_ request: BlockImport) async throws(ResponseRefusal) -> BlockOutcome {
        guard let blocks else {
            throw ResponseRefusal(.failed, Guardrail.unavailable.meaning, guardrail: Guardrail.unavailable.rawValue)
        }
        let configuration = await desk.settings.configuration
        let isPending = configuration.mode != .enforce
        var action = action(
            "list \(request.name)", origin: .list, reason: request.reason, configuration, duration: request.duration
        )
        let longest = request.entries.compactMap(\.duration).max()
        if let longest, longest > action.duration || !request.entries.contains(where: { $0.duration == nil }) {
            action.deadline = Deadline(after: longest, clock: time, boot: boot)
        }
        let (kept, skipped) = blocks.stage(request.entries, for: action)
        guard kept > 0 else {
            blocks.unstage(action.id)
            throw ResponseRefusal(
                .withheld,
                "none of the \(request.entries.count) entries can be blocked: \(skipped.first ?? "the list is empty")")
        }
        let record: ActionRecord
        do throws(ResponseRefusal) {
            record = try await desk.request(action, waits: isPending)
        } catch {
            blocks.unstage(action.id)
            throw error
        }
        let leftOut = blocks.takeLeftOut(of: action.id)
        return BlockOutcome(
            action: record, count: kept - leftOut.count,
            skipped: Array((skipped + leftOut).prefix(BlockOutcome.skippedShownMax)),
            skippedCount: skipped.count + leftOut.count, warning: isPending ? Self.pending(configuration.mode) : nil
        )
    }

    package func flushBlocks() async throws(ResponseRefusal) -> Int {
        guard let blocks else { return 0 }
        let count = blocks.count
        for id in blocks.actionIDs.sorted() { _ = try await desk.undo(id, because: "block flush") }
        return count
    }

    package func undo(action: UUIDv7) async throws(ResponseRefusal) -> ActionRecord {
        try await desk.undo(action, because: "actions undo")
    }

    package func approve(action: UUIDv7) async throws(ResponseRefusal) -> ActionRecord {
        try await desk.approve(action)
    }

    package func allow(_ network: IPNetwork, reason: String) async throws(ResponseRefusal) {
        try await desk.store(allowed: AllowEntry(network: network, reason: reason, created: time.now()))
    }

    package func disallow(_ network: IPNetwork) async throws(ResponseRefusal) -> Bool {
        try await desk.remove(allowed: network)
    }
}
