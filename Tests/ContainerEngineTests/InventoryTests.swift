import Foundation
import IronpostCore
import Logging
import Testing

@testable import ContainerEngine

/// The inventory against a real engine.
@Suite(.serialized, .enabled(if: DockerEngine.shared != nil, DockerEngine.missing))
struct InventoryTests {
    let engine: DockerEngine
    let inventory: ContainerInventory
    let directory = LiveDirectory(time: SystemTime())
    let thread: PlainThread

    init() throws {
        engine = try #require(DockerEngine.shared)
        let inventory = ContainerInventory(socketPath: engine.socket, logger: Logger(label: "test"))
        self.inventory = inventory
        thread = PlainThread(name: "inventory") { inventory.follow() }
    }

    /// Feeds the directory until `condition` holds.
    func follow(_ condition: (LiveDirectory) -> Bool) -> Bool {
        var cursor = ContainerCursor.nothing
        return eventually(20) {
            let changes = inventory.changes(since: cursor, engine: directory.engine, patience: .milliseconds(50)) { _ in
                true
            }
            directory.apply(changes)
            cursor = changes.cursor
            return condition(directory)
        }
    }

    @Test("a container is known from its start to its end, with its cgroups, process and address")
    func life() throws {
        defer { inventory.stop() }
        let id = try engine.run("ip-life-\(getpid())", more: #""Labels":{"team":"a"}"#)
        defer { engine.remove(id) }
        #expect(follow { $0[id]?.state == .running && $0[id]?.pid ?? 0 > 0 })
        let record = try #require(directory[id])
        #expect(record.name == "ip-life-\(getpid())")
        #expect(record.labels == ["team": "a"])
        #expect(record.cgroups.contains { $0.path == "\(engine.cgroupParent)/\(id)" })
        #expect(record.networks.first?.address4.isEmpty == false)
        #expect(record.fault.isEmpty)
        try engine.call("POST", "/containers/\(id)/rename?name=ip-renamed-\(getpid())")
        #expect(follow { $0[id]?.name == "ip-renamed-\(getpid())" })
        try engine.call("POST", "/containers/\(id)/pause")
        #expect(follow { $0[id]?.state == .paused })
        try engine.call("POST", "/containers/\(id)/unpause")
        try engine.call("POST", "/containers/\(id)/kill")
        #expect(follow { $0[id]?.state == .exited && $0[id]?.pid == 0 })
        engine.remove(id)
        #expect(follow { $0[id] == nil })
        let writer = ProcessIdentity(pid: record.pid, start: record.pidStart, cgroups: record.cgroups.map(\.number))
        var clues = AttributionClues()
        clues.process = writer
        guard case .container(let found) = directory.attribute(clues, at: SystemTime().now(), addresses: []) else {
            Issue.record("what a container did just before its end is still its own")
            return
        }
        #expect(found.id == id.text)
    }

    @Test("of three alike, the one whose process it was is named; the others never")
    func threeAlike() throws {
        defer { inventory.stop() }
        let ids = try (1...3).map { try engine.run("ip-alike\($0)-\(getpid())") }
        defer { engine.remove(ids) }
        #expect(follow { directory in ids.allSatisfy { directory[$0]?.pid ?? 0 > 0 } })
        let table = ProcessTable()
        for id in ids {
            let pid = try #require(directory[id]?.pid)
            var clues = AttributionClues()
            clues.process = table.identity(of: pid, at: SystemTime().now(), clock: SystemTime())
            #expect(clues.process != nil)
            guard case .container(let found) = directory.attribute(clues, at: SystemTime().now(), addresses: []) else {
                Issue.record("not attributed")
                continue
            }
            #expect(found.id == id.text)
            #expect(found.proof.hasPrefix("cgroup "))
        }
        var own = AttributionClues()
        own.process = table.identity(of: getpid(), at: SystemTime().now(), clock: SystemTime())
        #expect(directory.attribute(own, at: SystemTime().now(), addresses: []) == .host)
    }

    @Test("the engine killed and started again: the inventory equals the engine's own list")
    func restart() throws {
        defer { inventory.stop() }
        let first = try engine.run("ip-before-\(getpid())")
        defer { engine.remove(first) }
        #expect(follow { $0[first]?.state == .running })
        engine.kill()
        #expect(follow { $0.engine.link == .lost })
        #expect(directory[first] != nil, "what was known stays until it is known better")
        try engine.start()
        let second = try engine.run("ip-after-\(getpid())")
        defer { engine.remove(second) }
        #expect(follow { $0.engine.link == .following && $0[second]?.state == .running })
        let listed = Set(try engine.client().list(timeout: .seconds(30)).map(\.id))
        #expect(follow { Set($0.containers().containers.map(\.id.text)) == listed })
        #expect(directory.engine.reconnects >= 1)
    }
}

/// Many containers that come and go while the engine is started anew.
@Suite(.serialized, .enabled(if: DockerEngine.shared != nil, DockerEngine.missing))
struct ChurnTests {
    static let count = ProcessInfo.processInfo.environment["IRONPOST_DEEP"] != nil ? 1000 : 60

    @Test("after it, the directory is what the engine lists, within five seconds")
    func churn() throws {
        let engine = try #require(DockerEngine.shared)
        let inventory = ContainerInventory(
            socketPath: engine.socket, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        _ = PlainThread(name: "inventory") { inventory.follow() }
        defer { inventory.stop() }
        let directory = LiveDirectory(time: SystemTime())
        var cursor = ContainerCursor.nothing
        func follow() {
            // Small messages, so that everything comes in many pages.
            var room = 8
            let changes = inventory.changes(since: cursor, engine: directory.engine, patience: .milliseconds(20)) { _ in
                room -= 1
                return room >= 0
            }
            directory.apply(changes)
            cursor = changes.cursor
        }
        var left: [ContainerID] = []
        let before = HostileEngineTests.residentKilobytes
        for number in 0..<Self.count {
            let id = try engine.create("ip-churn\(number)-\(getpid())", "sleep 1000")
            if number % 3 == 0 { engine.remove(id) } else { left.append(id) }
            if number % 7 == 0 { follow() }
            if number == Self.count / 2 {
                engine.kill()
                try engine.start()
            }
        }
        defer { engine.remove(left) }
        let begun = Date()
        let listed = Set(try engine.client().list(timeout: .seconds(60)).map(\.id))
        let isEqual = eventually(60) {
            follow()
            return directory.isComplete && Set(directory.containers().containers.map(\.id.text)) == listed
        }
        let grown = HostileEngineTests.residentKilobytes - before
        print("\(Self.count) containers: equal after \(Date().timeIntervalSince(begun)) s, \(grown) KiB more resident")
        #expect(isEqual)
        #expect(grown < 64 << 10)
    }
}
