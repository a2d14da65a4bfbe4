package import IronpostCore
package import Logging
internal import Synchronization

/// Where everything that was found becomes durable: takes batches of alerts, folds repeated ones, commits them together
/// with their checkpoints, and only then acknowledges and shows them. Also writes the record of actions.
///
/// Two plain threads, one for alerts and one for actions. A store that fails holds both up, and through the bounded
/// channels their producers; nothing is acknowledged meanwhile and nothing lost. A disk that is full is met with a
/// reserve (`AlertWriter`). Only when the hub is being drained and
/// the deadline has passed is something given up, counted as dropped.
package final class AlertHub: Module {
    package static let channelCapacity = 256
    /// Alerts in one transaction: larger ones are hardly faster and make their producers wait longer.
    package static let transactionAlertsMax = 1024
    static let actionsMax = 256
    /// How often the thread looks after the store while nothing comes.
    static let idlePatience = Duration.seconds(1)

    package let name = "alert-hub"

    private let batches: BoundedChannel<CommitBatch>
    private let actions: BoundedChannel<ActionRecord>
    private let actionLog: any ActionLog
    private let time: any TimeSource
    private let logger: Logger
    private let responseHop: LedgerHop
    private let alertRetry: CommitRetry
    private let actionRetry: CommitRetry
    private let writer: AlertWriter
    private let reserve: any StorageReserve
    private let retention: RetentionPace?
    private let silences: SilenceBook?

    /// - Parameters:
    ///   - attributor: says of every alert which container it belongs to; `nil` where nobody can.
    ///   - reader: asked for alerts that were counted up, to show them; only while somebody watches `feed`.
    ///   - reserve: kept on the store's disk for when it is full.
    ///   - policy: for alerts that a full disk and memory have no room for.
    ///   - retention: removes what is older than `keeping`; zero keeps everything.
    ///   - actions: without a waiting reply: who needs an action's record to be durable first writes it to the log itself.
    package init(
        batches: BoundedChannel<CommitBatch>, actions: BoundedChannel<ActionRecord>, commit: any AlertCommit,
        reader: any AlertStore, actionLog: any ActionLog, feed: Feed<Alert>, ledger: Ledger, time: any TimeSource,
        limits: AlertLimits, logger: Logger, reserve: any StorageReserve = NoReserve(), policy: FullDiskPolicy = .shed,
        retention: (any Retention)? = nil, keeping: Duration = .zero, silences: SilenceBook? = nil,
        attributor: (any Attributor)? = nil
    ) {
        self.batches = batches
        self.actions = actions
        self.actionLog = actionLog
        self.time = time
        self.logger = logger
        responseHop = ledger.hop("response")
        alertRetry = CommitRetry(time: time)
        actionRetry = CommitRetry(time: time)
        writer = AlertWriter(
            commit: commit, reader: reader, feed: feed, ledger: ledger, time: time, limits: limits, logger: logger,
            retry: alertRetry, reserve: reserve, policy: policy, silences: silences,
            attributor: attributor
        )
        self.silences = silences
        self.reserve = reserve
        self.retention =
            keeping > .zero
            ? retention.map { RetentionPace(retention: $0, keeping: keeping, time: time, logger: logger) } : nil
    }

    /// Takes effect with the next transaction.
    package func update(limits: AlertLimits) {
        writer.update(limits: limits)
    }

    package func prepare() async throws {}

    package func run() async throws {
        let alertThread = PlainThread(name: "alert-hub") { [self] in writeAlerts() }
        let actionThread = PlainThread(name: "alert-hub-act") { [self] in writeActions() }
        await withTaskCancellationHandler {
            await alertThread.join()
            await actionThread.join()
        } onCancel: {
            stop(by: .now)
        }
        if !Task.isCancelled, !alertThread.isFinished || !actionThread.isFinished {
            stop(by: .now)
            throw AlertHubError.noThread
        }
    }

    /// Closes both channels; `run` returns when what is inside is durable, or given up at `deadline`. Producers must have
    /// been drained before.
    package func drain(deadline: ContinuousClock.Instant) async {
        stop(by: deadline)
    }

    package func health() -> Health {
        var parts = [
            ("alerts", alertRetry.health()), ("storage", writer.fullDisk.health()), ("actions", actionRetry.health()),
        ]
        if let retention { parts.append(("retention", retention.health())) }
        return Health.worst(of: parts.map { (name: $0.0, health: $0.1) })
    }

    package func details() -> [Field] {
        let limits = writer.limits
        return [
            Field("dedup_window", limits.dedupWindow == .zero ? "off" : "\(limits.dedupWindow.seconds) s"),
            Field("rate_limit_per_rule", limits.rateLimitPerRule == 0 ? "off" : "\(limits.rateLimitPerRule) a minute"),
            Field(
                "reserve for high alerts",
                reserve.level.bytesWanted == 0 ? "none: the disk is too small" : reserve.level.text),
            Field("retention", retention.map(\.description) ?? "off"),
            Field("batches waiting", "\(batches.depth) of \(batches.capacity), at most \(batches.highWater) so far"),
        ]
    }

    private func stop(by deadline: ContinuousClock.Instant) {
        batches.close()
        actions.close()
        alertRetry.finish(by: deadline)
        actionRetry.finish(by: deadline)
    }

    private func writeAlerts() {
        var lookedAfter = ContinuousClock.now
        while true {
            let isHolding = !writer.held.withLock(\.isEmpty)
            let patience = isHolding ? CommitRetry.pauseMax : retention?.patience ?? Self.idlePatience
            if let waiting = batches.receiveBlocking(max: Self.channelCapacity, patience: patience) {
                guard !waiting.isEmpty else { break }
                writer.write(waiting)
            }
            let interval = isHolding ? CommitRetry.pauseMax : RetentionPace.stepPatience
            guard ContinuousClock.now - lookedAfter >= interval else { continue }
            lookAfterStore()
            lookedAfter = .now
        }
        writer.finish()
        writeSilences(isLast: true)
    }

    private func writeSilences(isLast: Bool = false) {
        do {
            try silences?.write(isLast: isLast)
        } catch {
            logger.warning("How much silences kept out cannot be stored", metadata: ["error": "\(error)"])
        }
    }

    /// Between commits: a full disk that has room again, a reserve that is not whole, what is older than it has to be.
    private func lookAfterStore() {
        guard writer.retryHeld() else { return }
        if !reserve.level.isWhole { _ = reserve.restore() }
        retention?.step()
        writeSilences()
    }

    private func writeActions() {
        while true {
            let records = actions.receiveBlocking(max: Self.actionsMax)
            guard !records.isEmpty else { return }
            responseHop.accept(records.count)
            append(records)
        }
    }

    private func append(_ records: [ActionRecord]) {
        while true {
            do {
                actionRetry.began()
                try actionLog.append(records)
                responseHop.store(records.count)
                if actionRetry.succeeded() { logger.notice("The record of actions is written again") }
                return
            } catch {
                // What was done to others has to be on record.
                if (error as? any CommitFailure)?.outlook == .full, reserve.release() { continue }
                let goesOn = actionRetry.waitAfterFailure(error) {
                    logger.error(
                        "The record of actions cannot be written; trying again", metadata: ["error": "\(error)"])
                }
                if goesOn { continue }
                logger.error("Action records were given up", metadata: ["count": "\(records.count)"])
                responseHop.drop(records.count, cause: "store_failed")
                return
            }
        }
    }
}

package enum AlertHubError: Error, CustomStringConvertible {
    case noThread

    package var description: String {
        "cannot start a thread for the alert hub: raise the limit of tasks (TasksMax, ulimit -u)"
    }
}
