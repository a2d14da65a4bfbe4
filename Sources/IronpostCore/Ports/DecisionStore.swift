/// What was decided about alerts and is to outlive the daemon. Calls block until what they changed is on disk.
package protocol DecisionStore: Sendable {
    /// All of it, or nothing.
    func commit(_ change: DecisionChange) throws
    func standingActions() throws -> [StandingAction]
    func blocks() throws -> [Block]
    func allowed() throws -> [AllowEntry]
    func silences() throws -> [Silence]
    /// How often actions of this type on this target were carried out since then, and when one ended last.
    func history(actionType: String, target: String, since: Timestamp) throws -> ActionHistory
}

extension DecisionStore {
    /// As `commit`, and on a full disk with as much of the reserve as it takes: what is done to others has to be on record
    /// before it is done, also then. Not for what can wait, nor for a list, which would take all of it.
    package func commit(_ change: DecisionChange, from reserve: any StorageReserve) throws {
        while true {
            do {
                return try commit(change)
            } catch  where (error as? any CommitFailure)?.outlook == .full && change.isUrgent && reserve.release() {
                continue
            }
        }
    }
}

/// One transaction: transitions for the audit record, and the state that belongs to them.
package struct DecisionChange: Sendable {
    package var records: [ActionRecord] = []
    package var standing: [StandingAction] = []
    /// Actions that are over.
    package var ended: [UUIDv7] = []
    package var blocks: [Block] = []
    package var blocksRemoved: [BlockTarget] = []
    /// Removes all blocks of these actions.
    package var blocksRemovedOf: [UUIDv7] = []
    package var allowed: [AllowEntry] = []
    package var allowedRemoved: [IPNetwork] = []
    package var silences: [Silence] = []
    package var silencesRemoved: [UUIDv7] = []
    /// How far the named reader of alerts has come.
    package var cursor: Cursor?

    package init() {}

    /// More blocks than this are a list.
    package static let urgentBlocksMax = 64

    /// Worth the room that is kept for high alerts.
    var isUrgent: Bool { !isOnlyCursor && blocks.count + blocksRemoved.count <= Self.urgentBlocksMax }

    /// Nothing but how far a reader has come: what is read twice is decided alike.
    package var isOnlyCursor: Bool {
        records.isEmpty && standing.isEmpty && ended.isEmpty && blocks.isEmpty && blocksRemoved.isEmpty
            && blocksRemovedOf.isEmpty && allowed.isEmpty && allowedRemoved.isEmpty && silences.isEmpty
            && silencesRemoved.isEmpty
    }

    package struct Cursor: Sendable, Hashable {
        package var reader: String
        package var sequence: Int64

        package init(reader: String, sequence: Int64) {
            self.reader = reader
            self.sequence = sequence
        }
    }
}

/// Alerts in the order of their commits, for a reader that goes on where it stopped.
package protocol CursorLog: Sendable {
    /// Alerts stored after `sequence`, oldest first.
    func alerts(after sequence: Int64, limit: Int) throws -> [SequencedAlert]
    /// Of the alert stored last; 0 when there was none.
    func lastSequence() throws -> Int64
    /// Where a reader stands; `nil` for one that is new.
    func cursor(of reader: String) throws -> Int64?
    func setCursor(of reader: String, to sequence: Int64) throws
}

package struct SequencedAlert: Sendable {
    package var sequence: Int64
    package var alert: Alert

    package init(sequence: Int64, alert: Alert) {
        self.sequence = sequence
        self.alert = alert
    }
}

/// An address that is never acted upon.
package struct AllowEntry: Sendable, Hashable {
    package var network: IPNetwork
    package var reason: String
    package var created: Timestamp

    package init(network: IPNetwork, reason: String, created: Timestamp) {
        self.network = network
        self.reason = reason
        self.created = created
    }
}

/// Alerts that nobody wants to see for a while: not stored, and counted.
package struct Silence: Sendable, Hashable {
    package var id: UUIDv7
    /// A rule's id or title; `nil` is any.
    package var rule: String?
    /// Fields of the alert's group or event that must have these values; `*` at the end stands for anything.
    package var fields: [Field]
    package var reason: String
    package var created: Timestamp
    /// Every silence ends.
    package var ends: Timestamp
    /// Events that it kept out, as last written.
    package var suppressed: Int

    package static let countMax = 1000
    package static let fieldsMax = 16

    package init(
        id: UUIDv7, rule: String?, fields: [Field], reason: String, created: Timestamp, ends: Timestamp,
        suppressed: Int = 0
    ) {
        self.id = id
        self.rule = rule
        self.fields = fields
        self.reason = reason
        self.created = created
        self.ends = ends
        self.suppressed = suppressed
    }
}

package struct ActionHistory: Sendable, Hashable {
    package var count: Int
    /// When one was undone by a person last.
    package var lastUndone: Timestamp?

    package init(count: Int = 0, lastUndone: Timestamp? = nil) {
        self.count = count
        self.lastUndone = lastUndone
    }
}
