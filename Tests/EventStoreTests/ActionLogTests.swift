import EventStore
import GRDB
import IronpostCore
import Testing

@Suite struct ActionLogTests {
    let directory: TemporaryDirectory
    let store: EventStore

    init() throws {
        directory = try TemporaryDirectory()
        store = try EventStore(path: directory.database)
    }

    static func record(_ number: Int) -> ActionRecord {
        let time = start.advanced(by: .seconds(number))
        return ActionRecord(
            id: .make(at: time), time: time, alertID: .make(at: time), policyID: "policy", actionType: "network_block",
            target: "203.0.113.\(number)", mode: "enforce", state: .done, expiresAt: time.advanced(by: .seconds(600)),
            error: number == 3 ? "text" : nil
        )
    }

    @Test func recordsComeBackNewestFirst() throws {
        let records = (1...5).map(Self.record)
        try store.append(Array(records[0..<2]))
        try store.append([])
        try store.append(Array(records[2...]))
        #expect(try store.actions(limit: 10) == records.reversed())
        #expect(try store.actions(limit: 2) == [records[4], records[3]])
        #expect(try store.verify() == nil)
    }

    @Test func anEmptyRecordIsSound() throws {
        #expect(try store.verify() == nil)
    }

    @Test func hostileTextIsInTheChain() throws {
        var record = Self.record(1)
        record.target = "a\0b"
        record.error = "5:;\u{1B}[0m\0"
        try store.append([record, Self.record(2)])
        #expect(try store.verify() == nil)
        #expect(try store.actions(limit: 2)[1].target == "a\u{2400}b")
    }

    @Test func theProgramItselfCannotEditTheRecord() throws {
        try store.append([Self.record(1)])
        let queue = try DatabaseQueue(path: directory.database)
        for sql in ["UPDATE actions SET target = 'x'", "DELETE FROM actions"] {
            #expect(throws: DatabaseError.self) { try queue.write { try $0.execute(sql: sql) } }
        }
        #expect(try store.verify() == nil)
    }

    /// Someone with the file and a tool: the first row that is not as it was written is named.
    @Test(
        arguments: [
            ("UPDATE actions SET target = '203.0.113.99' WHERE seq = 4", 4),
            ("UPDATE actions SET error = NULL WHERE seq = 3", 3),
            ("UPDATE actions SET guardrail = '' WHERE seq = 2", 2),
            ("UPDATE actions SET time = time + 1 WHERE seq = 1", 1),
            ("UPDATE actions SET hash = zeroblob(32) WHERE seq = 5", 5),
            ("DELETE FROM actions WHERE seq = 3", 3),
            ("DELETE FROM actions WHERE seq = 1", 1),
            ("DELETE FROM actions WHERE seq >= 5", 5),
            ("DELETE FROM actions", 1),
            ("DELETE FROM actions WHERE seq = 3; UPDATE actions SET seq = seq - 1 WHERE seq > 3", 3),
            (
                "UPDATE actions SET seq = 99 WHERE seq = 2; UPDATE actions SET seq = 2 WHERE seq = 3; "
                    + "UPDATE actions SET seq = 3 WHERE seq = 99", 2
            ),
            (
                "INSERT INTO actions SELECT 7, id, time, alert_id, policy_id, action_type, target, mode, state, guardrail, "
                    + "expires_at, evidence_path, error, hash, hash FROM actions WHERE seq = 6", 7
            ),
            ("UPDATE actions SET policy_id = NULL, guardrail = policy_id WHERE seq = 2", 2),
            ("DELETE FROM meta", 1),
        ] as [(String, Int64)])
    func verifyNamesTheFirstBadRow(sql: String, expected: Int64) throws {
        try store.append((1...6).map(Self.record))
        #expect(try store.verify() == nil)
        try DatabaseQueue(path: directory.database).write { db in
            try db.execute(sql: "DROP TRIGGER actions_no_update; DROP TRIGGER actions_no_delete; " + sql)
        }
        #expect(try store.verify() == expected)
    }
}
