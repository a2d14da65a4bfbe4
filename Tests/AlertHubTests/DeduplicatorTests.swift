import IronpostCore
import Testing

@testable import AlertHub

@Suite struct DeduplicatorTests {
    /// Commits like a store that never fails, and remembers like one.
    struct Desk {
        var deduplicator: Deduplicator
        var alerts: [Alert] = []
        var lookUps = 0
        var uptime: Int64 = 0

        init(window: Double = 60, rate: Int = 0, capacity: Int = 100) {
            deduplicator = Deduplicator(
                limits: AlertLimits(dedupWindow: .seconds(window), rateLimitPerRule: rate), capacity: capacity
            )
        }

        mutating func plan(_ events: [AlertEvent]) -> Deduplicator.Plan {
            var asked = 0
            let alerts = alerts
            let plan = deduplicator.plan(events, now: start, uptime: uptime) { rule, group, labels, since, until in
                asked += 1
                return alerts.last {
                    $0.rule.id == rule && $0.group == group && $0.labels["demo"] == labels["demo"]
                        && $0.status != .closed
                        && $0.lastSeen >= since && $0.firstSeen <= until
                }.map { AlertKey(id: $0.id, firstSeen: $0.firstSeen, lastSeen: $0.lastSeen) }
            }
            lookUps += asked
            return plan
        }

        @discardableResult
        mutating func take(_ events: [AlertEvent]) -> Deduplicator.Plan {
            let plan = plan(events)
            alerts += plan.inserts
            for update in plan.updates {
                guard let index = alerts.firstIndex(where: { $0.id == update.id }) else { continue }
                alerts[index].count += update.count
                alerts[index].firstSeen = min(alerts[index].firstSeen, update.firstSeen)
                alerts[index].lastSeen = max(alerts[index].lastSeen, update.lastSeen)
            }
            deduplicator.confirm(plan)
            return plan
        }
    }

    struct Case: Sendable, CustomTestStringConvertible {
        let name: String
        var window: Double = 60
        let events: [AlertEvent]
        /// The counts of the alerts that come of it.
        let counts: [Int]
        var testDescription: String { name }
    }

    static let cases = [
        Case(name: "same moment", events: [event(0), event(0)], counts: [2]),
        Case(name: "at the window's end", events: [event(0), event(60)], counts: [2]),
        Case(name: "past the window", events: [event(0), event(60.001)], counts: [1, 1]),
        Case(name: "the window slides", events: [event(0), event(50), event(100), event(150)], counts: [4]),
        Case(name: "late, inside", events: [event(100), event(41)], counts: [2]),
        Case(name: "late, outside", events: [event(100), event(39)], counts: [1, 1]),
        Case(name: "in the middle of a long alert", events: [event(0), event(60), event(120), event(30)], counts: [4]),
        Case(
            name: "late and live in turn", events: [event(0), event(900), event(1), event(901), event(2)],
            counts: [3, 2]),
        Case(name: "window off", window: 0, events: [event(0), event(0), event(0)], counts: [1, 1, 1]),
        Case(name: "counts add up", events: [event(0, count: 5), event(1, count: 7)], counts: [12]),
        Case(name: "a count of zero is one event", events: [event(0, count: 0), event(1, count: -4)], counts: [2]),
        Case(
            name: "two addresses", events: [event(0, ip: "a"), event(0, ip: "b"), event(0, ip: "a")], counts: [2, 1]),
        Case(
            name: "without an address: another user is another alert",
            events: ["alice", "mallory", "alice"].map {
                event(0, ip: nil, fields: [Field("host", "web1"), Field("user", $0)])
            }, counts: [2, 1]),
        Case(
            name: "without an address: another host is another alert",
            events: ["web1", "db9"].map { event(0, ip: nil, fields: [Field("host", $0)]) }, counts: [1, 1]),
        Case(
            name: "the address goes before host and user",
            events: ["alice", "mallory"].map { event(0, fields: [Field("user", $0)]) }, counts: [2]),
        Case(name: "two rules", events: [event(0, rule: "a"), event(0, rule: "b")], counts: [1, 1]),
        Case(name: "neither group nor address: the rule", events: [event(0, ip: nil), event(0, ip: nil)], counts: [2]),
        Case(
            name: "the group goes before the address",
            events: ["a", "b"].map { event(0, ip: $0, group: [Field("user", "root")]) }, counts: [2]
        ),
        Case(
            name: "demo apart from real", events: [event(0, demo: true), event(0), event(0, demo: true)],
            counts: [2, 1]),
        Case(
            name: "values cannot forge fields",
            events: [event(0, group: [Field("a", "1 1:b=1:2")]), event(0, group: [Field("a", "1"), Field("b", "2")])],
            counts: [1, 1]
        ),
    ]

