/// What a producer of alerts hands over at once: what it found, and how far it has come. All of it becomes durable in
/// one transaction, or none of it.
package struct CommitBatch: Sendable {
    package var alerts: [AlertEvent]
    package var checkpoints: [Checkpoint]
    package var correlation: [CorrelationState]
    /// Called once the batch is durable, or given up (`false`). Never on the producer's thread.
    package var reply: (@Sendable (_ durable: Bool) -> Void)?

    package init(
        alerts: [AlertEvent] = [], checkpoints: [Checkpoint] = [], correlation: [CorrelationState] = [],
        reply: (@Sendable (Bool) -> Void)? = nil
    ) {
        self.alerts = alerts
        self.checkpoints = checkpoints
        self.correlation = correlation
        self.reply = reply
    }
}

/// An alert on its way to the hub, which may fold it into one that is already stored.
///
/// `alert.count` is the number of events that it brings along.
package struct AlertEvent: Sendable {
    package var alert: Alert
    /// What tells whose the event was.
    package var clues: AttributionClues

    package init(_ alert: Alert, clues: AttributionClues = AttributionClues()) {
        self.alert = alert
        self.clues = clues
    }
}

/// How far a source has been evaluated; the value is the source's own text.
package struct Checkpoint: Sendable, Hashable {
    /// Unique over all sources, as in `file:/var/log/auth.log`.
    package var key: String
    /// `nil` forgets the checkpoint.
    package var value: String?

    package init(key: String, value: String?) {
        self.key = key
        self.value = value
    }
}

/// The state of one correlation window; the bytes are the rule engine's own.
package struct CorrelationState: Sendable, Hashable {
    package var key: String
    /// `nil` forgets the window.
    package var value: [UInt8]?

    package init(key: String, value: [UInt8]?) {
        self.key = key
        self.value = value
    }
}

/// One transaction on the store.
package struct AlertTransaction: Sendable {
    package var inserts: [Alert]
    package var updates: [AlertUpdate]
    package var checkpoints: [Checkpoint]
    package var correlation: [CorrelationState]

    package init(
        inserts: [Alert] = [], updates: [AlertUpdate] = [], checkpoints: [Checkpoint] = [],
        correlation: [CorrelationState] = []
    ) {
        self.inserts = inserts
        self.updates = updates
        self.checkpoints = checkpoints
        self.correlation = correlation
    }
}

/// More events for an alert that is already stored.
package struct AlertUpdate: Sendable, Hashable {
    package var id: UUIDv7
    /// Added to the stored count.
    package var count: Int
    /// Earliest and latest event time among them; the store keeps the extremes.
    package var firstSeen: Timestamp
    package var lastSeen: Timestamp

    package init(id: UUIDv7, count: Int, firstSeen: Timestamp, lastSeen: Timestamp) {
        self.id = id
        self.count = count
        self.firstSeen = firstSeen
        self.lastSeen = lastSeen
    }
}

/// Makes alerts durable. Calls block until the data is on disk; made from one plain thread.
package protocol AlertCommit: Sendable {
    /// All or nothing. On return everything is durable; after an error the store is as it was before.
    ///
    /// Throws `AlertsGone` when an update names an alert that is no longer there or was closed, a `CommitFailure` when
    /// the store itself failed.
    func commit(_ transaction: AlertTransaction) throws -> CommitReceipt
    /// The newest stored alert of a rule and group with events between `since` and `until` (both included), for
    /// deduplication; alerts that were closed do not count. Of the labels, only `demo` takes part.
    func latestAlert(
        rule: String, group: [Field], labels: [String: String], since: Timestamp, until: Timestamp
    ) throws -> AlertKey?
}

/// What the store says it wrote, counted where it was written.
package struct CommitReceipt: Sendable, Hashable {
    /// Rows added, one an alert.
    package var inserted: Int
    /// Alerts that were counted up.
    package var updated: Int

    package init(inserted: Int, updated: Int) {
        self.inserted = inserted
        self.updated = updated
    }
}

package struct AlertKey: Sendable, Hashable {
    package var id: UUIDv7
    package var firstSeen: Timestamp
    package var lastSeen: Timestamp

    package init(id: UUIDv7, firstSeen: Timestamp, lastSeen: Timestamp) {
        self.id = id
        self.firstSeen = firstSeen
        self.lastSeen = lastSeen
    }
}

/// A transaction wanted to count up alerts that are gone or closed; nothing of it was stored.
package struct AlertsGone: Error, Hashable, CustomStringConvertible {
    package var ids: [UUIDv7]

    package init(ids: [UUIDv7]) {
        self.ids = ids
    }

    package var description: String {
        "alerts to count up are gone or closed: \(ids.map(\.description).joined(separator: ", "))"
    }
}

/// Why a store could not take something, in terms of what the caller can do about it.
package enum CommitOutlook: Sendable, Hashable {
    /// Passes by itself or once the cause is gone: busy, I/O error, read-only. Try again.
    case transient
    /// The disk is full: passes when room is made, also by the store's reserve.
    case full
    /// Lasts until somebody repairs it: corrupt, of another program. Trying again does no harm and loses nothing.
    case standing
    /// This data will never be taken; everything else will.
    case rejected
}

package protocol CommitFailure: Error {
    var outlook: CommitOutlook { get }
}

/// What a pipeline reads back when it starts.
package protocol CheckpointStore: Sendable {
    func checkpoints() throws -> [Checkpoint]
    func correlation() throws -> [CorrelationState]
}
