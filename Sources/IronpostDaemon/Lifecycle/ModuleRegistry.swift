package import IronpostCore
package import Logging
import Synchronization

/// Drives the modules through their states: starts them in order, keeps them apart, stops them in the opposite order.
///
/// The order is that of `modules`: consumers first, so that nobody produces for someone who is not there yet; stopped
/// from the last to the first, so that what producers still hand over is still taken. A module that fails is marked,
/// shown and tried again with growing pauses; it never stops another.
package final class ModuleRegistry: Sendable {
    package struct Limits: Sendable {
        /// Longest that a module may take to prepare before the next one's turn.
        package var prepare: Duration = .seconds(10)
        /// Pause before a failed module is tried again; doubled each time up to `retryMax`.
        package var retry: Duration = .seconds(1)
        package var retryMax: Duration = .seconds(60)
        /// Kept back for each module that is stopped later.
        package var stopReserve: Duration = .seconds(2)
        /// After a deadline, how long a cancelled module may take to notice.
        package var cancelGrace: Duration = .seconds(1)

        package init() {}
    }

    private struct Slot {
        let module: any Module
        private(set) var state = ModuleState.created
        var failure: String?
        var attempts = 0
        var task: Task<Void, Never>?

        init(module: any Module) {
            self.module = module
        }

        /// The only way to another state; false, and nothing changes, when it cannot be reached from here.
        mutating func move(to next: ModuleState) -> Bool {
            guard state.allows(next) else { return false }
            state = next
            return true
        }
    }

    private let slots: Mutex<[Slot]>
    private let limits: Limits
    private let logger: Logger
    private let stopping = Latch()
    private let count: Int

    package init(modules: [any Module], limits: Limits = Limits(), logger: Logger) {
        slots = Mutex(modules.map { Slot(module: $0) })
        count = modules.count
        self.limits = limits
        self.logger = logger
    }

    // MARK: - Starting

    /// Starts every module; returns once each runs or has failed for the first time.
    /// - Parameter stop: ends the start once it opens; whoever hangs then is not waited for.
    func start(until stop: Latch) async {
        for index in 0..<count where !stop.isOpen {
            let settled = Latch()
            let task = Task { await supervise(index, settled: settled) }
            slots.withLock { $0[index].task = task }
            if await settled.wait(until: .now + limits.prepare, or: stop) { continue }
            // One that is nearly ready is drained like the others, not cancelled.
            if stop.isOpen, await settled.wait(for: limits.cancelGrace) { continue }
            logger.warning(
                "module takes long to prepare; going on without it", metadata: ["module": "\(name(index))"])
        }
    }

    /// One module's life: prepare, run, and again after a failure, until it is stopped.
    private func supervise(_ index: Int, settled: Latch) async {
        let module = slots.withLock { $0[index].module }
        var pause = limits.retry
        while true {
            do {
                try await module.prepare()
                try move(index, to: .prepared)
                try move(index, to: .running)
                logger.debug("module runs", metadata: ["module": "\(module.name)"])
                settled.open()
                try await module.run()
                guard isDraining(index) else { throw ModuleEnded(module: module.name) }
                return
            } catch {
                if isDraining(index) || stopping.isOpen && state(index) != .running {
                    if state(index) == .draining {
                        logger.error(
                            "module failed while stopping",
                            metadata: ["module": "\(module.name)", "reason": "\(error)"])
                    }
                    fail(index, "\(error)")
                    settled.open()
                    return
                }
                fail(index, "\(error)")
                settled.open()
                logger.error(
                    "module failed; trying again in \(pause)",
                    metadata: ["module": "\(module.name)", "reason": "\(error)"]
                )
            }
            if await stopping.wait(for: pause) { return }
            pause = min(pause * 2, limits.retryMax)
        }
    }

    // MARK: - Stopping

    /// Stops every module, the last first, all within `timeout`; a second call of `hurry` cuts it short.
    package func stop(timeout: Duration) async {
        let end = ContinuousClock.now + timeout
        stopping.open()
        for index in (0..<count).reversed() {
            let reserve = min(limits.stopReserve, timeout / Int(count + 1)) * index
            await stop(index, deadline: hurrying.isOpen ? .now : end - reserve)
        }
    }

    private let hurrying = Latch()

    /// Lets every stop that is under way run out of time now.
    package func hurry() { hurrying.open() }

    private func stop(_ index: Int, deadline: ContinuousClock.Instant) async {
        let (module, task, wasRunning) = slots.withLock { slots in
            let wasRunning = slots[index].move(to: .draining)
            return (slots[index].module, slots[index].task, wasRunning)
        }
        guard let task else {
            finish(index)
            return
        }
        let ended = Latch()
        Task {
            await task.value
            ended.open()
        }
        if wasRunning {
            let drain = Task { await module.drain(deadline: deadline) }
            let isInTime = await ended.wait(until: deadline, or: hurrying)
            drain.cancel()
            if !isInTime {
                logger.warning("module did not stop in time and is cancelled", metadata: ["module": "\(module.name)"])
            }
        }
        task.cancel()
        if await !ended.wait(for: limits.cancelGrace) {
            logger.error("module hangs and is left behind", metadata: ["module": "\(module.name)"])
            fail(index, "did not stop")
            return
        }
        finish(index)
    }

    private func finish(_ index: Int) {
        do {
            try move(index, to: .stopped)
            logger.debug("module stopped", metadata: ["module": "\(name(index))"])
        } catch {
            logger.error("\(error)")
        }
    }

    // MARK: - Reloading

    /// Stages the configuration in every module that takes one, and then commits all of them, or none.
    /// - Returns: what a module has against it, and then everything is as before; and what it goes on without.
    package func reload(
        _ configuration: Configuration, generation: Int, dryRun: Bool
    ) async -> (faults: [String], warnings: [String]) {
        let modules = slots.withLock { $0.map(\.module) }
        var staged: [any StagedChange] = []
        for case let module as any Reloadable in modules {
            do {
                staged.append(try await module.stage(configuration, generation: generation))
            } catch {
                for change in staged.reversed() { await change.discard() }
                return (["\(module.name): \(error)"], [])
            }
        }
        for change in staged { dryRun ? await change.discard() : await change.commit() }
        return ([], staged.flatMap(\.warnings))
    }

    // MARK: - States

    private func move(_ index: Int, to next: ModuleState) throws(ModuleStateError) {
        let refused: ModuleStateError? = slots.withLock { slots in
            let from = slots[index].state
            guard slots[index].move(to: next) else {
                return ModuleStateError(module: slots[index].module.name, from: from, to: next)
            }
            if next == .running { slots[index].failure = nil }
            return nil
        }
        if let refused { throw refused }
    }

    private func fail(_ index: Int, _ reason: String) {
        slots.withLock { slots in
            // One that was stopped, and whose task ends only now, stays stopped.
            guard slots[index].move(to: .failed) else { return }
            slots[index].failure = reason
            slots[index].attempts += 1
        }
    }

    private func state(_ index: Int) -> ModuleState { slots.withLock { $0[index].state } }
    private func isDraining(_ index: Int) -> Bool { state(index) == .draining }
    private func name(_ index: Int) -> String { slots.withLock { $0[index].module.name } }

    /// Every module as it stands.
    package func statuses() -> [ModuleStatus] {
        let snapshot = slots.withLock { $0.map { ($0.module, $0.state, $0.failure, $0.attempts) } }
        return snapshot.map { module, state, failure, attempts in
            let health: Health =
                switch state {
                case .failed: .unhealthy("\(failure ?? "failed") (\(attempts) attempts)")
                case .running: module.health()
                case .created, .prepared: .degraded("starting")
                case .draining, .stopped: .degraded("stopping")
                }
            return ModuleStatus(
                name: module.name, isEnabled: true, state: state, health: health, details: module.details(),
                figures: module.figures())
        }
    }
}

/// A module's `run` returned although nobody asked it to stop.
struct ModuleEnded: Error, CustomStringConvertible {
    let module: String

    var description: String { "module \(module) ended by itself" }
}
