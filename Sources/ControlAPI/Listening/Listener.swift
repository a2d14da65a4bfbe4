import Glibc
import Hummingbird
import HummingbirdCore
import IronpostCore
import Logging
import NIOCore
import NIOPosix
import Synchronization

/// One bound address and its open connections.
///
/// Hummingbird's own server binds when it runs and leaves no hand on a connection; here `prepare` has to bind, a
/// connection's role is known before its first request, and the end has a deadline.
final class Listener: Sendable {
    /// Answers one request of a connection that came in by `door`.
    typealias Responder = @Sendable (Request, Door) async -> Response

    private struct Connection: Sendable {
        let http: HTTP1Channel
        let value: HTTP1Channel.Value
    }

    private let channel: NIOAsyncChannel<Connection?, Never>
    private let connections: Connections
    private let logger: Logger

    private init(channel: NIOAsyncChannel<Connection?, Never>, connections: Connections, logger: Logger) {
        self.channel = channel
        self.connections = connections
        self.logger = logger
    }

    var port: Int? { channel.channel.localAddress?.port }
    var refused: Int { connections.refused }
    var openCount: Int { connections.count }

    /// Takes over a socket that listens already; the kernel tells who connects.
    static func open(
        socket: ControlSocketFile, bounds: ControlBounds, logger: Logger, respond: @escaping Responder
    ) async throws -> Listener {
        let daemonUID = geteuid()
        return try await open(.descriptor(socket.descriptor), bounds: bounds, logger: logger, respond: respond) {
            guard let peer = PeerCredentials(channel: $0) else { return nil }
            return .socket(Role(peer: peer, daemonUID: daemonUID, socketGID: socket.gid), peer)
        }
    }

    static func open(
        address: ControlOptions.Listen, bounds: ControlBounds, logger: Logger, respond: @escaping Responder
    ) async throws -> Listener {
        try await open(.address(address), bounds: bounds, logger: logger, respond: respond) {
            .network(localAddress: $0.localAddress?.ipAddress)
        }
    }

    private enum Place {
        case descriptor(Int32)
        case address(ControlOptions.Listen)
    }

    private static func open(
        _ place: Place, bounds: ControlBounds, logger: Logger, respond: @escaping Responder,
        door: @escaping @Sendable (any Channel) -> Door?
    ) async throws -> Listener {
        let connections = Connections(max: bounds.connectionsMax)
        let initialize: @Sendable (any Channel) -> EventLoopFuture<Connection?> = { channel in
            guard connections.add(channel), let door = door(channel) else {
                channel.close(promise: nil)
                return channel.eventLoop.makeSucceededFuture(nil)
            }
            let http = HTTP1Channel(
                responder: { request, writer, _ in
                    connections.begin(channel)
                    defer { connections.end(channel) }
                    let response = await respond(request, door)
                    try await writer.write(response: response.head, body: response.body)
                    // Whatever is left of a refused body is not worth reading.
                    if response.headers[.connection] == "close" { channel.close(mode: .input, promise: nil) }
                },
                configuration: HTTP1Channel.Configuration(
                    idleTimeout: .nanoseconds(bounds.idleTimeout.nanoseconds),
                    httpDecoderConfiguration: .init(
                        maxHeaderFieldSize: bounds.headerBytesMax, maxHeaderListSize: bounds.headerBytesMax,
                        maxHeaderFieldCount: bounds.headersMax
                    )
                )
            )
            return channel.eventLoop.makeCompletedFuture {
                try channel.pipeline.syncOperations.addHandlers(
                    IdleStateHandler(writeTimeout: .nanoseconds(bounds.stallTimeout.nanoseconds)), StallHandler()
                )
            }
            .flatMap { http.setup(channel: channel, logger: logger) }
            .map { Connection(http: http, value: $0) }
        }
        let bootstrap = ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.allowRemoteHalfClosure, value: true)
        let channel =
            switch place {
            case .descriptor(let descriptor):
                try await bootstrap.bind(descriptor, childChannelInitializer: initialize)
            case .address(let listen):
                try await bootstrap.bind(host: listen.host, port: listen.port, childChannelInitializer: initialize)
            }
        return Listener(channel: channel, connections: connections, logger: logger)
    }

    /// Serves until `stop`, or until the task is cancelled; returns when no connection is open any more.
    func serve() async throws {
        let logger = logger
        try await channel.executeThenClose { inbound in
            try await withThrowingDiscardingTaskGroup { group in
                for try await connection in inbound {
                    guard let connection else { continue }
                    group.addTask { await connection.http.handle(value: connection.value, logger: logger) }
                }
            }
        }
    }

    /// Takes no more connections, and lets the open ones end with the answer they are giving.
    func stop() {
        channel.channel.close(promise: nil)
        for connection in connections.quiesce() {
            connection.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent())
        }
    }

    /// Closes every connection as it stands.
    func abandon() {
        channel.channel.close(promise: nil)
        for connection in connections.quiesce() { connection.close(promise: nil) }
    }
}

