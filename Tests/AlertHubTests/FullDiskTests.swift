import AlertHub
import EventStore
import IronpostCore
import Testing

@Suite(.timeLimit(.minutes(2))) struct FullDiskTests {
    private static func low(_ second: Int, source: String = "file", raw bytes: Int = 0) -> AlertEvent {
        var event = event(
            Double(second), rule: "low", ip: "10.0.\(second / 250).\(second % 250)", severity: .low, source: source)
        event.alert.evidence.raw = String(repeating: "x", count: bytes)
        return event
    }

    private static func high(_ second: Int, severity: Severity = .high) -> AlertEvent {
        event(Double(second), rule: "high", ip: "192.0.2.\(second)", severity: severity)
    }

    @Test func highAlertsAreStoredFromTheReserveAndNoCheckpointPassesWhatWaits() async throws {
        let rig = try Rig(reserve: 8)
        rig.store.setRoom(1)
        try await rig.send([Self.low(0)], checkpoints: [Checkpoint(key: "f", value: "1")])
        await eventually("the first is stored") { rig.told == [true] }
        try await rig.send([Self.low(1), Self.high(2)], checkpoints: [Checkpoint(key: "f", value: "2")])
        try await rig.send(
            [Self.high(3, severity: .critical), Self.low(4)], checkpoints: [Checkpoint(key: "f", value: "3")])
        await eventually("both high ones are stored") { (try? rig.stored.count) == 3 }
        #expect(Set(try rig.stored.map(\.severity)) == [.low, .high, .critical])
        #expect(rig.told == [true])
        #expect(try rig.store.store.checkpoints() == [Checkpoint(key: "f", value: "1")])
        let health = rig.hub.health()
        #expect(health.word == "degraded")
        #expect(health.reason?.contains("disk is full") == true && health.reason?.contains("MiB of reserve") == true)
        rig.store.setRoom(100)
        await eventually("everything is stored") { rig.told == [true, true, true] }
        #expect(try rig.stored.count == 5)
        #expect(try rig.store.store.checkpoints() == [Checkpoint(key: "f", value: "3")])
        await eventually("well again, with the reserve whole") { rig.hub.health() == .healthy }
        try await rig.stop()
        #expect(rig.entry("alert") == LedgerEntry(hop: "alert", accepted: 5, stored: 5, dropped: [:]))
    }

    /// The reserve is for high alerts alone: what they left of a piece is not spent on others.
    @Test func lowAlertsDoNotEatTheReserve() async throws {
        let rig = try Rig(reserve: 3)
        rig.store.setRoom(0)
        try await rig.send([Self.low(0)])
        for second in 1...2 {
            try await rig.send([Self.high(second)])
            await eventually("a high one is stored") { (try? rig.stored.count) == second }
        }
        // Room for one commit more, and two pieces are missing: not enough for the reserve.
        rig.store.addRoom(1)
        try await Task.sleep(for: .milliseconds(600))
        #expect(try rig.stored.allSatisfy { $0.severity == .high })
        rig.store.setRoom(nil)
        try await rig.stop()
        #expect(try rig.stored.count == 3)
    }

    @Test func withTheReserveUsedUpHighAlertsWaitAndHealthSaysSo() async throws {
        let rig = try Rig(reserve: 2)
        rig.store.setRoom(0)
        for second in 0..<5 {
            try await rig.send([Self.high(second)], checkpoints: [Checkpoint(key: "f", value: "\(second)")])
            await eventually("it is stored from the reserve") { (try? rig.stored.count) == min(second + 1, 2) }
        }
        await eventually("health tells it") {
            rig.hub.health().word == "unhealthy"
                && rig.hub.health().reason?.contains("3 high or critical alerts wait") == true
        }
        #expect(rig.told.isEmpty)
        rig.store.setRoom(100)
        await eventually("all are stored") { rig.told == Array(repeating: true, count: 5) }
        #expect(try rig.stored.count == 5)
        #expect(try rig.store.store.checkpoints().map(\.value) == ["4"])
        try await rig.stop()
    }

    /// 8 KB each: 16 MiB hold about 1,800 of them.
    @Test func whatMemoryHasNoRoomForIsShedAndCounted() async throws {
        let rig = try Rig(reserve: 4)
        rig.store.setRoom(0)
        for batch in 0..<30 {
            try await rig.send(
                (0..<100).map { Self.low(batch * 100 + $0, raw: 8192) },
                checkpoints: [Checkpoint(key: "f", value: "\(batch)")]
            )
        }
        await eventually("it is shed") {
            rig.entry("alert").dropped["disk_full", default: 0] > 0 && rig.batches.depth == 0
        }
        try await rig.send([Self.high(1)])
        await eventually("a high one passes") { (try? rig.stored.count) == 1 }
        #expect(try rig.store.store.checkpoints().isEmpty)
        #expect(rig.hub.health().reason?.contains("were shed") == true)
        rig.store.setRoom(nil)
        await eventually("all are told") { rig.told == Array(repeating: true, count: 31) }
        try await rig.stop()
        let entry = rig.entry("alert")
        #expect(entry.accepted == 3001)
        #expect(entry.stored == (try rig.stored.count))
        #expect(entry.dropped == ["disk_full": 3001 - entry.stored])
        #expect(entry.stored > 1000)
        #expect(try rig.store.store.checkpoints().map(\.value) == ["29"])
    }

    @Test func withThePolicyWaitFilesWaitAndSyslogIsShed() async throws {
        let rig = try Rig(capacity: 4, reserve: 4, policy: .wait)
        rig.store.setRoom(0)
        let sender = Task {
            for batch in 0..<40 {
                try await rig.send((0..<50).map { Self.low(batch * 50 + $0, raw: 8192) })
                try await rig.send((0..<50).map { Self.low(10_000 + batch * 50 + $0, source: "syslog_udp", raw: 8192) })
            }
        }
        // Nothing moves any more: memory is full and the producer waits.
        var before = -1
        for _ in 0..<100 where rig.sent != before || rig.batches.depth < 4 {
            before = rig.sent
            try await Task.sleep(for: .milliseconds(300))
        }
        #expect(rig.sent < 80 && rig.batches.depth == 4)
        rig.store.setRoom(nil)
        try await sender.value
        try await rig.stop()
        let stored = try rig.stored
        #expect(stored.count { $0.evidence.source == "file" } == 2000)
        #expect(rig.entry("alert").dropped.keys.allSatisfy { $0 == "disk_full" })
        #expect(rig.entry("alert").stored == stored.count)
    }

    @Test func repeatedEventsTakeOnePlaceInMemory() async throws {
        let rig = try Rig(limits: AlertLimits(dedupWindow: .seconds(60)), reserve: 4)
        rig.store.setRoom(0)
        for batch in 0..<50 {
            try await rig.send((0..<100).map { _ in event(Double(batch) / 10, rule: "low", severity: .low) })
        }
        await eventually("it is taken") { rig.batches.depth == 0 }
        rig.store.setRoom(nil)
        try await rig.stop()
        #expect(try rig.stored.map(\.count) == [5000])
        #expect(rig.entry("alert") == LedgerEntry(hop: "alert", accepted: 5000, stored: 5000, dropped: [:]))
    }

    @Test func oneThatCanNeverBeStoredTakesNothingOfWhatWaitsAlong() async throws {
        let rig = try Rig(reserve: 4)
        rig.store.setRoom(0)
        rig.store.reject(title: "poison")
        try await rig.send([Self.low(0)], checkpoints: [Checkpoint(key: "f", value: "1")])
        try await rig.send([event(1, title: "poison", severity: .low), event(2, title: "poison"), Self.low(3)])
        await eventually("they wait") { rig.hub.health().word == "degraded" && rig.batches.depth == 0 }
        rig.store.setRoom(nil)
        await eventually("the rest is stored") { (try? rig.stored.count) == 2 }
        try await rig.stop()
        #expect(rig.entry("alert").dropped == ["store_rejected": 2])
        #expect(try rig.store.store.checkpoints().map(\.value) == ["1"])
    }

    @Test func atTheEndWhatStillWaitsIsCountedAndItsCheckpointStays() async throws {
        let rig = try Rig(reserve: 2)
        rig.store.setRoom(0)
        try await rig.send([Self.low(0), Self.high(1)], checkpoints: [Checkpoint(key: "f", value: "1")])
        await eventually("the high one is stored") { (try? rig.stored.count) == 1 }
        try await rig.stop(within: .milliseconds(300))
        #expect(rig.told == [false])
        #expect(rig.entry("alert").dropped == ["disk_full": 1])
        #expect(try rig.store.store.checkpoints().isEmpty)
    }

    @Test func anActionIsRecordedFromTheReserve() async throws {
        let rig = try Rig(reserve: 2)
        rig.store.setRoom(0)
        try await rig.actions.send(
            ActionRecord(id: .make(at: start), time: start, actionType: "a", target: "t", mode: "m", state: .done)
        )
        await eventually("it is recorded") { rig.entry("response").stored == 1 }
        rig.store.setRoom(10)
        await eventually("the reserve is taken again") { rig.hub.health() == .healthy }
        try await rig.stop()
    }
}