    @Test(arguments: cases, [true, false])
    func folds(_ testCase: Case, inOneTransaction: Bool) {
        var desk = Desk(window: testCase.window)
        if inOneTransaction {
            desk.take(testCase.events)
        } else {
            for event in testCase.events { desk.take([event]) }
        }
        #expect(desk.alerts.map(\.count) == testCase.counts)
    }

    @Test(arguments: cases)
    func foldsWithoutMemoryAsAfterARestart(_ testCase: Case) {
        var desk = Desk(window: testCase.window)
        for event in testCase.events {
            desk.take([event])
            desk.deduplicator = Desk(window: testCase.window).deduplicator
        }
        #expect(desk.alerts.map(\.count) == testCase.counts)
    }

    @Test func whatWasFoldedKeepsTheExtremes() {
        var desk = Desk()
        desk.take([event(10), event(30), event(5)])
        desk.take([event(50), event(2)])
        #expect(desk.alerts.map(\.firstSeen) == [start.advanced(by: .seconds(2))])
        #expect(desk.alerts.map(\.lastSeen) == [start.advanced(by: .seconds(50))])
    }

    @Test func aKnownGroupNeedsNoLookUp() {
        var desk = Desk()
        for second in 0..<50 { desk.take([event(Double(second))]) }
        #expect(desk.lookUps == 1)
    }

    @Test func theMemoryIsBoundedAndTheStoreHelpsOut() {
        var desk = Desk(capacity: 2)
        for ip in ["a", "b", "a", "c"] { desk.take([event(0, ip: ip)]) }
        #expect(desk.deduplicator.recent.count == 2)
        let before = desk.lookUps
        desk.take([event(1, ip: "a")])
        #expect(desk.lookUps == before, "used last but one")
        desk.take([event(1, ip: "b")])
        #expect(desk.lookUps == before + 1, "used longest ago")
        #expect(desk.alerts.map(\.count) == [3, 2, 1])
    }

    @Test func longGroupsAreNotRemembered() {
        var desk = Desk()
        let group = [Field("user", String(repeating: "x", count: 5000))]
        for second in 0..<3 { desk.take([event(Double(second), group: group)]) }
        #expect(desk.deduplicator.recent.count == 0)
        #expect(desk.alerts.map(\.count) == [3])
    }

    @Test func aPlanThatFailedLeavesNoTrace() {
        var desk = Desk(rate: 2)
        for _ in 0..<5 { _ = desk.plan([event(0)]) }
        desk.take([event(0)])
        desk.take([event(0, ip: "other")])
        #expect(desk.alerts.map(\.count) == [1, 1])
    }

    @Test func goneAlertsAreForgotten() {
        var desk = Desk()
        let first = desk.take([event(0)])
        desk.alerts[0].status = .closed
        let plan = desk.plan([event(1)])
        #expect(plan.updates.map(\.id) == first.inserts.map(\.id))
        desk.deduplicator.forget(plan.updates.map(\.id), of: plan)
        desk.take([event(1)])
        #expect(desk.alerts.map(\.count) == [1, 1])
    }

    @Test func timesAtTheEndsOfTheWorldDoNotTrap() {
        var desk = Desk(window: 1e9)
        let events = [Int64.min, .max, .min + 1, .max - 1].map { time in
            var event = event(0)
            event.alert.firstSeen = Timestamp(nanoseconds: time)
            event.alert.lastSeen = event.alert.firstSeen
            return event
        }
        desk.take(events)
        #expect(desk.alerts.map(\.count) == [2, 2])
    }

    @Test func theRateLimitHoldsNewAlertsOfARulePerMinute() {
        var desk = Desk(rate: 2)
        let flood = (0..<5).map { event(0, ip: "10.0.0.\($0)", count: 3) }
        let plan = desk.take(flood + [event(0, rule: "other")])
        #expect(plan.inserts.count == 3)
        #expect(plan.limited == 9)
        // Counting up is not limited.
        #expect(desk.take([event(1, ip: "10.0.0.0")]).updates.count == 1)
        desk.uptime = RateWindow.length - 1
        #expect(desk.take([event(0, ip: "10.0.0.9")]).limited == 1)
        desk.uptime = RateWindow.length
        let next = desk.take([event(0, ip: "10.0.0.9")])
        #expect(next.inserts.count == 1)
        #expect(next.suppressed == [SuppressedAlerts(rule: "rule", events: 10)])
        // Told once.
        #expect(desk.take([event(0, ip: "10.0.0.10")]).suppressed.isEmpty)
    }

    @Test func theLimitsCanChange() {
        var desk = Desk(rate: 1)
        #expect(desk.take([event(0, ip: "a"), event(0, ip: "b")]).limited == 1)
        desk.deduplicator.limits = AlertLimits(dedupWindow: .zero, rateLimitPerRule: 0)
        #expect(desk.take([event(0, ip: "b"), event(0, ip: "b")]).inserts.count == 2)
    }
}
