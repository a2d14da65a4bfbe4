internal import Dispatch
internal import IronpostCore
internal import Synchronization

/// How one of the hub's threads waits between attempts, and when it gives up: never, until the hub is drained.
final class CommitRetry: Sendable {
    static let delayMin = Duration.milliseconds(50)
    static let delayMax = Duration.seconds(2)
    static let pauseMax = Duration.milliseconds(250)
    /// Failing for longer than this is unhealthy.
    static let toleratedFailure = Duration.seconds(30).nanoseconds
    /// A commit that takes longer than this is told as degraded.
    static let toleratedCommit = Duration.seconds(2).nanoseconds

    private struct State {
        var deadline: ContinuousClock.Instant?
        var delay = CommitRetry.delayMin
        var failure: (since: Int64, reason: String, isStanding: Bool)?
        var busySince: Int64?
    }

    private let time: any TimeSource
    private let state = Mutex(State())
    private let hurry = DispatchSemaphore(value: 0)

    init(time: any TimeSource) {
        self.time = time
    }

    /// From now on, failures are final once `deadline` has passed.
    func finish(by deadline: ContinuousClock.Instant) {
        state.withLock { $0.deadline = min($0.deadline ?? deadline, deadline) }
        hurry.signal()
    }

    func began() {
        let uptime = time.uptime()
        state.withLock { $0.busySince = uptime }
    }

    /// Returns whether this ends a series of failures.
    func succeeded() -> Bool {
        state.withLock { state in
            defer {
                state.failure = nil
                state.busySince = nil
                state.delay = Self.delayMin
            }
            return state.failure != nil
        }
    }

    /// An attempt failed, and its work was put aside: nothing is being written.
    func putAside() {
        state.withLock { $0.busySince = nil }
    }

    /// Whether what cannot be stored now has to be given up.
    var isOver: Bool {
        state.withLock { $0.deadline.map { ContinuousClock.now >= $0 } ?? false }
    }

    /// Waits a little, at most until the deadline. Always `true`, for use beside conditions.
    func pause() -> Bool {
        let left = state.withLock { $0.deadline }.map { ContinuousClock.now.duration(to: $0) } ?? Self.pauseMax
        _ = hurry.wait(timeout: .now() + .nanoseconds(Int(max(.zero, min(left, Self.pauseMax)).nanoseconds)))
        return true
    }

    /// Notes a failure and waits; `false` means: give up. `isFirst` is called before the wait for the first of a series.
    func waitAfterFailure(_ error: any Error, isFirst: () -> Void) -> Bool {
        let uptime = time.uptime()
        let isStanding = (error as? any CommitFailure)?.outlook == .standing
        let (isNew, deadline, delay) = state.withLock { state in
            let isNew = state.failure == nil
            state.failure = (state.failure?.since ?? uptime, String(describing: error), isStanding)
            state.busySince = nil
            defer { state.delay = min(state.delay * 2, Self.delayMax) }
            return (isNew, state.deadline, state.delay)
        }
        if isNew { isFirst() }
        let left = deadline.map { ContinuousClock.now.duration(to: $0) }
        if let left, left <= .zero { return false }
        let wait = min(left ?? delay, delay)
        // Told meanwhile that the time is up: another attempt would take time that nobody has.
        let isHurried = hurry.wait(timeout: .now() + .nanoseconds(Int(wait.nanoseconds))) == .success
        return !(isHurried && hopeless != nil)
    }

    /// Why nothing can be stored any more: the last attempt failed, and the time for others is up.
    var hopeless: String? {
        state.withLock { state in
            guard let failure = state.failure, let deadline = state.deadline, deadline <= .now else { return nil }
            return failure.reason
        }
    }

    func health() -> Health {
        let uptime = time.uptime()
        return state.withLock { state in
            if let failure = state.failure {
                let isLong = uptime - failure.since > Self.toleratedFailure
                let reason = "\(failure.reason) (for \((uptime - failure.since) / 1_000_000_000) s)"
                return failure.isStanding || isLong ? .unhealthy(reason) : .degraded(reason)
            }
            if let since = state.busySince, uptime - since > Self.toleratedCommit {
                return .degraded(
                    "the store has been writing for \((uptime - since) / 1_000_000_000) s: the disk is slow, or another "
                        + "process holds the database; producers wait and nothing is lost"
                )
            }
            return .healthy
        }
    }
}
