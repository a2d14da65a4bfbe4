import Foundation
import IronpostCore
import Logging
import NIOCore
import Testing

@testable import ControlAPI

@Suite(.timeLimit(.minutes(1)))
struct ServerTests {
    @Test func healthFollowsTheDaemon() async throws {
        try await RunningServer.with { (running) async throws in
            let healthy = try await RawClient.request(running.network, "/health")
            #expect(healthy.status == 200)
            let document = try JSONDecoder().decode(StatusDocument.self, from: Data(healthy.body.utf8))
            #expect(document == StatusDocument(running.stub.status()))
            #expect(document.modules[0].details.fields.filter { $0.name == "watches" }.count == 2)
            running.stub.setHealth(.degraded("x"))
            #expect(try await RawClient.request(running.network, "/health").status == 200)
            running.stub.setHealth(.unhealthy("x"), isReady: false)
            #expect(try await RawClient.request(running.network, "/health").status == 503)
            #expect(try await RawClient.request(running.network, "/ready").status == 503)
        }
    }

    @Test(arguments: [
        "/api/v1/alerts?bogus=1", "/api/v1/alerts?limit=0", "/api/v1/alerts?limit=10001", "/api/v1/alerts?limit=x",
        "/api/v1/alerts?limit=99999999999999999999", "/api/v1/alerts?since=yesterday", "/api/v1/alerts?since=",
        "/api/v1/alerts?severity=worst", "/api/v1/alerts?status=gone", "/api/v1/alerts?label=novalue",
        "/api/v1/alerts?rule=%zz", "/api/v1/alerts?rule=%ff", "/api/v1/alerts?rule=a&rule=b",
        "/api/v1/alerts/not-an-id", "/api/v1/status?x=1", "/api/v1/events?where=nothing",
    ])
    func badParametersAreNamed(path: String) async throws {
        try await RunningServer.with { (running) async throws in
            let answer = try await RawClient.request(running.socket, path)
            #expect(answer.status == 400)
            let error = try JSONDecoder().decode(ErrorDocument.self, from: Data(answer.body.utf8)).error
            #expect(error.code == "bad_request")
            if path.contains("bogus") { #expect(error.message.contains("'bogus'") && error.message.contains("since")) }
        }
    }

    @Test func alertsAreAskedForAsWritten() async throws {
        try await RunningServer.with { (running) async throws in
            let alert = Alert.example()
            running.stub.add(alert)
            let path =
                "/api/v1/alerts?since=2023-11-14T22:13:20%2B01:00&severity=HIGH&rule=a%20b&status=open&label=demo=true&label=a=b=c&limit=7"
            let answer = try await RawClient.request(running.socket, path)
            #expect(answer.status == 200)
            let list = try JSONDecoder().decode(AlertListDocument.self, from: Data(answer.body.utf8))
            #expect(list.alerts == [AlertDocument(alert)] && list.total == 1)
            let query = try #require(running.stub.queries.first)
            #expect(query.since == Timestamp(rfc3339: "2023-11-14T21:13:20Z"))
            #expect(query.minimumSeverity == .high && query.rule == "a b" && query.status == .open && query.limit == 7)
            #expect(query.labels == ["demo": "true", "a": "b=c"])

            let one = try await RawClient.request(running.socket, "/api/v1/alerts/\(alert.id)")
            #expect(one.status == 200)
            #expect(one.body.contains("\"explanation\":{") && one.body.contains("/var/log/auth.log, line 3"))
            let missing = UUIDv7.make(at: Timestamp(seconds: 1))
            #expect(try await RawClient.request(running.socket, "/api/v1/alerts/\(missing)").status == 404)
        }
    }

    @Test func unknownPagesAndMethodsAreJSON() async throws {
        try await RunningServer.with { (running) async throws in
            let lost = try await RawClient.request(running.network, "/../etc/passwd")
            #expect(lost.status == 404 && lost.body.contains("\"code\":\"not_found\""))
            let method = try await RawClient.request(running.socket, "DELETE", "/api/v1/alerts")
            #expect(method.status == 405 && method.header("Allow") == "GET")
            #expect(try await RawClient.request(running.network, "HEAD", "/health").status == 200)
        }
    }

    @Test(arguments: ["[1]", "{\"a\":1}", "null", "\"x\"", "{", "\u{0}"])
    func anUnexpectedBodyIsRefused(body: String) async throws {
        try await RunningServer.with { (running) async throws in
            #expect(try await RawClient.request(running.socket, "POST", "/api/v1/demo", body: body).status == 400)
            #expect(running.stub.demos == 0)
            #expect(try await RawClient.request(running.socket, "POST", "/api/v1/demo", body: " {}\n").status == 202)
            #expect(running.stub.demos == 1)
        }
    }

    @Test func aBodyIsBounded() async throws {
        var bounds = ControlBounds()
        bounds.bodyBytesMax = 1000
        try await RunningServer.with(bounds: bounds) { (running) async throws in
            let big = String(repeating: " ", count: 1001)
            let declared = try await RawClient.request(running.socket, "POST", "/api/v1/demo", body: big)
            #expect(declared.status == 413)
            let chunk = "3e9\r\n\(big)\r\n0\r\n\r\n"
            let text = try await RawClient.exchange(
                running.socket,
                "POST /api/v1/demo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
                    + chunk
            )
            #expect(try RawClient.parse(text).status == 413)
            let fits = String(repeating: " ", count: 1000)
            #expect(try await RawClient.request(running.socket, "POST", "/api/v1/demo", body: fits).status == 202)
        }
    }

    @Test func aRefusedBodyEndsTheConnection() async throws {
        try await RunningServer.with { (running) async throws in
            // The body never comes; an answer and the end do.
            let text = try await RawClient.exchange(
                running.network, "POST /api/v1/demo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 900000\r\n\r\n"
            )
            #expect(try RawClient.parse(text).status == 401)
        }
    }

    @Test func aSlowBodyIsGivenUp() async throws {
        var bounds = ControlBounds()
        bounds.bodyTimeout = .milliseconds(50)
        try await RunningServer.with(bounds: bounds) { (running) async throws in
            let text = try await RawClient.exchange(
                running.socket, "POST /api/v1/demo HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{"
            )
            #expect(try RawClient.parse(text).status == 408)
        }
    }

    @Test func headersAreBounded() async throws {
        try await RunningServer.with { (running) async throws in
            let many = (0..<200).map { "X-\($0): y" }
            #expect(try await RawClient.request(running.network, "/health", headers: many).status == 400)
            let long = ["X-Long: " + String(repeating: "y", count: 100_000)]
            let text = try? await RawClient.request(running.network, "/health", headers: long)
            #expect(text?.status ?? 400 == 400)
            #expect(try await RawClient.request(running.network, "/health").status == 200)
        }
    }

    @Test func aSlowClientIsLetGoAndBlocksNobody() async throws {
        var bounds = ControlBounds()
        bounds.idleTimeout = .milliseconds(100)
        try await RunningServer.with(bounds: bounds) { (running) async throws in
            // Half a request line, then nothing: the server ends it.
            async let slow = RawClient.exchange(running.network, "GET /hea")
            #expect(try await RawClient.request(running.network, "/health").status == 200)
            #expect(try await slow.isEmpty)
        }
    }

    /// Half of a request, many times over, keeps nobody out: the one that has waited longest goes.
    @Test func aSilentConnectionMakesRoom() async throws {
        var bounds = ControlBounds()
        bounds.connectionsMax = 2
        try await RunningServer.with(bounds: bounds) { (running) async throws in
            try await RawClient.connect(running.network).executeThenClose { firstIn, firstOut in
                try await firstOut.write(ByteBuffer(string: "GET"))
                try await RawClient.connect(running.network).executeThenClose { _, secondOut in
                    try await secondOut.write(ByteBuffer(string: "GET"))
                    while !running.server.details().contains(Field("connections", "2")) { await Task.yield() }
                    #expect(try await RawClient.request(running.network, "/health").status == 200)
                    var first = 0
                    do {
                        for try await part in firstIn { first += part.readableBytes }
                    } catch let error as IOError where error.errnoCode == ECONNRESET {}
                    #expect(first == 0)
                    #expect(running.server.details().contains { $0.name == "connections_refused" })
                }
            }
        }
    }

    @Test func connectionsAreBounded() async throws {
        var bounds = ControlBounds()
        bounds.connectionsMax = 2
        try await RunningServer.with(bounds: bounds) { (running) async throws in
            let stream =
                "GET /api/v1/stream HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer \(running.token)\r\n\r\n"
            try await RawClient.connect(running.network).executeThenClose { firstIn, firstOut in
                try await firstOut.write(ByteBuffer(string: stream))
                for try await _ in firstIn { break }
                try await RawClient.connect(running.network).executeThenClose { secondIn, secondOut in
                    try await secondOut.write(ByteBuffer(string: stream))
                    for try await _ in secondIn { break }
                    let third = try await RawClient.exchange(
                        running.network, "GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
                    )
                    #expect(third.isEmpty)
                    // The socket has its own.
                    #expect(try await RawClient.request(running.socket, "/health").status == 200)
                    #expect(running.server.details().contains { $0.name == "connections_refused" })
                }
            }
        }
    }

    @Test func aTakenPortLeavesTheSocket() async throws {
        try await RunningServer.with { (running) async throws in
            let directory = try RunningServer.temporaryDirectory()
            defer { RunningServer.remove(directory) }
            let second = ControlServer(
                options: ControlOptions(
                    socketPath: directory + "/c.sock", listen: .init(host: "127.0.0.1", port: running.port),
                    tokenFile: directory + "/token", nodeName: "host", version: "1"
                ),
                ports: StubPorts().ports, logger: Logger(label: "test"), time: SystemTime()
            )
            try await second.prepare()
            #expect(second.consoleAddress == nil)
            #expect(second.health().word == "degraded" && second.health().reason?.contains("the port is taken") == true)
            async let run: Void = second.run()
            #expect(try await RawClient.request(.socket(directory + "/c.sock"), "/health").status == 200)
            await second.drain(deadline: .now + .seconds(5))
            try await run
            #expect(!FileManager.default.fileExists(atPath: directory + "/c.sock"))
        }
    }

    @Test func theConsoleKeepsToItself() async throws {
        try await RunningServer.with { (running) async throws in
            let page = try await RawClient.request(running.network, "/")
            let policy = try #require(page.header("Content-Security-Policy"))
            #expect(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"))
            let nonce = try #require(policy.split(separator: "'").first { $0.hasPrefix("nonce-") }).dropFirst(6)
            #expect(page.body.contains("<script nonce=\"\(nonce)\">") && !page.body.contains("{{nonce}}"))
            for outside in [
                "http://", "https://", "innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(",
            ] {
                #expect(!page.body.contains(outside), "\(outside)")
            }
            let other = try await RawClient.request(running.network, "/")
            #expect(other.header("Content-Security-Policy") != policy)
        }
    }
}
