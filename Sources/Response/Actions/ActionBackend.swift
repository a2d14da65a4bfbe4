package import IronpostCore

/// Carries out one kind of action: blocks, or what is done to containers. Every call may be repeated, also after a crash
/// in the middle of it, and calls for different actions may run at the same time.
package protocol ActionBackend: Sendable {
    /// As in `ActionRecord.actionType`.
    var actionTypes: Set<String> { get }

    /// What an alert's action would be aimed at.
    /// - Throws: `Withheld` when a guardrail of this kind holds, also when it is not proven who acted.
    func aim(_ policy: Policy, at alert: Alert) async throws(Withheld) -> ActionTarget

    /// The guardrails of this kind for an action that somebody or something asked for; called before it is stored.
    /// Automatic decisions are counted here, so that caps hold.
    /// - Parameter isAutomatic: false for what a person asked for.
    /// - Throws: `Withheld`; `budget` makes a proposal of it that a person can approve.
    func admit(_ action: StandingAction, isAutomatic: Bool) async throws(Withheld)

    /// Collects what is needed to act and to undo it, and evidence; changes nothing. What it returns is stored before
    /// `apply` is called.
    func prepare(_ action: StandingAction) async throws -> ActionPreparation

    /// Brings it about, or finds that it is so already. On an error nothing of it may be left in force.
    func apply(_ action: StandingAction) async throws

    /// Whether it is in force, looked up where it counts.
    func verify(_ action: StandingAction) async throws -> Bool

    /// Takes it back, or finds that it is so already; returns when that is verified.
    func undo(_ action: StandingAction) async throws

    /// The action is over and gone from the store.
    func forget(_ action: StandingAction) async

    /// Called once at the start with all actions of its kind that stand, before any of them is carried out again.
    func restore(_ actions: [StandingAction]) async throws

    /// Takes new settings; cannot fail.
    func update(_ configuration: Configuration.Response, allowed: [AllowEntry]) async

    /// Called about every second: looks for what others changed, and repairs it.
    func tend() async

    /// Why it can do nothing now; nil when it can.
    func obstacle() -> String?

    /// For `status`.
    func details() -> [Field]
}

/// What to act on, as one decision.
package struct ActionTarget: Sendable, Hashable {
    /// As in `ActionRecord.target`.
    package var target: String
    /// For people: why this target.
    package var reason: String
    /// Overrides the policy's, as for one that comes back.
    package var duration: Duration?

    package init(target: String, reason: String, duration: Duration? = nil) {
        self.target = target
        self.reason = reason
        self.duration = duration
    }
}

/// What `prepare` found out.
package struct ActionPreparation: Sendable {
    /// Becomes `StandingAction.detail`.
    package var detail: String
    package var evidencePath: String?
    /// Stored together with the intent.
    package var blocks: [Block]

    package init(detail: String = "", evidencePath: String? = nil, blocks: [Block] = []) {
        self.detail = detail
        self.evidencePath = evidencePath
        self.blocks = blocks
    }
}

/// A backend that knows within milliseconds what it takes to act: the intent is stored together with the decision.
package protocol ImmediateBackend: ActionBackend {
    /// `nil` when it takes longer than that, or cannot be: then `prepare` is called once the decision is stored.
    func prepareAtOnce(_ action: StandingAction) async -> ActionPreparation?
}
