import IronpostCore
import Logging
import Synchronization

/// The sources that the configuration asks for, and the queue into which they read. Each can be replaced while the
/// others go on.
final class Sources: Sendable {
    /// The queue's lanes, and the ledger's hops `source:<name>`: all that can be, so that they never change.
    static let lanes = [
        "file", "journald", "syslog_udp", "syslog_tcp", "syslog_unix", ContainerLogReader.source, packetLane,
        Canary.lane,
    ]
    static let packetLane = "packets"

    struct Opened: Sendable {
        var follower: FileFollower
        var journal: JournalReader?
        var udp: DatagramReceiver?
        var unix: DatagramReceiver?
        var stream: StreamReceiver?
        var containers: ContainerLogReader?

        var receivers: [any Receiver] {
            let all: [(any Receiver)?] = [follower, journal, udp, unix, stream, containers]
            return all.compactMap { $0 }
        }
    }

    let queue: SourceQueue
    private let context: Context
    private let opened: Mutex<Opened>
    private let lastCursor: Mutex<String?>

    /// What every source is made with.
    struct Context: Sendable {
        var origins: OriginTable
        var ledger: Ledger
        var time: any TimeSource
        var logger: Logger
        var demoDirectory: String
        /// Opens files and journals that are closed to our user.
        var responder: any ResponderLink
        var losses: LogLosses
        /// `nil` where nobody follows containers.
        var containerLogs: (any ContainerLogs)?

        func hop(_ name: String) -> LedgerHop { ledger.hop("source:\(name)") }
        func lane(_ name: String) -> Int { Sources.lanes.firstIndex(of: name) ?? 0 }
    }

    /// A source that cannot be opened, as on a taken port.
    struct Fault: Error, CustomStringConvertible {
        var description: String
    }

    /// Opens each; one that cannot be opened is among the faults and does not stop the others.
    static func open(
        _ log: Configuration.LogPipeline, context: Context, checkpoints: [FileCheckpoint], cursor: String?,
        others: [Checkpoint] = []
    ) async throws -> (sources: Sources, faults: [String]) {
        let queue = SourceQueue(lanes: lanes.count, bytesMax: log.queueBytes)
        var faults: [String] = []
        let follower = try FileFollower(
            options: followerOptions(log, context), checkpoints: checkpoints, queue: queue,
            lane: context.lane("file"), hop: context.hop("file"), origins: context.origins, time: context.time,
            logger: context.logger, responder: context.responder
        )
        var opened = Opened(follower: follower)
        if log.sources.contains(.journald) { opened.journal = journal(log, context, queue, cursor: cursor) }
        if log.sources.contains(.docker) { opened.containers = containers(log, context, queue, others) }
        if log.sources.contains(.syslog) {
            do { opened.udp = try udp(log, context, queue) } catch { faults.append("\(error)") }
            do { opened.unix = try unix(log, context, queue) } catch { faults.append("\(error)") }
            do { opened.stream = try await stream(log, context, queue) } catch { faults.append("\(error)") }
        }
        for fault in faults { context.logger.error("\(fault)") }
        return (Sources(queue: queue, context: context, opened: opened, cursor: cursor), faults)
    }

    private init(queue: SourceQueue, context: Context, opened: Opened, cursor: String?) {
        self.queue = queue
        self.context = context
        self.opened = Mutex(opened)
        lastCursor = Mutex(cursor)
    }

    var current: Opened { opened.withLock { $0 } }
    var areReady: Bool { current.receivers.allSatisfy(\.isReady) }

    func start() {
        for receiver in current.receivers { receiver.start() }
    }

    /// Nothing new is taken in; what was read goes on.
    func stop() {
        for receiver in current.receivers { receiver.stop() }
    }

    /// Waits until every source has handed over what it read.
    func finished() async {
        for receiver in current.receivers { await receiver.finished() }
    }

    // MARK: - Reload

    /// The sources of a new configuration: those whose settings are the same are the present ones, the others are opened.
    /// Throws when one cannot be; then those that were opened are closed again.
    func stage(_ log: Configuration.LogPipeline, from old: Configuration.LogPipeline) async throws -> Opened {
        let present = current
        var new = Opened(follower: present.follower)
        if log.sources.contains(.docker) {
            let isSame = old.sources.contains(.docker) && old.lineBytesMax == log.lineBytesMax
            new.containers =
                isSame && present.containers != nil
                ? present.containers : Self.containers(log, context, queue, present.containers?.places ?? [])
        }
        let hadSyslog = old.sources.contains(.syslog)
        if log.sources.contains(.journald) {
            let isSame =
                old.sources.contains(.journald) && old.journald == log.journald && old.lineBytesMax == log.lineBytesMax
            new.journal =
                isSame
                ? present.journal
                : Self.journal(log, context, queue, cursor: present.journal?.lastCursor ?? lastCursor.withLock { $0 })
        }
        guard log.sources.contains(.syslog) else { return new }
        let isSameLine = old.lineBytesMax == log.lineBytesMax
        do {
            let isSame = hadSyslog && isSameLine
            new.udp =
                isSame && old.syslog.udp == log.syslog.udp && present.udp != nil
                ? present.udp : try Self.udp(log, context, queue)
            new.unix = isSame && old.syslog.unix == log.syslog.unix ? present.unix : try Self.unix(log, context, queue)
            let isSameStream =
                isSame && old.syslog.tcp == log.syslog.tcp && present.stream != nil
                && old.syslog.tcpConnectionsMax == log.syslog.tcpConnectionsMax
            new.stream = isSameStream ? present.stream : try await Self.stream(log, context, queue)
            return new
        } catch {
            await discard(new)
            throw error
        }
    }

