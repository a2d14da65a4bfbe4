import EventStore
import IronpostCore
import Synchronization
import Testing

@testable import Response

@Suite struct DeskTests {
    @Test func aProvenAttackerIsBlockedAndTheRecordSaysEachStep() async throws {
        let bench = try await Bench()
        try await bench.raise(alert(at: bench.now))
        #expect(bench.table.targets == ["203.0.113.7"])
        let records = try bench.store.actions(limit: 10).reversed()
        #expect(records.map(\.state) == [.proposed, .running, .done])
        #expect(records.allSatisfy { $0.expiresAt == bench.now.advanced(by: .seconds(4 * 3600)) })
        #expect(try bench.store.verify() == nil)
        #expect(bench.ledger.entries().first { $0.hop == "response" }.map { [$0.accepted, $0.stored] } == [1, 1])
    }

    @Test func observingOnlyShows() async throws {
        let bench = try await Bench(mode: .observe)
        try await bench.raise(alert(at: bench.now))
        #expect(bench.table.targets.isEmpty)
        let record = try #require(try bench.store.actions(limit: 10).first)
        #expect(record.state == .proposed && record.mode == "observe")
        #expect(await bench.desk.actions.isEmpty)
    }

    static let withheld: [(guardrail: String, alert: @Sendable (Timestamp) -> Alert)] = [
        ("proof", { alert(confidence: nil, at: $0) }),
        ("proof", { alert(nil, at: $0) }),
        ("proof", { alert("203.0.113.7%eth0", at: $0) }),
        ("proof", { alert("not an address", at: $0) }),
        ("stale", { alert(at: $0.advanced(by: .seconds(-61))) }),
        ("demo", { alert(labels: ["demo": "true"], at: $0) }),
        ("own_address", { alert("198.51.100.1", at: $0) }),
        ("operator_session", { alert("198.51.100.22", at: $0) }),
        ("reserved", { alert("127.0.0.1", at: $0) }),
        ("reserved", { alert("::ffff:127.0.0.1", at: $0) }),
        ("allow_list", { alert("192.0.2.9", at: $0) }),
    ]

    @Test(arguments: withheld.indices)
    func guardrailsHoldAndAreNamed(index: Int) async throws {
        let bench = try await Bench(
            own: GuardTests.addresses("198.51.100.1"), sessions: GuardTests.addresses("198.51.100.22"),
            change: { $0.allow = ["192.0.2.0/24"].compactMap { IPNetwork($0) } })
        let (guardrail, make) = Self.withheld[index]
        try await bench.raise(make(bench.now))
        #expect(bench.table.targets.isEmpty)
        #expect(try bench.states() == ["withheld:\(guardrail)"])
        #expect(Guardrail(rawValue: guardrail) != nil)
    }

    @Test func aPolicyMayAskForAWriterThatIsKnown() async throws {
        var policy = Policy.builtIn
        policy.match.confidence = .trustedWriter
        let bench = try await Bench(policies: [policy])
        try await bench.raise(alert(confidence: .file, at: bench.now))
        #expect(try bench.states() == ["withheld:proof"])
        try await bench.raise(alert("203.0.113.8", confidence: .trustedWriter, at: bench.now))
        #expect(bench.table.targets == ["203.0.113.8"])
    }

    @Test func askingWaitsForAPersonAndLapses() async throws {
        let bench = try await Bench(mode: .ask)
        try await bench.raise(alert(at: bench.now), alert("203.0.113.8", at: bench.now))
        #expect(bench.table.targets.isEmpty)
        #expect(try bench.states() == ["proposed", "proposed"])
        let first = try #require(await bench.desk.actions.values.first { $0.target == "203.0.113.7" })
        // The time that it holds begins with the approval.
        bench.clock.advance(by: .seconds(600))
        let approved = try await bench.desk.approve(first.id)
        #expect(approved.state == .done && approved.expiresAt == bench.now.advanced(by: .seconds(4 * 3600)))
        #expect(bench.table.targets == ["203.0.113.7"])
        #expect(try bench.store.transitions(of: first.id).map(\.state) == [.proposed, .approved, .running, .done])
        bench.clock.advance(by: .seconds(3601))
        try await bench.settle()
        #expect(try bench.states() == ["expired", "done"])
        await #expect(throws: ResponseRefusal.self) { try await bench.desk.approve(first.id) }
    }

    @Test func blocksEndByThemselvesAndByAPerson() async throws {
        let bench = try await Bench()
        try await bench.raise(alert(at: bench.now), alert("203.0.113.8", at: bench.now))
        let one = try #require(await bench.desk.actions.values.first { $0.target == "203.0.113.7" })
        let undone = try await bench.desk.undo(one.id, because: "test")
        #expect(undone.state == .undone && bench.table.targets == ["203.0.113.8"])
        bench.clock.advance(by: .seconds(4 * 3600 - 1))
        try await bench.settle()
        #expect(bench.table.targets == ["203.0.113.8"])
        bench.clock.advance(by: .seconds(1))
        try await bench.settle()
        #expect(bench.table.targets.isEmpty)
        #expect(try Set(bench.states()) == ["undone", "expired"])
        #expect(await bench.desk.actions.isEmpty)
        #expect(try bench.store.blocks().isEmpty && bench.store.standingActions().isEmpty)
    }

    @Test func theWallClockMovesNothing() async throws {
        let bench = try await Bench()
        try await bench.raise(alert(at: bench.now))
        bench.clock.jump(to: bench.now.advanced(by: .seconds(365 * 86_400)))
        try await bench.settle()
        #expect(bench.table.targets == ["203.0.113.7"])
        bench.clock.jump(to: start.advanced(by: .seconds(-365 * 86_400)))
        bench.clock.advance(by: .seconds(4 * 3600))
        try await bench.settle()
        #expect(bench.table.targets.isEmpty)
    }

