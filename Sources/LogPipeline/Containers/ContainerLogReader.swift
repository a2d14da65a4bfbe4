import Glibc
import IronpostCore
import Logging
import Synchronization

/// Follows what containers say, in the files that their engine writes, on a thread of its own.
///
/// Files are opened by whoever may (`ContainerLogs.open`) and then only looked at through their descriptors, so this works
/// without the right to enter the engine's directories. A file that was rotated is read to its end before the one that
/// followed it.
final class ContainerLogReader: Receiver {
    static let source = "docker"
    static let checkpointPrefix = "docker:"
    /// Files followed at once; further ones are left out and counted.
    static let filesMax = 2000
    /// Between looks at all files; more files, longer.
    static let pauseMicroseconds = 10_000
    static let pausePerFileMicroseconds = 50
    static let listNanoseconds: Int64 = 20_000_000
    /// How often a file is opened anew, to find out whether another one has taken its place.
    static let reopenNanoseconds: Int64 = 5_000_000_000
    /// After a failure to open.
    static let retryNanoseconds: Int64 = 2_000_000_000
    static let readBytes = 64 << 10
    /// Of one file before the next one's turn.
    static let turnBytes = 256 << 10

    struct State: Sendable {
        var following = 0
        var leftOut = 0
        var faults: [String: String] = [:]
        var isReady = false
    }

    private let logs: any ContainerLogs
    private let queue: SourceQueue
    private let lane: Int
    private let hop: LedgerHop
    private let origins: OriginTable
    private let time: any TimeSource
    private let lineBytesMax: Int
    private let startAtBeginning: Bool
    private let logger: Logger
    private let known: Mutex<[ContainerID: Place]>
    private let isStopping = Atomic<Bool>(false)
    private let state = Mutex(State())
    private let threads = Mutex<[PlainThread]>([])

    /// How far a container's log was evaluated.
    struct Place: Sendable, Equatable {
        var inode: UInt64
        var offset: UInt64

        var text: String { "\(inode):\(offset)" }

        init(inode: UInt64, offset: UInt64) {
            self.inode = inode
            self.offset = offset
        }

        init?(_ text: String) {
            let parts = text.split(separator: ":")
            guard parts.count == 2, let inode = UInt64(parts[0]), let offset = UInt64(parts[1]) else { return nil }
            self.init(inode: inode, offset: offset)
        }
    }

    /// - Parameter checkpoints: of the last run; what is not this reader's is passed over.
    init(
        logs: any ContainerLogs, checkpoints: [Checkpoint], startAtBeginning: Bool, queue: SourceQueue, lane: Int,
        hop: LedgerHop, origins: OriginTable, time: any TimeSource, lineBytesMax: Int, logger: Logger
    ) {
        self.logs = logs
        self.queue = queue
        self.lane = lane
        self.hop = hop
        self.origins = origins
        self.time = time
        self.lineBytesMax = lineBytesMax
        self.startAtBeginning = startAtBeginning
        self.logger = logger
        var known: [ContainerID: Place] = [:]
        for checkpoint in checkpoints where checkpoint.key.hasPrefix(Self.checkpointPrefix) {
            guard let id = ContainerID(checkpoint.key.dropFirst(Self.checkpointPrefix.count)) else { continue }
            known[id] = checkpoint.value.flatMap { Place($0) }
        }
        self.known = Mutex(known)
    }

    var current: State { state.withLock { $0 } }
    var isReady: Bool { current.isReady }
    /// How far each was handed over; where a reader that replaces this one goes on.
    var places: [Checkpoint] {
        known.withLock { $0.map { Checkpoint(key: Self.checkpointPrefix + $0.key.text, value: $0.value.text) } }
    }

    func start() {
        let thread = PlainThread(name: "container-logs") { [self] in follow() }
        threads.withLock { $0.append(thread) }
    }

    func stop() { isStopping.store(true, ordering: .releasing) }

    func finished() async {
        for thread in threads.withLock({ $0 }) { await thread.join() }
    }

    // MARK: - Following

    private final class File {
        let log: ContainerLog
        var descriptor: OwnedDescriptor
        var inode: UInt64
        /// Of what was read; `known` has what was handed over.
        var offset: UInt64
        var cutter: LineCutter
        /// Of a line in pieces: what the container wrote so far, and where it began.
        var joined: [UInt8] = []
        var joinedAt: UInt64 = 0
        var origin: UInt64
        var openedAt: Int64

        init(
            _ log: ContainerLog, _ descriptor: OwnedDescriptor, inode: UInt64, offset: UInt64, cutter: LineCutter,
            origin: UInt64, openedAt: Int64
        ) {
            self.log = log
            self.descriptor = descriptor
            self.inode = inode
            self.offset = offset
            self.cutter = cutter
            self.origin = origin
            self.openedAt = openedAt
        }
    }

