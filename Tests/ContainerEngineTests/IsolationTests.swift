import Foundation
import IronpostCore
import Logging
import Testing

@testable import ContainerEngine
@testable import Responder

/// What the responder does to real containers, and takes back.
@Suite(.serialized, .enabled(if: DockerEngine.shared != nil, DockerEngine.missing))
struct IsolationTests {
    let engine: DockerEngine
    let inventory: ContainerInventory
    let isolation: ContainerIsolation
    let data: String

    init() throws {
        engine = try #require(DockerEngine.shared)
        let inventory = ContainerInventory(socketPath: engine.socket, logger: Logger(label: "test"))
        self.inventory = inventory
        _ = PlainThread(name: "inventory") { inventory.follow() }
        data = "/tmp/ironpost-isolation-\(getpid())"
        try FileManager.default.createDirectory(atPath: data, withIntermediateDirectories: true)
        isolation = ContainerIsolation(inventory, Self.configuration(data), logger: Logger(label: "test"))
    }

    static func configuration(_ data: String, _ change: (inout Configuration) -> Void = { _ in }) -> Configuration {
        var configuration = Configuration()
        configuration.general.dataDirectory = data
        configuration.response.budget.minimum = 1000
        change(&configuration)
        return configuration
    }

    /// A running container, its order, and what `prepare` found.
    func prepared(
        _ kind: ContainerOrder.Kind, _ name: String, script: String = "while :; do sleep 1000; done", host: String = "",
        more: String = "", networks: [String] = []
    ) throws -> ContainerOrder {
        let id = try engine.run("\(name)-\(getpid())", script, host: host, more: more)
        #expect(eventually { inventory[id]?.pid ?? 0 > 0 })
        return try prepared(kind, id, networks: networks)
    }

    func prepared(_ kind: ContainerOrder.Kind, _ id: ContainerID, networks: [String] = []) throws -> ContainerOrder {
        var order = ContainerOrder(
            kind: kind, container: id, action: .make(at: SystemTime().now()), isAutomatic: true, networks: networks)
        order.detail = try isolation.carryOut(.prepareContainer, order).detail
        return order
    }