    @Test func anAddressThatComesBackIsBlockedLonger() async throws {
        let bench = try await Bench(change: { configuration in
            configuration.defaultTTL = .seconds(60)
            configuration.ttlMax = .seconds(200)
        })
        var durations: [Duration?] = []
        for _ in 0..<4 {
            try await bench.raise(alert(at: bench.now))
            durations.append(bench.table.state.withLock { $0.entries.values.first })
            bench.clock.advance(by: .seconds(201))
            try await bench.settle()
        }
        #expect(durations == [.seconds(60), .seconds(120), .seconds(200), .seconds(200)])
    }

    @Test func whatAPersonUndidIsLeftAloneForAWhile() async throws {
        let bench = try await Bench()
        try await bench.raise(alert(at: bench.now))
        let action = try #require(await bench.desk.actions.values.first)
        _ = try await bench.desk.undo(action.id, because: "test")
        try await bench.raise(alert(at: bench.now))
        #expect(try bench.states() == ["withheld:cooldown", "undone"])
        bench.clock.advance(by: .seconds(601))
        try await bench.raise(alert(at: bench.now))
        #expect(bench.table.targets == ["203.0.113.7"])
    }

    @Test func nothingIsBlockedTwice() async throws {
        let bench = try await Bench()
        try await bench.raise(alert(at: bench.now), alert(at: bench.now))
        try await bench.raise(alert(at: bench.now))
        #expect(try Set(bench.states()) == ["done", "withheld:already_in_force"])
        #expect(bench.table.state.withLock { $0.adds.values.max() } == 1)
    }

    @Test func neighboursAreBlockedTogetherOnlyOnEvidence() async throws {
        let bench = try await Bench(change: { $0.aggregateIPv4 = 3 })
        for host in 1...3 { try await bench.raise(alert("203.0.113.\(host)", at: bench.now)) }
        #expect(bench.table.targets == ["203.0.113.1", "203.0.113.2", "203.0.113.3"])
        try await bench.raise(alert("203.0.114.1", at: bench.now))
        try await bench.raise(alert("203.0.113.4", at: bench.now))
        #expect(bench.table.targets.contains("203.0.113.0/24") && !bench.table.targets.contains("203.0.114.0/24"))
        // Whoever is in there already is blocked.
        try await bench.raise(alert("203.0.113.5", at: bench.now))
        #expect(try bench.states().first == "withheld:already_in_force")
    }

    @Test func aNetworkWithSomethingOfOursInItIsNotBlockedWhole() async throws {
        let bench = try await Bench(own: GuardTests.addresses("203.0.113.200"), change: { $0.aggregateIPv4 = 2 })
        for host in 1...4 { try await bench.raise(alert("203.0.113.\(host)", at: bench.now)) }
        #expect(bench.table.targets == Set((1...4).map { "203.0.113.\($0)" }))
    }

    @Test func aTableThatFailsLeavesNothingInForceAndARecord() async throws {
        let bench = try await Bench()
        bench.table.state.withLock { $0.failures = 1 }
        try await bench.raise(alert(at: bench.now))
        #expect(bench.table.targets.isEmpty)
        #expect(try bench.states() == ["failed"])
        // The next alert is not the worse for it.
        try await bench.raise(alert(at: bench.now))
        #expect(bench.table.targets == ["203.0.113.7"])
    }

    @Test func aLiftThatFailsIsTriedAgain() async throws {
        let bench = try await Bench()
        try await bench.raise(alert(at: bench.now))
        bench.clock.advance(by: .seconds(4 * 3600))
        bench.table.state.withLock { $0.failures = 2 }
        try await bench.settle()
        #expect(bench.table.targets == ["203.0.113.7"])
        for _ in 0..<3 {
            bench.clock.advance(by: .seconds(2))
            try await bench.settle()
        }
        #expect(bench.table.targets.isEmpty)
        #expect(try bench.states() == ["expired"])
    }

    /// 10,000 alerts of 10,000 sources within a minute.
    @Test func aStormMeetsCapsAndEveryWithheldActionSaysWhy() async throws {
        let bench = try await Bench(change: { configuration in
            configuration.blocksPerMinute = 50
            configuration.blocksPerHour = 120
        })
        var number = 0
        for minute in 0..<5 {
            for _ in 0..<8 {
                let alerts = (0..<250).map { _ in
                    number += 1
                    return alert("100.\(64 + number / 65_536).\(number / 256 % 256).\(number % 256)", at: bench.now)
                }
                _ = try bench.store.commit(AlertTransaction(inserts: alerts))
            }
            while try bench.store.cursor(of: "response") ?? 0 < Int64(number) { try await bench.settle() }
            await bench.desk.settledAll()
            #expect(bench.table.targets.count == min(50 * (minute + 1), 120))
            bench.clock.advance(by: .seconds(61))
        }
        let states = try bench.states()
        #expect(states.count == number)
        #expect(states.allSatisfy { $0 == "done" || $0.contains(":") })
        let counts = Dictionary(grouping: states, by: { $0 }).mapValues(\.count)
        #expect(counts["done"] == 120)
        // Beyond the hour's budget they wait for a person, and so many as may wait.
        #expect(counts["proposed:budget"] == 1000)
        #expect(Set(counts.keys) == ["done", "withheld:rate_cap", "proposed:budget", "withheld:too_many_proposals"])
        #expect(try bench.store.verify() == nil)
    }
}
