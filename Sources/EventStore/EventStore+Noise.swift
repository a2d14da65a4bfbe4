internal import GRDB
package import IronpostCore

extension EventStore: NoiseReport {
    package func noisiest(since: Timestamp, limit: Int) throws -> [NoisyRule] {
        try reading("find the noisiest rules") { db in
            let rows = try Row.fetchAll(
                db,
                sql: """
                    SELECT rule_id, max(rule_title) AS title, count(*) AS alerts, sum(count) AS events,
                        max(severity) AS severity, sum(status <> 'open') AS settled
                    FROM alerts INDEXED BY alerts_newest WHERE time >= ? GROUP BY rule_id
                    ORDER BY events DESC, rule_id LIMIT ?
                    """, arguments: [since.nanoseconds, min(max(limit, 1), AlertQuery.limitMax)]
            )
            return try rows.map { row in
                let rule: String = row["rule_id"]
                let top = try Row.fetchOne(
                    db,
                    sql: """
                        SELECT src_ip, sum(count) AS events FROM alerts
                        WHERE rule_id = ? AND time >= ? AND src_ip IS NOT NULL GROUP BY src_ip
                        ORDER BY events DESC, src_ip LIMIT 1
                        """, arguments: [rule, since.nanoseconds]
                )
                return NoisyRule(
                    rule: rule, title: row["title"], alerts: row["alerts"], events: row["events"],
                    severity: Severity(rank: row["severity"]) ?? .info, settled: row["settled"],
                    topSource: top?["src_ip"], topSourceEvents: top?["events"] ?? 0
                )
            }
        }
    }
}
