import IronpostCore
import Logging
import NIOCore
import NIOPosix
import Synchronization

/// Receives syslog over TCP (RFC 6587). A connection whose messages do not fit the queue is not read from until they
/// do; the sender feels it.
final class StreamReceiver: Receiver {
    /// A connection that says nothing this long is closed.
    static let idle = TimeAmount.minutes(30)
    /// When we stop, how long a sender may take to see that and to end what it is sending.
    static let farewell = TimeAmount.milliseconds(500)
    /// Refused connections degrade the health this long.
    static let refusalNanoseconds: Int64 = 60_000_000_000
    static let limitKey = "log_pipeline.syslog.tcp_connections_max"

    private let queue: SourceQueue
    private let lane: Int
    private let hop: LedgerHop
    private let origins: OriginTable
    private let time: any TimeSource
    private let lineBytesMax: Int
    private let connectionsMax: Int
    private let logger: Logger
    private let server: NIOAsyncChannel<Connection, Never>
    private let connections = Atomic<Int>(0)
    private let refused = Atomic<Int>(0)
    private let lastRefusal = Atomic<Int64>(0)
    private let isStopping = Atomic<Bool>(false)
    private let task = Mutex<Task<Void, Never>?>(nil)
    private let open = Mutex<[ObjectIdentifier: any Channel]>([:])

    private struct Connection: Sendable {
        var stream: NIOAsyncChannel<ByteBuffer, Never>
        /// Asked when it was accepted: a sender may be gone before its connection's turn comes.
        var peer: String?

        var channel: any Channel { stream.channel }
    }

    /// Binds. Throws when the address is taken or is not ours.
    init(
        host: String, port: Int, queue: SourceQueue, lane: Int, hop: LedgerHop, origins: OriginTable,
        time: any TimeSource, lineBytesMax: Int, connectionsMax: Int, logger: Logger
    ) async throws {
        self.queue = queue
        self.lane = lane
        self.hop = hop
        self.origins = origins
        self.time = time
        self.lineBytesMax = lineBytesMax
        self.connectionsMax = connectionsMax
        self.logger = logger
        server = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .serverChannelOption(.backlog, value: 256)
            .bind(host: host, port: port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(IdleStateHandler(readTimeout: Self.idle))
                    try channel.pipeline.syncOperations.addHandler(IdleCloser())
                    return Connection(
                        stream: try NIOAsyncChannel(wrappingChannelSynchronously: channel),
                        peer: channel.remoteAddress?.ipAddress
                    )
                }
            }
    }

    var port: Int? { server.channel.localAddress?.port }
    var connectionsRefused: Int { refused.load(ordering: .relaxed) }
    var connectionCount: Int { connections.load(ordering: .relaxed) }

    var isReady: Bool { true }

    func start() {
        let task = Task {
            do {
                try await serve()
            } catch {
                logger.error("syslog over tcp ended: \(error)")
            }
        }
        self.task.withLock { $0 = task }
    }

    func finished() async {
        if let task = task.withLock({ $0 }) {
            await task.value
        } else {
            // Never started: the listening socket is still ours to close.
            try? await server.executeThenClose { _ in }
        }
    }

    /// What was refused lately, for the health.
    func refusal(at uptime: Int64) -> String? {
        guard connectionsRefused > 0, uptime - lastRefusal.load(ordering: .relaxed) < Self.refusalNanoseconds else {
            return nil
        }
        return "\(connectionsRefused) connections beyond \(Self.limitKey)"
    }

    /// Takes no new connection, and ends those there are once what they sent is read.
    func stop() {
        guard !isStopping.exchange(true, ordering: .acquiringAndReleasing) else { return }
        server.channel.close(mode: .all, promise: nil)
        for channel in open.withLock({ Array($0.values) }) { Self.sayFarewell(to: channel) }
    }

    /// Tells the sender that this is the end (FIN) and goes on reading: closing at once would make the kernel throw away
    /// what it had acknowledged already, and the sender would never know.
    private static func sayFarewell(to channel: any Channel) {
        channel.close(mode: .output, promise: nil)
        channel.eventLoop.scheduleTask(in: farewell) { channel.close(mode: .all, promise: nil) }
    }

    /// Serves until stopped.
    func serve() async throws {
        try await withThrowingDiscardingTaskGroup { group in
            try await server.executeThenClose { inbound in
                for try await connection in inbound {
                    if connections.load(ordering: .relaxed) >= connectionsMax {
                        refused.add(1, ordering: .relaxed)
                        lastRefusal.store(time.uptime(), ordering: .relaxed)
                        connection.channel.close(promise: nil)
                        group.addTask { try? await connection.stream.executeThenClose { _ in } }
                        continue
                    }
                    connections.add(1, ordering: .relaxed)
                    group.addTask { await self.receive(connection) }
                }
            }
        }
    }

    private func receive(_ connection: Connection) async {
        let key = ObjectIdentifier(connection.channel)
        open.withLock { $0[key] = connection.channel }
        if isStopping.load(ordering: .acquiring) { Self.sayFarewell(to: connection.channel) }
        defer {
            connections.subtract(1, ordering: .relaxed)
            open.withLock { $0[key] = nil }
        }
        let peer = connection.peer ?? "unknown"
        let origin = origins.insert(Origin(source: "syslog_tcp", file: nil, inode: nil))
        var framer = SyslogFramer(messageBytesMax: lineBytesMax)
        var sequence: UInt64 = 0
        do {
            try await connection.stream.executeThenClose { inbound in
                for try await buffer in inbound {
                    var records: [UInt8] = []
                    let count = framer.push(buffer.readableBytesUInt8Span, into: &records)
                    await hand(records, count, origin: origin, place: peer, sequence: &sequence)
                }
            }
        } catch {
            logger.debug("syslog connection ended", metadata: ["peer": "\(peer)", "reason": "\(error)"])
        }
        var records: [UInt8] = []
        let count = framer.finish(into: &records)
        await hand(records, count, origin: origin, place: peer, sequence: &sequence)
    }

    private func hand(_ records: [UInt8], _ count: Int, origin: UInt64, place: String, sequence: inout UInt64) async {
        guard count > 0 else { return }
        hop.accept(count)
        let batch = RawBatch(
            origin: origin, format: .syslog, framing: .records, bytes: records, position: sequence, lineNumber: nil,
            count: count, received: time.now(), checkpoints: [], place: place
        )
        sequence += UInt64(count)
        if await !queue.push(batch, lane: lane) { hop.drop(count, cause: "shutdown") }
    }
}

/// Closes a connection on which nothing arrived for too long.
private final class IdleCloser: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event is IdleStateHandler.IdleStateEvent {
            context.close(promise: nil)
        } else {
            context.fireUserInboundEventTriggered(event)
        }
    }
}