/// By which way a request came in.
enum Door: Sendable {
    case socket(Role, PeerCredentials)
    /// - Parameter localAddress: this end's address.
    case network(localAddress: String?)
}

/// The open connections of a listener, bounded. Where there is no room for one more, the one that has waited longest
/// without a request goes: whoever opens many and says nothing keeps nobody out.
private final class Connections: Sendable {
    private struct Entry {
        let channel: any Channel
        /// Rises with each arrival and each request that ended.
        var rest: UInt64
        var isAnswering = false
    }

    private struct State {
        var open: [ObjectIdentifier: Entry] = [:]
        var rests: UInt64 = 0
        var refused = 0
        var isClosed = false

        mutating func nextRest() -> UInt64 {
            rests += 1
            return rests
        }
    }

    private let max: Int
    private let state = Mutex(State())

    init(max: Int) {
        self.max = max
    }

    var count: Int { state.withLock { $0.open.count } }
    var refused: Int { state.withLock { $0.refused } }

    /// False when all that are open are being answered, or the end has begun.
    func add(_ channel: any Channel) -> Bool {
        let id = ObjectIdentifier(channel)
        let (isTaken, idle) = state.withLock { state -> (Bool, (any Channel)?) in
            guard !state.isClosed else { return (false, nil) }
            var idle: (any Channel)?
            if state.open.count >= max {
                state.refused += 1
                let longest = state.open.filter { !$0.value.isAnswering }.min { $0.value.rest < $1.value.rest }
                guard let longest else { return (false, nil) }
                idle = longest.value.channel
                state.open[longest.key] = nil
            }
            state.open[id] = Entry(channel: channel, rest: state.nextRest())
            return (true, idle)
        }
        idle?.close(promise: nil)
        if isTaken {
            channel.closeFuture.whenComplete { _ in self.remove(id) }
        }
        return isTaken
    }

    func begin(_ channel: any Channel) {
        state.withLock { $0.open[ObjectIdentifier(channel)]?.isAnswering = true }
    }

    func end(_ channel: any Channel) {
        state.withLock { state in
            let rest = state.nextRest()
            state.open[ObjectIdentifier(channel)]?.isAnswering = false
            state.open[ObjectIdentifier(channel)]?.rest = rest
        }
    }

    func quiesce() -> [any Channel] {
        state.withLock { state in
            state.isClosed = true
            return state.open.values.map(\.channel)
        }
    }

    private func remove(_ id: ObjectIdentifier) {
        state.withLock { $0.open[id] = nil }
    }
}

/// Lets a client go that has taken nothing of what was written to it.
private final class StallHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case IdleStateHandler.IdleStateEvent.write = event {
            context.close(promise: nil)
        } else {
            context.fireUserInboundEventTriggered(event)
        }
    }
}
