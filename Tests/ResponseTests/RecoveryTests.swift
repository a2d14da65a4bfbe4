import EventStore
import IronpostCore
import Synchronization
import Testing

@testable import Response

/// What a crash leaves: every phase that can be found in the store, with and without the deed in the kernel.
@Suite struct RecoveryTests {
    static let cases: [(phase: StandingAction.Phase, inKernel: Bool, ends: String, inForce: Bool)] = [
        (.proposed, false, "done", true), (.applying, false, "done", true), (.applying, true, "done", true),
        (.applied, false, "done", true), (.applied, true, "done", true), (.undoing, true, "undone", false),
        (.undoing, false, "undone", false), (.expiring, true, "expired", false), (.expiring, false, "expired", false),
    ]

    @Test(arguments: cases.indices)
    func whateverPhaseIsFoundKernelAndRecordAgreeAfterwards(index: Int) async throws {
        let (phase, inKernel, ends, inForce) = Self.cases[index]
        let before = try await Bench()
        let target = try #require(BlockTarget("203.0.113.7"))
        let deadline = Deadline(after: .seconds(600), clock: before.clock, boot: "boot")
        let action = StandingAction(
            id: .make(at: start), actionType: "network_block", target: target.description, alertID: .make(at: start),
            policyID: "p", mode: "enforce", phase: phase, origin: .policy, reason: "r", created: start,
            duration: .seconds(600), deadline: deadline
        )
        var change = DecisionChange()
        change.standing = [action]
        if phase != .proposed {
            change.blocks = [
                Block(
                    target: target, actionID: action.id, origin: .policy, reason: "r", created: start,
                    deadline: deadline, isInForce: true)
            ]
        }
        let written: [StandingAction.Phase: [ActionRecord.State]] = [
            .proposed: [.proposed], .applying: [.proposed, .running], .applied: [.proposed, .running, .done],
            .undoing: [.proposed, .running, .done], .expiring: [.proposed, .running, .done],
        ]
        for state in written[phase] ?? [] { change.records.append(await before.desk.record(of: action, state)) }
        try before.store.commit(change)
        if inKernel { before.table.state.withLock { $0.entries[target] = .seconds(600) } }

        let after = try await Bench(on: before)
        await after.desk.settledAll()
        #expect(after.table.targets == (inForce ? ["203.0.113.7"] : []))
        let last = try #require(try after.store.latestActions(ActionQuery()).first)
        #expect(last.state.rawValue == ends)
        #expect(try after.store.standingActions().map(\.phase) == (inForce ? [.applied] : []))
        #expect(try after.store.blocks().count == (inForce ? 1 : 0))
        // Nothing twice: what stood in the kernel with its right time is left alone where nothing was under way.
        if phase == .applied, inKernel { #expect(after.table.state.withLock { $0.adds.isEmpty }) }
        #expect(try after.store.verify() == nil)
        let states = try after.store.transitions(of: action.id).map(\.state)
        #expect(states.count == Set(states).count)
    }

    @Test func aProposalThatIsTooOldIsNotActedUpon() async throws {
        let before = try await Bench()
        let action = StandingAction(
            id: .make(at: start), actionType: "network_block", target: "203.0.113.7", mode: "enforce", phase: .proposed,
            origin: .policy, reason: "r", created: start, duration: .seconds(600),
            deadline: Deadline(after: .seconds(600), clock: before.clock, boot: "boot")
        )
        var change = DecisionChange()
        change.standing = [action]
        change.records = [await before.desk.record(of: action, .proposed)]
        try before.store.commit(change)
        before.clock.advance(by: .seconds(61))
        let after = try await Bench(on: before)
        await after.desk.settledAll()
        #expect(after.table.targets.isEmpty)
        #expect(try after.states() == ["withheld:stale"])
    }

    @Test func alertsOfTheTimeBetweenAreStaleAfterAMinuteAndNotBefore() async throws {
        let before = try await Bench()
        _ = try before.store.commit(AlertTransaction(inserts: [alert(at: before.now)]))
        before.clock.advance(by: .seconds(30))
        _ = try before.store.commit(AlertTransaction(inserts: [alert("203.0.113.8", at: before.now)]))
        before.clock.advance(by: .seconds(31))
        let after = try await Bench(on: before)
        try await after.settle()
        #expect(after.table.targets == ["203.0.113.8"])
        #expect(try Set(after.states()) == ["withheld:stale", "done"])
    }

    @Test func theFirstRunDoesNotActOnWhatIsThere() async throws {
        let directory = try TemporaryDirectory()
        let store = try EventStore(path: directory.path + "/data/ironpost.db")
        _ = try store.commit(AlertTransaction(inserts: [alert(at: start)]))
        try store.close()
        let bench = try await Bench()
        try await bench.settle()
        #expect(bench.table.targets.isEmpty)
    }

    @Test func afterAnotherBootTheWallClockDecides() async throws {
        let before = try await Bench()
        try await before.raise(alert(at: before.now))
        before.table.state.withLock { $0.entries = [:] }
        before.clock.advance(by: .seconds(3600))
        let after = try await Bench(on: before, boot: "another")
        #expect(after.table.state.withLock { $0.entries.values.first } == .seconds(3 * 3600))
        before.clock.advance(by: .seconds(3 * 3600))
        try await after.settle()
        #expect(after.table.targets.isEmpty)
    }

    @Test func whatOthersChangeIsRepaired() async throws {
        let bench = try await Bench()
        try await bench.raise(alert(at: bench.now), alert("203.0.113.8", at: bench.now))
        let (ours, foreign) = try (#require(BlockTarget("203.0.113.7")), #require(BlockTarget("198.51.100.1")))
        bench.table.state.withLock { state in
            state.entries[ours] = nil
            state.entries[foreign] = .seconds(60)
            state.generation += 1
        }
        bench.clock.advance(by: .seconds(6))
        try await bench.settle()
        #expect(bench.table.targets == ["203.0.113.7", "203.0.113.8"])
    }

    /// Somebody logs in from a blocked address: a table that is filled again lacks that one, for as long, and only that.
    @Test func whatIsForbiddenMeanwhileTakesNothingElseAway() async throws {
        let before = try await Bench()
        try await before.raise(alert(at: before.now), alert("203.0.113.8", at: before.now))
        before.table.state.withLock { state in
            state.entries = [:]
            state.forbidden = ["203.0.113.7"]
        }
        let after = try await Bench(on: before)
        #expect(after.table.targets == ["203.0.113.8"])
        #expect(after.blocks.obstacle() == nil)
        let details = after.blocks.details()
        #expect(details.contains(Field("blocks", "1 in force")) && details.contains { $0.name == "not blocked" })
        after.table.state.withLock { $0.forbidden = [] }
        after.clock.advance(by: .seconds(61))
        try await after.settle()
        #expect(after.table.targets == ["203.0.113.7", "203.0.113.8"])
        #expect(after.blocks.details().contains(Field("blocks", "2 in force")))
    }

    /// A long list takes several transactions: who looks after the table meanwhile does not take them for a stranger's.
    @Test func whatIsBeingAddedIsNotRepaired() async throws {
        let bench = try await Bench()
        try await bench.raise(alert("203.0.113.8", at: bench.now))
        bench.clock.advance(by: .seconds(6))
        let before = bench.table.state.withLock { $0.lists }
        bench.table.state.withLock { state in state.meanwhile = { [blocks = bench.blocks] in await blocks.tend() } }
        try await bench.raise(alert(at: bench.now))
        #expect(bench.table.targets == ["203.0.113.7", "203.0.113.8"])
        #expect(bench.table.state.withLock { $0.adds.values.allSatisfy { $0 == 1 } && $0.lists == before })
        // And afterwards others' changes are found as ever.
        bench.table.state.withLock { state in
            (state.entries, state.meanwhile) = ([:], nil)
            state.generation += 1
        }
        bench.clock.advance(by: .seconds(6))
        try await bench.settle()
        #expect(bench.table.targets == ["203.0.113.7", "203.0.113.8"])
    }

    @Test func whatWasFlushedWithoutTheDaemonStaysAway() async throws {
        let bench = try await Bench()
        try await bench.raise(alert(at: bench.now))
        var change = DecisionChange()
        change.ended = try bench.store.standingActions().map(\.id)
        change.blocksRemovedOf = change.ended
        try bench.store.commit(change)
        bench.table.state.withLock { state in
            state.entries = [:]
            state.generation += 1
        }
        bench.clock.advance(by: .seconds(6))
        try await bench.settle()
        #expect(bench.table.targets.isEmpty)
    }
}
