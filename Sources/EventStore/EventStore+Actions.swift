internal import Crypto
internal import FoundationEssentials
internal import GRDB
package import IronpostCore
internal import Synchronization

/// The audit record: each row's hash covers the row before, `meta.actions_head` the last one.
///
/// Whoever can write the file can also write a new chain; what this shows is editing by other means than this program,
/// damage, and rows that went missing, also at the end.
extension EventStore: ActionLog, ActionView {
    package func append(_ records: [ActionRecord]) throws {
        guard !records.isEmpty else { return }
        let last = try writing("append to the audit record") { db in try Self.append(records, db) }
        guard let last else { return }
        acknowledged.withLock { $0.action = last }
    }

    /// The number of the last row, or `nil` when there was nothing to append.
    static func append(_ records: [ActionRecord], _ db: Database) throws -> Int64? {
        guard !records.isEmpty else { return nil }
        var head = try Head.read("actions_head", db)
        let insert = try db.cachedStatement(
            sql: """
                INSERT INTO actions (seq, id, time, alert_id, policy_id, action_type, target, mode, state, guardrail,
                    expires_at, evidence_path, error, prev_hash, hash)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                """
        )
        for record in records {
            let row = ActionRow(record, seq: head.seq + 1)
            let hash = row.hash(after: head.hash)
            try insert.execute(arguments: row.arguments + [head.hash, hash])
            head = Head(seq: row.seq, hash: hash)
        }
        try head.write("actions_head", db)
        return head.seq
    }

    // MARK: - View

    package func latestActions(_ query: ActionQuery) throws -> [ActionRecord] {
        try reading("list actions") { db in
            var sql = "SELECT * FROM actions AS a WHERE seq = (SELECT max(seq) FROM actions WHERE id = a.id)"
            var arguments = StatementArguments()
            if let state = query.state {
                sql += " AND state = ?"
                arguments += [state.rawValue]
            }
            if let alert = query.alertID {
                sql += " AND alert_id = ?"
                arguments += [alert.description]
            }
            sql += " ORDER BY seq DESC LIMIT ?"
            arguments += [min(max(query.limit, 1), AlertQuery.limitMax)]
            return try Row.fetchAll(db, sql: sql, arguments: arguments).compactMap { ActionRow($0)?.record }
        }
    }

    package func transitions(of id: UUIDv7) throws -> [ActionRecord] {
        try reading("read an action") { db in
            try Row.fetchAll(
                db, sql: "SELECT * FROM actions WHERE id = ? ORDER BY seq LIMIT ?",
                arguments: [id.description, AlertQuery.limitMax]
            )
            .compactMap { ActionRow($0)?.record }
        }
    }

    package func actions(limit: Int) throws -> [ActionRecord] {
        try reading("read the audit record") { db in
            try Row.fetchAll(db, sql: "SELECT * FROM actions ORDER BY seq DESC LIMIT ?", arguments: [max(limit, 0)])
                .compactMap { ActionRow($0)?.record }
        }
    }

    /// Recomputes the whole chain from where retention left it: the number of the first row that is edited, missing, out
    /// of place or not to be read, or `nil`.
    package func verify() throws -> Int64? {
        var last = Head.none
        do {
            return try reading("verify the audit record") { db in
                let anchor = try Head.read("actions_anchor", db)
                last = anchor
                let rows = try Row.fetchCursor(db, sql: "SELECT * FROM actions ORDER BY seq")
                while let row = try rows.next() {
                    let seq: Int64 = row["seq"]
                    // One in front of the first has a number of its own; any other stands where the next should.
                    let isInFront = last == anchor && seq > 0 && seq <= last.seq
                    guard seq == last.seq + 1 else { return isInFront ? seq : last.seq + 1 }
                    guard let action = ActionRow(row) else { return seq }
                    let hash = action.hash(after: last.hash)
                    guard action.previous == last.hash, action.written == hash else { return seq }
                    last = Head(seq: seq, hash: hash)
                }
                let head = try Head.read("actions_head", db)
                return head == last ? nil : min(head.seq, last.seq) + 1
            }
        } catch let error as StoreError where error.reason == .corrupt {
            return last.seq + 1
        }
    }
}

/// A place in the chain: its end (`meta.actions_head`), or the last row that retention removed
/// (`meta.actions_anchor`).
struct Head: Equatable {
    var seq: Int64
    var hash: Data

    /// Before the first row.
    static let none = Head(seq: 0, hash: Data(count: 32))

    init(seq: Int64, hash: Data) {
        self.seq = seq
        self.hash = hash
    }

