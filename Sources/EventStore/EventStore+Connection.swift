internal import GRDB
internal import Glibc
internal import IronpostCore
internal import Synchronization

/// The connections to the database file, and what became of trust in them.
struct Connection {
    var pool: DatabasePool
    /// The file that was opened, so that it is noticed when another stands in its place, or none.
    var file: FileIdentity?
    /// An I/O error was seen: open anew and look before the next write.
    var isDoubtful = false
    /// A transaction that failed may stand whole in the log.
    var hasFailedFrames = false
    var isClosed = false
}

struct FileIdentity: Equatable {
    var device: UInt64
    var inode: UInt64
}

/// The last of what was reported as stored: has to be there whenever the file is opened again.
struct Acknowledged {
    var alert: String?
    var action: Int64?
}

/// After a failed fsync SQLite has rolled the transaction back, but its frames may stand whole in the log: whoever opens
/// the file next reads them as committed. And the kernel may have thrown away what it could not write, and says so only
/// once. So before anything else is done, the same connection commits something small: it overwrites those frames from
/// the same place, is forced to the disk with them, and breaks the chain of checksums behind it. Only then is everything
/// closed and read again from the file, checked, and what was acknowledged has to be there.
extension EventStore {
    static func configuration(_ path: String, _ options: Options, _ isHurried: Flag) -> GRDB.Configuration {
        var configuration = GRDB.Configuration()
        configuration.label = "event-store"
        configuration.readonly = options.isReadOnly
        let triesMax = Int(options.busyTimeout / busyStep)
        configuration.busyMode = .callback { tries in
            guard !isHurried.isSet, tries < triesMax else { return false }
            usleep(UInt32(busyStep / .microseconds(1)))
            return true
        }
        configuration.maximumReaderCount = options.readersMax
        configuration.prepareDatabase { db in
            // Before anything is written: also the journal mode is a change of the file.
            switch try Schema.inspect(db) {
            case .empty where !db.configuration.readonly: break
            case .ours(let version) where version <= Schema.version: break
            case .ours(let version):
                throw StoreError(
                    reason: .newer(found: version, known: Schema.version), operation: "open the database", path: path,
                    detail: "it was written by a newer version"
                )
            case .empty, .foreign:
                throw StoreError(
                    reason: .foreign, operation: "open the database", path: path,
                    detail: "it is not a database of this program"
                )
            }
        }
        return configuration
    }

    static func openPool(_ path: String, _ options: Options, _ isHurried: Flag) throws -> DatabasePool {
        let settings = configuration(path, options, isHurried)
        let pool = try translating("open the database", path) { try DatabasePool(path: path, configuration: settings) }
        guard !options.isReadOnly else { return pool }
        try translating("set up the database", path) {
            try pool.writeWithoutTransaction { db in
                try db.execute(sql: "PRAGMA synchronous = FULL")
                try db.execute(sql: "PRAGMA wal_autocheckpoint = \(options.checkpointPages)")
                try db.execute(sql: "PRAGMA journal_size_limit = \(walBytesMax)")
                try Schema.migrate(db)
                // What is only in the log may never have been forced to the disk by whoever wrote it: an alert that is
                // shown from here on is. A reader in the middle of something makes this fail; then the log stays.
                _ = try? db.checkpoint(.truncate)
            }
        }
        return pool
    }

    /// The pool to write with: opened anew first when the last one is not trusted, or the file is another.
    func trustedPool(_ operation: String) throws -> DatabasePool {
        if let pool = currentTrusted { return pool }
        return try reopening.withLock { _ in
            if let pool = currentTrusted { return pool }
            let (old, file, isClosed) = connection.withLock { ($0.pool, $0.file, $0.isClosed) }
            if isClosed {
                throw StoreError(reason: .closed, operation: operation, path: path, detail: "connection is closed")
            }
            let found = Self.identity(path)
            guard found != nil, found == file else {
                throw StoreError(
                    reason: .replaced, operation: operation, path: path,
                    detail: found == nil ? "the file was removed while it was in use" : "another file took its place"
                )
            }
            try Self.translating(operation, path) { try overwriteFailedFrames(old) }
            // The last to let go of the file also lets go of what it remembers of the log. One that was closed before
            // stays closed: closing again does nothing.
            try Self.translating("close the database", path) { try old.close() }
            let new = try Self.openPool(path, options, isHurried)
            connection.withLock { $0.pool = new }
            if Self.fileSize(path) <= options.checkAtOpenBytesMax { try checkIntegrity(isQuick: true) }
            try checkAcknowledged()
            connection.withLock { $0.isDoubtful = false }
            return new
        }
    }

    private func overwriteFailedFrames(_ pool: DatabasePool) throws {
        guard connection.withLock({ $0.isDoubtful && $0.hasFailedFrames }) else { return }
        try pool.write { db in
            try db.execute(
                sql: """
                    INSERT INTO meta (key, value) VALUES ('recoveries', '1')
                    ON CONFLICT (key) DO UPDATE SET value = CAST(value AS INTEGER) + 1
                    """
            )
        }
        connection.withLock { $0.hasFailedFrames = false }
    }

    /// `nil` when it has to be opened anew.
    private var currentTrusted: DatabasePool? {
        let found = Self.identity(path)
        return connection.withLock { connection in
            if connection.isClosed { return connection.pool }
            guard options.isReadOnly || found == connection.file, !connection.isDoubtful else { return nil }
            return connection.pool
        }
    }

    func doubt(_ pool: DatabasePool, after error: StoreError) {
        guard !options.isReadOnly else { return }
        connection.withLock { connection in
            guard connection.pool === pool else { return }
            connection.isDoubtful = true
            if error.reason == .inputOutput { connection.hasFailedFrames = true }
        }
    }

    /// Throws `StoreError` with reason `corrupt` when something is missing that was reported as stored.
    private func checkAcknowledged() throws {
        let last = acknowledged.withLock { $0 }
        let missing = try reading("look for what was stored") { db -> String? in
            if let id = last.alert,
                try Int.fetchOne(db, sql: "SELECT 1 FROM alerts WHERE id = ?", arguments: [id]) == nil
            {
                return "alert \(id)"
            }
            if let seq = last.action,
                try Int.fetchOne(db, sql: "SELECT 1 FROM actions WHERE seq = ?", arguments: [seq]) == nil
            {
                return "audit record \(seq)"
            }
            return nil
        }
        guard let missing else { return }
        throw StoreError(
            reason: .corrupt, operation: "trust the database", path: path,
            detail: "\(missing) was stored and is not there after an input/output error"
        )
    }

    static func identity(_ path: String) -> FileIdentity? {
        var status = stat()
        guard unsafe stat(path, &status) == 0 else { return nil }
        return FileIdentity(device: UInt64(status.st_dev), inode: UInt64(status.st_ino))
    }
}
