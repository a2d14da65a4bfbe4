/// One transition of one action: a line of the append-only audit record (contract, section 5).
package struct ActionRecord: Sendable, Hashable {
    package enum State: String, Sendable, CaseIterable {
        case proposed, approved, running, done, failed, withheld, expired, undone
    }

    package var id: UUIDv7
    package var time: Timestamp
    package var alertID: UUIDv7?
    package var policyID: String?
    /// `container_freeze`, `container_pause`, …, `network_block`.
    package var actionType: String
    package var target: String
    package var mode: String
    package var state: State
    package var guardrail: String?
    package var expiresAt: Timestamp?
    package var evidencePath: String?
    package var error: String?

    package init(
        id: UUIDv7, time: Timestamp, alertID: UUIDv7? = nil, policyID: String? = nil, actionType: String,
        target: String, mode: String, state: State, guardrail: String? = nil, expiresAt: Timestamp? = nil,
        evidencePath: String? = nil, error: String? = nil
    ) {
        self.id = id
        self.time = time
        self.alertID = alertID
        self.policyID = policyID
        self.actionType = actionType
        self.target = target
        self.mode = mode
        self.state = state
        self.guardrail = guardrail
        self.expiresAt = expiresAt
        self.evidencePath = evidencePath
        self.error = error
    }
}
