internal import FoundationEssentials
internal import GRDB
package import IronpostCore

extension EventStore: AlertStore {
    /// Newest first: by the time of storing, then by id.
    package func alerts(_ query: AlertQuery) throws -> AlertPage {
        let filter = Filter(query)
        let limit = min(max(query.limit, 1), AlertQuery.limitMax)
        return try reading("list alerts") { db in
            let rows = try Row.fetchAll(
                db, sql: Self.select + filter.sql + " ORDER BY time DESC, id DESC LIMIT \(limit)",
                arguments: filter.arguments
            )
            let total =
                rows.count < limit
                ? rows.count
                : try Int.fetchOne(db, sql: "SELECT count(*) FROM alerts" + filter.sql, arguments: filter.arguments)
            let decoder = JSONDecoder()
            return AlertPage(alerts: rows.map { Self.alert($0, decoder) }, total: total ?? rows.count)
        }
    }

    package func alert(id: UUIDv7) throws -> Alert? {
        try reading("read an alert") { db in
            try Row.fetchOne(db, sql: Self.select + " WHERE id = ?", arguments: [id.description])
                .map { Self.alert($0, JSONDecoder()) }
        }
    }

    static let alertColumns =
        "id, time, severity, title, rule_id, rule_title, status, count, first_seen, last_seen, record"
    private static let select = "SELECT " + alertColumns + " FROM alerts"

    private struct Filter {
        var sql = ""
        var arguments = StatementArguments()

        init(_ query: AlertQuery) {
            if let since = query.since { add("time >= ?", [since.nanoseconds]) }
            if let severity = query.minimumSeverity { add("severity >= ?", [severity.rank]) }
            if let rule = query.rule.map(searchable) { add("(rule_id = ? OR rule_title = ?)", [rule, rule]) }
            if let status = query.status { add("status = ?", [status.rawValue]) }
            for (name, value) in query.labels.sorted(by: { $0.key < $1.key }) {
                add("EXISTS (SELECT 1 FROM json_each(labels) AS l WHERE l.key = ? AND l.value = ?)", [name, value])
            }
        }

        private mutating func add(_ condition: String, _ values: StatementArguments) {
            sql += (sql.isEmpty ? " WHERE " : " AND ") + condition
            arguments += values
        }
    }

    /// The record with the columns that changed since. A record that somebody damaged is shown with what the columns
    /// still tell, so that it hides no other.
    static func alert(_ row: Row, _ decoder: JSONDecoder) -> Alert {
        let record: Data = row["record"]
        let document = try? decoder.decode(AlertDocument.self, from: record)
        var alert = document?.alert() ?? damaged(row)
        alert.time = Timestamp(nanoseconds: row["time"])
        alert.status = Alert.Status(rawValue: row["status"]) ?? alert.status
        alert.count = row["count"]
        alert.firstSeen = Timestamp(nanoseconds: row["first_seen"])
        alert.lastSeen = Timestamp(nanoseconds: row["last_seen"])
        return alert
    }

    private static func damaged(_ row: Row) -> Alert {
        let time = Timestamp(nanoseconds: row["time"])
        let severity = Severity(rank: row["severity"]) ?? .info
        return Alert(
            id: UUIDv7(row["id"] as String) ?? UUIDv7.make(at: time), time: time, severity: severity,
            title: row["title"], description: "The stored record of this alert is damaged.", source: "event-store",
            rule: RuleReference(id: row["rule_id"], title: row["rule_title"], level: severity.rawValue), node: "",
            event: EventRecord(time: Timestamp(nanoseconds: row["last_seen"]), fields: []),
            evidence: Evidence(source: "", raw: "", sha256: ""), firstSeen: time, lastSeen: time, traceID: "",
            generation: 0
        )
    }
}

extension EventStore: AlertTriage {
    package func setStatus(_ status: Alert.Status, of id: UUIDv7) throws -> Bool {
        try writing("change an alert") { db in
            try db.execute(
                sql: "UPDATE alerts SET status = ? WHERE id = ? AND (status <> 'closed' OR ? <> 'acknowledged')",
                arguments: [status.rawValue, id.description, status.rawValue]
            )
            if db.changesCount > 0 { return true }
            return try Bool.fetchOne(
                db, sql: "SELECT 1 FROM alerts WHERE id = ?", arguments: [id.description]) ?? false
        }
    }
}
