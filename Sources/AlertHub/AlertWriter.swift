internal import IronpostCore
internal import Logging
internal import Synchronization

/// Makes batches durable, several in one transaction: the body of the hub's thread.
///
/// Order for each transaction: commit, replies, feed, ledger. Nobody hears of an alert that is not on disk.
///
/// On a full disk (`hold`): a batch mixes severities, sources and the checkpoints of both, so it is taken apart. High
/// and critical alerts are committed alone, without any checkpoint, from room that the reserve gives back piece by piece.
/// Everything else, and from then on every checkpoint and correlation window, is held in memory, bounded. Once that is
/// full, alerts below high are shed and counted (`disk_full`), or their sources wait, as `FullDiskPolicy` says; those of
/// sources that cannot be read again are shed in any case. When the reserve can be taken again there is room: what is
/// held is stored in order, and the checkpoints only with the last of it. So a checkpoint never passes a line whose
/// alerts are neither stored nor counted; a crash meanwhile makes the lines be read again, and their high alerts counted
/// once more.
final class AlertWriter: Sendable {
    /// Plans made anew at once because alerts were gone; more than can be closed between two look-ups.
    private static let plansMax = 3

    private let commit: any AlertCommit
    private let reader: any AlertStore
    private let feed: Feed<Alert>
    let time: any TimeSource
    let logger: Logger
    let retry: CommitRetry
    let reserve: any StorageReserve
    let fullDisk: FullDisk
    let alertHop: LedgerHop
    private let storeHop: LedgerHop
    private let wantedLimits: Mutex<AlertLimits>
    /// Used by the hub's thread alone.
    private let deduplicator: Mutex<Deduplicator>
    let held = Mutex(HeldAlerts())
    let policy: FullDiskPolicy
    private let silences: SilenceBook?
    private let attributor: (any Attributor)?

    init(
        commit: any AlertCommit, reader: any AlertStore, feed: Feed<Alert>, ledger: Ledger, time: any TimeSource,
        limits: AlertLimits, logger: Logger, retry: CommitRetry, reserve: any StorageReserve, policy: FullDiskPolicy,
        silences: SilenceBook? = nil, attributor: (any Attributor)? = nil
    ) {
        self.commit = commit
        self.reader = reader
        self.feed = feed
        self.time = time
        self.logger = logger
        self.retry = retry
        self.reserve = reserve
        self.policy = policy
        self.silences = silences
        self.attributor = attributor
        fullDisk = FullDisk(reserve: reserve, time: time)
        alertHop = ledger.hop("alert")
        storeHop = ledger.hop("store")
        wantedLimits = Mutex(limits)
        deduplicator = Mutex(Deduplicator(limits: limits))
    }

    var limits: AlertLimits { wantedLimits.withLock { $0 } }

    func update(limits: AlertLimits) {
        wantedLimits.withLock { $0 = limits }
    }

    /// Returns when every batch is durable, held because the disk is full, or given up.
    func write(_ batches: [CommitBatch]) {
        var parts = batches.map { attributed(Delivery($0)) }
        alertHop.accept(parts.reduce(0) { $0 + $1.count })
        silence(&parts)
        if let first = parts.firstIndex(where: { $0.count > 0 }), SeededLoss.happens(at: "alert") {
            for reply in parts.remove(at: first).replies { reply(true) }
        }
        var start = 0
        while start < parts.count {
            // At least one batch, which is never torn apart, and then as many as fit.
            var end = start + 1
            var alerts = parts[start].events.count
            while end < parts.count, alerts + parts[end].events.count <= AlertHub.transactionAlertsMax {
                alerts += parts[end].events.count
                end += 1
            }
            deliver(Array(parts[start..<end]))
            start = end
        }
    }

    /// Before anybody sees them: whose the events were.
    private func attributed(_ delivery: Delivery) -> Delivery {
        guard let attributor, !delivery.events.isEmpty else { return delivery }
        var delivery = delivery
        for index in delivery.events.indices {
            let event = delivery.events[index]
            let addresses = [event.alert.srcIP, event.alert.dstIP].compactMap { $0 }
            switch attributor.attribute(event.clues, at: event.alert.event.time, addresses: addresses) {
            case .container(let container): delivery.events[index].alert.container = container
            case .unproved(let reason): delivery.events[index].alert.labels[Alert.attributionLabel] = reason
            case .host: break
            }
        }
        return delivery
    }

    /// Stores or gives up what is held, and reports what was still to be reported.
    func finish() {
        finishHeld()
        report(deduplicator.withLock { $0.takeSuppressed() })
    }

    /// Leaves out what somebody does not want to see; its checkpoints go on.
    private func silence(_ parts: inout [Delivery]) {
        guard let silences else { return }
        for index in parts.indices {
            let before = parts[index].count
            parts[index].events.removeAll { silences.suppresses($0.alert) }
            alertHop.drop(before - parts[index].count, cause: "silenced")
        }
    }

