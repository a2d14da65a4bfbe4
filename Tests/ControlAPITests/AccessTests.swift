import Foundation
import HTTPTypes
import IronpostCore
import Logging
import Testing

@testable import ControlAPI

@Suite(.timeLimit(.minutes(1)))
struct AccessTests {
    @Test(arguments: [
        (PeerCredentials(pid: 1, uid: 0, gid: 0, groups: []), Role.admin),
        (PeerCredentials(pid: 1, uid: 500, gid: 1, groups: []), .admin),
        (PeerCredentials(pid: 1, uid: 7, gid: 600, groups: []), .operator),
        (PeerCredentials(pid: 1, uid: 7, gid: 1, groups: [2, 600]), .operator),
        (PeerCredentials(pid: 1, uid: 7, gid: 1, groups: [2]), .viewer),
        (PeerCredentials(pid: 1, uid: 7, gid: 0, groups: [500]), .viewer),
    ])
    func roleOfAPeer(peer: PeerCredentials, role: Role) {
        #expect(Role(peer: peer, daemonUID: 500, socketGID: 600) == role)
    }

    @Test func everyRouteNamesItsRole() {
        let routes = Self.routes()
        let operators = routes.filter { $0.access == .role(.operator) }.map(\.path)
        let admins = routes.filter { $0.access == .role(.admin) }.map(\.path)
        let open = routes.filter { $0.access == .open }.map(\.path).sorted()
        #expect(
            operators == [
                "/api/v1/alerts/{id}/ack", "/api/v1/alerts/{id}/close", "/api/v1/demo", "/api/v1/actions/{id}/undo",
                "/api/v1/actions/{id}/approve", "/api/v1/blocks", "/api/v1/blocks/remove", "/api/v1/blocks/import",
                "/api/v1/blocks/flush", "/api/v1/allow", "/api/v1/allow/remove", "/api/v1/silences",
                "/api/v1/silences/{id}/remove", "/api/v1/containers/{name}/isolate",
                "/api/v1/containers/{name}/release",
            ])
        #expect(admins == ["/api/v1/reload", "/api/v1/stop"])
        #expect(open == ["/", "/api/v1/openapi.json", "/health", "/metrics", "/ready"])
        #expect(routes.allSatisfy { $0.method == .get || $0.access != .role(.viewer) })
    }

    @Test(arguments: [(Role.viewer, 403), (.operator, 403), (.admin, 202)])
    func onlyAnAdminStops(role: Role, status: Int) async throws {
        let stub = StubPorts()
        let answer = await Self.respond(.post, "/api/v1/stop", role: role, stub: stub)
        #expect(answer == status)
        #expect(stub.stops == (status == 202 ? 1 : 0))
    }

    @Test(arguments: [(Role.viewer, 403), (.operator, 202), (.admin, 202)])
    func aViewerStartsNoDemo(role: Role, status: Int) async throws {
        let stub = StubPorts()
        #expect(await Self.respond(.post, "/api/v1/demo", role: role, stub: stub) == status)
        #expect(stub.demos == (status == 202 ? 1 : 0))
    }

    @Test(arguments: [(Role.viewer, 403), (.operator, 200), (.admin, 200)], ["ack", "close"])
    func aViewerChangesNoAlert(roleAndStatus: (Role, Int), verb: String) async throws {
        let stub = StubPorts()
        let alert = Alert.example()
        stub.add(alert)
        let (role, status) = roleAndStatus
        #expect(await Self.respond(.post, "/api/v1/alerts/\(alert.id)/\(verb)", role: role, stub: stub) == status)
        let expected: Alert.Status = status == 200 ? (verb == "ack" ? .acknowledged : .closed) : .open
        #expect(try stub.alert(id: alert.id)?.status == expected)
        let unknown = UUIDv7.make(at: Timestamp(seconds: 1_700_000_001))
        let missing = await Self.respond(.post, "/api/v1/alerts/\(unknown)/\(verb)", role: role, stub: stub)
        #expect(missing == (status == 200 ? 404 : 403))
        #expect(await Self.respond(.post, "/api/v1/alerts/x/\(verb)", role: .operator, stub: stub) == 400)
        #expect(await Self.respond(.get, "/api/v1/alerts/\(alert.id)/\(verb)", role: .operator, stub: stub) != 200)
    }

    @Test(arguments: ["/api/v1/status", "/api/v1/alerts", "/api/v1/actions", "/api/v1/rules"])
    func aViewerReads(path: String) async {
        #expect(await Self.respond(.get, path, role: .viewer, stub: StubPorts()) == 200)
    }

    @Test func ownUserIsAdminOnTheSocket() async throws {
        try await RunningServer.with { (running) async throws in
            let answer = try await RawClient.request(running.socket, "POST", "/api/v1/stop", host: nil)
            #expect(answer.status == 400 || answer.status == 202)
            #expect(try await RawClient.request(running.socket, "POST", "/api/v1/stop").status == 202)
            #expect(running.stub.stops >= 1)
        }
    }

    @Test func networkNeedsTheToken() async throws {
        try await RunningServer.with { (running) async throws in
            for path in ["/api/v1/status", "/api/v1/alerts", "/api/v1/stream", "/api/v1/events", "/api/v1/rules"] {
                let none = try await RawClient.request(running.network, path)
                #expect(none.status == 401, "\(path)")
                #expect(none.header("WWW-Authenticate")?.hasPrefix("Bearer") == true)
            }
            for wrong in [
                "", "x", String(running.token.dropLast()), running.token + "0", running.token.uppercased() + "x",
            ] {
                #expect(try await RawClient.request(running.network, "/api/v1/status", token: wrong).status == 401)
            }
            #expect(try await RawClient.request(running.network, "POST", "/api/v1/stop").status == 401)
            #expect(running.stub.stops == 0)
            #expect(try await RawClient.request(running.network, "/api/v1/status", token: running.token).status == 200)
            for path in ["/health", "/ready", "/metrics", "/", "/api/v1/openapi.json"] {
                #expect(try await RawClient.request(running.network, path).status == 200, "\(path)")
            }
        }
    }

    @Test(arguments: [
        ("localhost", 200), ("LOCALHOST:9477", 200), ("127.0.0.1", 200), ("127.0.0.1:80", 200), ("[::1]:9477", 200),
        ("localhost.", 200), ("evil.example", 421), ("localhost.evil.example", 421), ("127.0.0.1.evil.example", 421),
        ("10.0.0.1", 421), ("localhost:evil", 421), ("[::1", 421), ("user@localhost", 421),
    ])
    func hostHeaderIsChecked(host: String, status: Int) async throws {
        try await RunningServer.with { (running) async throws in
            #expect(try await RawClient.request(running.network, "/health", host: host).status == status)
        }
    }

    @Test func aMissingHostIsRefused() async throws {
        try await RunningServer.with { (running) async throws in
            #expect(try await RawClient.request(running.network, "/health", host: nil).status == 400)
            let twice = try await RawClient.request(running.network, "/health", headers: ["Host: evil.example"])
            #expect(twice.status == 400)
        }
    }

    @Test func aWildcardListenerAnswersToItsOwnAddress() {
        let names = HostNames(configured: "0.0.0.0", local: "10.1.2.3")
        #expect(names.allow("10.1.2.3:9477"))
        #expect(names.allow("localhost"))
        #expect(!names.allow("10.1.2.4"))
        #expect(!names.allow("0.0.0.0"))
    }

    @Test func tokenFileIsPrivate() throws {
        let directory = try RunningServer.temporaryDirectory()
        defer { RunningServer.remove(directory) }
        let file = directory + "/deep/token"
        let token = try AccessToken(file: file)
        let text = try String(contentsOfFile: file, encoding: .utf8).trimmingCharacters(in: .whitespacesAndNewlines)
        #expect(text.utf8.count == 64)
        #expect(token.matches(text))
        #expect(!token.matches(String(text.dropLast()) + (text.last == "0" ? "1" : "0")))
        #expect(!token.matches(""))
        #expect(try Self.mode(file) == 0o600)
        #expect(try Self.mode(directory + "/deep") == 0o700)
        #expect(try AccessToken(file: file).matches(text))

        for mode in [0o640, 0o604, 0o660] {
            try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: file)
            #expect(throws: AccessTokenError.self) { try AccessToken(file: file) }
        }
    }

    @Test func aShortOrLinkedTokenIsRefused() throws {
        let directory = try RunningServer.temporaryDirectory()
        defer { RunningServer.remove(directory) }
        let file = directory + "/token"
        try Self.write("short\n", to: file, mode: 0o600)
        #expect(throws: AccessTokenError.self) { try AccessToken(file: file) }
        let link = directory + "/link"
        try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: file)
        #expect(throws: AccessTokenError.self) { try AccessToken(file: link) }
    }

    @Test func anOpenTokenFileClosesTheAPIAndNothingElse() async throws {
        let directory = try RunningServer.temporaryDirectory()
        defer { RunningServer.remove(directory) }
        let token = String(repeating: "a", count: 64)
        try Self.write(token, to: directory + "/token", mode: 0o644)
        let server = ControlServer(
            options: ControlOptions(
                socketPath: directory + "/c.sock", listen: .init(host: "127.0.0.1", port: 0),
                tokenFile: directory + "/token", nodeName: "host", version: "1"
            ),
            ports: StubPorts().ports, logger: Logger(label: "test"), time: SystemTime()
        )
        try await server.prepare()
        #expect(server.health().reason?.contains("chmod 600") == true)
        let port = try #require(server.consoleAddress.flatMap { URL(string: $0)?.port })
        async let run: Void = server.run()
        #expect(try await RawClient.request(.port(port), "/api/v1/status", token: token).status == 401)
        #expect(try await RawClient.request(.port(port), "/health").status == 200)
        #expect(try await RawClient.request(.socket(directory + "/c.sock"), "/api/v1/status").status == 200)
        await server.drain(deadline: .now + .seconds(5))
        try await run
    }

    private static func write(_ text: String, to path: String, mode: Int) throws {
        try Data(text.utf8).write(to: URL(fileURLWithPath: path))
        try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path)
    }

    private static func mode(_ path: String) throws -> Int {
        let attributes = try FileManager.default.attributesOfItem(atPath: path)
        return (attributes[.posixPermissions] as? NSNumber)?.intValue ?? -1
    }
}