@Suite(.timeLimit(.minutes(2))) struct RetentionPaceTests {
    /// Long ago: ids never go back within a process, so nothing here may be later than today.
    private static let past = start.advanced(by: .seconds(-5000 * 86_400))

    @Test func oldAlertsGoBetweenCommits() async throws {
        let rig = try Rig(keeping: .seconds(90 * 86_400), now: Self.past)
        try await rig.send((0..<3000).map { event(Double($0), ip: "a\($0)") })
        await eventually("they are stored") { rig.told == [true] }
        rig.time.advance(by: .seconds(89 * 86_400))
        try await rig.send([event(89 * 86_400)])
        await eventually("it is stored") { rig.told.count == 2 }
        try await Task.sleep(for: .milliseconds(1200))
        #expect(try rig.stored.count == 3001)
        rig.time.advance(by: .seconds(2 * 86_400))
        await eventually("only the young one is left") { (try? rig.stored.count) == 1 }
        #expect(rig.hub.health() == .healthy)
        try await rig.stop()
    }

    @Test func aClockThatJumpsAheadRemovesNothing() async throws {
        let rig = try Rig(keeping: .seconds(90 * 86_400), now: Self.past)
        try await rig.send([event(0)])
        await eventually("it is stored") { rig.told == [true] }
        rig.time.advance(by: .seconds(3600))
        rig.time.jump(to: Self.past.advanced(by: .seconds(400 * 86_400)))
        try await Task.sleep(for: .milliseconds(1500))
        #expect(try rig.stored.count == 1)
        try await rig.stop()
    }

    @Test func zeroKeepsEverything() async throws {
        let rig = try Rig(now: Self.past)
        try await rig.send([event(0)])
        await eventually("it is stored") { rig.told == [true] }
        rig.time.advance(by: .seconds(4000 * 86_400))
        try await Task.sleep(for: .milliseconds(1200))
        #expect(try rig.stored.count == 1)
        try await rig.stop()
    }
}
