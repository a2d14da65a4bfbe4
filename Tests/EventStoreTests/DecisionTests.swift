import EventStore
import IronpostCore
import Testing

@Suite struct DecisionTests {
    let directory: TemporaryDirectory
    let store: EventStore
    static let deadline = Deadline(time: start.advanced(by: .seconds(600)), boot: "boot", uptime: 42)

    init() throws {
        directory = try TemporaryDirectory()
        store = try EventStore(path: directory.database)
    }

    static func action(_ target: String, phase: StandingAction.Phase = .applying) -> StandingAction {
        StandingAction(
            id: .make(at: start), actionType: "network_block", target: target, alertID: .make(at: start),
            policyID: "p", mode: "enforce", phase: phase, origin: .policy, reason: "a \"reason\"", created: start,
            duration: .seconds(600), deadline: deadline, detail: "{}", guardrail: nil, evidencePath: "e"
        )
    }

    static func block(_ target: String, _ action: UUIDv7, isInForce: Bool = true) throws -> Block {
        Block(
            target: try #require(BlockTarget(target)), actionID: action, origin: .policy, reason: "r", created: start,
            deadline: deadline, isInForce: isInForce
        )
    }

    @Test func everythingComesBackAsItWasAlsoAfterAReopening() throws {
        let action = Self.action("203.0.113.7")
        var change = DecisionChange()
        change.standing = [action]
        change.blocks = [
            try Self.block("203.0.113.7", action.id),
            try Self.block("2001:db8::/32 tcp port 22", action.id, isInForce: false),
        ]
        let network = try #require(IPNetwork("10.0.0.0/8"))
        change.allowed = [AllowEntry(network: network, reason: "ours", created: start)]
        let silence = Silence(
            id: .make(at: start), rule: "r", fields: [Field("src_ip", "10.*")], reason: "noise", created: start,
            ends: start.advanced(by: .seconds(60)), suppressed: 3
        )
        change.silences = [silence]
        change.cursor = DecisionChange.Cursor(reader: "response", sequence: 7)
        try store.commit(change)
        try store.close()
        let again = try EventStore(path: directory.database)
        #expect(try again.standingActions() == [action])
        #expect(try Set(again.blocks()) == Set(change.blocks))
        #expect(try again.allowed() == change.allowed)
        #expect(try again.silences() == [silence])
        #expect(try again.cursor(of: "response") == 7)
        #expect(try again.cursor(of: "another") == nil)
    }

    @Test func whatEndsIsGone() throws {
        let (one, other) = (Self.action("203.0.113.1"), Self.action("203.0.113.2"))
        var change = DecisionChange()
        change.standing = [one, other]
        change.blocks = [try Self.block("203.0.113.1", one.id), try Self.block("203.0.113.2", other.id)]
        try store.commit(change)
        var end = DecisionChange()
        end.ended = [one.id]
        end.blocksRemovedOf = [one.id]
        try store.commit(end)
        #expect(try store.standingActions() == [other])
        #expect(try store.blocks().map(\.actionID) == [other.id])
        var remove = DecisionChange()
        remove.blocksRemoved = [try #require(BlockTarget("203.0.113.2"))]
        try store.commit(remove)
        #expect(try store.blocks() == [])
    }

    /// The record and the state belong to one transaction: what the chain does not take, the state does not get.
    @Test func stateAndRecordAreOneTransaction() throws {
        var change = DecisionChange()
        change.standing = [Self.action("203.0.113.1")]
        change.records = [ActionLogTests.record(1), ActionLogTests.record(2)]
        try store.commit(change)
        #expect(try store.actions(limit: 10).count == 2)
        #expect(try store.verify() == nil)
    }

    @Test func alertsComeInTheOrderOfTheirCommits() throws {
        for number in 1...5 { _ = try store.commit(AlertTransaction(inserts: [sampleAlert(number)])) }
        let first = try store.alerts(after: 0, limit: 2)
        #expect(first.map(\.sequence) == [1, 2])
        let rest = try store.alerts(after: first[1].sequence, limit: 10)
        #expect(rest.map(\.alert.firstSeen) == (3...5).map { sampleAlert($0).firstSeen })
        #expect(try store.lastSequence() == 5)
        // Retention does not make numbers be used again.
        _ = try store.removeExpired(
            before: start.advanced(by: .seconds(100)), horizon: start.advanced(by: .seconds(200)), rowsMax: 10)
        #expect(try store.lastSequence() == 5)
    }

    @Test func historyCountsWhatWasDone() throws {
        var records: [ActionRecord] = []
        for (number, state) in [ActionRecord.State.running, .done, .undone, .running, .done].enumerated() {
            let time = start.advanced(by: .seconds(number))
            records.append(
                ActionRecord(
                    id: .make(at: time), time: time, actionType: "network_block", target: "203.0.113.7",
                    mode: "enforce", state: state
                ))
        }
        try store.append(records)
        let all = try store.history(actionType: "network_block", target: "203.0.113.7", since: start)
        #expect(all == ActionHistory(count: 2, lastUndone: records[2].time))
        let late = try store.history(
            actionType: "network_block", target: "203.0.113.7", since: start.advanced(by: .seconds(3)))
        #expect(late == ActionHistory(count: 1, lastUndone: nil))
        #expect(try store.latestActions(ActionQuery(state: .done)).count == 2)
    }
}