    func frozen(_ id: ContainerID) throws -> Bool {
        try CgroupControl(table: ProcessTable()).isFrozen(try #require(inventory[id]))
    }

    func finish(_ id: ContainerID) {
        engine.remove(id)
        inventory.stop()
    }

    @Test("freeze stands everything still, twice is once, and release lets it go; evidence is kept and hashed")
    func freeze() throws {
        let order = try prepared(.freeze, "ip-freeze")
        defer { finish(order.container) }
        #expect(try isolation.carryOut(.verifyContainer, order).isSettled == false)
        #expect(try isolation.carryOut(.isolateContainer, order).isSettled)
        #expect(try frozen(order.container))
        #expect(try isolation.carryOut(.isolateContainer, order).note == "it was so already")
        #expect(try isolation.carryOut(.verifyContainer, order).isSettled)
        let bundle = "\(data)/evidence/\(order.action)"
        #expect(eventually { FileManager.default.fileExists(atPath: bundle + "/manifest.json") })
        struct Manifest: Decodable {
            struct File: Decodable {
                var name: String
                var bytes: Int
                var sha256: String
            }
            var files: [File]
            var missing: [String: String]
        }
        let manifest = try JSONDecoder().decode(
            Manifest.self, from: try Data(contentsOf: URL(fileURLWithPath: bundle + "/manifest.json")))
        #expect(manifest.missing == [:])
        #expect(Set(manifest.files.map(\.name)).isSuperset(of: ["inspect.json", "processes.json", "connections.txt"]))
        for file in manifest.files {
            #expect(try Data(contentsOf: URL(fileURLWithPath: "\(bundle)/\(file.name)")).count == file.bytes)
        }
        #expect(try isolation.carryOut(.releaseContainer, order).isSettled)
        #expect(try !frozen(order.container))
        #expect(try isolation.carryOut(.releaseContainer, order).isSettled, "released twice is released")
    }

    @Test("pause goes through the engine; an engine that hangs is frozen around, and said")
    func pause() throws {
        let order = try prepared(.pause, "ip-pause")
        defer { finish(order.container) }
        #expect(try isolation.carryOut(.isolateContainer, order).note.isEmpty)
        #expect(try engine.inspect(order.container).state?.paused == true)
        #expect(try isolation.carryOut(.releaseContainer, order).isSettled)
        #expect(try engine.inspect(order.container).state?.paused == false)

        let again = try prepared(.pause, order.container)
        engine.hang()
        let outcome = Result { try isolation.carryOut(.isolateContainer, again) }
        let isFrozen = try frozen(again.container)
        kill(engine.pid, SIGCONT)
        #expect(try outcome.get().note.contains("frozen through its cgroup"))
        #expect(isFrozen)
        // The engine now carries out what it was asked for while it hung.
        #expect(eventually { inventory.engine.link == .following && inventory[again.container] != nil })
        #expect(try isolation.carryOut(.releaseContainer, again).isSettled)
        #expect(try eventually { try !frozen(again.container) })
    }

    @Test("a frozen container stays so, and is let go, while the engine hangs")
    func freezeWithoutEngine() throws {
        let order = try prepared(.freeze, "ip-hung")
        defer { finish(order.container) }
        engine.hang()
        defer { kill(engine.pid, SIGCONT) }
        #expect(try isolation.carryOut(.isolateContainer, order).isSettled)
        #expect(try frozen(order.container))
        #expect(try isolation.carryOut(.releaseContainer, order).isSettled)
        #expect(try !frozen(order.container))
    }

    @Test("a container whose process is in another cgroup by now is not said to stand still")
    func gone() throws {
        let (order, other) = (try prepared(.freeze, "ip-left"), try prepared(.freeze, "ip-elsewhere"))
        defer {
            engine.remove(other.container)
            finish(order.container)
        }
        let elsewhere = try #require(inventory[other.container])
        var record = try #require(inventory[order.container])
        (record.pid, record.pidStart) = (elsewhere.pid, elsewhere.pidStart)
        let control = CgroupControl(table: ProcessTable())
        let fault = #expect(throws: CgroupControl.Fault.self) { try control.setFrozen(record, true) }
        #expect(fault?.description.contains("has left its cgroup") == true)
        #expect(try !control.holds(record))
        #expect(try !frozen(other.container))
        try control.setFrozen(record, false)
        #expect(try !frozen(order.container))
    }

    @Test("stop and kill end it, release starts it again", arguments: [ContainerOrder.Kind.stop, .kill])
    func end(_ kind: ContainerOrder.Kind) throws {
        let order = try prepared(
            kind, "ip-end-\(kind)", script: "trap 'exit 0' TERM; while :; do sleep 1000 & wait; done")
        defer { finish(order.container) }
        #expect(try isolation.carryOut(.isolateContainer, order).note.contains("lost"))
        #expect(try engine.inspect(order.container).state?.running == false)
        #expect(try isolation.carryOut(.releaseContainer, order).note.contains("started anew"))
        #expect(try engine.inspect(order.container).state?.running == true)
    }

    @Test("throttle limits the processor, and release puts the old limit back")
    func throttle() throws {
        let order = try prepared(.throttle, "ip-throttle", host: #""CpuQuota":60000,"CpuPeriod":100000"#)
        defer { finish(order.container) }
        let control = CgroupControl(table: ProcessTable())
        let before = try control.limit(try #require(inventory[order.container]))
        #expect(try isolation.carryOut(.isolateContainer, order).isSettled)
        #expect(try control.limit(try #require(inventory[order.container])) != before)
        #expect(try isolation.carryOut(.releaseContainer, order).isSettled)
        #expect(try control.limit(try #require(inventory[order.container])) == before)
    }

    @Test("networks go, and come back with address and aliases; what was connected is not any more")
    func disconnect() throws {
        let network = "ip-net-\(getpid())"
        try engine.call(
            "POST", "/networks/create",
            json: #"{"Name":"\#(network)","IPAM":{"Config":[{"Subnet":"10.210.\#(getpid() % 200).0/24"}]}}"#)
        defer { _ = try? engine.call("DELETE", "/networks/\(network)", expect: [204, 404]) }
        let address = "10.210.\(getpid() % 200).77"
        let server = try engine.run(
            "ip-server-\(getpid())", "nc -ll -p 7000 -e /bin/cat", host: #""NetworkMode":"\#(network)""#)
        defer { engine.remove(server) }
        let endpoint =
            #"{"EndpointsConfig":{"\#(network)":{"Aliases":["victim"],"IPAMConfig":{"IPv4Address":"\#(address)"}}}}"#
        let target = try #require(try engine.inspect(server).networkSettings?.networks?[network]?.iPAddress)
        let id = try engine.run(
            "ip-client-\(getpid())", "sleep 1; while :; do sleep 1000 | nc \(target) 7000; sleep 1; done",
            host: #""NetworkMode":"\#(network)""#, more: #""NetworkingConfig":\#(endpoint)"#)
        defer { finish(id) }
        #expect(eventually { inventory[id]?.pid ?? 0 > 0 })
        let pid = try #require(inventory[id]?.pid)
        #expect(eventually { established(pid) == 1 }, "the session stands")
        let order = try prepared(.networkDisconnect, id)
        #expect(try isolation.carryOut(.isolateContainer, order).isSettled)
        #expect(try engine.inspect(id).networkSettings?.networks?.isEmpty == true)
        #expect(try isolation.carryOut(.isolateContainer, order).note == "it was so already")
        #expect(established(pid) == 1, "it would go on once the network is back")
        let session = try #require(connections(pid).first)
        let outcome = try isolation.carryOut(.releaseContainer, order)
        #expect(outcome.note.contains("1 connections that had survived were closed"))
        // It may connect anew; what it had is gone.
        #expect(!connections(pid).contains(session))
        let after = try #require(try engine.inspect(id).networkSettings?.networks?[network])
        #expect(after.iPAddress == address)
        #expect(after.aliases?.contains("victim") == true)
    }

    /// Connections of a process's network that stand, as both their ends.
    func connections(_ pid: Int32) -> [String] {
        let table = (try? String(contentsOfFile: "/proc/\(pid)/net/tcp", encoding: .utf8)) ?? ""
        var found: [String] = []
        for line in table.split(separator: "\n") {
            let fields = line.split(separator: " ")
            if fields.count > 3, fields[3] == "01" { found.append("\(fields[1]) \(fields[2])") }
        }
        return found
    }

    func established(_ pid: Int32) -> Int { connections(pid).count }

    @Test("a container in the host's network is frozen instead, and said")
    func hostNetwork() throws {
        let order = try prepared(.networkDisconnect, "ip-hostnet", host: #""NetworkMode":"host""#)
        defer { finish(order.container) }
        #expect(try isolation.carryOut(.isolateContainer, order).note.contains("frozen instead"))
        #expect(try frozen(order.container))
        #expect(try isolation.carryOut(.releaseContainer, order).isSettled)
        #expect(try !frozen(order.container))
    }

    @Test("what is protected is refused by the responder itself, whoever asks")
    func protected() throws {
        let labelled = try engine.run("ip-label-\(getpid())", more: #""Labels":{"ironpost.protect":"true"}"#)
        let named = try engine.run("ip-precious-\(getpid())")
        let plain = try engine.run("ip-plain-\(getpid())")
        defer {
            engine.remove(labelled, named, plain)
            inventory.stop()
        }
        #expect(eventually { [labelled, named, plain].allSatisfy { inventory[$0]?.pid ?? 0 > 0 } })
        isolation.take(Self.configuration(data) { $0.response.protect = ["ip-precious-*"] })
        for id in [labelled, named] {
            #expect(throws: Refusal.self) { try prepared(.freeze, id) }
            var order = ContainerOrder(
                kind: .freeze, container: id, action: .make(at: SystemTime().now()), isAutomatic: true)
            order.detail = try IsolationDetail(try #require(inventory[id])).encoded
            #expect(throws: Refusal.self) { try isolation.carryOut(.isolateContainer, order) }
            #expect(try !frozen(id))
        }
        #expect(try isolation.carryOut(.isolateContainer, try prepared(.freeze, plain)).isSettled)
        #expect(try frozen(plain))
    }

    @Test("the responder's own budget holds, whatever it is told")
    func budget() throws {
        let isolation = ContainerIsolation(
            inventory,
            Self.configuration(data) {
                $0.response.budget.minimum = 2
                $0.response.budget.share = 0
            }, logger: Logger(label: "test"))
        let ids = try (1...4).map { try engine.run("ip-budget\($0)-\(getpid())") }
        defer {
            engine.remove(ids)
            inventory.stop()
        }
        #expect(eventually { ids.allSatisfy { inventory[$0]?.pid ?? 0 > 0 } })
        var refused = 0
        for id in ids {
            do {
                _ = try isolation.carryOut(.isolateContainer, try prepared(.freeze, id))
            } catch let refusal as Refusal {
                #expect(refusal.description.hasPrefix("budget"))
                refused += 1
            }
        }
        #expect(refused == 2)
        #expect(try ids.map { try frozen($0) } == [true, true, false, false])
    }

    @Test("an order for a process that is gone does nothing to the one that followed it")
    func restartedMeanwhile() throws {
        let order = try prepared(.freeze, "ip-again")
        defer { finish(order.container) }
        let old = inventory[order.container]?.pid
        try engine.call("POST", "/containers/\(order.container)/restart?t=0")
        #expect(eventually { inventory[order.container]?.pid ?? 0 > 0 && inventory[order.container]?.pid != old })
        #expect(throws: Refusal.self) { try isolation.carryOut(.isolateContainer, order) }
        #expect(try !frozen(order.container))
    }

    @Test("freezing takes milliseconds, with the engine stopped as well")
    func speed() throws {
        let order = try prepared(.freeze, "ip-speed")
        defer { finish(order.container) }
        let record = try #require(inventory[order.container])
        let control = CgroupControl(table: ProcessTable())
        var times: [Duration] = []
        for _ in 0..<200 {
            times.append(try ContinuousClock().measure { try control.setFrozen(record, true) })
            try control.setFrozen(record, false)
        }
        times.sort()
        print("freeze: p50 \(times[100]), p99 \(times[197])")
        #expect(times[100] < .milliseconds(50))
    }
}
