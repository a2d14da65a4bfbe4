import AlertHub
import EventStore
import IronpostCore
import Synchronization
import Testing

@Suite(.timeLimit(.minutes(2))) struct AlertHubTests {
    @Test func batchesAreStoredAndAcknowledged() async throws {
        let rig = try Rig()
        try await rig.send([event(0), event(1)], checkpoints: [Checkpoint(key: "f", value: "1")])
        try await rig.send([], checkpoints: [Checkpoint(key: "f", value: "2")])
        await eventually("both are acknowledged") { rig.told == [true, true] }
        #expect(try rig.store.store.checkpoints() == [Checkpoint(key: "f", value: "2")])
        rig.time.advance(by: .seconds(5))
        try await rig.send([event(2, count: 4)])
        try await rig.stop()
        #expect(try rig.stored.map(\.time) == [5, 0, 0].map { start.advanced(by: .seconds($0)) })
        #expect(rig.entry("alert").accepted == 6)
        #expect(rig.entry("alert").stored == 6)
        #expect(rig.entry("store").stored == 3)
    }

    @Test func nothingIsShownOrAcknowledgedBeforeItIsStored() async throws {
        let rig = try Rig()
        let watch = try #require(rig.feed.subscribe())
        let shown = Mutex<[(alert: Alert, isStored: Bool)]>([])
        let watcher = Task { [store = rig.store] in
            for await alert in watch.elements {
                let isStored = try store.store.alert(id: alert.id) == alert
                shown.withLock { $0.append((alert, isStored)) }
            }
        }
        rig.store.close()
        try await rig.send([event(0)])
        await eventually("the commit waits") { rig.store.waiting == 1 }
        #expect(rig.told.isEmpty)
        #expect(shown.withLock { $0.isEmpty })
        #expect(rig.entry("alert").stored == 0)
        rig.store.open()
        await eventually("it is shown") { shown.withLock { $0.count == 1 } }
        #expect(shown.withLock { $0.allSatisfy(\.isStored) })
        try await rig.stop()
        #expect(rig.told == [true])
        rig.feed.finish()
        try await watcher.value
    }

    @Test func alertsThatAreCountedUpAreShownWithTheirTotal() async throws {
        let rig = try Rig(limits: AlertLimits(dedupWindow: .seconds(60)))
        let watch = try #require(rig.feed.subscribe())
        for (second, count) in [(0.0, 1), (1, 2), (2, 4)] {
            try await rig.send([event(second, count: count)])
            await eventually("it is stored") { rig.entry("alert").imbalance == 0 && rig.batches.depth == 0 }
            await eventually("it is acknowledged") { rig.told.count == Int(second) + 1 }
        }
        try await rig.stop()
        rig.feed.finish()
        var counts: [Int] = []
        for await alert in watch.elements { counts.append(alert.count) }
        #expect(counts == [1, 3, 7])
        #expect(try rig.stored.map(\.count) == [7])
        #expect(rig.entry("alert").stored == 7)
        #expect(rig.entry("store").stored == 1)
    }

    @Test func aStalledStoreHoldsItsProducersAndLosesNothing() async throws {
        let rig = try Rig(capacity: 4)
        let (producers, batches, alerts) = (4, 30, 7)
        rig.store.close()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for producer in 0..<producers {
                group.addTask {
                    for batch in 0..<batches {
                        try await rig.send(
                            (0..<alerts).map { event(Double(batch), ip: "10.\(producer).\(batch).\($0)") },
                            checkpoints: [Checkpoint(key: "p\(producer)", value: "\(batch)")]
                        )
                    }
                }
            }
            await eventually("the channel is full") { rig.batches.depth == 4 && rig.store.waiting == 1 }
            // At most the channel and what the hub has taken.
            #expect(rig.sent <= 2 * 4)
            #expect(rig.told.isEmpty)
            rig.store.open()
            try await group.waitForAll()
        }
        try await rig.stop()
        #expect(rig.told == Array(repeating: true, count: producers * batches))
        #expect(try rig.stored.count == producers * batches * alerts)
        #expect(rig.entry("alert").accepted == producers * batches * alerts)
        #expect(try rig.store.store.checkpoints().map(\.value) == Array(repeating: "\(batches - 1)", count: producers))
        #expect(rig.store.commits < producers * batches, "several batches share a commit")
    }

    @Test func transactionsAreBoundedAndBatchesNeverTorn() async throws {
        let rig = try Rig()
        rig.store.close()
        try await rig.send([event(0)])
        await eventually("the first is being committed") { rig.store.waiting == 1 }
        for batch in 0..<7 { try await rig.send((0..<300).map { event(Double($0), ip: "\(batch).\($0)") }) }
        try await rig.send((0..<2000).map { event(Double($0), ip: "big \($0)") })
        rig.store.open()
        try await rig.stop()
        #expect(rig.store.commits == 5)
        #expect(rig.store.largest == 2000)
        #expect(try rig.stored.count == 1 + 2100 + 2000)
    }

    @Test func aFailingStoreIsTriedAgainAndShown() async throws {
        let rig = try Rig()
        rig.store.fail(with: Failure(), times: 1_000_000)
        try await rig.send([event(0)])
        await eventually("health tells it") { rig.hub.health().word == "degraded" }
        #expect(rig.hub.health().reason?.contains("alerts") == true)
        #expect(rig.told.isEmpty)
        rig.time.advance(by: .seconds(31))
        #expect(rig.hub.health().word == "unhealthy")
        rig.store.fail(with: Failure(), times: 0)
        await eventually("it is stored") { rig.told == [true] }
        await eventually("it is well again") { rig.hub.health() == .healthy }
        try await rig.stop()
        #expect(try rig.stored.count == 1)
        #expect(rig.entry("alert").stored == 1)
    }

    @Test func aStoreThatNeedsRepairIsUnhealthyAtOnce() async throws {
        let rig = try Rig()
        rig.store.fail(with: Failure(outlook: .standing), times: 2)
        try await rig.send([event(0)])
        await eventually("health tells it") { rig.hub.health().word == "unhealthy" || rig.told == [true] }
        try await rig.stop()
        #expect(rig.told == [true])
    }

    @Test func aCommitThatHangsIsShown() async throws {
        let rig = try Rig()
        rig.store.close()
        try await rig.send([event(0)])
        await eventually("the commit waits") { rig.store.waiting == 1 }
        #expect(rig.hub.health() == .healthy)
        rig.time.advance(by: .seconds(11))
        #expect(rig.hub.health().word == "degraded")
        rig.store.open()
        try await rig.stop()
    }

    @Test func pastTheDeadlineWhatCannotBeStoredIsCountedAsDropped() async throws {
        let rig = try Rig()
        rig.store.fail(with: Failure(), times: 1_000_000)
        try await rig.send([event(0), event(1)], checkpoints: [Checkpoint(key: "f", value: "1")])
        await eventually("it is failing") { rig.hub.health() != .healthy }
        try await rig.send([event(2, count: 5)])
        try await rig.stop(within: .zero)
        #expect(rig.told == [false, false])
        #expect(rig.entry("alert").dropped == ["store_failed": 7])
        // Of the store only the first two were asked: after that there was no time left to ask.
        #expect(rig.entry("store").dropped == ["store_failed": 2])
        #expect(rig.entry("store").accepted == 2)
        #expect(try rig.store.store.checkpoints().isEmpty)
    }

    @Test func whatWaitsWhenTheHubIsDrainedIsStillStored() async throws {
        let rig = try Rig()
        rig.store.close()
        for second in 0..<20 { try await rig.send([event(Double(second))]) }
        await rig.hub.drain(deadline: .now + .seconds(30))
        await #expect(throws: ChannelClosed.self) { try await rig.send([event(0)]) }
        rig.store.open()
        try await rig.stop()
        #expect(rig.told == Array(repeating: true, count: 20))
    }

    @Test func oneBatchThatCannotBeStoredTakesNoOtherAlong() async throws {
        let rig = try Rig()
        rig.store.reject(title: "poison")
        rig.store.close()
        try await rig.send([event(0)])
        await eventually("the first is being committed") { rig.store.waiting == 1 }
        try await rig.send([event(1)])
        try await rig.send([event(2), event(3, title: "poison")], checkpoints: [Checkpoint(key: "bad", value: "1")])
        try await rig.send([event(4)])
        rig.store.open()
        try await rig.stop()
        #expect(rig.told == [true, true, false, true])
        #expect(try rig.stored.count == 3)
        #expect(rig.entry("alert").dropped == ["store_rejected": 2])
        #expect(try rig.store.store.checkpoints().isEmpty)
    }

    @Test func eventsAfterAnAlertWasClosedMakeANewOne() async throws {
        let rig = try Rig(limits: AlertLimits(dedupWindow: .seconds(60)))
        try await rig.send([event(0)])
        await eventually("it is stored") { rig.told.count == 1 }
        let first = try #require(try rig.stored.first)
        _ = try rig.store.store.setStatus(.closed, of: first.id)
        try await rig.send([event(1), event(2)])
        try await rig.stop()
        #expect(try rig.stored.map(\.count) == [2, 1])
        #expect(rig.told == [true, true])
    }

    @Test func foldingGoesOnAfterARestart() async throws {
        let store = try GuardedStore()
        for second in [0.0, 30, 60, 200] {
            let rig = try Rig(store: store, limits: AlertLimits(dedupWindow: .seconds(60)))
            try await rig.send([event(second), event(second, demo: true)])
            try await rig.stop()
        }
        let alerts = try store.alerts(AlertQuery()).alerts
        #expect(alerts.map(\.count).sorted() == [1, 1, 3, 3])
        #expect(Set(alerts.filter { $0.labels["demo"] == "true" }.map(\.count)) == [1, 3])
    }

    @Test func theRateLimitIsCountedAndCanBeLifted() async throws {
        let rig = try Rig(limits: AlertLimits(dedupWindow: .zero, rateLimitPerRule: 3))
        try await rig.send((0..<10).map { event(Double($0)) })
        await eventually("it is acknowledged") { rig.told == [true] }
        rig.hub.update(limits: AlertLimits(dedupWindow: .zero, rateLimitPerRule: 0))
        try await rig.send((0..<10).map { event(Double($0)) })
        try await rig.stop()
        #expect(rig.entry("alert") == LedgerEntry(hop: "alert", accepted: 20, stored: 13, dropped: ["rate_limit": 7]))
        #expect(try rig.stored.count == 13)
    }

    @Test func actionsAreWrittenInOrderAlsoAfterFailures() async throws {
        let rig = try Rig()
        rig.store.fail(with: Failure(), times: 2)
        let records = (0..<40).map { number in
            ActionRecord(
                id: .make(at: start), time: start, actionType: "network_block", target: "\(number)", mode: "enforce",
                state: .proposed
            )
        }
        for record in records { try await rig.actions.send(record) }
        try await rig.stop()
        #expect(try rig.store.actions(limit: 100) == records.reversed())
        #expect(try rig.store.store.verify() == nil)
        #expect(rig.entry("response").stored == 40)
    }

    @Test func actionsThatCannotBeWrittenAreCountedAsDropped() async throws {
        let rig = try Rig()
        rig.store.fail(with: Failure(), times: 1_000_000)
        try await rig.actions.send(
            ActionRecord(id: .make(at: start), time: start, actionType: "a", target: "t", mode: "m", state: .done)
        )
        await eventually("it is failing") { rig.hub.health().reason?.contains("actions") == true }
        try await rig.stop(within: .zero)
        #expect(rig.entry("response").dropped == ["store_failed": 1])
    }
}
