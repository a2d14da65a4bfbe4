internal import FoundationEssentials
internal import GRDB
package import IronpostCore
internal import Synchronization

/// Standing actions, blocks, the allow list and silences; their transitions go into the audit record in the same
/// transaction.
extension EventStore: DecisionStore {
    package func commit(_ change: DecisionChange) throws {
        let last = try writing("store a decision") { db in
            let last = try Self.append(change.records, db)
            for action in change.standing { try Self.put(action, db) }
            try Self.delete("standing_actions", "id", change.ended.map(\.description), db)
            try Self.delete("blocks", "action_id", change.blocksRemovedOf.map(\.description), db)
            try Self.delete("blocks", "target", change.blocksRemoved.map(\.description), db)
            try Self.put(change.blocks, db)
            try Self.delete("allowed", "network", change.allowedRemoved.map(\.description), db)
            for entry in change.allowed {
                try db.execute(
                    sql: "INSERT OR REPLACE INTO allowed (network, reason, created) VALUES (?, ?, ?)",
                    arguments: [entry.network.description, searchable(entry.reason), entry.created.nanoseconds]
                )
            }
            try Self.delete("silences", "id", change.silencesRemoved.map(\.description), db)
            for silence in change.silences { try Self.put(silence, db) }
            if let cursor = change.cursor { try Self.put(cursor, db) }
            return last
        }
        if let last { acknowledged.withLock { $0.action = last } }
    }

    package func standingActions() throws -> [StandingAction] {
        try reading("read standing actions") { db in
            try Row.fetchAll(db, sql: "SELECT * FROM standing_actions ORDER BY id").compactMap(Self.standingAction)
        }
    }

    package func blocks() throws -> [Block] {
        try reading("read blocks") { db in
            var blocks: [Block] = []
            let rows = try Row.fetchCursor(db, sql: "SELECT * FROM blocks ORDER BY created, target")
            var last: (text: String, action: UUIDv7?) = ("", nil)
            while let row = try rows.next() {
                let text: String = row["action_id"]
                if text != last.text { last = (text, UUIDv7(text)) }
                guard let target = BlockTarget(row["target"] as String), let action = last.action,
                    let origin = Block.Origin(rawValue: row["origin"])
                else { continue }
                blocks.append(
                    Block(
                        target: target, actionID: action, origin: origin, reason: row["reason"],
                        created: Timestamp(nanoseconds: row["created"]), deadline: Self.deadline(row),
                        isInForce: row["in_force"]
                    )
                )
            }
            return blocks
        }
    }

    package func allowed() throws -> [AllowEntry] {
        try reading("read the allow list") { db in
            try Row.fetchAll(db, sql: "SELECT * FROM allowed ORDER BY created, network").compactMap { row in
                IPNetwork(row["network"] as String).map {
                    AllowEntry(network: $0, reason: row["reason"], created: Timestamp(nanoseconds: row["created"]))
                }
            }
        }
    }

    package func silences() throws -> [Silence] {
        try reading("read silences") { db in
            let decoder = JSONDecoder()
            return try Row.fetchAll(db, sql: "SELECT * FROM silences ORDER BY id").compactMap { row in
                guard let id = UUIDv7(row["id"] as String),
                    let fields = try? decoder.decode([[String]].self, from: Data((row["fields"] as String).utf8))
                else { return nil }
                return Silence(
                    id: id, rule: row["rule"], fields: fields.filter { $0.count == 2 }.map { Field($0[0], $0[1]) },
                    reason: row["reason"], created: Timestamp(nanoseconds: row["created"]),
                    ends: Timestamp(nanoseconds: row["ends"]), suppressed: row["suppressed"]
                )
            }
        }
    }

    package func history(actionType: String, target: String, since: Timestamp) throws -> ActionHistory {
        try reading("look up earlier actions") { db in
            let row = try Row.fetchOne(
                db,
                sql: """
                    SELECT count(CASE WHEN state = 'done' THEN 1 END) AS done,
                        max(CASE WHEN state = 'undone' THEN time END) AS undone
                    FROM actions WHERE target = ? AND action_type = ? AND time >= ?
                    """,
                arguments: [searchable(target), actionType, since.nanoseconds]
            )
            let undone: Int64? = row?["undone"]
            return ActionHistory(count: row?["done"] ?? 0, lastUndone: undone.map { Timestamp(nanoseconds: $0) })
        }
    }

    // MARK: - Rows

    private static func put(_ action: StandingAction, _ db: Database) throws {
        let statement = try db.cachedStatement(
            sql: """
                INSERT OR REPLACE INTO standing_actions (id, action_type, target, alert_id, policy_id, mode, phase, origin,
                    reason, created, duration, expires_at, boot, uptime, detail, guardrail, evidence_path)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                """
        )
        try statement.execute(arguments: [
            action.id.description, action.actionType, searchable(action.target), action.alertID?.description,
            action.policyID.map(searchable), action.mode, action.phase.rawValue, action.origin.rawValue,
            searchable(action.reason), action.created.nanoseconds, action.duration.nanoseconds,
            action.deadline.time.nanoseconds, action.deadline.boot, action.deadline.uptime, searchable(action.detail),
            action.guardrail.map(searchable), action.evidencePath.map(searchable),
        ])
    }

