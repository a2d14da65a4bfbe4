internal import FoundationEssentials
internal import GRDB
internal import Glibc
internal import IronpostCore

/// What a look at every record found.
package struct StoreCheck: Sendable, Hashable {
    package var alerts = 0
    package var actions = 0
    /// Audit records that retention removed; the rest hangs on the last of them.
    package var actionsRemoved: Int64 = 0
    /// Each names a record and what is wrong with it; the first bad one of each kind, and `integrity_check`'s own words.
    package var faults: [String] = []

    package init() {}
}

extension EventStore {
    /// Reads everything: the file against itself, every alert, the audit chain. Works beside a running daemon.
    package func check() throws -> StoreCheck {
        var result = StoreCheck()
        do {
            try checkIntegrity()
        } catch let error as StoreError where error.reason == .corrupt {
            result.faults.append("the file: \(error.detail)")
        }
        // A damaged file can break off any of these; what was found before counts all the same.
        do {
            let (count, fault) = try checkAlerts()
            result.alerts = count
            if let fault { result.faults.append(fault) }
            if let seq = try verify() { result.faults.append("audit record \(seq): it is not as it was written") }
            (result.actions, result.actionsRemoved) = try reading("count audit records") { db in
                (
                    try Int.fetchOne(db, sql: "SELECT count(*) FROM actions") ?? 0,
                    try Head.read("actions_anchor", db).seq
                )
            }
        } catch let error as StoreError where !result.faults.isEmpty || error.reason == .corrupt {
            result.faults.append("reading broke off: \(error.detail)")
        }
        return result
    }

    /// How many audit records there are, and the first that is not as it was written.
    package func auditSummary() throws -> (records: Int, removed: Int64, firstBad: Int64?) {
        let firstBad = try verify()
        var anchor: Int64 = 0
        do {
            return try reading("count audit records") { db in
                anchor = try Head.read("actions_anchor", db).seq
                return (try Int.fetchOne(db, sql: "SELECT count(*) FROM actions") ?? 0, anchor, firstBad)
            }
        } catch let error as StoreError where error.reason == .corrupt {
            // As many as could be read.
            return (Int((firstBad ?? anchor + 1) - 1 - anchor), anchor, firstBad ?? anchor + 1)
        }
    }

    /// `PRAGMA user_version`.
    package func schemaVersion() throws -> Int {
        try reading("read the schema's version") { db in
            try Int.fetchOne(db, sql: "PRAGMA user_version") ?? 0
        }
    }

    private func checkAlerts() throws -> (count: Int, fault: String?) {
        try reading("check alerts") { db in
            let rows = try Row.fetchCursor(
                db,
                sql:
                    "SELECT seq, id, time, severity, rule_id, count, first_seen, last_seen, record FROM alerts ORDER BY seq"
            )
            let decoder = JSONDecoder()
            var count = 0
            while let row = try rows.next() {
                count += 1
                if let fault = Self.fault(of: row, decoder) {
                    return (count, "alert \(row["id"] as String) (seq \(row["seq"] as Int64)): \(fault)")
                }
            }
            return (count, nil)
        }
    }

    private static func fault(of row: Row, _ decoder: JSONDecoder) -> String? {
        let record: Data = row["record"]
        let document: AlertDocument
        do {
            document = try decoder.decode(AlertDocument.self, from: record)
        } catch {
            return "its record cannot be read"
        }
        guard let alert = document.alert() else { return "its record is incomplete" }
        if alert.id.description != row["id"] { return "its record is another alert's" }
        if alert.severity.rank != row["severity"] { return "its severity differs from its record's" }
        if searchable(alert.rule.id) != row["rule_id"] { return "its rule differs from its record's" }
        if (row["count"] as Int) < alert.count { return "its count is lower than when it was stored" }
        if (row["first_seen"] as Int64) > (row["last_seen"] as Int64) { return "it ends before it begins" }
        return nil
    }

    /// Writes a whole, compact copy, readable by its owner only, to a file that must not exist yet; readers and the
    /// writer go on meanwhile. On return it is on the disk; after an error there is none.
    package func backup(to destination: String) throws {
        try Self.translating("write the backup \(destination) of what is", path) {
            let descriptor = unsafe open(destination, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
            guard descriptor >= 0 else { throw Self.systemError("create the backup", destination) }
            defer { Glibc.close(descriptor) }
            do {
                try pool.vacuum(into: destination)
                guard fsync(descriptor) == 0 else { throw Self.systemError("write the backup", destination) }
                try Self.syncDirectory(of: destination)
            } catch {
                unsafe unlink(destination)
                throw error
            }
        }
    }

    private static func syncDirectory(of path: String) throws {
        let directory = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
        let descriptor = unsafe open(directory.isEmpty ? "/" : directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw systemError("write the backup", path) }
        defer { Glibc.close(descriptor) }
        guard fsync(descriptor) == 0 else { throw systemError("write the backup", path) }
    }
}
