import FoundationEssentials
import IronpostCore
import NIOCore
import NIOHTTP1
import NIOPosix

/// Speaks HTTP with the daemon over its control socket: one connection a call, bounded in size and time.
struct ControlClient: Sendable {
    let socketPath: String

    static let answerBytesMax = 64 << 20
    static let connectTimeout = Duration.seconds(5)
    static let answerTimeout = Duration.seconds(30)

    typealias Connection = NIOAsyncChannel<HTTPClientResponsePart, HTTPClientRequestPart>

    init(_ options: GlobalOptions) throws {
        socketPath = try ControlSocket.path(options)
    }

    init(socketPath: String) {
        self.socketPath = socketPath
    }

    struct Answer: Sendable {
        var status: Int
        var body: [UInt8]
    }

    func get<Document: Decodable>(_ path: String, query: [Field] = [], as type: Document.Type) async throws -> Document
    {
        try decode(try await call(.GET, path, query: query), as: type)
    }

    /// - Parameter body: sent as JSON.
    func post<Document: Decodable>(
        _ path: String, body: (any Encodable)? = nil, as type: Document.Type
    ) async throws -> Document {
        let bytes = try body.map { [UInt8](try JSONEncoder().encode($0)) } ?? []
        return try decode(try await call(.POST, path, body: bytes), as: type)
    }

    /// Whether a daemon answers and every module of it runs.
    func isReady() async -> Bool {
        (try? await call(.GET, "/ready"))?.status == 200
    }

    /// Any answer, also one that refuses.
    func call(
        _ method: HTTPMethod, _ path: String, query: [Field] = [], body: [UInt8] = []
    ) async throws -> Answer {
        try await within(Self.answerTimeout) {
            try await connect().executeThenClose { inbound, outbound in
                try await outbound.write(contentsOf: Self.request(method, path, query: query, body: body))
                var answer = Answer(status: 0, body: [])
                for try await part in inbound {
                    switch part {
                    case .head(let head): answer.status = Int(head.status.code)
                    case .body(let bytes):
                        guard answer.body.count + bytes.readableBytes <= Self.answerBytesMax else {
                            throw CommandFailure(.failure, "the daemon's answer is longer than 64 MiB")
                        }
                        answer.body += bytes.readableBytesView
                    case .end: return answer
                    }
                }
                throw CommandFailure(.daemonNotReachable, "the daemon closed the connection before it answered")
            }
        }
    }

    /// Follows a stream until `message` returns false or the daemon ends it.
    func follow(_ path: String, query: [Field] = [], message: (StreamMessage) async throws -> Bool) async throws {
        let connection = try await connect()
        try await connection.executeThenClose { inbound, outbound in
            try await outbound.write(contentsOf: Self.request(.GET, path, query: query))
            var parser = StreamParser()
            var status = 0
            var refusal: [UInt8] = []
            for try await part in inbound {
                switch part {
                case .head(let head): status = Int(head.status.code)
                case .body(let bytes) where status == 200:
                    for found in try parser.feed(bytes.readableBytesView) {
                        guard try await message(found) else { return }
                    }
                case .body(let bytes): refusal += bytes.readableBytesView.prefix(4096)
                case .end:
                    guard status == 200 else { throw Self.refusal(Answer(status: status, body: refusal)) }
                    return
                }
            }
        }
    }

    func decode<Document: Decodable>(_ answer: Answer, as type: Document.Type) throws -> Document {
        guard (200..<300).contains(answer.status) else { throw Self.refusal(answer) }
        do {
            return try JSONDecoder().decode(type, from: Data(answer.body))
        } catch {
            throw CommandFailure(.failure, "the daemon's answer cannot be understood: is it of another version?")
        }
    }

    private static func refusal(_ answer: Answer) -> CommandFailure {
        let document = try? JSONDecoder().decode(ErrorDocument.self, from: Data(answer.body))
        let status: ExitStatus = answer.status == 400 ? .usage : .failure
        return CommandFailure(
            status, document?.error.message ?? "the daemon answered with HTTP status \(answer.status)")
    }

    private func connect() async throws -> Connection {
        do {
            return try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .connectTimeout(.nanoseconds(Self.connectTimeout.nanoseconds))
                .connect(unixDomainSocketPath: socketPath) { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHTTPClientHandlers()
                        return try Connection(wrappingChannelSynchronously: channel)
                    }
                }
        } catch {
            throw CommandFailure(.daemonNotReachable, Self.words(error, path: socketPath))
        }
    }

    private static func words(_ error: any Error, path: String) -> String {
        switch (error as? IOError)?.errnoCode {
        case ENOENT: "no daemon at \(path): is it running? Start it with: ironpost start -d"
        case ECONNREFUSED: "no daemon answers at \(path): it is not running any more. Start it with: ironpost start -d"
        case EACCES, EPERM: "you may not connect to \(path): use sudo, or join the socket's group"
        default: "cannot connect to \(path): \(error)"
        }
    }

    /// Head and end in one write: on the wire the head of a request without a body is all of it, so that a quick daemon
    /// may have answered and closed before a second write.
    private static func request(
        _ method: HTTPMethod, _ path: String, query: [Field], body: [UInt8] = []
    ) -> [HTTPClientRequestPart] {
        var head = head(method, path, query: query)
        guard !body.isEmpty else { return [.head(head), .end(nil)] }
        head.headers.add(name: "Content-Type", value: "application/json")
        head.headers.add(name: "Content-Length", value: String(body.count))
        return [.head(head), .body(.byteBuffer(ByteBuffer(bytes: body))), .end(nil)]
    }

    private static func head(_ method: HTTPMethod, _ path: String, query: [Field]) -> HTTPRequestHead {
        let pairs = query.map { "\(encode($0.name))=\(encode($0.value))" }.joined(separator: "&")
        return HTTPRequestHead(
            version: .http1_1, method: method, uri: pairs.isEmpty ? path : "\(path)?\(pairs)",
            headers: ["Host": "localhost", "Connection": "close", "User-Agent": "ironpost/\(IronpostVersion.current)"]
        )
    }

    /// Percent-encodes all but RFC 3986's unreserved characters.
    static func encode(_ text: String) -> String {
        var encoded = ""
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "~"):
                encoded.append(Character(Unicode.Scalar(byte)))
            default:
                let digits = String(byte, radix: 16, uppercase: true)
                encoded += "%" + (digits.utf8.count == 1 ? "0" : "") + digits
            }
        }
        return encoded
    }

    private func within<Value: Sendable>(
        _ duration: Duration, _ body: @escaping @Sendable () async throws -> Value
    ) async throws -> Value {
        try await withThrowingTaskGroup(of: Value.self) { group in
            group.addTask { try await body() }
            group.addTask {
                try await Task.sleep(for: duration)
                throw CommandFailure(.daemonNotReachable, "the daemon did not answer within \(duration)")
            }
            defer { group.cancelAll() }
            guard let first = try await group.next() else { throw CancellationError() }
            return first
        }
    }
}
