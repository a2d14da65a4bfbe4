import IronpostCore
import Sigma
import Synchronization

/// Where lines come from: one file, the journal, one listening socket.
struct Origin: Sendable, Hashable {
    /// The source's name in records, the ledger and `--source`: `file`, `journald`, `syslog_udp`, ….
    var source: String
    var file: String?
    var inode: UInt64?
    /// The container whose output this is, by the engine's word.
    var container: ContainerID?
    /// Put on every alert from here.
    var labels: [String: String] = [:]

    /// The number that travels with each event and inside correlation windows, also over a restart: FNV-1a of what
    /// makes the origin unique.
    var id: UInt64 {
        var hash: UInt64 = 14_695_981_039_346_656_037
        for byte in "\(source)\u{0}\(file ?? "")\u{0}\(inode ?? 0)".utf8 {
            hash = (hash ^ UInt64(byte)) &* 1_099_511_628_211
        }
        // The lowest bits say how far an event is trusted.
        return hash & ~EventTable.gradeMask
    }
}

/// The origins seen in this run (and those that checkpoints remember), to name an event's place when it is shown.
final class OriginTable: Sendable {
    /// Beyond this the table starts anew: old correlation members then show no file.
    static let countMax = 65_536

    private let origins = Mutex<[UInt64: Origin]>([:])
    private let journal = Atomic<Bool>(false)

    /// Whether the system journal gave records in this run: then it tells who wrote what the same host's files repeat.
    var isJournalRead: Bool { journal.load(ordering: .relaxed) }

    func noteJournal() { journal.store(true, ordering: .relaxed) }

    func insert(_ origin: Origin) -> UInt64 {
        let id = origin.id
        origins.withLock { origins in
            if origins.count >= Self.countMax { origins.removeAll() }
            origins[id] = origin
        }
        return id
    }

    subscript(id: UInt64) -> Origin? {
        origins.withLock { $0[id & ~EventTable.gradeMask] }
    }
}
