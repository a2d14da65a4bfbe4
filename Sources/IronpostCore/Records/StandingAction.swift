/// An action that is not over: proposed, under way, or in force. What the audit record tells step by step, this holds as
/// it stands, with what it takes to go on or to undo it after a crash.
package struct StandingAction: Sendable, Hashable {
    /// What was decided last, written before it is carried out. Which change is allowed is decided by `ActionMachine`.
    package enum Phase: String, Sendable, CaseIterable {
        /// Waits: for a person's approval, or for the mode `enforce`.
        case proposed
        /// To be carried out; whether it was already is for the backend to find out.
        case applying
        /// Carried out and verified.
        case applied
        /// To be taken back because a person said so.
        case undoing
        /// To be taken back because its time is over.
        case expiring
    }

    package var id: UUIDv7
    /// As in `ActionRecord.actionType`.
    package var actionType: String
    /// For people and for the record: an address, a container's name, a list's.
    package var target: String
    package var alertID: UUIDv7?
    package var policyID: String?
    /// The mode that it was decided in.
    package var mode: String
    package var phase: Phase
    package var origin: Block.Origin
    package var reason: String
    package var created: Timestamp
    /// How long it holds once it is in force.
    package var duration: Duration
    /// Of a proposal: when it lapses. Otherwise when it is taken back.
    package var deadline: Deadline
    /// Written by the backend before it acts: what it needs to take it back. Bounded by `detailBytesMax`.
    package var detail: String
    package var guardrail: String?
    package var evidencePath: String?

    package static let detailBytesMax = 64 << 10

    package init(
        id: UUIDv7, actionType: String, target: String, alertID: UUIDv7? = nil, policyID: String? = nil, mode: String,
        phase: Phase, origin: Block.Origin, reason: String, created: Timestamp, duration: Duration,
        deadline: Deadline, detail: String = "", guardrail: String? = nil, evidencePath: String? = nil
    ) {
        self.id = id
        self.actionType = actionType
        self.target = target
        self.alertID = alertID
        self.policyID = policyID
        self.mode = mode
        self.phase = phase
        self.origin = origin
        self.reason = reason
        self.created = created
        self.duration = duration
        self.deadline = deadline
        self.detail = detail
        self.guardrail = guardrail
        self.evidencePath = evidencePath
    }
}
