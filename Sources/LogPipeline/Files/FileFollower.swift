import CLinux
import Glibc
import IronpostCore
import Logging
import Synchronization

/// Follows the files that patterns name, through rotation by rename and by copy and truncate: one thread for all.
///
/// inotify tells at once; a look at every file each `reconcileNanoseconds` finds what it cannot tell (network file
/// systems, lost events, directories that came later).
final class FileFollower: Receiver {
    static let reconcileNanoseconds: Int64 = 1_000_000_000
    /// A rotated file that stayed quiet this long is closed: its writer has let go of it.
    static let rotatedQuietNanoseconds: Int64 = 10_000_000_000
    /// Files that were let go of and are remembered in case they come back; beyond it all are forgotten.
    static let releasedMax = 4096

    struct Options: Sendable, Equatable {
        var include: [String]
        var exclude: [String]
        var startAtBeginning: Bool
        var filesMax: Int
        var lineBytesMax: Int
        /// Put on the alerts of files below this directory.
        var demoDirectory: String?
    }

    struct State: Sendable {
        var following: [String] = []
        var faults: [String: String] = [:]
        var filesLeftOut = 0
        var isReady = false
    }

    private let options: Mutex<Options>
    private let queue: SourceQueue
    private let lane: Int
    private let hop: LedgerHop
    private let origins: OriginTable
    private let time: any TimeSource
    private let logger: Logger
    private let state = Mutex(State())
    private let wake: WakePipe
    private let isStopping = Atomic<Bool>(false)
    private let threads = Mutex<[PlainThread]>([])
    private let checkpoints: [FileCheckpoint]
    private let responder: any ResponderLink

    /// - Parameters:
    ///   - checkpoints: where the last run ended.
    ///   - responder: opens what is closed to our user.
    init(
        options: Options, checkpoints: [FileCheckpoint] = [], queue: SourceQueue, lane: Int, hop: LedgerHop,
        origins: OriginTable, time: any TimeSource, logger: Logger, responder: any ResponderLink
    ) throws {
        self.options = Mutex(options)
        self.checkpoints = checkpoints
        self.responder = responder
        self.queue = queue
        self.lane = lane
        self.hop = hop
        self.origins = origins
        self.time = time
        self.logger = logger
        wake = try WakePipe()
    }

    var isReady: Bool { current.isReady }

    func start() {
        let thread = PlainThread(name: "files") { [self] in follow(from: checkpoints) }
        threads.withLock { $0.append(thread) }
    }

    func finished() async {
        for thread in threads.withLock({ $0 }) { await thread.join() }
    }

    /// Other patterns and bounds from the next look on; files that no pattern names any more are let go.
    func update(_ options: Options) {
        self.options.withLock { $0 = options }
        wake.signal()
    }

    var current: State { state.withLock { $0 } }

    /// Ends `follow` after the turn that is under way.
    func stop() {
        isStopping.store(true, ordering: .releasing)
        wake.signal()
    }

    /// Follows until stopped. To be run on a thread of its own.
    func follow(from checkpoints: [FileCheckpoint]) {
        do {
            var pass = FollowerPass(
                options: options.withLock { $0 }, queue: queue, lane: lane, hop: hop, origins: origins, time: time,
                logger: logger, watch: try DirectoryWatch(), closed: ClosedFiles(responder: responder)
            )
            pass.begin(checkpoints)
            report(pass.state)
            while !isStopping.load(ordering: .acquiring) {
                let hadMore = pass.readDirty { isStopping.load(ordering: .acquiring) }
                if isStopping.load(ordering: .acquiring) { break }
                pass.wait(wake: wake.reader, milliseconds: hadMore ? 0 : 1000)
                wake.clear()
                pass.take(options.withLock { $0 })
                report(pass.state)
            }
        } catch {
            logger.error("files cannot be followed", metadata: ["reason": "\(error)"])
            state.withLock { $0.faults["inotify"] = "\(error)" }
        }
    }

    private func report(_ new: State) {
        state.withLock { $0 = new }
    }
}

/// The state of the following thread.
struct FollowerPass: ~Copyable {
    var options: FileFollower.Options
    let queue: SourceQueue
    let lane: Int
    let hop: LedgerHop
    let origins: OriginTable
    let time: any TimeSource
    let logger: Logger
    var watch: DirectoryWatch
    var closed: ClosedFiles
    var files: [FileID: FollowedFile] = [:]
    var dirty: [FileID] = []
    var state = FileFollower.State()
    private var lastScan: Int64 = 0
    private var buffer = [UInt8](repeating: 0, count: FollowedFile.readBytes)
    /// The queue was closed under us: nothing more is taken.
    private(set) var isClosed = false
    /// Files that were let go of and still exist, by how far they were read: one that comes back (its directory was moved
    /// away for a while) goes on there.
    private var released: [FileID: FileCheckpoint] = [:]

