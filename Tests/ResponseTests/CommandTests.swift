import EventStore
import IronpostCore
import Synchronization
import Testing

@testable import Response

/// What people ask for, through the module itself.
@Suite struct ResponseCommandTests {
    static func engine(_ bench: Bench, mode: Configuration.Response.Mode) async throws -> ResponseEngine {
        var configuration = Configuration.Response()
        configuration.mode = mode
        let engine = try ResponseEngine(
            configuration: configuration, store: bench.store, backends: [bench.blocks], feed: Feed(),
            ledger: bench.ledger, time: bench.clock, boot: "boot", logger: quiet
        )
        try await engine.prepare()
        return engine
    }

    static func target(_ text: String) throws -> BlockTarget { try #require(BlockTarget(text)) }

    @Test func aBlockIsInForceWhenTheCallReturns() async throws {
        let bench = try await Bench()
        let engine = try await Self.engine(bench, mode: .enforce)
        let outcome = try await engine.block(
            BlockRequest(target: Self.target("203.0.113.0/24 tcp port 22"), duration: .seconds(60), reason: "why"))
        #expect(outcome.warning == nil && outcome.action.state == .done)
        #expect(outcome.action.expiresAt == bench.now.advanced(by: .seconds(60)))
        #expect(bench.table.targets == ["203.0.113.0/24 tcp port 22"])
        #expect(try await engine.unblock(Self.target("203.0.113.0/24")) == 0)
        #expect(try await engine.unblock(Self.target("203.0.113.0/24 tcp port 22")) == 1)
        #expect(try bench.table.targets.isEmpty && bench.store.blocks().isEmpty)
    }

    @Test(arguments: [Configuration.Response.Mode.observe, .ask])
    func whileNotEnforcingABlockIsStoredAndComesWithTheMode(mode: Configuration.Response.Mode) async throws {
        let bench = try await Bench()
        let engine = try await Self.engine(bench, mode: mode)
        let outcome = try await engine.block(
            BlockRequest(target: Self.target("203.0.113.7"), duration: nil, reason: ""))
        #expect(outcome.warning != nil && outcome.action.state == .proposed)
        #expect(bench.table.targets.isEmpty)
        #expect(try bench.store.blocks().map(\.isInForce) == [false])
        var configuration = Configuration()
        configuration.response.mode = .enforce
        let staged = try await engine.stage(configuration, generation: 2)
        await staged.commit()
        for _ in 0..<1000 where bench.table.targets.isEmpty { await Task.yield() }
        while try bench.states() != ["done"] { await Task.yield() }
        #expect(bench.table.targets == ["203.0.113.7"])
        #expect(try bench.store.blocks().map(\.isInForce) == [true])
    }

    @Test(arguments: ["127.0.0.1", "0.0.0.0/0", "198.51.100.0/24"])
    func guardrailsHoldForPeopleToo(text: String) async throws {
        let bench = try await Bench(own: GuardTests.addresses("198.51.100.1"))
        let engine = try await Self.engine(bench, mode: .enforce)
        let error = await #expect(throws: ResponseRefusal.self) {
            _ = try await engine.block(BlockRequest(target: Self.target(text), duration: nil, reason: ""))
        }
        #expect(error?.reason == .withheld && error?.guardrail != nil)
        #expect(bench.table.targets.isEmpty)
        #expect(try bench.store.actions(limit: 9).map(\.state) == [.withheld])
    }

    @Test func aSecondBlockOfTheSameReplacesTheFirst() async throws {
        let bench = try await Bench()
        let engine = try await Self.engine(bench, mode: .enforce)
        for seconds in [60, 6000] {
            _ = try await engine.block(
                BlockRequest(target: Self.target("203.0.113.7"), duration: .seconds(seconds), reason: ""))
        }
        #expect(bench.table.state.withLock { $0.entries.values.first } == .seconds(6000))
        #expect(try bench.store.blocks().count == 1 && bench.store.standingActions().count == 1)
        #expect(try bench.states() == ["undone", "done"] || bench.states() == ["done", "undone"])
    }

    @Test func aListIsOneActionWithItsOwnTimes() async throws {
        let bench = try await Bench(own: GuardTests.addresses("198.51.100.1"))
        let engine = try await Self.engine(bench, mode: .enforce)
        let entries = try ["203.0.113.1", "203.0.113.2", "198.51.100.0/24", "2001:db8::/32"].map {
            BlockImport.Entry(target: try Self.target($0), duration: $0 == "203.0.113.1" ? .seconds(10) : nil)
        }
        let outcome = try await engine.importBlocks(
            BlockImport(name: "list.txt", entries: entries, duration: .seconds(100), reason: ""))
        #expect(outcome.count == 3 && outcome.skippedCount == 1 && outcome.skipped[0].contains("198.51.100.0/24"))
        #expect(bench.table.targets == ["203.0.113.1", "203.0.113.2", "2001:db8::/32"])
        let first = try Self.target("203.0.113.1")
        #expect(bench.table.state.withLock { $0.entries[first] } == .seconds(10))
        #expect(try await engine.unblock(Self.target("203.0.113.2")) == 1)
        #expect(bench.table.targets == ["203.0.113.1", "2001:db8::/32"])
        _ = try await engine.undo(action: outcome.action.id)
        #expect(try bench.table.targets.isEmpty && bench.store.blocks().isEmpty)
    }

