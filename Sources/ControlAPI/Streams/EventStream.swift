import Hummingbird
import IronpostCore

/// A watcher's answer as server-sent events: a message for each element, `lost` with a count where the watcher was too
/// slow, and a comment when there is nothing to say.
enum EventStream {
    private enum Frame: Sendable {
        case message(ByteBuffer)
        case heartbeat
    }

    /// - Parameter message: an element as name, id and JSON; `nil` leaves it out.
    static func response<Element: Sendable>(
        _ subscription: Feed<Element>.Subscription, heartbeat: Duration,
        message: @escaping @Sendable (Element) throws -> ByteBuffer?
    ) -> Response {
        let body = ResponseBody { writer in
            // Room for one frame: a client that does not read stops the pump, and the feed counts what it loses.
            let frames = BoundedChannel<Frame>(name: "event stream", capacity: 1)
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    defer { frames.close() }
                    for await element in subscription.elements {
                        if let message = try message(element) { try await frames.send(.message(message)) }
                    }
                }
                group.addTask {
                    while !Task.isCancelled {
                        try await Task.sleep(for: heartbeat)
                        try await frames.send(.heartbeat)
                    }
                }
                defer { group.cancelAll() }
                try await write(frames, subscription: subscription, to: &writer)
                group.cancelAll()
                while (try? await group.next()) != nil {}
            }
            try await writer.finish(nil)
        }
        return Response(
            status: .ok, headers: [.contentType: "text/event-stream; charset=utf-8", .cacheControl: "no-store"],
            body: body
        )
    }

    @concurrent
    private static func write<Element: Sendable>(
        _ frames: BoundedChannel<Frame>, subscription: Feed<Element>.Subscription,
        to writer: inout any ResponseBodyWriter
    ) async throws {
        var told = 0
        try await writer.write(ByteBuffer(string: ": ironpost\n\n"))
        while let frame = await frames.receive() {
            let lost = subscription.lost
            if lost > told {
                let document = try JSONBody.encode(LostDocument(count: lost - told))
                try await writer.write(self.message(event: "lost", id: nil, json: document))
                told = lost
            }
            switch frame {
            case .message(let bytes): try await writer.write(bytes)
            case .heartbeat: try await writer.write(ByteBuffer(string: ": still here\n\n"))
            }
        }
    }

    /// One message. JSON has no line feeds here, so one `data` line holds it.
    static func message(event: String, id: String?, json: ByteBuffer) -> ByteBuffer {
        var bytes = ByteBuffer(string: "event: \(event)\n")
        if let id { bytes.writeString("id: \(id)\n") }
        bytes.writeString("data: ")
        bytes.writeImmutableBuffer(json)
        bytes.writeString("\n\n")
        return bytes
    }
}
