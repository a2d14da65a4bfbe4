import Foundation
import IronpostCore
import NIOCore
import Testing

@testable import ControlAPI

@Suite(.timeLimit(.minutes(1)))
struct StreamTests {
    private static func head(_ path: String) -> String { "GET \(path) HTTP/1.1\r\nHost: localhost\r\n\r\n" }

    @Test func alertsArriveAsTheyAreStored() async throws {
        try await RunningServer.with { (running) async throws in
            let alert = Alert.example(title: "line\nfeed \u{1B}[31m <b>")
            let text = try await RawClient.exchange(running.socket, Self.head("/api/v1/stream")) { text in
                // Published once the watcher is there; what came before is not repeated.
                if text.contains(": ironpost"), !text.contains("event: alert") {
                    running.stub.alertFeed.publish([alert])
                }
                return text.contains("\n\n") && text.contains("event: alert") && text.contains("\"trace_id\"")
            }
            #expect(
                text.contains("Content-Type: text/event-stream") || text.contains("content-type: text/event-stream"))
            #expect(text.contains("id: \(alert.id)\n"))
            #expect(text.contains("line\\nfeed \\u001b[31m <b>"))
        }
    }

    @Test func eventsAreFiltered() async throws {
        try await RunningServer.with { (running) async throws in
            @Sendable func event(_ source: String, _ user: String) -> TappedEvent {
                TappedEvent(
                    source: source, file: nil,
                    record: EventRecord(time: Timestamp(seconds: 1), fields: [Field("user", user), Field("user", "x")])
                )
            }
            let path = "/api/v1/events?source=file&where=user=root"
            let text = try await RawClient.exchange(running.socket, Self.head(path)) { text in
                if text.contains(": ironpost"), !text.contains("event: event") {
                    running.stub.eventFeed.publish([event("file", "a"), event("syslog", "root"), event("file", "root")])
                }
                return text.contains("event: event") && text.hasSuffix("\n\n\r\n")
            }
            #expect(text.components(separatedBy: "event: event").count == 2)
            #expect(text.contains("\"user\":[\"root\",\"x\"]") && text.contains("\"source\":\"file\""))
        }
    }

    @Test func aQuietStreamSaysThatItLives() async throws {
        var bounds = ControlBounds()
        bounds.heartbeat = .milliseconds(10)
        try await RunningServer.with(bounds: bounds) { (running) async throws in
            let text = try await RawClient.exchange(running.socket, Self.head("/api/v1/stream")) {
                $0.components(separatedBy: ": still here\n\n").count > 3
            }
            #expect(text.contains(": still here"))
        }
    }

    @Test func aWatcherThatIsTooSlowIsTold() async throws {
        try await RunningServer.with { (running) async throws in
            let total = 40_000
            let alert = Alert.example(title: String(repeating: "x", count: 2000))
            try await RawClient.connect(running.socket).executeThenClose { inbound, outbound in
                try await outbound.write(ByteBuffer(string: Self.head("/api/v1/stream")))
                var iterator = inbound.makeAsyncIterator()
                var text = ""
                while !text.contains(": ironpost"), let part = try await iterator.next() {
                    text += String(buffer: part)
                }
                // More than all buffers hold, before anything is read.
                for _ in 0..<total { running.stub.alertFeed.publish([alert]) }
                var seen = 0
                var lost = 0
                var rest = ""
                while seen + lost < total, let part = try await iterator.next() {
                    rest += String(buffer: part)
                    while let end = rest.range(of: "\n\n") {
                        let message = rest[..<end.lowerBound]
                        rest = String(rest[end.upperBound...])
                        if message.contains("event: alert") { seen += 1 }
                        if message.contains("event: lost"), let data = message.range(of: "data: {\"count\":") {
                            lost += Int(message[data.upperBound...].prefix { $0.isNumber }) ?? 0
                        }
                    }
                }
                #expect(lost > 0)
                #expect(seen + lost == total)
            }
        }
    }

    @Test func aWatcherThatReadsNothingHoldsUpNobody() async throws {
        try await RunningServer.with { (running) async throws in
            let alert = Alert.example(title: String(repeating: "x", count: 4000))
            try await RawClient.connect(running.network).executeThenClose { _, outbound in
                try await outbound.write(
                    ByteBuffer(
                        string:
                            "GET /api/v1/stream HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer \(running.token)\r\n\r\n"
                    )
                )
                while !running.stub.alertFeed.isWatched { await Task.yield() }
                for _ in 0..<5000 { running.stub.alertFeed.publish([alert]) }
                for _ in 0..<20 { #expect(try await RawClient.request(running.network, "/health").status == 200) }
            }
        }
    }

    @Test func drainEndsStreamsInTime() async throws {
        let begin = ContinuousClock.now
        try await RunningServer.with { (running) async throws in
            async let text = RawClient.exchange(running.socket, Self.head("/api/v1/stream"))
            while !running.stub.alertFeed.isWatched { await Task.yield() }
            await running.server.drain(deadline: .now + .seconds(5))
            #expect(try await text.hasSuffix("0\r\n\r\n"))
        }
        #expect(ContinuousClock.now - begin < .seconds(4))
    }

    @Test func drainLetsAStuckClientGoAtTheDeadline() async throws {
        try await RunningServer.with { (running) async throws in
            async let text = RawClient.exchange(
                running.socket, "POST /api/v1/demo HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n")
            while !running.server.details().contains(Field("connections", "1")) { await Task.yield() }
            await running.server.drain(deadline: .now + .milliseconds(100))
            _ = try await text
        }
    }
}
