internal import GRDB

/// The database's shape, and the numbered steps that lead to it. A step that was released is never changed.
enum Schema {
    /// `PRAGMA application_id` of our files: "irnp".
    static let applicationID: Int32 = 0x6972_6E70

    /// The version that this program writes; `PRAGMA user_version`.
    static var version: Int { migrations.count }

    /// Step n leads from version n to n + 1.
    static let migrations: [String] = [first, anchored, decisions, packageFindings]

    /// Known vulnerabilities of packages; one that is over stays as `fixed`. `severity` is -1 where nobody rated it.
    private static let packageFindings = """
        CREATE TABLE findings (
            root BLOB NOT NULL,
            advisory BLOB NOT NULL,
            purl BLOB NOT NULL,
            state TEXT NOT NULL CHECK (state IN ('new', 'seen', 'fixed', 'suppressed')),
            severity INTEGER NOT NULL,
            first_seen INTEGER NOT NULL,
            last_seen INTEGER NOT NULL,
            record BLOB NOT NULL,
            PRIMARY KEY (root, advisory, purl)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX findings_state ON findings (state, first_seen);
        """

    /// The beginning of the audit record may go, up to where `meta.actions_anchor` says that the rest hangs on.
    private static let anchored = """
        DROP TRIGGER actions_no_delete;
        CREATE TRIGGER actions_no_delete BEFORE DELETE ON actions
        WHEN OLD.seq > coalesce((SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'actions_anchor'), 0)
        BEGIN SELECT RAISE(ABORT, 'the audit record is append-only'); END;
        """

    /// Actions that are not over, what is blocked because of them, and what people decided beside. `boot` and `uptime`
    /// keep a point in time that setting the clock does not move. Readers with a durable cursor are known by name.
    private static let decisions = """
        CREATE TABLE standing_actions (
            id TEXT PRIMARY KEY,
            action_type TEXT NOT NULL,
            target TEXT NOT NULL,
            alert_id TEXT,
            policy_id TEXT,
            mode TEXT NOT NULL,
            phase TEXT NOT NULL,
            origin TEXT NOT NULL,
            reason TEXT NOT NULL,
            created INTEGER NOT NULL,
            duration INTEGER NOT NULL,
            expires_at INTEGER NOT NULL,
            boot TEXT NOT NULL,
            uptime INTEGER NOT NULL,
            detail TEXT NOT NULL,
            guardrail TEXT,
            evidence_path TEXT
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE blocks (
            target TEXT PRIMARY KEY,
            action_id TEXT NOT NULL,
            origin TEXT NOT NULL,
            reason TEXT NOT NULL,
            created INTEGER NOT NULL,
            expires_at INTEGER NOT NULL,
            boot TEXT NOT NULL,
            uptime INTEGER NOT NULL,
            in_force INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX blocks_action ON blocks (action_id);
        CREATE TABLE allowed (network TEXT PRIMARY KEY, reason TEXT NOT NULL, created INTEGER NOT NULL)
        STRICT, WITHOUT ROWID;
        CREATE TABLE silences (
            id TEXT PRIMARY KEY,
            rule TEXT,
            fields TEXT NOT NULL,
            reason TEXT NOT NULL,
            created INTEGER NOT NULL,
            ends INTEGER NOT NULL,
            suppressed INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE cursors (reader TEXT PRIMARY KEY, seq INTEGER NOT NULL) STRICT, WITHOUT ROWID;
        CREATE INDEX actions_target ON actions (target, time);
        CREATE INDEX actions_alert ON actions (alert_id);
        """

    /// Text columns repeat what a query needs; the truth of an alert is `record`, overridden by the columns that change
    /// (`status`, `count`, `first_seen`, `last_seen`). `seq` is the order of commits, never used twice: readers with a
    /// durable cursor go by it. Checkpoints are bytes, because SQLite's text functions end at a NUL.
    private static let first = """
        CREATE TABLE alerts (
            seq INTEGER PRIMARY KEY AUTOINCREMENT,
            id TEXT NOT NULL UNIQUE,
            time INTEGER NOT NULL,
            severity INTEGER NOT NULL CHECK (severity BETWEEN 0 AND 4),
            title TEXT NOT NULL,
            rule_id TEXT NOT NULL,
            rule_title TEXT NOT NULL,
            group_key TEXT NOT NULL,
            status TEXT NOT NULL CHECK (status IN ('open', 'acknowledged', 'closed')),
            count INTEGER NOT NULL CHECK (count > 0),
            first_seen INTEGER NOT NULL,
            last_seen INTEGER NOT NULL,
            src_ip TEXT,
            labels TEXT,
            record BLOB NOT NULL
        ) STRICT;
        CREATE INDEX alerts_newest ON alerts (time DESC, id DESC);
        CREATE INDEX alerts_group ON alerts (rule_id, group_key, last_seen);
        CREATE INDEX alerts_severity ON alerts (severity, time);

        CREATE TABLE checkpoints (key BLOB PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;
        CREATE TABLE correlation (key BLOB PRIMARY KEY, value BLOB NOT NULL) STRICT;
        CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;

        CREATE TABLE actions (
            seq INTEGER PRIMARY KEY,
            id TEXT NOT NULL,
            time INTEGER NOT NULL,
            alert_id TEXT,
            policy_id TEXT,
            action_type TEXT NOT NULL,
            target TEXT NOT NULL,
            mode TEXT NOT NULL,
            state TEXT NOT NULL,
            guardrail TEXT,
            expires_at INTEGER,
            evidence_path TEXT,
            error TEXT,
            prev_hash BLOB NOT NULL,
            hash BLOB NOT NULL
        ) STRICT;
        CREATE INDEX actions_id ON actions (id);
        CREATE TRIGGER actions_no_update BEFORE UPDATE ON actions
        BEGIN SELECT RAISE(ABORT, 'the audit record is append-only'); END;
        CREATE TRIGGER actions_no_delete BEFORE DELETE ON actions
        BEGIN SELECT RAISE(ABORT, 'the audit record is append-only'); END;
        """

    /// What a file turned out to be before anything in it was touched.
    enum Finding { case ours(version: Int), empty, foreign }

    static func inspect(_ db: Database) throws -> Finding {
        let application = try Int32.fetchOne(db, sql: "PRAGMA application_id") ?? 0
        let version = try Int.fetchOne(db, sql: "PRAGMA user_version") ?? 0
        if application == applicationID { return .ours(version: version) }
        let tables = try Int.fetchOne(db, sql: "SELECT count(*) FROM sqlite_master") ?? 0
        return application == 0 && version == 0 && tables == 0 ? .empty : .foreign
    }

    /// Brings the database to `version`, each step in a transaction of its own: what breaks off goes on next time.
    static func migrate(_ db: Database) throws {
        let found = try Int.fetchOne(db, sql: "PRAGMA user_version") ?? 0
        for (step, sql) in migrations.enumerated() where step >= found {
            try db.inTransaction(.immediate) {
                try db.execute(sql: sql)
                try db.execute(sql: "PRAGMA application_id = \(applicationID)")
                try db.execute(sql: "PRAGMA user_version = \(step + 1)")
                return .commit
            }
        }
    }
}
