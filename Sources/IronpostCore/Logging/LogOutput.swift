package import Logging
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Where every logger of the process writes: a line a record, each with one write(2), never interleaved. Levels and
/// format can be changed while it is in use.
package final class LogOutput: Sendable {
    /// Labels whose levels are kept apart; later ones share the level for everything.
    static let labelsMax = 1024
    /// How long one line waits for a reader that is behind, before the rest of it is lost.
    static let writeWaitMilliseconds: CInt = 1000

    private struct State {
        var directives: LogDirectives
        var format: LogFormat
        var levels: [String: ModuleLevel] = [:]
        var linesLost: UInt64 = 0
    }

    private let state: Mutex<State>
    private let otherLabels: ModuleLevel
    private let descriptor: CInt
    private let isColoured: Bool
    private let isJournal: Bool
    private let clock: @Sendable () -> LogTime

    /// - Parameters:
    ///   - descriptor: stays open and is not ours to close; standard error by default.
    ///   - environment: for `NO_COLOR` and for `JOURNAL_STREAM`, with which systemd says which stream is the journal.
    ///   - clock: for the time of each line.
    package init(
        directives: LogDirectives,
        format: LogFormat,
        descriptor: CInt = STDERR_FILENO,
        environment: [String: String] = [:],
        clock: @escaping @Sendable () -> LogTime = LogTime.now
    ) {
        state = Mutex(State(directives: directives, format: format))
        otherLabels = ModuleLevel(directives.level)
        self.descriptor = descriptor
        isColoured = environment["NO_COLOR", default: ""].isEmpty && isatty(descriptor) == 1
        isJournal = Self.isJournal(descriptor, stream: environment["JOURNAL_STREAM"])
        self.clock = clock
    }

    /// A logger whose label is its module, which decides its level.
    package func logger(label: String) -> Logger {
        Logger(label: label) { LogOutputHandler(output: self, label: $0, level: self.level(for: $0)) }
    }

    /// Changes levels and format for every logger, those that exist included, from the next record on.
    package func apply(directives: LogDirectives, format: LogFormat) {
        state.withLock { state in
            state.directives = directives
            state.format = format
            for (label, level) in state.levels { level.value = directives.level(for: label) }
            otherLabels.value = directives.level
        }
    }

    /// Lines that could not be written in full.
    package var linesLost: UInt64 {
        state.withLock { $0.linesLost }
    }

    fileprivate func write(level: Logger.Level, label: String, message: String, metadata: Logger.Metadata) {
        let record = LogRecord(time: clock(), level: level, label: label, message: message, metadata: metadata)
        state.withLock { state in
            let line = record.line(state.format, isColoured: isColoured, isJournal: isJournal)
            if !write(line) { state.linesLost += 1 }
        }
    }

    private func level(for label: String) -> ModuleLevel {
        state.withLock { state in
            if let known = state.levels[label] { return known }
            guard state.levels.count < Self.labelsMax else { return otherLabels }
            let level = ModuleLevel(state.directives.level(for: label))
            state.levels[label] = level
            return level
        }
    }

    /// One write(2), more only if the kernel took a part.
    private func write(_ line: [UInt8]) -> Bool {
        unsafe line.withUnsafeBytes { bytes in
            var rest = unsafe bytes[...]
            while unsafe !rest.isEmpty {
                let part = unsafe UnsafeRawBufferPointer(rebasing: rest)
                let count = unsafe systemWrite(descriptor, part)
                if count > 0 {
                    unsafe rest = rest.dropFirst(count)
                    continue
                }
                switch errno {
                case EINTR: continue
                case EAGAIN where isWritable(): continue
                // The reader is gone or too slow. There is nowhere left to say so but the count.
                default: return false
                }
            }
            return true
        }
    }

    /// Waits for a non-blocking descriptor.
    private func isWritable() -> Bool {
        var request = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        return unsafe poll(&request, 1, Self.writeWaitMilliseconds) > 0 && request.revents & Int16(POLLOUT) != 0
    }

    /// Whether a descriptor is the stream that `JOURNAL_STREAM` names by device and inode.
    static func isJournal(_ descriptor: CInt, stream: String?) -> Bool {
        guard let parts = stream?.split(separator: ":", omittingEmptySubsequences: false), parts.count == 2,
            let device = UInt64(parts[0]), let inode = UInt64(parts[1])
        else { return false }
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0 else { return false }
        return UInt64(status.st_dev) == device && UInt64(status.st_ino) == inode
    }
}

/// A module's level, read at every log call and so without a lock.
private final class ModuleLevel: Sendable {
    private let raw: Atomic<Int>

    init(_ level: Logger.Level) {
        raw = Atomic(Self.index(level))
    }

    var value: Logger.Level {
        get { Logger.Level.allCases[raw.load(ordering: .relaxed)] }
        set { raw.store(Self.index(newValue), ordering: .relaxed) }
    }

    private static func index(_ level: Logger.Level) -> Int {
        Logger.Level.allCases.firstIndex(of: level) ?? 0
    }
}

/// What swift-log calls for a logger of a `LogOutput`.
private struct LogOutputHandler: LogHandler {
    let output: LogOutput
    let label: String
    let level: ModuleLevel
    var metadata: Logger.Metadata = [:]
    var metadataProvider: Logger.MetadataProvider?
    /// Set when somebody gave this one logger a level of its own.
    private var ownLevel: Logger.Level?

    init(output: LogOutput, label: String, level: ModuleLevel) {
        self.output = output
        self.label = label
        self.level = level
    }

    var logLevel: Logger.Level {
        get { ownLevel ?? level.value }
        set { ownLevel = newValue }
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        var all = metadata
        if let provided = metadataProvider?.get() { all.merge(provided) { _, new in new } }
        if let given = event.metadata { all.merge(given) { _, new in new } }
        if let error = event.error { all["error"] = .string(String(describing: error)) }
        output.write(level: event.level, label: label, message: event.message.description, metadata: all)
    }
}

private func systemWrite(_ descriptor: CInt, _ bytes: UnsafeRawBufferPointer) -> Int {
    unsafe write(descriptor, bytes.baseAddress, bytes.count)
}