    /// Those that ran before this reader was started, and without a checkpoint, begin at their end.
    private func follow() {
        let begun = time.now()
        var files: [ContainerID: File] = [:]
        var retryAt: [ContainerID: Int64] = [:]
        var listedAt = Int64.min / 2
        while !isStopping.load(ordering: .acquiring) {
            let now = time.uptime()
            if now - listedAt >= Self.listNanoseconds {
                listedAt = now
                list(&files, &retryAt, now, begun)
            }
            var hadMore = false
            for file in files.values {
                hadMore = read(file) || hadMore
                if isStopping.load(ordering: .acquiring) { return }
                if now - file.openedAt >= Self.reopenNanoseconds { reopen(file, now) }
            }
            if !hadMore { usleep(UInt32(Self.pauseMicroseconds + files.count * Self.pausePerFileMicroseconds)) }
        }
    }

    private func list(
        _ files: inout [ContainerID: File], _ retryAt: inout [ContainerID: Int64], _ now: Int64, _ begun: Timestamp
    ) {
        guard let readable = logs.readable() else {
            state.withLock { $0.isReady = true }
            return
        }
        let present = Set(readable.map(\.id))
        for (id, file) in files where !present.contains(id) {
            _ = read(file)
            files[id] = nil
            forget(id)
        }
        for id in known.withLock({ Array($0.keys) }) where !present.contains(id) { forget(id) }
        retryAt = retryAt.filter { present.contains($0.key) }
        var leftOut = 0
        for log in readable where files[log.id] == nil && !log.path.isEmpty {
            guard files.count < Self.filesMax else {
                leftOut += 1
                continue
            }
            guard log.isAlive || known.withLock({ $0[log.id] }) != nil || (log.started ?? begun) >= begun,
                now >= retryAt[log.id] ?? .min
            else { continue }
            do {
                files[log.id] = try open(log, now, begun)
                state.withLock { $0.faults[log.name] = nil }
            } catch {
                retryAt[log.id] = now + Self.retryNanoseconds
                let isNew = state.withLock { state in
                    defer { if state.faults.count < 64 { state.faults[log.name] = "\(error)" } }
                    return state.faults[log.name] == nil
                }
                if isNew {
                    logger.info(
                        "a container's log cannot be read",
                        metadata: ["container": "\(log.name)", "reason": "\(error)"])
                }
            }
        }
        state.withLock { state in
            state.following = files.count
            state.leftOut = leftOut
            state.isReady = true
            let names = Set(readable.map(\.name))
            state.faults = state.faults.filter { names.contains($0.key) }
        }
    }

    private func open(_ log: ContainerLog, _ now: Int64, _ begun: Timestamp) throws -> File {
        let descriptor = try logs.open(log.id)
        var status = stat()
        guard unsafe fstat(descriptor.number, &status) == 0 else {
            throw FileFault(path: log.path, operation: "look at", code: errno)
        }
        let inode = UInt64(status.st_ino)
        let size = UInt64(max(0, status.st_size))
        var offset: UInt64 = 0
        var isSkipping = false
        if let place = known.withLock({ $0[log.id] }) {
            // Another file at its place was rotated in: what it has was never read.
            offset = place.inode == inode && place.offset <= size ? place.offset : 0
        } else if !startAtBeginning, let started = log.started, started < begun {
            offset = size
            // The end may lie in the middle of a line.
            isSkipping = size > 0 && !endsLine(descriptor, size)
        }
        let origin = origins.insert(Origin(source: Self.source, file: log.path, inode: inode, container: log.id))
        let file = File(
            log, descriptor, inode: inode, offset: offset,
            cutter: LineCutter(lineBytesMax: wrappedBytesMax, isSkipping: isSkipping), origin: origin, openedAt: now)
        announce(file)
        return file
    }

    /// A line in the engine's wrapping: escapes make it up to six times as long.
    private var wrappedBytesMax: Int { lineBytesMax * 6 + 1024 }

    private func endsLine(_ descriptor: OwnedDescriptor, _ size: UInt64) -> Bool {
        var byte: UInt8 = 0
        return unsafe pread(descriptor.number, &byte, 1, off_t(size - 1)) == 1 && byte == 0x0A
    }

