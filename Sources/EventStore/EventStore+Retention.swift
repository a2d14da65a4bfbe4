internal import FoundationEssentials
internal import GRDB
package import IronpostCore

/// Rows go by the order in which they were stored, the oldest first. The file does not get smaller: what is free in it
/// is used again.
extension EventStore: Retention {
    package func removeExpired(before limit: Timestamp, horizon: Timestamp, rowsMax: Int) throws -> RetentionStep {
        // Most steps find nothing: told without taking the writer's turn.
        guard try hasExpired(before: limit, horizon: horizon) else {
            return RetentionStep(alerts: 0, actions: 0, isFinished: true)
        }
        return try writing("remove expired alerts") { db in
            try db.execute(
                sql: """
                    DELETE FROM alerts WHERE seq IN (
                        SELECT seq FROM alerts INDEXED BY alerts_newest
                        WHERE time < ? AND NOT (last_seen >= ? AND last_seen <= ?) ORDER BY time, id LIMIT ?)
                    """,
                arguments: [limit.nanoseconds, limit.nanoseconds, horizon.nanoseconds, rowsMax]
            )
            let alerts = db.changesCount
            let actions = try Self.removeActions(before: limit, rowsMax: rowsMax, db)
            return RetentionStep(alerts: alerts, actions: actions, isFinished: alerts < rowsMax && actions < rowsMax)
        }
    }

    private func hasExpired(before limit: Timestamp, horizon: Timestamp) throws -> Bool {
        try reading("look for expired alerts") { db in
            let alerts = try Int.fetchOne(
                db,
                sql: """
                    SELECT 1 FROM alerts INDEXED BY alerts_newest
                    WHERE time < ? AND NOT (last_seen >= ? AND last_seen <= ?) LIMIT 1
                    """,
                arguments: [limit.nanoseconds, limit.nanoseconds, horizon.nanoseconds]
            )
            if alerts != nil { return true }
            return try !Self.expiredActions(before: limit, rowsMax: 1, db).isEmpty
        }
    }

    private static func removeActions(before limit: Timestamp, rowsMax: Int, _ db: Database) throws -> Int {
        let expired = try expiredActions(before: limit, rowsMax: rowsMax, db)
        guard let last = expired.last else { return 0 }
        try last.write("actions_anchor", db)
        try db.execute(sql: "DELETE FROM actions WHERE seq <= ?", arguments: [last.seq])
        return expired.count
    }

    /// The beginning of the record up to the first row that has to stay: a young one, or one of an action that is young
    /// or may be in force.
    private static func expiredActions(before limit: Timestamp, rowsMax: Int, _ db: Database) throws -> [Head] {
        let rows = try Row.fetchAll(
            db,
            sql: """
                SELECT a.seq, a.hash, a.time, l.time AS last_time, l.state, l.expires_at
                FROM actions a JOIN actions l ON l.seq = (SELECT max(seq) FROM actions WHERE id = a.id)
                ORDER BY a.seq LIMIT ?
                """, arguments: [rowsMax]
        )
        return rows.prefix { row in
            let state = ActionRecord.State(rawValue: row["state"])
            let isUnderWay = state == .approved || state == .running
            let expiry: Int64? = row["expires_at"]
            let isInForce = state == .done && (expiry.map { $0 >= limit.nanoseconds } ?? false)
            let (time, lastTime): (Int64, Int64) = (row["time"], row["last_time"])
            return !isUnderWay && !isInForce && max(time, lastTime) < limit.nanoseconds
        }
        .map { Head(seq: $0["seq"], hash: $0["hash"]) }
    }
}
