import CSystemd
import Glibc
import IronpostCore
import Logging
import Synchronization

/// Reads the systemd journal through libsystemd, on a thread of its own, and goes on where its cursor stands.
final class JournalReader: Receiver {
    /// Records handed over at once.
    static let recordsMax = 512
    static let checkpointKey = "journald:cursor"

    struct State: Sendable {
        var fault: String?
        var isReady = false
    }

    private let directory: String
    private let startAtBeginning: Bool
    private let responder: any ResponderLink
    /// A journal of descriptors does not see new files: it is opened anew this often.
    static let reopenNanoseconds: Int64 = 5_000_000_000
    static let systemDirectories = ["/var/log/journal", "/run/log/journal"]
    private let queue: SourceQueue
    private let lane: Int
    private let hop: LedgerHop
    private let origin: UInt64
    private let origins: OriginTable
    private let time: any TimeSource
    private let logger: Logger
    private let bounds: JournalRecord.Bounds
    private let losses: LogLosses
    private let isStopping = Atomic<Bool>(false)
    private let state = Mutex(State())
    private let threads = Mutex<[PlainThread]>([])
    /// Of the last record that was handed over; where a reader that replaces this one goes on.
    private let cursor: Mutex<String?>

    /// - Parameters:
    ///   - directory: journal files below it are read; empty for the system's own.
    ///   - responder: opens them where they are closed to our user.
    init(
        directory: String, startAtBeginning: Bool, cursor: String?, bounds: JournalRecord.Bounds, losses: LogLosses,
        queue: SourceQueue, lane: Int, hop: LedgerHop, origins: OriginTable, time: any TimeSource, logger: Logger,
        responder: any ResponderLink
    ) {
        self.directory = directory
        self.responder = responder
        self.bounds = bounds
        self.losses = losses
        self.cursor = Mutex(cursor)
        self.startAtBeginning = startAtBeginning
        self.queue = queue
        self.lane = lane
        self.hop = hop
        self.origins = origins
        self.time = time
        self.logger = logger
        origin = origins.insert(Origin(source: "journald", file: nil, inode: nil))
    }

    var current: State { state.withLock { $0 } }
    var isReady: Bool { current.isReady }
    var lastCursor: String? { cursor.withLock { $0 } }

    func start() {
        let thread = PlainThread(name: "journal") { [self] in follow(from: lastCursor) }
        threads.withLock { $0.append(thread) }
    }

    func finished() async {
        for thread in threads.withLock({ $0 }) { await thread.join() }
    }

    /// Whether the host keeps a journal at all, on disk or in memory.
    static func systemHasJournal() -> Bool {
        systemDirectories.contains { !PathPattern.expand($0 + "/*/*.journal").isEmpty }
    }

    func stop() {
        isStopping.store(true, ordering: .releasing)
    }

    /// Reads until stopped; a journal that cannot be opened is tried again every second.
    func follow(from cursor: String?) {
        var cursor = cursor
        var waits = 0
        while !isStopping.load(ordering: .acquiring) {
            do {
                let journal = try open()
                try position(journal, cursor: cursor)
                if cursor == nil { announce(journal) }
                state.withLock { $0 = State(fault: nil, isReady: true) }
                waits = 0
                try read(journal, cursor: &cursor)
            } catch {
                if waits == 0 { logger.warning("\(error)") }
                state.withLock { $0 = State(fault: "\(error)", isReady: true) }
                // A second, in steps that notice a stop.
                for _ in 0..<4 where !isStopping.load(ordering: .acquiring) { usleep(250_000) }
                waits += 1
            }
        }
    }

    private func open() throws -> Journal {
        let directories = directory.isEmpty ? Self.systemDirectories : [directory]
        guard directories.contains(where: Self.isClosed) else {
            return try Journal(directory: directory, bounds: bounds)
        }
        let files = try responder.openJournal()
        guard !files.isEmpty else { return try Journal(directory: directory, bounds: bounds) }
        return try Journal(files: files, bounds: bounds)
    }

