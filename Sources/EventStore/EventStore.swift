internal import Dispatch
internal import FoundationEssentials
internal import GRDB
internal import Glibc
internal import IronpostCore
internal import Synchronization

/// Everything that must outlive the daemon, in one SQLite file: alerts, checkpoints, correlation windows, and the audit
/// record of actions.
///
/// Write-ahead log with `synchronous=FULL`: what a call reported as done survives a power loss. One connection writes,
/// others read; a reader never waits for a writer. All calls block on the disk.
package final class EventStore: Sendable {
    package struct Options: Sendable {
        /// For commands that only look; a missing database is an error then.
        package var isReadOnly: Bool
        /// How long a call waits for another process's lock.
        package var busyTimeout: Duration
        package var readersMax: Int
        /// A file up to this size is checked when it is opened (SQLite's `quick_check`, about 1 s for 200 MB).
        package var checkAtOpenBytesMax: Int
        /// Commits after which the log is copied into the database, beside whoever commits next.
        package var checkpointCommits: Int
        /// Pages of the log after which a commit itself copies it, and takes longer.
        package var checkpointPages: Int

        package init(
            isReadOnly: Bool = false, busyTimeout: Duration = .seconds(5), readersMax: Int = 4,
            checkAtOpenBytesMax: Int = 64 << 20, checkpointCommits: Int = 128, checkpointPages: Int = 4000
        ) {
            self.isReadOnly = isReadOnly
            self.busyTimeout = busyTimeout
            self.readersMax = readersMax
            self.checkAtOpenBytesMax = checkAtOpenBytesMax
            self.checkpointCommits = checkpointCommits
            self.checkpointPages = checkpointPages
        }
    }

    /// The log is copied back and cut to nothing once it is this long; it is asked for every `walCheckInterval` commits.
    static let walBytesMax = 32 << 20
    static let walCheckInterval = 64
    /// Pause between two looks at another process's lock.
    static let busyStep = Duration.milliseconds(10)

    package let path: String
    let options: Options
    let connection: Mutex<Connection>
    /// One at a time opens a new connection.
    let reopening = Mutex(())
    let acknowledged = Mutex(Acknowledged())
    private let commits = Atomic<Int>(0)
    private let checkpointing = DispatchQueue(label: "event-store-checkpoint")
    let isHurried = Flag()

    /// Opens the database, or creates it with mode 0600, in a directory that it creates with mode 0700.
    ///
    /// Throws `StoreError`; a file of another program or a newer version is left untouched.
    package init(path: String, options: Options = Options()) throws {
        self.path = path
        self.options = options
        if !options.isReadOnly { try Self.createFile(path) }
        let pool = try Self.openPool(path, options, isHurried)
        connection = Mutex(Connection(pool: pool, file: Self.identity(path)))
        if Self.fileSize(path) <= options.checkAtOpenBytesMax { try checkIntegrity(isQuick: true) }
    }

    /// From now on nobody waits for another process's lock: a call that meets one fails at once, also one that waits
    /// already. For a stop that has run out of time.
    package func stopWaiting() { isHurried.set() }

    /// Writes the log back and closes every connection; every later call throws `StoreError` with reason `closed`.
    package func close() throws {
        let pool = connection.withLock { connection in
            connection.isClosed = true
            return connection.pool
        }
        if !options.isReadOnly {
            // GRDB closes the writer before the readers, which cannot write the log back. Nothing is lost if this fails:
            // the next one to open the file reads the log.
            pool.releaseMemory()
            truncateLog()
        }
        try Self.translating("close the database", path) { try pool.close() }
    }

    /// Compares the file with itself; reads all of it. Throws `StoreError` with reason `corrupt` and the first faults.
    package func checkIntegrity(isQuick: Bool = false) throws {
        let faults = try reading("check the database") { db in
            try String.fetchAll(db, sql: isQuick ? "PRAGMA quick_check(5)" : "PRAGMA integrity_check(5)")
        }
        guard faults == ["ok"] else {
            throw StoreError(
                reason: .corrupt, operation: "trust the database", path: path, detail: faults.joined(separator: "; ")
            )
        }
    }

    // MARK: - Access

    var pool: DatabasePool { connection.withLock { $0.pool } }

    func reading<Value>(_ operation: String, _ body: (Database) throws -> Value) throws -> Value {
        let used = pool
        do {
            return try Self.translating(operation, path) { try used.read(body) }
        } catch let error as StoreError where error.reason == .closed && pool !== used {
            // The connection was replaced in between.
            return try Self.translating(operation, path) { try pool.read(body) }
        }
    }

    /// One immediate transaction: all of `body`, or nothing.
    func writing<Value>(_ operation: String, _ body: (Database) throws -> Value) throws -> Value {
        let pool = try trustedPool(operation)
        let value: Value
        do {
            value = try Self.translating(operation, path) { try pool.write(body) }
        } catch let error as StoreError where error.castsDoubt {
            doubt(pool, after: error)
            throw error
        }
        let count = commits.add(1, ordering: .relaxed).newValue
        if count % Self.walCheckInterval == 0, Self.fileSize(path + "-wal") >= Self.walBytesMax { truncateLog() }
        if count % options.checkpointCommits == 0 { checkpointing.async { [self] in copyLogBack() } }
        return value
    }

    /// On a connection of its own: an alert does not wait while a thousand pages are written and forced to the disk.
    /// A failure leaves the log as it is, for the next one.
    private func copyLogBack() {
        reopening.withLockIfAvailable { _ in
            guard connection.withLock({ !$0.isClosed && !$0.isDoubtful }),
                let queue = try? DatabaseQueue(path: path, configuration: Self.configuration(path, options, isHurried))
            else { return }
            _ = try? queue.writeWithoutTransaction { db in try db.checkpoint(.passive) }
            try? queue.close()
        }
    }

    /// A reader in the middle of something makes this fail, which does no harm: the log only stays longer.
    private func truncateLog() {
        _ = try? pool.writeWithoutTransaction { db in try db.checkpoint(.truncate) }
    }

    static func translating<Value>(_ operation: String, _ path: String, _ body: () throws -> Value) throws -> Value {
        do {
            return try body()
        } catch let error as DatabaseError {
            throw StoreError(error, operation: operation, path: path)
        }
    }

    static func createFile(_ path: String) throws {
        let directory = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
        if !directory.isEmpty, unsafe mkdir(directory, 0o700) != 0, errno != EEXIST {
            throw systemError("create the directory of the database", path)
        }
        // SQLite gives -wal and -shm the mode of the database itself.
        let descriptor = unsafe open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw systemError("open the database", path) }
        defer { Glibc.close(descriptor) }
        guard fchmod(descriptor, 0o600) == 0 else { throw systemError("set the mode of the database", path) }
    }

    /// Whether there is a file at all.
    package static func exists(_ path: String) -> Bool { unsafe access(path, F_OK) == 0 }

    static func systemError(_ operation: String, _ path: String) -> StoreError {
        let code = errno
        let reason: StoreError.Reason =
            switch code {
            case ENOSPC, EDQUOT: .diskFull
            case EROFS, EACCES, EPERM: .readOnly
            case EIO: .inputOutput
            default: .cannotOpen
            }
        let detail = unsafe String(cString: strerror(code))
        return StoreError(reason: reason, operation: operation, path: path, detail: detail)
    }

    static func fileSize(_ path: String) -> Int {
        var status = stat()
        return unsafe stat(path, &status) == 0 ? Int(status.st_size) : 0
    }
}

/// Set once, read from callbacks.
final class Flag: Sendable {
    private let value = Atomic<Bool>(false)

    var isSet: Bool { value.load(ordering: .relaxed) }

    func set() { value.store(true, ordering: .relaxed) }
}
