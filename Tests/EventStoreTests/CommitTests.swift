import EventStore
import Foundation
import GRDB
import IronpostCore
import Testing

@Suite struct CommitTests {
    let directory: TemporaryDirectory
    let store: EventStore

    init() throws {
        directory = try TemporaryDirectory()
        store = try EventStore(path: directory.database)
    }

    @Test func everythingOfATransactionIsThereAfterReopening() throws {
        let alert = sampleAlert()
        let receipt = try store.commit(
            AlertTransaction(
                inserts: [alert, sampleAlert(1)], checkpoints: [Checkpoint(key: "file:a", value: "1")],
                correlation: [CorrelationState(key: "w", value: [0, 1, 255])]
            )
        )
        #expect(receipt == CommitReceipt(inserted: 2, updated: 0))
        try store.close()
        let again = try EventStore(path: directory.database)
        #expect(try again.alerts(AlertQuery()).total == 2)
        #expect(try again.checkpoints() == [Checkpoint(key: "file:a", value: "1")])
        #expect(try again.correlation() == [CorrelationState(key: "w", value: [0, 1, 255])])
    }

    @Test func checkpointsAndWindowsAreReplacedAndForgotten() throws {
        for value in ["1", "2", nil] {
            let bytes = value.map { Array($0.utf8) }
            _ = try store.commit(
                AlertTransaction(
                    checkpoints: [Checkpoint(key: "k", value: value)],
                    correlation: [CorrelationState(key: "k", value: bytes)]
                )
            )
            #expect(try store.checkpoints().map(\.value) == (value.map { [$0] } ?? []))
            #expect(try store.correlation().map(\.value) == (bytes.map { [$0] } ?? []))
        }
    }

    @Test func anUpdateCountsUpAndKeepsTheExtremes() throws {
        let alert = sampleAlert(10)
        _ = try store.commit(AlertTransaction(inserts: [alert]))
        let (early, late) = (start.advanced(by: .seconds(5)), start.advanced(by: .nanoseconds(20_000_000_001)))
        for (first, last) in [(early, late), (alert.firstSeen, alert.firstSeen)] {
            let update = AlertUpdate(id: alert.id, count: 3, firstSeen: first, lastSeen: last)
            #expect(try store.commit(AlertTransaction(updates: [update])).updated == 1)
        }
        let stored = try #require(try store.alert(id: alert.id))
        #expect(stored.count == 7)
        #expect(stored.firstSeen == early)
        #expect(stored.lastSeen == late)
    }

    @Test func aFailingStatementInTheMiddleLeavesNothing() throws {
        let alert = sampleAlert()
        _ = try store.commit(
            AlertTransaction(inserts: [alert], checkpoints: [Checkpoint(key: "file:a", value: "old")])
        )
        let bad = AlertTransaction(
            inserts: [sampleAlert(1), alert, sampleAlert(2)],
            updates: [AlertUpdate(id: alert.id, count: 1, firstSeen: start, lastSeen: start)],
            checkpoints: [Checkpoint(key: "file:a", value: "new")],
            correlation: [CorrelationState(key: "w", value: [1])]
        )
        let error = #expect(throws: StoreError.self) { try store.commit(bad) }
        #expect(error?.outlook == .rejected)
        #expect(error?.isWorthRetrying == false)
        #expect(error?.description.contains(directory.database) == true)
        #expect(try store.alerts(AlertQuery()).alerts.map(\.count) == [1])
        #expect(try store.checkpoints().map(\.value) == ["old"])
        #expect(try store.correlation().isEmpty)
        // And it goes on.
        #expect(try store.commit(AlertTransaction(inserts: [sampleAlert(3)])).inserted == 1)
    }

    @Test(arguments: [true, false])
    func anUpdateOfAnAlertThatIsGoneOrClosedStoresNothing(isClosed: Bool) throws {
        let (old, other) = (sampleAlert(), sampleAlert(1))
        _ = try store.commit(AlertTransaction(inserts: isClosed ? [old, other] : [other]))
        if isClosed { #expect(try store.setStatus(.closed, of: old.id)) }
        let updates = [other, old].map { AlertUpdate(id: $0.id, count: 1, firstSeen: start, lastSeen: start) }
        #expect(throws: AlertsGone(ids: [old.id])) {
            try store.commit(AlertTransaction(updates: updates, checkpoints: [Checkpoint(key: "a", value: "b")]))
        }
        #expect(try store.alert(id: other.id)?.count == 1)
        #expect(try store.checkpoints().isEmpty)
    }

