internal import IronpostCore
internal import Logging
internal import Synchronization

/// The hub's thread while the disk is full.
extension AlertWriter {
    /// Held alerts in one transaction.
    private static var heldChunk: Int { AlertHub.transactionAlertsMax }

    func startHolding(_ error: any Error) {
        retry.putAside()
        guard fullDisk.begin(error) else { return }
        logger.error(
            "The disk is full: high and critical alerts are stored from the reserve, everything else waits",
            metadata: ["error": "\(error)", "reserve": "\(reserve.level.text)", "policy": "\(policy)"]
        )
    }

    /// Stores what is urgent, and keeps the rest in memory as far as it goes.
    func hold(_ parts: [Delivery]) {
        var unstored = storeUrgent(parts.flatMap { $0.events.filter(\.isUrgent) })
        let window = limits.dedupWindow
        for part in parts {
            for event in part.events where !event.isUrgent { keep(event, window: window) }
            held.withLock { $0.addPlaces(of: part) }
        }
        while !unstored.isEmpty { keep(unstored.removeFirst(), window: window) }
        tellHeld()
    }

    private func keep(_ event: AlertEvent, window: Duration) {
        while !held.withLock({ $0.add(event, window: window) }) {
            let canWait = event.isUrgent || event.isReplayable && policy == .wait
            // The producers wait behind this, until there is room or the hub has to end.
            if canWait, !retry.isOver {
                tellHeld()
                if retryHeld() || retry.pause() { continue }
            }
            let count = max(event.alert.count, 1)
            alertHop.drop(count, cause: "disk_full")
            fullDisk.shed(count)
            return
        }
    }

    /// Commits without checkpoints, with as much of the reserve as it takes; returns what could not be stored.
    private func storeUrgent(_ events: [AlertEvent]) -> [AlertEvent] {
        guard !events.isEmpty else { return [] }
        let delivery = Delivery(events: events)
        while true {
            switch attempt(delivery) {
            case .durable: return []
            case .failed(let error, let plan):
                retry.putAside()
                switch (error as? any CommitFailure)?.outlook {
                case .full? where reserve.release(): continue
                case .rejected? where events.count > 1: return events.flatMap { storeUrgent([$0]) }
                case .rejected?:
                    giveUp(delivery, plan, cause: "store_rejected", error)
                    return []
                default: return events
                }
            }
        }
    }

    /// Looks whether there is room again, and stores everything that is held if so. Returns whether nothing is held.
    func retryHeld() -> Bool {
        guard !held.withLock(\.isEmpty) else { return true }
        let unstored = storeUrgent(held.withLock { $0.takeUrgent() })
        for event in unstored { keepAgain(event) }
        // Alerts below high must not eat what was given back for the others.
        guard reserve.restore() else {
            tellHeld()
            return false
        }
        while true {
            let (chunk, isLast) = held.withLock { $0.first(Self.heldChunk) }
            switch attempt(chunk) {
            case .durable:
                if !isLast {
                    held.withLock { $0.removeFirst(Self.heldChunk) }
                    continue
                }
                _ = held.withLock { $0.takeAll() }
                endHolding()
                return true
            case .failed(let error, _):
                retry.putAside()
                if (error as? any CommitFailure)?.outlook == .rejected {
                    deliverOneByOne()
                    return held.withLock(\.isEmpty)
                }
                _ = fullDisk.begin(error)
                tellHeld()
                return false
            }
        }
    }

    /// Something of what is held can never be stored: each alert in a transaction of its own, the checkpoints last.
    private func deliverOneByOne() {
        var all = held.withLock { $0.takeAll() }
        let events = all.events
        all.events = []
        for event in events { deliver([Delivery(events: [event])]) }
        deliver([all])
        if held.withLock(\.isEmpty) { endHolding() }
    }

    private func keepAgain(_ event: AlertEvent) {
        // It was held before: there is room for it.
        let isKept = held.withLock { $0.add(event, window: .zero) }
        guard !isKept else { return }
        alertHop.drop(max(event.alert.count, 1), cause: "disk_full")
        fullDisk.shed(max(event.alert.count, 1))
    }

    private func endHolding() {
        guard let (shed, seconds) = fullDisk.end() else { return }
        logger.notice(
            "There is room on the disk again; everything that waited is stored",
            metadata: ["seconds": "\(seconds)", "events shed": "\(shed)", "reserve": "\(reserve.level.text)"]
        )
    }

    private func tellHeld() {
        let (count, urgent) = held.withLock { held in
            (held.waiting.events.count, held.waiting.events.count(where: \.isUrgent))
        }
        fullDisk.update(held: count, urgent: urgent)
    }

    /// At the end: what is held is stored, or given up once the deadline has passed. The checkpoints stay where they
    /// were, so that sources that can be read again lose nothing.
    func finishHeld() {
        while !retryHeld() {
            if !retry.isOver, retry.pause() { continue }
            let rest = held.withLock { $0.takeAll() }
            giveUp(rest, Deduplicator.Plan(), cause: "disk_full", HeldGivenUp())
            return
        }
    }
}

private struct HeldGivenUp: Error, CustomStringConvertible {
    var description: String { "the disk was still full when the time to stop had passed" }
}