    /// Whether the directory, or a journal file in it, cannot be read for want of rights.
    private static func isClosed(_ directory: String) -> Bool {
        if ClosedFiles.isClosed(directory) { return true }
        let below = PathPattern.expand(directory + "/*", onlyDirectories: true)
        if below.contains(where: { !$0.hasSuffix(".journal") && ClosedFiles.isClosed($0) }) { return true }
        let files = PathPattern.expand(directory + "/*.journal") + PathPattern.expand(directory + "/*/*.journal")
        return files.contains { unsafe access($0, R_OK) != 0 && errno == EACCES }
    }

    /// After this, `next` gives the first record that was not evaluated.
    private func position(_ journal: borrowing Journal, cursor: String?) throws(JournalFault) {
        if let cursor {
            try journal.seek(cursor: cursor)
            // Seeking stands before the record itself; if that was vacuumed away, before the one after it.
            if try journal.next(), !journal.isAt(cursor) { try journal.back() }
        } else if startAtBeginning {
            try journal.seekHead()
        } else {
            try journal.seekTail()
            _ = try journal.previous()
        }
    }

    /// Makes the place where reading starts durable.
    private func announce(_ journal: borrowing Journal) {
        guard let cursor = journal.cursor() else { return }
        push(
            RawBatch(
                origin: origin, format: .journal, framing: .records, bytes: [], position: 0, lineNumber: nil, count: 0,
                received: time.now(), checkpoints: [Checkpoint(key: Self.checkpointKey, value: cursor)], place: nil
            ))
    }

    private func read(_ journal: borrowing Journal, cursor: inout String?) throws(JournalFault) {
        let opened = time.uptime()
        while !isStopping.load(ordering: .acquiring) {
            var bytes: [UInt8] = []
            var count = 0
            while count < Self.recordsMax, bytes.count < SourceQueue.turnBytes, try journal.next() {
                losses.add(journal.appendRecord(to: &bytes), .journalFieldsCut)
                count += 1
            }
            guard count > 0 else {
                if journal.isOfDescriptors, time.uptime() - opened > Self.reopenNanoseconds { return }
                try journal.wait(microseconds: 250_000)
                continue
            }
            guard let last = journal.cursor() else { throw JournalFault(operation: "read the cursor of", code: EIO) }
            hop.accept(count)
            origins.noteJournal()
            cursor = last
            self.cursor.withLock { $0 = last }
            push(
                RawBatch(
                    origin: origin, format: .journal, framing: .records, bytes: bytes, position: 0, lineNumber: nil,
                    count: count, received: time.now(),
                    checkpoints: [Checkpoint(key: Self.checkpointKey, value: last)], place: nil
                ))
        }
    }

    private func push(_ batch: RawBatch) {
        if !queue.pushBlocking(batch, lane: lane) {
            hop.drop(batch.count, cause: "shutdown")
            isStopping.store(true, ordering: .releasing)
        }
    }
}

struct JournalFault: Error, CustomStringConvertible {
    var operation: String
    var code: Int32

    var description: String {
        "cannot \(operation) the journal: \(unsafe String(cString: strerror(code)))"
    }
}

/// An open journal (sd-journal(3)). Used by one thread.
@safe struct Journal: ~Copyable {
    private let handle: OpaquePointer
    private let bounds: JournalRecord.Bounds
    /// libsystemd reads from these and leaves closing them to us.
    private let files: [OwnedDescriptor]

    var isOfDescriptors: Bool { !files.isEmpty }

    init(files: [OwnedDescriptor], bounds: JournalRecord.Bounds) throws(JournalFault) {
        self.bounds = bounds
        var handle: OpaquePointer?
        var numbers = files.map(\.number)
        let result = unsafe sd_journal_open_files_fd(&handle, &numbers, UInt32(numbers.count), 0)
        guard result >= 0, let opened = unsafe handle else { throw JournalFault(operation: "open", code: -result) }
        unsafe self.handle = unsafe opened
        self.files = files
        unsafe sd_journal_set_data_threshold(opened, bounds.thresholdBytes)
    }

    init(directory: String, bounds: JournalRecord.Bounds) throws(JournalFault) {
        self.bounds = bounds
        var handle: OpaquePointer?
        let result =
            directory.isEmpty
            ? unsafe sd_journal_open(&handle, Int32(SD_JOURNAL_LOCAL_ONLY))
            : unsafe sd_journal_open_directory(&handle, directory, 0)
        guard result >= 0, let opened = unsafe handle else { throw JournalFault(operation: "open", code: -result) }
        unsafe self.handle = unsafe opened
        files = []
        unsafe sd_journal_set_data_threshold(opened, bounds.thresholdBytes)
    }