    init(
        options: FileFollower.Options, queue: SourceQueue, lane: Int, hop: LedgerHop, origins: OriginTable,
        time: any TimeSource, logger: Logger, watch: consuming DirectoryWatch, closed: ClosedFiles
    ) {
        self.options = options
        self.queue = queue
        self.lane = lane
        self.hop = hop
        self.origins = origins
        self.time = time
        self.logger = logger
        self.watch = watch
        self.closed = closed
    }

    /// Takes up where the last run ended: first what was rotated away meanwhile, then the files as they are.
    mutating func begin(_ checkpoints: [FileCheckpoint]) {
        let byID = Dictionary(
            checkpoints.map { (FileID(device: $0.device, inode: $0.inode), $0) }, uniquingKeysWith: { $1 }
        )
        let paths = matchingPaths()
        let present = Set(paths.compactMap { closed.identity($0) })
        for checkpoint in checkpoints.sorted(by: { $0.path < $1.path }) {
            let id = FileID(device: checkpoint.device, inode: checkpoint.inode)
            if !present.contains(id), let found = readRemainder(checkpoint) {
                readGenerations(after: found, of: checkpoint.path, except: present.union(byID.keys))
            }
        }
        for path in paths {
            guard let file = openFile(path), files[file.id] == nil else { continue }
            if let checkpoint = byID[file.id] {
                if !file.resume(checkpoint) {
                    logger.notice("file was truncated or replaced while nobody watched", metadata: ["file": "\(path)"])
                    if let copy = readCopy(of: checkpoint, except: file.id) {
                        readGenerations(after: copy, of: path, except: present.union(byID.keys))
                    }
                    file.rewind()
                }
            } else if !options.startAtBeginning, !checkpoints.contains(where: { $0.path == path }), !isDemo(path) {
                file.startAtEnd()
            }
            follow(file)
            announce(file)
        }
        watchDirectories()
        lastScan = time.uptime()
        state.isReady = true
        updateState(paths: paths)
    }

    /// Goes on under other options.
    mutating func take(_ new: FileFollower.Options) {
        guard new != options else { return }
        options = new
        scan()
    }

    /// Reads every file that may have something new. True: some have more.
    mutating func readDirty(isStopping: () -> Bool) -> Bool {
        let turn = dirty
        dirty = []
        for id in turn {
            guard !isStopping(), !isClosed, let file = files[id] else { continue }
            if read(file, isStopping: isStopping) { dirty.append(id) }
        }
        return !dirty.isEmpty
    }

    mutating func wait(wake: Int32, milliseconds: Int32) {
        let (events, overflowed) = watch.wait(milliseconds: milliseconds, wake: wake)
        var mustScan = overflowed
        var touched = Set<String>()
        for event in events {
            if event.mask & UInt32(IN_MODIFY) == 0 { mustScan = true }
            touched.insert(event.directory + "/" + event.name)
        }
        if !touched.isEmpty {
            let directories = Set(events.map(\.directory))
            for (id, file) in files {
                let isTouched =
                    touched.contains(file.path)
                    || file.isRotated && directories.contains(PathPattern.directory(of: file.path))
                if isTouched { markDirty(id) }
            }
        }
        followRenames(events)
        let now = time.uptime()
        if mustScan || now - lastScan >= FileFollower.reconcileNanoseconds {
            lastScan = now
            scan()
        }
    }

    // MARK: - Reading

    /// True when the file had more than its turn allows.
    mutating func read(_ file: FollowedFile, isStopping: () -> Bool) -> Bool {
        if file.wasRewritten() {
            logger.info("file was truncated", metadata: ["file": "\(file.path)"])
            _ = readCopy(of: file.checkpoint(), except: file.id)
            file.rewind()
            _ = file.wasRewritten()
        }
        var bytes = 0
        while bytes < FollowedFile.turnBytes, !isClosed, !isStopping() {
            switch file.read(buffer: &buffer, received: time.now(), uptime: time.uptime()) {
            case .batch(let batch):
                bytes += batch.bytes.count
                push(batch)
            case .partial:
                bytes += FollowedFile.readBytes / 8
            case .end:
                return false
            case .failed(let fault):
                state.faults[file.path] = fault.description
                return false
            }
        }
        return true
    }

    private mutating func push(_ batch: RawBatch) {
        hop.accept(batch.count)
        if !queue.pushBlocking(batch, lane: lane) {
            // Not evaluated and not checkpointed: the next run reads it again.
            hop.drop(batch.count, cause: "shutdown")
            isClosed = true
        }
    }

    /// Makes a file's start durable before anything is read from it: after a crash it is not taken for an unknown one.
    mutating func announce(_ file: FollowedFile) {
        push(
            RawBatch(
                origin: file.origin, format: file.format, framing: .lines, bytes: [], position: file.readOffset,
                lineNumber: nil, count: 0, received: time.now(), checkpoints: [file.checkpoint().encoded()], place: nil
            )
        )
    }

    mutating func forget(_ key: String) {
        push(
            RawBatch(
                origin: 0, format: .auto, framing: .lines, bytes: [], position: 0, lineNumber: nil, count: 0,
                received: time.now(), checkpoints: [Checkpoint(key: key, value: nil)], place: nil
            )
        )
    }

