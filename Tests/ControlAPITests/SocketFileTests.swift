import Foundation
import Testing

@testable import ControlAPI

struct SocketFileTests {
    @Test func aStaleSocketIsReplaced() throws {
        let directory = try RunningServer.temporaryDirectory()
        defer { RunningServer.remove(directory) }
        let path = directory + "/run/deep/c.sock"
        let dead = try ControlSocketFile(path: path, group: nil)
        close(dead.descriptor)
        let second = try ControlSocketFile(path: path, group: nil)
        defer { close(second.descriptor) }
        #expect(try Self.mode(path) == 0o660)
        #expect(try Self.mode(directory + "/run/deep") == 0o750)
        // The first one's end does not take the second one's file away.
        dead.remove()
        #expect(FileManager.default.fileExists(atPath: path))
        second.remove()
        #expect(!FileManager.default.fileExists(atPath: path))
    }

    @Test func aLiveSocketIsRefused() async throws {
        try await RunningServer.with { (running) async throws in
            let error = #expect(throws: ControlSocketError.self) {
                try ControlSocketFile(path: running.directory + "/c.sock", group: nil)
            }
            #expect(error?.reason.contains("another daemon") == true)
        }
    }

    @Test func whatIsNoSocketIsLeftAlone() throws {
        let directory = try RunningServer.temporaryDirectory()
        defer { RunningServer.remove(directory) }
        try Data("mine".utf8).write(to: URL(fileURLWithPath: directory + "/file"))
        #expect(throws: ControlSocketError.self) { try ControlSocketFile(path: directory + "/file", group: nil) }
        #expect(FileManager.default.fileExists(atPath: directory + "/file"))
    }

    @Test func aLongPathNamesTheLimit() throws {
        let path = "/tmp/" + String(repeating: "x", count: 103)
        let error = #expect(throws: ControlSocketError.self) { try ControlSocketFile(path: path, group: nil) }
        #expect(error?.reason.contains("107") == true)
    }

    @Test func anUnknownGroupIsNamed() throws {
        let directory = try RunningServer.temporaryDirectory()
        defer { RunningServer.remove(directory) }
        let error = #expect(throws: ControlSocketError.self) {
            try ControlSocketFile(path: directory + "/c.sock", group: "no-such-group-here")
        }
        #expect(error?.reason.contains("no-such-group-here") == true)
    }

    private static func mode(_ path: String) throws -> Int {
        let attributes = try FileManager.default.attributesOfItem(atPath: path)
        return (attributes[.posixPermissions] as? NSNumber)?.intValue ?? -1
    }
}
