import Foundation
import IronpostCore
import Logging
import Testing

@testable import ContainerEngine

/// Answers that no good engine gives, and names that nobody should choose.
@Suite struct HostileEngineTests {
    static let id = String(repeating: "ab", count: 32)

    /// Waits for the inventory to have made something of what it was told.
    func inventory(_ engine: ScriptedEngine, _ condition: (ContainerInventory) -> Bool) -> ContainerInventory? {
        var bounds = ContainerInventory.Bounds()
        bounds.callTimeout = .milliseconds(500)
        let inventory = ContainerInventory(
            socketPath: engine.path, bounds: bounds, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        _ = PlainThread(name: "inventory") { inventory.follow() }
        return eventually(15) { condition(inventory) } ? inventory : nil
    }

    static func answers(
        ping: String = "1.41", inspect: @escaping @Sendable () -> ScriptedEngine.Answer
    ) -> @Sendable (String) -> ScriptedEngine.Answer {
        { target in
            if target == "/_ping" {
                return .raw(Array("HTTP/1.1 200 OK\r\nApi-Version: \(ping)\r\nContent-Length: 2\r\n\r\nOK".utf8))
            }
            if target.contains("/events") { return .stream([]) }
            if target.contains("/containers/json") { return .json(#"[{"Id":"\#(id)","State":"running"}]"#) }
            return inspect()
        }
    }

    @Test(
        "the API's version is settled between both",
        arguments: [
            ("1.24", "1.24"), ("1.41", "1.41"), ("1.44", "1.44"), ("1.51", "1.51"), ("1.56", "1.51"), ("2.0", "1.51"),
        ])
    func versions(offered: String, spoken: String) throws {
        let engine = try ScriptedEngine("version", Self.answers(ping: offered) { .json("{\"Id\":\"\(Self.id)\"}") })
        defer { engine.end() }
        let client = try EngineClient(socketPath: engine.path, timeout: .seconds(5))
        #expect(client.version.description == spoken)
        _ = try client.list(timeout: .seconds(5))
        #expect(engine.requests.contains("/v\(spoken)/containers/json?all=1"))
    }

    @Test("an engine that is too old, or tells no version, is named and not spoken to", arguments: ["1.23", "x", ""])
    func noVersion(offered: String) throws {
        let engine = try ScriptedEngine("old", Self.answers(ping: offered) { .json("{}") })
        defer { engine.end() }
        #expect(throws: EngineFault.self) { try EngineClient(socketPath: engine.path, timeout: .seconds(5)) }
    }

    @Test("an inspect of a gigabyte is refused at its bound; the container is known, and nothing is proved by it")
    func gigabyte() throws {
        let engine = try ScriptedEngine("flood", Self.answers { .flood(1 << 30) })
        defer { engine.end() }
        let before = Self.residentKilobytes
        let inventory = inventory(engine) { $0.all.first?.fault.contains("longer than") == true }
        defer { inventory?.stop() }
        #expect(inventory?.all.first?.cgroups == [])
        #expect(inventory?.engine.link == .following)
        #expect(Self.residentKilobytes - before < 100 << 10)
    }

    static var residentKilobytes: Int {
        let status = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
        let line = status.split(separator: "\n").first { $0.hasPrefix("VmRSS:") } ?? ""
        return Int(line.filter(\.isNumber)) ?? 0
    }

    @Test(
        "answers that are no JSON of the shape, end early or never come are named and do no harm",
        arguments: [
            ScriptedEngine.Answer.json("{"), .json("[1,2]"), .json(#"{"Id":7}"#),
            .json(String(repeating: "[", count: 100_000)), .json("\u{0}\u{1}"),
            .raw(Array("HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n{}".utf8)), .raw(Array("nonsense".utf8)),
            .raw([]),
            .raw(Array("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n".utf8)),
            .raw(Array("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffff\r\n".utf8)),
            .raw(Array(("HTTP/1.1 200 OK\r\n" + String(repeating: "a: b\r\n", count: 50_000)).utf8)),
            .raw(Array("HTTP/1.1 500 no\r\nContent-Length: 2\r\n\r\n{}".utf8)), .silence,
        ])
    func malformed(_ answer: ScriptedEngine.Answer) throws {
        let engine = try ScriptedEngine("bad", Self.answers { answer })
        defer { engine.end() }
        let inventory = inventory(engine) { $0.all.first?.fault.isEmpty == false || $0.engine.reconnects > 0 }
        defer { inventory?.stop() }
        #expect(inventory != nil)
        #expect(inventory?.all.first?.cgroups.isEmpty != false)
    }

    @Test("names, labels and the like of any size and any characters are bounded, and travel whole")
    func names() throws {
        let evil = "a\\u0000\\n\\u001b[2J\\\"}\\u202e" + String(repeating: "x", count: 5000)
        let long = String(repeating: "e", count: 5000)
        let labels = (0..<500).map { "\"k\($0)\\n\":\"\(evil)\"" }.joined(separator: ",")
        let json = """
            {"Id":"\(Self.id)","Name":"/\(evil)","State":{"Status":"running","Pid":99999999},
            "Config":{"Image":"\(evil)","Labels":{\(labels),"ironpost.protect":"true\(long)","zz":"1"}},"LogPath":"\(evil)",
            "NetworkSettings":{"Networks":{"\(evil)":{"IPAddress":"\(evil)","NetworkID":"\(evil)"}}}}
            """
        let engine = try ScriptedEngine("names", Self.answers { .json(json) })
        defer { engine.end() }
        let inventory = try #require(inventory(engine) { $0.all.first?.isCut == true })
        defer { inventory.stop() }
        let record = try #require(inventory.all.first)
        #expect(record.name.utf8.count <= ContainerRecord.nameBytesMax)
        #expect(
            record.labels["ironpost.protect"]?.hasPrefix("true") == true,
            "many labels do not push out the one that protects")
        var writer = MessageWriter()
        record.write(to: &writer)
        #expect(writer.bytes.count < MessageBounds.bytesMax / 2)
        var reader = MessageReader(writer.bytes)
        #expect(try ContainerRecord(from: &reader) == record, "one that cannot be told would hide all the others")
        #expect(!record.name.utf8.contains(0) && !record.labels.keys.contains { $0.utf8.contains(0) })
    }

    @Test("a socket that is not there, or of nobody, is absent")
    func absent() throws {
        #expect(throws: EngineFault.self) { try EngineClient(socketPath: "/nonexistent/x.sock", timeout: .seconds(1)) }
        let engine = try ScriptedEngine("gone") { _ in .silence }
        #expect(throws: EngineFault.timedOut("GET /_ping")) {
            try EngineClient(socketPath: engine.path, timeout: .milliseconds(300))
        }
        engine.end()
        #expect(throws: EngineFault.self) { try EngineClient(socketPath: engine.path, timeout: .seconds(1)) }
    }
}