    init?(_ text: String) {
        let parts = text.split(separator: " ")
        guard parts.count == 2, let seq = Int64(parts[0]), parts[1].utf8.count == 64 else { return nil }
        let digits = Array(parts[1])
        let bytes = stride(from: 0, to: 64, by: 2).compactMap { UInt8(String(digits[$0...($0 + 1)]), radix: 16) }
        guard bytes.count == 32 else { return nil }
        self.init(seq: seq, hash: Data(bytes))
    }

    var text: String { "\(seq) \(hexadecimal(hash))" }

    static func read(_ key: String, _ db: Database) throws -> Head {
        try String.fetchOne(db, sql: "SELECT value FROM meta WHERE key = ?", arguments: [key]).flatMap(Head.init)
            ?? .none
    }

    func write(_ key: String, _ db: Database) throws {
        try db.execute(
            sql: """
                INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value
                """, arguments: [key, text]
        )
    }
}

/// A row of the audit record, its values as SQLite keeps them.
private struct ActionRow {
    let seq: Int64
    let time: Int64
    let expiresAt: Int64?
    /// All text columns in the table's order.
    let id, actionType, target, mode, state: String
    let alertID, policyID, guardrail, evidencePath, error: String?
    /// The hashes that stand in the row.
    let previous, written: Data?

    init(_ record: ActionRecord, seq: Int64) {
        self.seq = seq
        id = record.id.description
        time = record.time.nanoseconds
        alertID = record.alertID?.description
        policyID = record.policyID.map(searchable)
        actionType = searchable(record.actionType)
        target = searchable(record.target)
        mode = searchable(record.mode)
        state = record.state.rawValue
        guardrail = record.guardrail.map(searchable)
        expiresAt = record.expiresAt?.nanoseconds
        evidencePath = record.evidencePath.map(searchable)
        error = record.error.map(searchable)
        (previous, written) = (nil, nil)
    }

    /// `nil` when a value is of another kind than was written: the same bytes may then still read the same.
    init?(_ row: Row) {
        var isSound = true
        func text(_ column: String) -> String? {
            switch (row[column] as DatabaseValue).storage {
            case .string(let value): return value
            case .null: return nil
            default:
                isSound = false
                return nil
            }
        }
        func integer(_ column: String) -> Int64? {
            switch (row[column] as DatabaseValue).storage {
            case .int64(let value): return value
            case .null: return nil
            default:
                isSound = false
                return nil
            }
        }
        func bytes(_ column: String) -> Data? {
            guard case .blob(let value) = (row[column] as DatabaseValue).storage else { return nil }
            return value
        }
        (alertID, policyID, guardrail) = (text("alert_id"), text("policy_id"), text("guardrail"))
        (evidencePath, error, expiresAt) = (text("evidence_path"), text("error"), integer("expires_at"))
        guard let seq = integer("seq"), let time = integer("time"), let id = text("id"),
            let actionType = text("action_type"), let target = text("target"), let mode = text("mode"),
            let state = text("state"), let previous = bytes("prev_hash"), let written = bytes("hash"), isSound
        else { return nil }
        (self.seq, self.time, self.id, self.actionType) = (seq, time, id, actionType)
        (self.target, self.mode, self.state) = (target, mode, state)
        (self.previous, self.written) = (previous, written)
    }

    var arguments: StatementArguments {
        [
            seq, id, time, alertID, policyID, actionType, target, mode, state, guardrail, expiresAt, evidencePath,
            error,
        ]
    }

    /// SHA-256 over the previous hash and every column with its length, so that no text can pass for two columns.
    func hash(after previous: Data) -> Data {
        var hash = SHA256()
        hash.update(data: previous)
        let columns: [String?] = [
            String(seq), id, String(time), alertID, policyID, actionType, target, mode, state, guardrail,
            expiresAt.map { String($0) }, evidencePath, error,
        ]
        for column in columns {
            let text = column.map { "\($0.utf8.count):\($0);" } ?? "-;"
            hash.update(data: Array(text.utf8))
        }
        return Data(hash.finalize())
    }

    /// `nil` when somebody put something in that is no record of ours.
    var record: ActionRecord? {
        guard let id = UUIDv7(id), let state = ActionRecord.State(rawValue: state) else { return nil }
        return ActionRecord(
            id: id, time: Timestamp(nanoseconds: time), alertID: alertID.flatMap { UUIDv7($0) }, policyID: policyID,
            actionType: actionType, target: target, mode: mode, state: state, guardrail: guardrail,
            expiresAt: expiresAt.map { Timestamp(nanoseconds: $0) }, evidencePath: evidencePath, error: error
        )
    }
}