    /// Whether another file has taken the place of the one that is read.
    private func reopen(_ file: File, _ now: Int64) {
        file.openedAt = now
        guard let descriptor = try? logs.open(file.log.id) else { return }
        var status = stat()
        guard unsafe fstat(descriptor.number, &status) == 0, UInt64(status.st_ino) != file.inode else { return }
        while read(file), !isStopping.load(ordering: .acquiring) {}
        file.descriptor = descriptor
        file.inode = UInt64(status.st_ino)
        file.offset = 0
        file.cutter = LineCutter(lineBytesMax: wrappedBytesMax)
        file.joined = []
        file.origin = origins.insert(
            Origin(source: Self.source, file: file.log.path, inode: file.inode, container: file.log.id))
    }

    // MARK: - Reading

    /// True when there was more than one turn's worth.
    private func read(_ file: File) -> Bool {
        var status = stat()
        guard unsafe fstat(file.descriptor.number, &status) == 0 else { return false }
        let size = UInt64(max(0, status.st_size))
        if size < file.offset {
            // Truncated by hand: begun anew.
            file.offset = 0
            file.cutter = LineCutter(lineBytesMax: wrappedBytesMax)
            file.joined = []
        }
        var taken = 0
        while file.offset < size, taken < Self.turnBytes {
            let bytes = unsafe [UInt8](unsafeUninitializedCapacity: Self.readBytes) { buffer, count in
                count = max(
                    0, unsafe pread(file.descriptor.number, buffer.baseAddress, Self.readBytes, off_t(file.offset)))
            }
            guard !bytes.isEmpty else { return false }
            let start = file.offset - UInt64(file.cutter.partial.count)
            file.offset += UInt64(bytes.count)
            taken += bytes.count
            let cut = file.cutter.push(bytes.span)
            let first = cut.skipped > 0 ? file.offset - UInt64(bytes.count) + UInt64(cut.skipped) : start
            guard hand(cut.lines, from: first, of: file) else {
                stop()
                return false
            }
        }
        return file.offset < size
    }

    /// Hands over whole lines of the engine's, each taken out of its wrapping.
    /// - Returns: false when the queue takes nothing more.
    private func hand(_ lines: [UInt8], from start: UInt64, of file: File) -> Bool {
        guard !lines.isEmpty else { return true }
        var records: [UInt8] = []
        var positions: [UInt64] = []
        var received: Timestamp?
        var at = 0
        while at < lines.count {
            var end = at
            while end < lines.count, lines[end] != 0x0A { end += 1 }
            let span = lines.span.extracting(at..<end)
            if file.joined.isEmpty { file.joinedAt = start + UInt64(at) }
            let unwrapped = EngineLine.unwrap(span, into: &file.joined)
            if let unwrapped {
                received = unwrapped.time ?? received
            } else if span.count > 0 {
                // No line of an engine's: what it is stands there as it is.
                unsafe span.withUnsafeBufferPointer { unsafe file.joined.append(contentsOf: $0) }
            }
            // Pieces of one line come one after the other; one that is too long is given out as it is.
            if unwrapped?.isPartial != true || file.joined.count >= lineBytesMax {
                if file.joined.last == 0x0D { file.joined.removeLast() }
                appendRecord(file.joined.span.extracting(0..<min(file.joined.count, lineBytesMax)), to: &records)
                positions.append(file.joinedAt)
                file.joined.removeAll(keepingCapacity: true)
            }
            at = end + 1
        }
        // Lines in pieces are read again from their first one.
        let reached = file.joined.isEmpty ? file.offset - UInt64(file.cutter.partial.count) : file.joinedAt
        return push(records, positions, received ?? time.now(), reached: reached, of: file)
    }

    private func push(
        _ records: [UInt8], _ positions: [UInt64], _ received: Timestamp, reached: UInt64, of file: File
    ) -> Bool {
        let place = Place(inode: file.inode, offset: reached)
        hop.accept(positions.count)
        let batch = RawBatch(
            origin: file.origin, format: .auto, framing: .records, bytes: records, position: positions.first ?? reached,
            lineNumber: nil, count: positions.count, received: received,
            checkpoints: [Checkpoint(key: Self.checkpointPrefix + file.log.id.text, value: place.text)], place: nil,
            positions: positions)
        guard queue.pushBlocking(batch, lane: lane) else {
            hop.drop(positions.count, cause: "shutdown")
            return false
        }
        known.withLock { $0[file.log.id] = place }
        return true
    }

    /// Makes the place where reading begins durable.
    private func announce(_ file: File) {
        _ = push([], [], time.now(), reached: file.offset, of: file)
    }

    private func forget(_ id: ContainerID) {
        known.withLock { $0[id] = nil }
        let batch = RawBatch(
            origin: 0, format: .auto, framing: .records, bytes: [], position: 0, lineNumber: nil, count: 0,
            received: time.now(), checkpoints: [Checkpoint(key: Self.checkpointPrefix + id.text, value: nil)],
            place: nil)
        _ = queue.pushBlocking(batch, lane: lane)
    }
}
