internal import FoundationEssentials
internal import GRDB
package import IronpostCore
internal import Synchronization

extension EventStore: AlertCommit {
    package func commit(_ transaction: AlertTransaction) throws -> CommitReceipt {
        // Encoding takes longer than writing; readers and other writers need not wait for it.
        let encoder = JSONEncoder()
        let rows = try transaction.inserts.map { try AlertRow($0, encoder: encoder) }
        let receipt = try writing("commit alerts") { db in
            try Self.insert(rows, db)
            try Self.update(transaction.updates, db)
            try Self.store(transaction.checkpoints, db)
            try Self.store(transaction.correlation, db)
            return CommitReceipt(inserted: rows.count, updated: transaction.updates.count)
        }
        if let last = rows.last { acknowledged.withLock { $0.alert = last.alert.id.description } }
        return receipt
    }

    package func latestAlert(
        rule: String, group: [Field], labels: [String: String], since: Timestamp, until: Timestamp
    ) throws -> AlertKey? {
        let key = makeGroupKey(group: group, labels: labels)
        return try reading("look up an alert") { db in
            let statement = try db.cachedStatement(
                sql: """
                    SELECT id, first_seen, last_seen FROM alerts
                    WHERE rule_id = ? AND group_key = ? AND last_seen >= ? AND first_seen <= ? AND status <> 'closed'
                    ORDER BY last_seen DESC LIMIT 1
                    """
            )
            let row = try Row.fetchOne(
                statement, arguments: [searchable(rule), key, since.nanoseconds, until.nanoseconds]
            )
            guard let row, let text = row[0] as String?, let id = UUIDv7(text) else { return nil }
            return AlertKey(id: id, firstSeen: Timestamp(nanoseconds: row[1]), lastSeen: Timestamp(nanoseconds: row[2]))
        }
    }

    private static func insert(_ rows: [AlertRow], _ db: Database) throws {
        guard !rows.isEmpty else { return }
        let statement = try db.cachedStatement(
            sql: """
                INSERT INTO alerts (id, time, severity, title, rule_id, rule_title, group_key, status, count, first_seen,
                    last_seen, src_ip, labels, record)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                """
        )
        for row in rows {
            let alert = row.alert
            try statement.execute(arguments: [
                alert.id.description, alert.time.nanoseconds, alert.severity.rank, searchable(alert.title),
                searchable(alert.rule.id), searchable(alert.rule.title), row.groupKey, alert.status.rawValue,
                alert.count, alert.firstSeen.nanoseconds, alert.lastSeen.nanoseconds, alert.srcIP.map(searchable),
                row.labels, row.record,
            ])
        }
    }

    private static func update(_ updates: [AlertUpdate], _ db: Database) throws {
        guard !updates.isEmpty else { return }
        let statement = try db.cachedStatement(
            sql: """
                UPDATE alerts SET count = count + ?, first_seen = min(first_seen, ?), last_seen = max(last_seen, ?)
                WHERE id = ? AND status <> 'closed'
                """
        )
        var gone: [UUIDv7] = []
        for update in updates {
            try statement.execute(arguments: [
                update.count, update.firstSeen.nanoseconds, update.lastSeen.nanoseconds, update.id.description,
            ])
            if db.changesCount == 0 { gone.append(update.id) }
        }
        if !gone.isEmpty { throw AlertsGone(ids: gone) }
    }

    private static func store(_ checkpoints: [Checkpoint], _ db: Database) throws {
        for checkpoint in checkpoints {
            try put(
                "checkpoints", key: Data(checkpoint.key.utf8), value: checkpoint.value.map { Data($0.utf8) }, db
            )
        }
    }

    private static func store(_ states: [CorrelationState], _ db: Database) throws {
        for state in states {
            try put("correlation", key: Data(state.key.utf8), value: state.value.map { Data($0) }, db)
        }
    }

    /// Stores or, without a value, forgets. `table` is a name of ours, never text from outside.
    private static func put(_ table: String, key: Data, value: Data?, _ db: Database) throws {
        guard let value else {
            try db.cachedStatement(sql: "DELETE FROM \(table) WHERE key = ?").execute(arguments: [key])
            return
        }
        let sql = """
            INSERT INTO \(table) (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value
            """
        try db.cachedStatement(sql: sql).execute(arguments: [key, value])
    }
}

extension EventStore: CheckpointStore {
    package func checkpoints() throws -> [Checkpoint] {
        try reading("read checkpoints") { db in
            try Row.fetchAll(db, sql: "SELECT key, value FROM checkpoints ORDER BY key").map { row in
                Checkpoint(key: Self.text(row[0]), value: Self.text(row[1]))
            }
        }
    }

    package func correlation() throws -> [CorrelationState] {
        try reading("read correlation windows") { db in
            try Row.fetchAll(db, sql: "SELECT key, value FROM correlation ORDER BY key").map { row in
                CorrelationState(key: Self.text(row[0]), value: [UInt8](row[1] as Data))
            }
        }
    }

    private static func text(_ data: Data) -> String { String(decoding: data, as: UTF8.self) }
}