    // MARK: - One transaction

    func deliver(_ parts: [Delivery]) {
        // Nothing overtakes what is held but high and critical alerts.
        guard held.withLock(\.isEmpty) else { return hold(parts) }
        let whole = Delivery(merging: parts)
        if let reason = retry.hopeless {
            return giveUp(whole, Deduplicator.Plan(), cause: "store_failed", StoreStandsStill(description: reason))
        }
        while true {
            switch attempt(whole) {
            case .durable:
                return
            case .failed(let error, let plan):
                switch (error as? any CommitFailure)?.outlook {
                case .full?:
                    startHolding(error)
                    return hold(parts)
                case .rejected? where parts.count > 1:
                    // One of them cannot be stored; the others can.
                    for part in parts { deliver([part]) }
                    return
                case .rejected?:
                    return giveUp(whole, plan, cause: "store_rejected", error)
                default:
                    if !waits(error) { return giveUp(whole, plan, cause: "store_failed", error) }
                }
            }
        }
    }

    /// `false`: give up.
    func waits(_ error: any Error) -> Bool {
        retry.waitAfterFailure(error) {
            logger.error("Alerts cannot be stored; trying again", metadata: ["error": "\(error)"])
        }
    }

    enum Outcome {
        case durable
        case failed(any Error, Deduplicator.Plan)
    }

    /// One transaction; made anew at once where it rested on alerts that are gone.
    func attempt(_ delivery: Delivery) -> Outcome {
        deduplicator.withLock { deduplicator in
            deduplicator.limits = limits
            var plan = Deduplicator.Plan()
            var plansLeft = Self.plansMax
            while true {
                do {
                    retry.began()
                    plan = try deduplicator.plan(
                        delivery.events, now: time.now(), uptime: time.uptime(),
                        lookUp: commit.latestAlert(rule:group:labels:since:until:)
                    )
                    let loses = !plan.inserts.isEmpty && SeededLoss.happens(at: "store")
                    let receipt = try commit.commit(
                        AlertTransaction(
                            inserts: loses ? Array(plan.inserts.dropFirst()) : plan.inserts, updates: plan.updates,
                            checkpoints: delivery.checkpoints,
                            correlation: delivery.correlation
                        )
                    )
                    deduplicator.confirm(plan)
                    if retry.succeeded() { logger.notice("Alerts are stored again") }
                    settle(delivery, plan, receipt)
                    return .durable
                } catch let gone as AlertsGone where !gone.ids.isEmpty {
                    // Closed or removed since they were remembered: their events make new alerts.
                    deduplicator.forget(gone.ids, of: plan)
                    plansLeft -= 1
                    // A store that contradicts itself is treated as one that fails.
                    if plansLeft <= 0 { return .failed(gone, plan) }
                } catch {
                    return .failed(error, plan)
                }
            }
        }
    }

    private func settle(_ delivery: Delivery, _ plan: Deduplicator.Plan, _ receipt: CommitReceipt) {
        for reply in delivery.replies { reply(true) }
        if feed.isWatched { feed.publish(plan.inserts + counted(plan)) }
        storeHop.accept(plan.inserts.count)
        storeHop.store(receipt.inserted)
        alertHop.store(plan.events)
        alertHop.drop(plan.limited, cause: "rate_limit")
        report(plan.suppressed)
    }

    /// The alerts that were counted up, as they are now.
    private func counted(_ plan: Deduplicator.Plan) -> [Alert] {
        plan.updates.compactMap { update in
            do {
                return try reader.alert(id: update.id)
            } catch {
                logger.warning("An alert cannot be read back to show it", metadata: ["error": "\(error)"])
                return nil
            }
        }
    }

    func giveUp(_ delivery: Delivery, _ plan: Deduplicator.Plan, cause: String, _ error: any Error) {
        let events = delivery.count
        logger.error(
            "Alerts were given up; their sources will be read again from where they were acknowledged",
            metadata: ["events": "\(events)", "cause": "\(cause)", "error": "\(error)"]
        )
        storeHop.accept(plan.inserts.count)
        storeHop.drop(plan.inserts.count, cause: cause)
        alertHop.drop(events, cause: cause)
        for reply in delivery.replies { reply(false) }
    }

    private func report(_ suppressed: [SuppressedAlerts]) {
        for entry in suppressed {
            logger.warning(
                "A rule made more alerts than rate_limit_per_rule allows; the rest of that minute was not stored",
                metadata: ["rule": "\(entry.rule)", "events": "\(entry.events)"]
            )
        }
    }
}

/// The store failed before, and there is no time to try again.
private struct StoreStandsStill: Error, CustomStringConvertible {
    let description: String
}
