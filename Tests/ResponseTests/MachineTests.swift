import IronpostCore
import Testing

@testable import Response

/// Every event in every phase: what is allowed, and what it leaves in the record.
@Suite struct MachineTests {
    static let deadline = Deadline(time: start.advanced(by: .seconds(60)), boot: "b", uptime: 60)

    static func action(_ phase: StandingAction.Phase) -> StandingAction {
        StandingAction(
            id: .make(at: start), actionType: "network_block", target: "203.0.113.7", mode: "enforce", phase: phase,
            origin: .policy, reason: "r", created: start, duration: .seconds(60), deadline: deadline
        )
    }

    static let events: [ActionMachine.Event] = [
        .approve, .start, .done, .failed("e"), .refused("gateway", "e"), .undo("u"), .lapse, .expire, .takenBack,
    ]

    /// `phase event: next phase, records, order`; what is not here is refused.
    static let table = """
        proposed approve: applying approved,running apply
        proposed start: applying running apply
        proposed undo: - undone -
        proposed lapse: - expired -
        applying done: applied done -
        applying failed: - failed -
        applying refused: - withheld -
        applying undo: undoing - takeBack
        applying expire: expiring - takeBack
        applied undo: undoing - takeBack
        applied expire: expiring - takeBack
        undoing takenBack: - undone -
        expiring undo: expiring - takeBack
        expiring takenBack: - expired -
        """

    @Test func theTableOfChanges() {
        var lines: [String] = []
        for phase in StandingAction.Phase.allCases {
            for event in Self.events {
                do throws(ActionMachine.Fault) {
                    let step = try ActionMachine.next(
                        Self.action(phase), on: event, now: start, deadline: Self.deadline)
                    let name = "\(event)".prefix { $0 != "(" }
                    let records = step.records.map(\.state.rawValue).joined(separator: ",")
                    let order = step.order.map { "\($0)" } ?? "-"
                    lines.append(
                        "\(phase.rawValue) \(name): \(step.action?.phase.rawValue ?? "-") "
                            + "\(records.isEmpty ? "-" : records) \(order)"
                    )
                } catch {
                    #expect(error.description.contains(phase.rawValue))
                }
            }
        }
        #expect(Set(lines) == Set(Self.table.split(separator: "\n").map(String.init)))
    }

    @Test func whatIsFoundAtTheStartIsGoneOnWith() {
        #expect(ActionMachine.order(for: .proposed) == nil && ActionMachine.order(for: .applied) == nil)
        #expect(ActionMachine.order(for: .applying) == .apply)
        #expect(ActionMachine.order(for: .undoing) == .takeBack && ActionMachine.order(for: .expiring) == .takeBack)
    }

    @Test func recordsCarryWhatTheyAreAbout() throws {
        var action = Self.action(.proposed)
        action.alertID = .make(at: start)
        action.policyID = "p"
        let step = try ActionMachine.next(action, on: .approve, now: start, deadline: Self.deadline)
        for record in step.records {
            #expect(record.id == action.id && record.alertID == action.alertID && record.policyID == "p")
            #expect(record.target == "203.0.113.7" && record.expiresAt == Self.deadline.time)
        }
    }

    @Test func aWindowForgetsWhatIsOld() {
        var window = RateWindow(limit: 2, per: .seconds(10))
        let moments: [Int64] = [0, 5_000, 9_999, 10_000, 14_000, 15_000]
        let taken = moments.map { window.take(at: $0 * 1_000_000) }
        #expect(taken == [true, true, false, true, false, true])
        // Long and busy: what it remembers does not grow.
        var admitted = 0
        for second in 0..<5000 where window.take(at: Int64(20 + second * 10) * 1_000_000_000) { admitted += 1 }
        #expect(admitted == 5000)
    }
}
