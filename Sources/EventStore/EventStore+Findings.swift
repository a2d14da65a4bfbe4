internal import FoundationEssentials
internal import GRDB
package import IronpostCore

/// Findings of packages: a row each, which lives on as `fixed` when it is over.
extension EventStore: FindingStore {
    package func put(_ findings: [FindingRecord]) throws {
        guard !findings.isEmpty else { return }
        try writing("store findings") { db in
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            let insert = try db.cachedStatement(
                sql: """
                    INSERT OR REPLACE INTO findings (root, advisory, purl, state, severity, first_seen, last_seen, record)
                    VALUES (?, ?, ?, ?, ?, ?, ?, ?)
                    """
            )
            for finding in findings {
                try insert.execute(
                    arguments: [
                        Array(finding.root.utf8).asData, Array(finding.advisory.utf8).asData,
                        Array(finding.purl.utf8).asData, finding.state.rawValue, finding.severity?.rank ?? -1,
                        finding.firstSeen.nanoseconds, finding.lastSeen.nanoseconds,
                        try encoder.encode(FindingDocument(finding)),
                    ]
                )
            }
        }
    }

    package func standingFindings() throws -> [FindingRecord] {
        try reading("read findings") { db in
            let decoder = JSONDecoder()
            return try Row.fetchAll(
                db, sql: "SELECT record FROM findings WHERE state <> 'fixed' ORDER BY root, purl, advisory"
            ).compactMap { Self.finding($0, decoder) }
        }
    }

    package func findings(_ query: FindingQuery) throws -> FindingPage {
        try reading("list findings") { db in
            var condition = " WHERE state " + (query.state == nil ? "<> 'fixed'" : "= ?")
            var arguments = StatementArguments()
            if let state = query.state { arguments += [state.rawValue] }
            if let severity = query.minimumSeverity {
                // What nobody rated may be anything.
                condition += " AND (severity >= ? OR severity < 0)"
                arguments += [severity.rank]
            }
            let limit = min(max(query.limit, 1), AlertQuery.limitMax)
            let rows = try Row.fetchAll(
                db,
                sql: "SELECT record FROM findings" + condition
                    + " ORDER BY first_seen DESC, purl, advisory LIMIT \(limit)",
                arguments: arguments
            )
            let total = try Int.fetchOne(db, sql: "SELECT count(*) FROM findings" + condition, arguments: arguments)
            let decoder = JSONDecoder()
            return FindingPage(findings: rows.compactMap { Self.finding($0, decoder) }, total: total ?? rows.count)
        }
    }

    private static func finding(_ row: Row, _ decoder: JSONDecoder) -> FindingRecord? {
        let record: Data = row["record"]
        return (try? decoder.decode(FindingDocument.self, from: record))?.finding()
    }
}

extension [UInt8] {
    fileprivate var asData: Data { Data(self) }
}