    /// The kernel lets go of an entry by itself; it is gone from the store and the lists of people then, too.
    @Test func entriesOfAListEndOneByOne() async throws {
        let bench = try await Bench()
        let engine = try await Self.engine(bench, mode: .enforce)
        func take(_ name: String, _ entries: [(String, Int)]) async throws {
            let entries = try entries.map {
                BlockImport.Entry(target: try Self.target($0.0), duration: .seconds($0.1))
            }
            _ = try await engine.importBlocks(
                BlockImport(name: name, entries: entries, duration: .seconds(1000), reason: ""))
        }
        func stored() throws -> Set<String> { Set(try bench.store.blocks().map(\.target.description)) }
        try await take("a", [("203.0.113.1", 10), ("203.0.113.2", 500)])
        bench.clock.advance(by: .seconds(2))
        await bench.blocks.tend()
        // Ends before the one that was next before it came.
        try await take("b", [("203.0.113.3", 3), ("203.0.113.4", 500)])
        bench.clock.advance(by: .seconds(4))
        await bench.blocks.tend()
        #expect(try stored() == ["203.0.113.1", "203.0.113.2", "203.0.113.4"])
        bench.clock.advance(by: .seconds(5))
        await bench.blocks.tend()
        #expect(try stored() == ["203.0.113.2", "203.0.113.4"])
    }

    /// Who is logged in only the responder knows: it takes one out of a list, not the list away.
    @Test func whatTheResponderForbidsIsLeftOutOfAList() async throws {
        let bench = try await Bench()
        let engine = try await Self.engine(bench, mode: .enforce)
        bench.table.state.withLock { $0.forbidden = ["203.0.113.2"] }
        let entries = try ["203.0.113.1", "203.0.113.2", "203.0.113.3"].map {
            BlockImport.Entry(target: try Self.target($0), duration: nil)
        }
        let outcome = try await engine.importBlocks(
            BlockImport(name: "list.txt", entries: entries, duration: .seconds(100), reason: ""))
        #expect(outcome.count == 2 && outcome.skippedCount == 1 && outcome.action.state == .done)
        #expect(outcome.skipped == ["somebody is logged in from there"])
        #expect(bench.table.targets == ["203.0.113.1", "203.0.113.3"])
        #expect(Set(try bench.store.blocks().map(\.target.description)) == ["203.0.113.1", "203.0.113.3"])
        // Nothing but what is forbidden: the list is withheld.
        let error = await #expect(throws: ResponseRefusal.self) {
            let entry = BlockImport.Entry(target: try Self.target("203.0.113.2"), duration: nil)
            _ = try await engine.importBlocks(
                BlockImport(name: "one.txt", entries: [entry], duration: .seconds(100), reason: ""))
        }
        #expect(error?.reason == .withheld && error?.guardrail == "operator_session")
        #expect(try bench.store.blocks().count == 2)
    }

    @Test func flushLiftsEverything() async throws {
        let bench = try await Bench()
        let engine = try await Self.engine(bench, mode: .enforce)
        for host in 1...3 {
            _ = try await engine.block(
                BlockRequest(target: Self.target("203.0.113.\(host)"), duration: nil, reason: ""))
        }
        #expect(try await engine.flushBlocks() == 3)
        #expect(try bench.table.targets.isEmpty && bench.store.blocks().isEmpty)
    }

    @Test func allowingLiftsAndKeepsAway() async throws {
        let bench = try await Bench()
        let engine = try await Self.engine(bench, mode: .enforce)
        _ = try await engine.block(BlockRequest(target: Self.target("203.0.113.7"), duration: nil, reason: ""))
        try await engine.allow(try #require(IPNetwork("203.0.113.0/24")), reason: "ours")
        #expect(bench.table.targets.isEmpty)
        await #expect(throws: ResponseRefusal.self) {
            _ = try await engine.block(BlockRequest(target: Self.target("203.0.113.7"), duration: nil, reason: ""))
        }
        #expect(try await engine.disallow(try #require(IPNetwork("203.0.113.0/24"))))
        #expect(try await !engine.disallow(try #require(IPNetwork("203.0.113.0/24"))))
        _ = try await engine.block(BlockRequest(target: Self.target("203.0.113.7"), duration: nil, reason: ""))
        #expect(bench.table.targets == ["203.0.113.7"])
    }

    @Test func undoingWhatIsOverIsAConflict() async throws {
        let bench = try await Bench()
        let engine = try await Self.engine(bench, mode: .enforce)
        let outcome = try await engine.block(
            BlockRequest(target: Self.target("203.0.113.7"), duration: nil, reason: ""))
        _ = try await engine.undo(action: outcome.action.id)
        let again = await #expect(throws: ResponseRefusal.self) { try await engine.undo(action: outcome.action.id) }
        #expect(again?.reason == .conflict)
        let unknown = await #expect(throws: ResponseRefusal.self) { try await engine.undo(action: .make(at: start)) }
        #expect(unknown?.reason == .unknown)
    }
}
