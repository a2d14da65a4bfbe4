import Foundation
import NIOCore
import NIOPosix

/// A connection on which a test writes bytes as it likes.
struct RawClient: Sendable {
    enum Place: Sendable {
        case socket(String)
        case port(Int)
    }

    struct Answer: Sendable {
        var status: Int
        var head: String
        var body: String

        func header(_ name: String) -> String? {
            head.split(separator: "\r\n").first { $0.lowercased().hasPrefix(name.lowercased() + ":") }
                .map { $0.dropFirst(name.utf8.count + 1).trimmingCharacters(in: .whitespaces) }
        }

        func json() throws -> [String: Any] {
            let object = try JSONSerialization.jsonObject(with: Data(body.utf8))
            return object as? [String: Any] ?? [:]
        }
    }

    struct Malformed: Error {
        let text: String
    }

    static func connect(_ place: Place) async throws -> NIOAsyncChannel<ByteBuffer, ByteBuffer> {
        let bootstrap = ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
        switch place {
        case .socket(let path):
            return try await bootstrap.connect(unixDomainSocketPath: path) { channel in
                channel.eventLoop.makeCompletedFuture { try NIOAsyncChannel(wrappingChannelSynchronously: channel) }
            }
        case .port(let port):
            return try await bootstrap.connect(host: "127.0.0.1", port: port) { channel in
                channel.eventLoop.makeCompletedFuture { try NIOAsyncChannel(wrappingChannelSynchronously: channel) }
            }
        }
    }

    /// Sends bytes and reads all there is until `enough` says so or the server closes.
    static func exchange(
        _ place: Place, _ text: String, until enough: @escaping @Sendable (String) -> Bool = { _ in false }
    ) async throws -> String {
        try await connect(place).executeThenClose { inbound, outbound in
            var all = ""
            do {
                try await outbound.write(ByteBuffer(string: text))
                for try await part in inbound {
                    all += String(buffer: part)
                    if enough(all) { break }
                }
            } catch let error as IOError where error.errnoCode == ECONNRESET || error.errnoCode == EPIPE {
                // The server closed with unread bytes of ours on the way.
            } catch ChannelError.ioOnClosedChannel {
                // The server closed before it read any.
            }
            return all
        }
    }

    static func request(
        _ place: Place, _ path: String, host: String? = "localhost", token: String? = nil, headers: [String] = []
    ) async throws -> Answer {
        try await request(place, "GET", path, host: host, token: token, headers: headers)
    }

    static func request(
        _ place: Place, _ method: String, _ path: String, host: String? = "localhost", token: String? = nil,
        headers: [String] = [], body: String = ""
    ) async throws -> Answer {
        var lines = ["\(method) \(path) HTTP/1.1", "Connection: close"]
        if let host { lines.append("Host: \(host)") }
        if let token { lines.append("Authorization: Bearer \(token)") }
        if !body.isEmpty { lines.append("Content-Length: \(body.utf8.count)") }
        lines += headers
        let text = try await exchange(place, lines.joined(separator: "\r\n") + "\r\n\r\n" + body)
        return try parse(text)
    }

    static func parse(_ text: String) throws -> Answer {
        guard let end = text.range(of: "\r\n\r\n"), let word = text.split(separator: " ").dropFirst().first,
            let status = Int(word)
        else { throw Malformed(text: text) }
        return Answer(status: status, head: String(text[..<end.lowerBound]), body: String(text[end.upperBound...]))
    }
}