    // MARK: - Finding

    /// Compares what is on disk with what is followed.
    private mutating func scan() {
        watchDirectories()
        let paths = matchingPaths()
        var present = Set<FileID>()
        for path in paths {
            guard let id = closed.identity(path) else { continue }
            present.insert(id)
            if let known = files[id] {
                known.path = path
                known.isRotated = false
                if known.size != known.readOffset { markDirty(id) }
                continue
            }
            guard let file = openFile(path) else { continue }
            if let known = released.removeValue(forKey: id) { _ = file.resume(known) }
            follow(file)
            announce(file)
        }
        let now = time.uptime()
        for (id, file) in files where !present.contains(id) {
            file.isRotated = true
            if file.size != file.readOffset {
                markDirty(id)
            } else if now - file.lastGrowth > FileFollower.rotatedQuietNanoseconds || file.isDeleted {
                close(file)
            }
        }
        updateState(paths: paths)
    }

    private mutating func close(_ file: FollowedFile) {
        files[file.id] = nil
        if let rest = file.finish(received: time.now()) {
            push(rest)
        } else {
            forget(file.checkpoint().key)
        }
        if !file.isDeleted {
            if released.count >= FileFollower.releasedMax { released.removeAll() }
            released[file.id] = file.checkpoint()
        }
    }

    mutating func follow(_ file: FollowedFile) {
        _ = file.wasRewritten()
        files[file.id] = file
        markDirty(file.id)
    }

    private mutating func markDirty(_ id: FileID) {
        if !dirty.contains(id) { dirty.append(id) }
    }

    /// - Parameter origin: the path that evidence names, if it is not `path`: a rotated file's lines were written under
    ///   the old name.
    mutating func openFile(_ path: String, origin: String? = nil) -> FollowedFile? {
        let named = origin ?? path
        let labels = isDemo(path) ? ["demo": "true"] : [:]
        do {
            let file = try FollowedFile(
                path: path,
                origin: { [origins] id in
                    origins.insert(Origin(source: "file", file: named, inode: id.inode, labels: labels))
                },
                format: .auto, lineBytesMax: options.lineBytesMax, uptime: time.uptime(), responder: closed.responder
            )
            state.faults[path] = nil
            return file
        } catch {
            if state.faults[path] == nil { logger.warning("\(error)") }
            state.faults[path] = error.description
            return nil
        }
    }

    private func isDemo(_ path: String) -> Bool {
        options.demoDirectory.map { path.hasPrefix($0 + "/") } ?? false
    }

    /// The demonstration's own files are in no count: `ironpost demo` works however many others there are.
    private mutating func matchingPaths() -> [String] {
        var seen = Set<String>()
        var paths: [String] = []
        closed.look(for: options.include, uptime: time.uptime())
        for pattern in options.include {
            for path in PathPattern.expand(pattern) + closed.matching(pattern) where seen.insert(path).inserted {
                if !options.exclude.contains(where: { PathPattern.matches(path, $0) }) { paths.append(path) }
            }
        }
        let demonstration = paths.filter { isDemo($0) }
        paths.removeAll { isDemo($0) }
        state.filesLeftOut = max(0, paths.count - options.filesMax)
        return demonstration + paths.prefix(options.filesMax)
    }

    private mutating func watchDirectories() {
        for pattern in Set(options.include.map(PathPattern.directory)) {
            for directory in PathPattern.expand(pattern, onlyDirectories: true) {
                do {
                    try watch.watch(directory)
                    state.faults[directory] = nil
                } catch {
                    // What is in it is looked at every second.
                    if error.code == EACCES, !closed.inDirectory(directory).isEmpty { continue }
                    if state.faults[directory] == nil { logger.warning("\(error)") }
                    state.faults[directory] = error.description
                }
            }
        }
    }

    private mutating func updateState(paths: [String]) {
        state.following = files.values.map(\.path).sorted()
        let present = Set(paths)
        let gone = state.faults.keys.filter {
            $0.hasPrefix("/") && !present.contains($0) && closed.identity($0) == nil
        }
        for path in gone { state.faults[path] = nil }
    }

}

/// Wakes a thread that waits in poll(2).
struct WakePipe: Sendable, ~Copyable {
    let reader: Int32
    private let writer: Int32

    init() throws(FileFault) {
        var ends: [Int32] = [0, 0]
        guard unsafe ip_pipe(&ends) == 0 else {
            throw FileFault(path: "pipe", operation: "open", code: errno)
        }
        reader = ends[0]
        writer = ends[1]
    }

    deinit {
        close(reader)
        close(writer)
    }

    /// Takes the signals that came, so that the next wait waits.
    func clear() {
        var bytes: (UInt64, UInt64) = (0, 0)
        while unsafe read(reader, &bytes, 16) == 16 {}
    }

    func signal() {
        var byte: UInt8 = 1
        // A full pipe wakes just as well.
        _ = unsafe write(writer, &byte, 1)
    }
}
