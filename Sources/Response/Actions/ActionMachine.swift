package import IronpostCore

/// What may become of an action, and what each change leaves in the record: a pure function, carried out by the engine.
///
///     proposed ──approve──▶ applying ──done──▶ applied ──undo───▶ undoing ───▶ (undone)
///        │ start ────────────▲   │               └─────expire─▶ expiring ──▶ (expired)
///        └ lapse ─▶ (expired)    └ failed ─▶ (failed)
///
/// The engine stores the step (state and records in one transaction) before it gives the order, and again after.
package enum ActionMachine {
    package enum Event: Sendable, Hashable {
        /// A person agreed.
        case approve
        /// It may run by itself.
        case start
        /// Verified to be in force.
        case done
        case failed(String)
        /// The responder, which looks by itself, would not.
        case refused(String, String)
        /// A person takes it back, or does not want it.
        case undo(String)
        /// Nobody approved in time.
        case lapse
        /// Its time is over.
        case expire
        /// Verified to be taken back.
        case takenBack
    }

    package enum Order: Sendable, Hashable {
        case apply, takeBack
    }

    /// The outcome of an event: what to store, and then what to do.
    package struct Step: Sendable {
        /// As it stands now; `nil` when it is over.
        package var action: StandingAction?
        package var records: [ActionRecord]
        package var order: Order?
    }

    /// What an action's phase does not allow.
    package struct Fault: Error, Sendable, Hashable, CustomStringConvertible {
        package var description: String
    }

    /// - Parameters:
    ///   - now: the records' time.
    ///   - deadline: when the action is to be taken back, for the events that put it in force.
    package static func next(
        _ action: StandingAction, on event: Event, now: Timestamp, deadline: Deadline
    ) throws(Fault) -> Step {
        var next = action
        func record(_ state: ActionRecord.State, error: String? = nil) -> ActionRecord {
            ActionRecord(
                id: next.id, time: now, alertID: next.alertID, policyID: next.policyID, actionType: next.actionType,
                target: next.target, mode: next.mode, state: state, guardrail: next.guardrail,
                expiresAt: next.deadline.time, evidencePath: next.evidencePath, error: error
            )
        }
        switch (action.phase, event) {
        case (.proposed, .approve):
            next.phase = .applying
            next.deadline = deadline
            return Step(action: next, records: [record(.approved), record(.running)], order: .apply)
        case (.proposed, .start):
            next.phase = .applying
            next.deadline = deadline
            return Step(action: next, records: [record(.running)], order: .apply)
        case (.proposed, .lapse):
            return Step(action: nil, records: [record(.expired)], order: nil)
        case (.proposed, .undo(let why)):
            return Step(action: nil, records: [record(.undone, error: why)], order: nil)
        case (.applying, .done):
            next.phase = .applied
            return Step(action: next, records: [record(.done)], order: nil)
        case (.applying, .failed(let why)):
            return Step(action: nil, records: [record(.failed, error: why)], order: nil)
        case (.applying, .refused(let guardrail, let why)):
            next.guardrail = guardrail
            return Step(action: nil, records: [record(.withheld, error: why)], order: nil)
        case (.applied, .undo), (.applying, .undo):
            next.phase = .undoing
            return Step(action: next, records: [], order: .takeBack)
        case (.applied, .expire), (.applying, .expire):
            next.phase = .expiring
            return Step(action: next, records: [], order: .takeBack)
        case (.expiring, .undo):
            return Step(action: next, records: [], order: .takeBack)
        case (.undoing, .takenBack):
            return Step(action: nil, records: [record(.undone)], order: nil)
        case (.expiring, .takenBack):
            return Step(action: nil, records: [record(.expired)], order: nil)
        default:
            throw Fault(description: "an action that is \(action.phase.rawValue) cannot \(word(event))")
        }
    }

    /// What is still to be done about an action that was found in the store when the daemon started.
    package static func order(for phase: StandingAction.Phase) -> Order? {
        switch phase {
        // What was in force, the backend's `restore` has looked after.
        case .proposed, .applied: nil
        // In force or not: carrying it out again changes nothing that is there.
        case .applying: .apply
        case .undoing, .expiring: .takeBack
        }
    }

    private static func word(_ event: Event) -> String {
        switch event {
        case .approve: "be approved"
        case .start: "be started"
        case .done: "be done"
        case .failed: "fail"
        case .refused: "be refused"
        case .undo: "be undone"
        case .lapse: "lapse"
        case .expire: "expire"
        case .takenBack: "have been taken back"
        }
    }
}
