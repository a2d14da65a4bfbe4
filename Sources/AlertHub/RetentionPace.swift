internal import IronpostCore
internal import Logging
internal import Synchronization

/// When retention takes its next step, and how large: as many rows as fit into a few milliseconds.
///
/// Used by the hub's thread alone, but for `health` and `description`.
final class RetentionPace: Sendable, CustomStringConvertible {
    /// Longest that a commit should have to wait behind a step.
    static let stepTarget = Duration.milliseconds(3)
    static let rowsMin = 64
    static let rowsMax = 1024
    /// Between two rounds.
    static let roundInterval = Duration.seconds(600).nanoseconds
    /// Between two steps of a round while nothing else is written.
    static let stepPatience = Duration.milliseconds(20)
    /// How far the wall clock may run ahead of the clock that never jumps before it is not believed.
    static let clockTolerance = Duration.seconds(3600)
    /// An event's own time this far ahead is not believed.
    static let eventTolerance = Duration.seconds(86_400)

    private struct State {
        var rows = 64
        var nextRound: Int64 = .min
        var isRunning = false
        var removedAlerts = 0
        var removedActions = 0
        var fault: String?
    }

    private let retention: any Retention
    private let keeping: Duration
    private let time: any TimeSource
    private let logger: Logger
    private let start: (now: Timestamp, uptime: Int64)
    private let state = Mutex(State())

    init(retention: any Retention, keeping: Duration, time: any TimeSource, logger: Logger) {
        self.retention = retention
        self.keeping = keeping
        self.time = time
        self.logger = logger
        start = (time.now(), time.uptime())
    }

    /// How long the hub's thread may wait for batches before the next step.
    var patience: Duration { state.withLock(\.isRunning) ? Self.stepPatience : AlertHub.idlePatience }

    func step() {
        let uptime = time.uptime()
        let (isDue, rows) = state.withLock { ($0.isRunning || uptime >= $0.nextRound, $0.rows) }
        guard isDue else { return }
        let now = believedNow
        let began = ContinuousClock.now
        do {
            let done = try retention.removeExpired(
                before: now.advanced(by: .zero - keeping), horizon: now.advanced(by: Self.eventTolerance), rowsMax: rows
            )
            finish(done, took: ContinuousClock.now - began, uptime: uptime)
        } catch {
            logger.warning("Retention cannot remove old alerts; trying again later", metadata: ["error": "\(error)"])
            state.withLock { state in
                state.fault = "\(error)"
                state.isRunning = false
                state.nextRound = uptime + Self.roundInterval / 10
            }
        }
    }

    private func finish(_ done: RetentionStep, took: Duration, uptime: Int64) {
        let removed: (alerts: Int, actions: Int)? = state.withLock { state in
            state.fault = nil
            if took > Self.stepTarget { state.rows = max(Self.rowsMin, state.rows / 2) }
            if took < Self.stepTarget / 3 { state.rows = min(Self.rowsMax, state.rows * 2) }
            state.removedAlerts += done.alerts
            state.removedActions += done.actions
            state.isRunning = !done.isFinished
            guard done.isFinished else { return nil }
            state.nextRound = uptime + Self.roundInterval
            defer { (state.removedAlerts, state.removedActions) = (0, 0) }
            return (state.removedAlerts, state.removedActions)
        }
        guard let removed, removed.alerts + removed.actions > 0 else { return }
        logger.info(
            "Retention removed what was too old",
            metadata: ["alerts": "\(removed.alerts)", "audit records": "\(removed.actions)"]
        )
    }

    /// The wall clock, unless it jumped ahead: a wrong clock must not make everything old at once.
    private var believedNow: Timestamp {
        min(
            time.now(),
            start.now.advanced(by: .nanoseconds(time.uptime() - start.uptime)).advanced(by: Self.clockTolerance))
    }

    func health() -> Health {
        state.withLock { $0.fault.map { .degraded("old alerts cannot be removed: \($0)") } ?? .healthy }
    }

    var description: String { "\(keeping.seconds / 86_400) days" }
}