    private static func standingAction(_ row: Row) -> StandingAction? {
        guard let id = UUIDv7(row["id"] as String), let phase = StandingAction.Phase(rawValue: row["phase"]),
            let origin = Block.Origin(rawValue: row["origin"])
        else { return nil }
        return StandingAction(
            id: id, actionType: row["action_type"], target: row["target"],
            alertID: (row["alert_id"] as String?).flatMap { UUIDv7($0) }, policyID: row["policy_id"],
            mode: row["mode"], phase: phase, origin: origin, reason: row["reason"],
            created: Timestamp(nanoseconds: row["created"]), duration: .nanoseconds(row["duration"] as Int64),
            deadline: deadline(row), detail: row["detail"], guardrail: row["guardrail"],
            evidencePath: row["evidence_path"]
        )
    }

    private static func deadline(_ row: Row) -> Deadline {
        Deadline(time: Timestamp(nanoseconds: row["expires_at"]), boot: row["boot"], uptime: row["uptime"])
    }

    private static func put(_ blocks: [Block], _ db: Database) throws {
        guard !blocks.isEmpty else { return }
        let statement = try db.cachedStatement(
            sql: """
                INSERT OR REPLACE INTO blocks (target, action_id, origin, reason, created, expires_at, boot, uptime,
                    in_force)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
                """
        )
        // Lists are long: in the order of the key they fill one page after the other. And all of one are the same action's.
        let keyed = blocks.map { (key: $0.target.description, block: $0) }.sorted { $0.key < $1.key }
        var last = (action: blocks[0].actionID, text: blocks[0].actionID.description)
        for (key, block) in keyed {
            if block.actionID != last.action { last = (block.actionID, block.actionID.description) }
            try statement.execute(arguments: [
                key, last.text, block.origin.rawValue, searchable(block.reason),
                block.created.nanoseconds, block.deadline.time.nanoseconds, block.deadline.boot,
                block.deadline.uptime, block.isInForce,
            ])
        }
    }

    private static func put(_ silence: Silence, _ db: Database) throws {
        let fields = try JSONEncoder().encode(silence.fields.map { [$0.name, $0.value] })
        try db.execute(
            sql: """
                INSERT OR REPLACE INTO silences (id, rule, fields, reason, created, ends, suppressed)
                VALUES (?, ?, ?, ?, ?, ?, ?)
                """,
            arguments: [
                silence.id.description, silence.rule.map(searchable), String(decoding: fields, as: UTF8.self),
                searchable(silence.reason), silence.created.nanoseconds, silence.ends.nanoseconds, silence.suppressed,
            ]
        )
    }

    /// `table` and `column` are names of ours, never text from outside.
    private static func delete(_ table: String, _ column: String, _ values: [String], _ db: Database) throws {
        guard !values.isEmpty else { return }
        let statement = try db.cachedStatement(sql: "DELETE FROM \(table) WHERE \(column) = ?")
        for value in values { try statement.execute(arguments: [value]) }
    }
}

extension EventStore: CursorLog {
    package func alerts(after sequence: Int64, limit: Int) throws -> [SequencedAlert] {
        try reading("read alerts in order") { db in
            let decoder = JSONDecoder()
            return try Row.fetchAll(
                db, sql: "SELECT seq, " + Self.alertColumns + " FROM alerts WHERE seq > ? ORDER BY seq LIMIT ?",
                arguments: [sequence, max(limit, 0)]
            )
            .map { SequencedAlert(sequence: $0["seq"], alert: Self.alert($0, decoder)) }
        }
    }

    package func lastSequence() throws -> Int64 {
        try reading("look up the last alert") { db in
            try Int64.fetchOne(db, sql: "SELECT seq FROM sqlite_sequence WHERE name = 'alerts'") ?? 0
        }
    }

    package func cursor(of reader: String) throws -> Int64? {
        try reading("read a cursor") { db in
            try Int64.fetchOne(db, sql: "SELECT seq FROM cursors WHERE reader = ?", arguments: [reader])
        }
    }

    package func setCursor(of reader: String, to sequence: Int64) throws {
        try writing("store a cursor") { db in
            try Self.put(DecisionChange.Cursor(reader: reader, sequence: sequence), db)
        }
    }

    static func put(_ cursor: DecisionChange.Cursor, _ db: Database) throws {
        try db.cachedStatement(sql: "INSERT OR REPLACE INTO cursors (reader, seq) VALUES (?, ?)")
            .execute(arguments: [cursor.reader, cursor.sequence])
    }
}
