internal import GRDB
package import IronpostCore

/// The database could not do what was asked: what failed, on which file, why, and what to do about it.
package struct StoreError: CommitFailure, Hashable, CustomStringConvertible {
    package enum Reason: Sendable, Hashable {
        /// Another connection held the lock for longer than the busy timeout.
        case busy
        case diskFull
        case inputOutput
        case corrupt
        case readOnly
        case cannotOpen
        /// The file that was opened is no longer at its place.
        case replaced
        /// The file belongs to another program, or is no database.
        case foreign
        /// Written by a newer version of this program.
        case newer(found: Int, known: Int)
        /// The data break a rule of the schema or a limit of SQLite.
        case rejected
        case closed
        case other
    }

    package var reason: Reason
    /// What was being done, as in `commit alerts`.
    package var operation: String
    package var path: String
    /// SQLite's or the system's own words.
    package var detail: String

    package init(reason: Reason, operation: String, path: String, detail: String) {
        self.reason = reason
        self.operation = operation
        self.path = path
        self.detail = detail
    }

    package var outlook: CommitOutlook {
        switch reason {
        case .diskFull: .full
        case .busy, .inputOutput, .readOnly, .cannotOpen, .other: .transient
        case .corrupt, .replaced, .foreign, .newer, .closed: .standing
        case .rejected: .rejected
        }
    }

    /// Whether the same call can succeed later without anybody's help.
    package var isWorthRetrying: Bool { outlook == .transient || outlook == .full }

    /// Whether a connection that saw this may have been left in a state of its own: it is opened anew before the next
    /// write. After a failed fsync the kernel may have thrown away what was not written, and says so only once; and a
    /// connection that was opened on a read-only file system stays read-only.
    var castsDoubt: Bool {
        switch reason {
        case .inputOutput, .readOnly, .cannotOpen: true
        default: false
        }
    }

    package var description: String {
        "cannot \(operation) in \(path): \(detail); \(advice)"
    }

    private var advice: String {
        switch reason {
        case .busy: "another process holds the database: end it, or wait"
        case .diskFull: "make room on that file system"
        case .inputOutput: "check the disk (dmesg) and the file system"
        case .corrupt:
            "stop the daemon; `ironpost store check` names the damage; then restore a backup (`ironpost store backup` "
                + "makes them), or move the file and its -wal away to begin with an empty one"
        case .readOnly: "make the file and its directory writable for this user"
        case .cannotOpen: "check that the directory exists and that this user may write there"
        case .replaced: "put the file back as it was, or stop the daemon before a database is moved or restored"
        case .foreign: "choose another storage.url; this file was left as it is"
        case .newer(let found, let known):
            "its version is \(found), this program knows up to \(known): install the newer program, or choose another "
                + "storage.url"
        case .rejected: "the data cannot be stored as they are"
        case .closed: "the store was closed before"
        case .other: "see the detail"
        }
    }
}

extension StoreError {
    init(_ error: DatabaseError, operation: String, path: String) {
        let reason: Reason =
            switch error.resultCode {
            case .SQLITE_BUSY, .SQLITE_LOCKED, .SQLITE_PROTOCOL, .SQLITE_INTERRUPT: .busy
            case .SQLITE_FULL: .diskFull
            // The file of shared memory could not be made longer.
            case .SQLITE_IOERR where error.extendedResultCode == .SQLITE_IOERR_SHMSIZE: .diskFull
            case .SQLITE_IOERR: .inputOutput
            case .SQLITE_CORRUPT: .corrupt
            case .SQLITE_NOTADB: .foreign
            case .SQLITE_READONLY, .SQLITE_PERM, .SQLITE_AUTH: .readOnly
            case .SQLITE_CANTOPEN: .cannotOpen
            case .SQLITE_CONSTRAINT, .SQLITE_TOOBIG, .SQLITE_MISMATCH, .SQLITE_RANGE: .rejected
            case .SQLITE_MISUSE: .closed
            default: .other
            }
        self.init(
            reason: reason, operation: operation, path: path,
            detail: "\(error.message ?? "no message") (SQLite \(error.extendedResultCode.rawValue))"
        )
    }
}