    func discard(_ staged: Opened) async {
        for receiver in replaced(staged, by: current) {
            receiver.stop()
            await receiver.finished()
        }
    }

    /// Puts staged sources to work and ends those that they replace.
    func commit(_ staged: Opened, _ log: Configuration.LogPipeline) async {
        let old = opened.withLock { opened in
            let old = opened
            opened = staged
            return old
        }
        // A journal that goes is remembered: when it comes back, reading goes on where it ended.
        if let cursor = old.journal?.lastCursor { lastCursor.withLock { $0 = cursor } }
        staged.follower.update(Self.followerOptions(log, context))
        for receiver in replaced(staged, by: old) { receiver.start() }
        for receiver in replaced(old, by: staged) {
            receiver.stop()
            await receiver.finished()
        }
    }

    /// The receivers of one opened that are not in the other.
    private func replaced(_ opened: Opened, by other: Opened) -> [any Receiver] {
        let kept = other.receivers.map(ObjectIdentifier.init)
        return opened.receivers.filter { !kept.contains(ObjectIdentifier($0)) }
    }

    // MARK: - Opening

    /// One byte more than a line may have, so that evaluation, which cuts and counts, sees that there was more.
    private static func readBytesMax(_ log: Configuration.LogPipeline) -> Int { log.lineBytesMax + 1 }

    /// Files are always followed: the demonstration writes one. Only it, when neither `file` nor `audit` is a source.
    private static func followerOptions(_ log: Configuration.LogPipeline, _ context: Context) -> FileFollower.Options {
        FileFollower.Options(
            include: log.followed + [context.demoDirectory + "/*.log"], exclude: log.file.exclude,
            startAtBeginning: log.file.startAt == .beginning, filesMax: log.file.filesMax,
            lineBytesMax: readBytesMax(log), demoDirectory: context.demoDirectory
        )
    }

    private static func containers(
        _ log: Configuration.LogPipeline, _ context: Context, _ queue: SourceQueue, _ checkpoints: [Checkpoint]
    ) -> ContainerLogReader? {
        guard let logs = context.containerLogs else { return nil }
        let name = ContainerLogReader.source
        return ContainerLogReader(
            logs: logs, checkpoints: checkpoints, startAtBeginning: log.file.startAt == .beginning, queue: queue,
            lane: context.lane(name), hop: context.hop(name), origins: context.origins, time: context.time,
            lineBytesMax: log.lineBytesMax, logger: context.logger
        )
    }

    private static func journal(
        _ log: Configuration.LogPipeline, _ context: Context, _ queue: SourceQueue, cursor: String?
    ) -> JournalReader {
        JournalReader(
            directory: log.journald.directory, startAtBeginning: log.journald.startAt == .beginning, cursor: cursor,
            bounds: JournalRecord.Bounds(fieldBytesMax: log.lineBytesMax), losses: context.losses,
            queue: queue, lane: context.lane("journald"), hop: context.hop("journald"), origins: context.origins,
            time: context.time, logger: context.logger, responder: context.responder
        )
    }

    private static func udp(
        _ log: Configuration.LogPipeline, _ context: Context, _ queue: SourceQueue
    ) throws -> DatagramReceiver? {
        guard let address = log.syslog.udp else { return nil }
        let (descriptor, port) = try DatagramSocket.udp(host: address.host, port: UInt16(address.port))
        return try DatagramReceiver(
            descriptor: descriptor, source: "syslog_udp", description: "syslog udp \(address.host):\(port)",
            unixPath: nil, port: port, origins: context.origins, queue: queue, lane: context.lane("syslog_udp"),
            hop: context.hop("syslog_udp"), time: context.time, lineBytesMax: readBytesMax(log)
        )
    }

    private static func unix(
        _ log: Configuration.LogPipeline, _ context: Context, _ queue: SourceQueue
    ) throws -> DatagramReceiver? {
        guard !log.syslog.unix.isEmpty else { return nil }
        return try DatagramReceiver(
            descriptor: try DatagramSocket.unix(path: log.syslog.unix), source: "syslog_unix",
            description: "syslog unix \(log.syslog.unix)", unixPath: log.syslog.unix, port: nil,
            origins: context.origins, queue: queue, lane: context.lane("syslog_unix"),
            hop: context.hop("syslog_unix"), time: context.time, lineBytesMax: readBytesMax(log)
        )
    }

    private static func stream(
        _ log: Configuration.LogPipeline, _ context: Context, _ queue: SourceQueue
    ) async throws -> StreamReceiver? {
        guard let address = log.syslog.tcp else { return nil }
        do {
            return try await StreamReceiver(
                host: address.host, port: Int(address.port), queue: queue, lane: context.lane("syslog_tcp"),
                hop: context.hop("syslog_tcp"), origins: context.origins, time: context.time,
                lineBytesMax: readBytesMax(log), connectionsMax: log.syslog.tcpConnectionsMax, logger: context.logger
            )
        } catch {
            throw Fault(description: "cannot bind tcp \(address.host):\(address.port): \(error)")
        }
    }
}