    deinit {
        unsafe sd_journal_close(handle)
    }

    func seekHead() throws(JournalFault) { try check(unsafe sd_journal_seek_head(handle), "seek in") }
    func seekTail() throws(JournalFault) { try check(unsafe sd_journal_seek_tail(handle), "seek in") }
    func seek(cursor: String) throws(JournalFault) {
        try check(unsafe sd_journal_seek_cursor(handle, cursor), "seek in")
    }

    /// To the following record; false at the end.
    func next() throws(JournalFault) -> Bool { try check(unsafe sd_journal_next(handle), "read") > 0 }
    func previous() throws(JournalFault) -> Bool { try check(unsafe sd_journal_previous(handle), "read") > 0 }

    /// Stands before the present record again.
    func back() throws(JournalFault) {
        if try !previous() { try seekHead() }
    }

    func isAt(_ cursor: String) -> Bool { unsafe sd_journal_test_cursor(handle, cursor) > 0 }

    /// Waits until something may be new, no longer than that. Of a journal of descriptors nothing tells: its records are
    /// looked for again after a moment.
    func wait(microseconds: UInt32) throws(JournalFault) {
        guard !isOfDescriptors else {
            usleep(min(microseconds, Self.lookMicroseconds))
            return
        }
        try check(unsafe sd_journal_wait(handle, UInt64(microseconds)), "wait for")
    }

    private static let lookMicroseconds: UInt32 = 100_000

    func cursor() -> String? {
        var text: UnsafeMutablePointer<CChar>?
        guard unsafe sd_journal_get_cursor(handle, &text) >= 0, let found = unsafe text else { return nil }
        defer { unsafe free(found) }
        return unsafe String(cString: found)
    }

    /// The present record, in the framing that `LineFormat.journal` reads, after its length.
    /// - Returns: how many of its fields were cut.
    func appendRecord(to buffer: inout [UInt8]) -> Int {
        var cut = 0
        let lengthAt = buffer.count
        buffer.append(contentsOf: [0, 0, 0, 0])
        var microseconds: UInt64 = 0
        if unsafe sd_journal_get_realtime_usec(handle, &microseconds) >= 0 {
            let digits = Array(String(microseconds).utf8)
            JournalRecord.append(name: Self.timeName.span, value: digits.span, to: &buffer)
        }
        if let cursor = cursor() {
            let text = Array(cursor.utf8)
            JournalRecord.append(name: Self.cursorName.span, value: text.span, to: &buffer)
        }
        unsafe sd_journal_restart_data(handle)
        var data: UnsafeRawPointer?
        var length = 0
        while unsafe sd_journal_enumerate_available_data(handle, &data, &length) > 0, let start = unsafe data {
            let head = unsafe UnsafeRawBufferPointer(
                start: start, count: min(length, JournalRecord.Bounds.nameBytesMax + 1))
            guard let equals = unsafe head.firstIndex(of: UInt8(ascii: "=")), equals > 0 else { continue }
            let room = bounds.valueBytesMax(recordBytes: buffer.count - lengthAt)
            let wanted = length - equals - 1
            if wanted > room { cut += 1 }
            let bytes = unsafe Array(UnsafeRawBufferPointer(start: start, count: equals + 1 + min(wanted, room)))
            JournalRecord.append(
                name: bytes.span.extracting(0..<equals), value: bytes.span.extracting(equals + 1..<bytes.count),
                to: &buffer
            )
        }
        let total = UInt32(truncatingIfNeeded: buffer.count - lengthAt - 4)
        for index in 0..<4 { buffer[lengthAt + index] = UInt8(truncatingIfNeeded: total >> UInt32(8 * index)) }
        return cut
    }

    /// The field under which a record's cursor travels, as in the journal's export format.
    static let cursorField = "__CURSOR"
    private static let cursorName = Array(cursorField.utf8)
    private static let timeName = Array("__REALTIME_TIMESTAMP".utf8)

    @discardableResult
    private func check(_ result: Int32, _ operation: String) throws(JournalFault) -> Int32 {
        guard result >= 0 else { throw JournalFault(operation: operation, code: -result) }
        return result
    }
}
