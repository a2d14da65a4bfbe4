import Foundation
import GRDB
import IronpostCore
import Testing

@testable import EventStore

@Suite struct RetentionTests {
    let directory: TemporaryDirectory
    let store: EventStore
    private let day = Duration.seconds(86_400)
    private var horizon: Timestamp { start.advanced(by: .seconds(1000 * 86_400)) }

    init() throws {
        directory = try TemporaryDirectory()
        store = try EventStore(path: directory.database)
    }

    private func at(_ days: Double) -> Timestamp { start.advanced(by: .seconds(days * 86_400)) }

    private func alert(_ days: Double, lastSeen: Double? = nil) -> Alert {
        var alert = sampleAlert(0, rule: "r\(days)")
        alert.id = .make(at: start)
        alert.time = at(days)
        alert.firstSeen = at(min(days, lastSeen ?? days))
        alert.lastSeen = at(lastSeen ?? days)
        return alert
    }

    private func removeAll(before days: Double, rowsMax: Int = 100) throws -> RetentionStep {
        var sum = RetentionStep(alerts: 0, actions: 0, isFinished: false)
        for _ in 0..<1000 where !sum.isFinished {
            let step = try store.removeExpired(before: at(days), horizon: horizon, rowsMax: rowsMax)
            #expect(step.alerts <= rowsMax && step.actions <= rowsMax)
            sum = RetentionStep(
                alerts: sum.alerts + step.alerts, actions: sum.actions + step.actions, isFinished: step.isFinished
            )
        }
        #expect(sum.isFinished)
        return sum
    }

    @Test func olderAlertsGoYoungerAndStillCountedOnesStay() throws {
        let kept = [alert(10), alert(12), alert(1, lastSeen: 11), alert(10, lastSeen: -500)]
        let gone = [alert(0), alert(9.9), alert(5, lastSeen: 9), alert(5, lastSeen: 5000)]
        _ = try store.commit(AlertTransaction(inserts: kept + gone))
        #expect(try removeAll(before: 10).alerts == gone.count)
        #expect(Set(try store.alerts(AlertQuery()).alerts.map(\.id)) == Set(kept.map(\.id)))
        #expect(try removeAll(before: 10) == RetentionStep(alerts: 0, actions: 0, isFinished: true))
        #expect(try store.check().faults.isEmpty)
    }

    @Test func manyGoInSmallSteps() throws {
        _ = try store.commit(AlertTransaction(inserts: (0..<1000).map { alert(Double($0) / 1000) }))
        #expect(try store.removeExpired(before: at(0.5), horizon: horizon, rowsMax: 64).alerts == 64)
        #expect(try removeAll(before: 0.5, rowsMax: 64).alerts == 500 - 64)
        #expect(try store.alerts(AlertQuery(limit: 1)).total == 500)
    }

    private func action(_ id: UUIDv7, _ days: Double, _ state: ActionRecord.State, expires: Double? = nil)
        -> ActionRecord
    {
        ActionRecord(
            id: id, time: at(days), actionType: "network_block", target: "203.0.113.1", mode: "enforce", state: state,
            expiresAt: expires.map { at($0) }
        )
    }

    @Test func theAuditRecordKeepsAnAnchorAndStillProvesTheRest() throws {
        let ids = (0..<5).map { _ in UUIDv7.make(at: start) }
        try store.append([
            action(ids[0], 0, .running), action(ids[0], 1, .done), action(ids[0], 1, .expired),
            action(ids[1], 2, .withheld),
            action(ids[2], 3, .running), action(ids[2], 30, .failed), action(ids[3], 31, .withheld),
        ])
        #expect(try removeAll(before: 10, rowsMax: 3).actions == 4)
        #expect(try store.actions(limit: 10).count == 3)
        #expect(try store.verify() == nil)
        #expect(try store.check().actionsRemoved == 4)
        try store.append([action(ids[4], 32, .withheld)])
        #expect(try store.verify() == nil)
        // What is left is as safe from editing as before.
        let queue = try DatabaseQueue(path: directory.database)
        for sql in ["DELETE FROM actions", "DELETE FROM actions WHERE seq = 5", "UPDATE actions SET target = 'x'"] {
            #expect(throws: DatabaseError.self) { try queue.write { try $0.execute(sql: sql) } }
        }
        #expect(try removeAll(before: 1000).actions == 4)
        #expect(try store.actions(limit: 10).isEmpty)
        #expect(try store.verify() == nil)
        try store.append([action(ids[4], 2000, .withheld)])
        #expect(try store.verify() == nil)
    }

    @Test func actionsInForceStayWithEverythingAfterThem() throws {
        let ids = (0..<2).map { _ in UUIDv7.make(at: start) }
        try store.append([
            action(ids[0], 0, .running), action(ids[0], 0, .done, expires: 50), action(ids[1], 1, .withheld),
        ])
        #expect(try removeAll(before: 10).actions == 0)
        #expect(try removeAll(before: 51).actions == 3)
        try store.append([action(ids[1], 60, .running)])
        #expect(try removeAll(before: 500).actions == 0)
    }

    @Test(arguments: [
        ("DELETE FROM meta WHERE key = 'actions_anchor'", Int64(1)),
        ("UPDATE meta SET value = replace(value, '4 ', '5 ') WHERE key = 'actions_anchor'", 5),
        ("UPDATE meta SET value = substr(value, 1, 5) || 'ffff' || substr(value, 10) WHERE key = 'actions_anchor'", 5),
        ("DELETE FROM actions WHERE seq = 5", 5), ("DELETE FROM actions", 5), ("DELETE FROM actions WHERE seq = 8", 8),
        ("UPDATE actions SET target = 'x' WHERE seq = 6", 6),
    ])
    func afterRetentionVerifyNamesTheFirstBadRow(sql: String, expected: Int64) throws {
        for number in 1...8 {
            try store.append([action(.make(at: start), number <= 4 ? 0 : 20, .withheld)])
        }
        #expect(try removeAll(before: 10).actions == 4)
        #expect(try store.verify() == nil)
        try DatabaseQueue(path: directory.database).write { db in
            try db.execute(sql: "DROP TRIGGER actions_no_update; DROP TRIGGER actions_no_delete; " + sql)
        }
        #expect(try store.verify() == expected)
    }

    @Test func aDatabaseOfTheFirstVersionIsBroughtForward() throws {
        let path = directory.path + "/first.db"
        do {
            let queue = try DatabaseQueue(path: path)
            try queue.write { db in
                try db.execute(sql: Schema.migrations[0])
                try db.execute(sql: "PRAGMA application_id = \(Schema.applicationID)")
                try db.execute(sql: "PRAGMA user_version = 1")
            }
            try queue.close()
        }
        let old = try EventStore(path: path)
        try old.append([action(.make(at: start), 0, .withheld), action(.make(at: start), 20, .withheld)])
        #expect(try old.removeExpired(before: at(10), horizon: horizon, rowsMax: 10).actions == 1)
        #expect(try old.verify() == nil)
    }
}
