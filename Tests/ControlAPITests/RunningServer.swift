import ControlAPI
import Foundation
import IronpostCore
import Logging

/// A server on a socket of its own and a free port, for the length of a test.
struct RunningServer: Sendable {
    let server: ControlServer
    let stub: StubPorts
    let directory: String
    let port: Int
    let token: String

    var socket: RawClient.Place { .socket(directory + "/c.sock") }
    var network: RawClient.Place { .port(port) }

    static func with(
        bounds: ControlBounds = ControlBounds(), host: String = "127.0.0.1",
        _ body: (RunningServer) async throws -> Void
    ) async throws {
        let directory = try temporaryDirectory()
        defer { remove(directory) }
        let stub = StubPorts()
        let server = ControlServer(
            options: ControlOptions(
                socketPath: directory + "/c.sock", listen: .init(host: host, port: 0),
                tokenFile: directory + "/secret/token", nodeName: "host", version: "1.2.3", bounds: bounds
            ),
            ports: stub.ports, logger: Logger(label: "test"), time: SystemTime()
        )
        try await server.prepare()
        let token = try String(contentsOfFile: directory + "/secret/token", encoding: .utf8)
            .trimmingCharacters(in: .whitespacesAndNewlines)
        let port = server.consoleAddress.flatMap { URL(string: $0)?.port } ?? 0
        let running = RunningServer(server: server, stub: stub, directory: directory, port: port, token: token)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await server.run() }
            do {
                try await body(running)
            } catch {
                await server.drain(deadline: .now + .milliseconds(200))
                throw error
            }
            await server.drain(deadline: .now + .seconds(5))
            try await group.waitForAll()
        }
    }

    static func temporaryDirectory() throws -> String {
        let path = "/tmp/ironpost-test-" + UUID().uuidString.prefix(8)
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
        return path
    }

    static func remove(_ directory: String) {
        try? FileManager.default.removeItem(atPath: directory)
    }
}