    @Test func latestAlertKnowsSpanGroupDemoAndStatus() throws {
        let (old, new) = (sampleAlert(0), sampleAlert(100))
        let demo = sampleAlert(50, labels: ["demo": "true"])
        _ = try store.commit(AlertTransaction(inserts: [old, new, demo]))
        func find(
            rule: String = "ssh_brute_force", group: [Field] = old.group, labels: [String: String] = [:], _ since: Int,
            _ until: Int
        ) throws -> UUIDv7? {
            try store.latestAlert(
                rule: rule, group: group, labels: labels, since: start.advanced(by: .seconds(since)),
                until: start.advanced(by: .seconds(until))
            )?.id
        }
        #expect(try find(0, 200) == new.id)
        #expect(try find(0, 99) == old.id)
        #expect(try find(1, 99) == nil)
        #expect(try find(101, 200) == nil)
        #expect(try find(labels: ["demo": "true"], 0, 200) == demo.id)
        #expect(try find(labels: ["other": "x"], 0, 200) == new.id)
        #expect(try find(rule: "other", 0, 200) == nil)
        #expect(try find(group: [Field("src_ip", "203.0.113.8")], 0, 200) == nil)
        #expect(try store.setStatus(.acknowledged, of: new.id))
        #expect(try find(0, 200) == new.id)
        #expect(try store.setStatus(.closed, of: new.id))
        #expect(try find(0, 200) == old.id)
        // To acknowledge what is closed does not open it again.
        #expect(try store.setStatus(.acknowledged, of: new.id))
        #expect(try store.alert(id: new.id)?.status == .closed)
        #expect(try find(0, 200) == old.id)
        #expect(try !store.setStatus(.acknowledged, of: UUIDv7.make(at: start)))
    }

    @Test func groupsCannotBeForgedByTheirValues() throws {
        let long = String(repeating: "x", count: 5000)
        let groups: [[Field]] = [
            [Field("a", "1"), Field("b", "2")], [Field("a", "1 1:b=1:2")], [Field("a", "1\0x")], [Field("a", "1\0y")],
            [Field("a", "1")], [], [Field("a", long + "1")], [Field("a", long + "2")], [Field("demo", "true")],
        ]
        let alerts = groups.map { sampleAlert(group: $0) }
        _ = try store.commit(AlertTransaction(inserts: alerts))
        for alert in alerts {
            let found = try store.latestAlert(
                rule: alert.rule.id, group: alert.group, labels: [:], since: start, until: start)
            #expect(found?.id == alert.id)
        }
        let swapped = try store.latestAlert(
            rule: "ssh_brute_force", group: [Field("b", "2"), Field("a", "1")], labels: [:], since: start, until: start
        )
        #expect(swapped?.id == alerts[0].id)
    }

    /// Nobody's commit copies the log: that happens beside it.
    @Test func theLogIsCopiedBackBesideTheCommits() throws {
        func size(_ path: String) -> Int {
            ((try? FileManager.default.attributesOfItem(atPath: path))?[.size] as? Int) ?? 0
        }
        let path = directory.database + "-beside"
        let options = EventStore.Options(checkpointCommits: 8, checkpointPages: 1 << 30)
        let store = try EventStore(path: path, options: options)
        defer { try? store.close() }
        let before = size(path)
        for number in 0..<8 {
            let alerts = (0..<32).map { sampleAlert(number * 32 + $0) }
            _ = try store.commit(AlertTransaction(inserts: alerts))
        }
        let end = ContinuousClock.now + .seconds(30)
        while size(path) == before, ContinuousClock.now < end { usleep(5000) }
        #expect(size(path) > before)
        #expect(try store.alerts(AlertQuery(limit: 1)).total == 256)
    }

    /// The child commits and tells each id after its commit, and is killed at some moment.
    @Test(arguments: [5, 23, 60, 140])
    func nothingAcknowledgedIsMissingAfterKill9(milliseconds: Int) async throws {
        let path = directory.database
        let result = await #expect(processExitsWith: .signal(SIGKILL), observing: [\.standardOutputContent]) {
            [path = path as String, milliseconds] in
            let store = try EventStore(path: path)
            let told = Told()
            Thread.detachNewThread {
                while !told.hasBegun {}
                usleep(UInt32(milliseconds) * 1000)
                kill(getpid(), SIGKILL)
            }
            var number = 0
            while true {
                let alerts = (0..<17).map { sampleAlert(number + $0) }
                number += 17
                _ = try store.commit(
                    AlertTransaction(inserts: alerts, checkpoints: [Checkpoint(key: "n", value: "\(number)")])
                )
                let line = alerts.map(\.id.description).joined(separator: "\n") + "\n"
                try FileHandle.standardOutput.write(contentsOf: Data(line.utf8))
                told.begin()
            }
        }
        let output = String(decoding: try #require(result).standardOutputContent, as: UTF8.self)
        let acknowledged = output.split(separator: "\n").compactMap { UUIDv7($0) }
        #expect(acknowledged.count >= 17)
        let missing = try acknowledged.filter { try store.alert(id: $0) == nil }
        #expect(missing.isEmpty)
        // What is there is whole: alerts and checkpoint moved together.
        let total = try store.alerts(AlertQuery(limit: 1)).total
        #expect(try store.checkpoints().map(\.value) == ["\(total)"])
        #expect(total >= acknowledged.count)
        try store.checkIntegrity()
    }
}

final class Told: @unchecked Sendable {
    private let lock = NSLock()
    private var value = false
    var hasBegun: Bool { lock.withLock { value } }
    func begin() { lock.withLock { value = true } }
}
