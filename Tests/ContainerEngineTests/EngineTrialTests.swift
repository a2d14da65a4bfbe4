import Foundation
import IronpostCore
import Logging
import Testing

@testable import ContainerEngine
@testable import Responder

/// Attribution and isolation together on the real engine, with the truth kept by the harness.
@Suite(.serialized, .enabled(if: DockerEngine.shared != nil, DockerEngine.missing))
struct EngineTrialTests {
    static let trials = ProcessInfo.processInfo.environment["IRONPOST_DEEP"] != nil ? 500 : 30

    /// A shell that moves itself into a cgroup in every hierarchy; `$p` is its own.
    static func mover(_ path: String) -> String {
        """
        while IFS=: read n c p; do
            h=${c:-unified}
            d=/host/$h\(path)
            mkdir -p $d && echo $$ >$d/cgroup.procs
        done </proc/self/cgroup 2>/dev/null
        while :; do sleep 1000; done
        """
    }

    @Test("the one that acted is frozen, and never another")
    func trials() throws {
        let engine = try #require(DockerEngine.shared)
        let inventory = ContainerInventory(socketPath: engine.socket, logger: Logger(label: "test"))
        _ = PlainThread(name: "inventory") { inventory.follow() }
        defer { inventory.stop() }
        var configuration = Configuration()
        configuration.general.dataDirectory = "/tmp/ironpost-trials-\(getpid())"
        configuration.response.budget.minimum = 100_000
        try FileManager.default.createDirectory(
            atPath: configuration.general.dataDirectory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: configuration.general.dataDirectory) }
        let directory = LiveDirectory(time: SystemTime())
        let table = ProcessTable()
        let control = CgroupControl(table: table)
        var cursor = ContainerCursor.nothing
        func follow(_ condition: () -> Bool) -> Bool {
            eventually(30) {
                let changes = inventory.changes(since: cursor, engine: directory.engine, patience: .milliseconds(20)) {
                    _ in true
                }
                directory.apply(changes)
                cursor = changes.cursor
                return condition()
            }
        }

        let standing = try (1...4).map { try engine.run("ip-bystander\($0)-\(getpid())") }
        defer { engine.remove(standing) }
        #expect(follow { standing.allSatisfy { directory[$0]?.pid ?? 0 > 0 } })
        var wrong = 0
        var proofs = 0
        var isolated = 0
        for trial in 0..<Self.trials {
            let isolation = ContainerIsolation(
                inventory, configuration, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
            let victim = standing[trial % standing.count]
            let name = "ip-trial-\(getpid())-\(trial)"
            let attacker: ContainerID
            let hasLeft = trial % 7 == 6
            switch trial % 7 {
            case 1: attacker = try engine.run(name, host: #""NetworkMode":"host""#)
            case 2: attacker = try engine.run(name, host: #""NetworkMode":"container:\#(victim)""#)
            case 3:
                // Makes a cgroup that bears the victim's id below its own, and moves into it.
                attacker = try engine.run(
                    name, Self.mover("$p/docker-\(victim).scope"), host: #""Binds":["/sys/fs/cgroup:/host:rw"]"#)
            case 6:
                // Makes one beside its own, and so leaves everything that bears its own id.
                attacker = try engine.run(
                    name, Self.mover("\(engine.cgroupParent)/docker-\(victim).scope"),
                    host: #""Binds":["/sys/fs/cgroup:/host:rw"]"#)
            case 4: attacker = try engine.run(name, host: #""CgroupnsMode":"private""#)
            case 5: attacker = try engine.run(name, "(sleep 0.3; exit) & while :; do sleep 1000; done")
            default: attacker = try engine.run(name)
            }
            defer { engine.remove(attacker) }
            #expect(follow { directory[attacker]?.pid ?? 0 > 0 })
            if trial % 7 == 3 || hasLeft {
                let first = try engine.inspect(attacker).state?.pid ?? 0
                _ = eventually(2) {
                    table.cgroupPaths(of: Int32(first)).contains { $0.path.contains("docker-\(victim)") }
                }
            }
            if trial % 5 == 0 { try engine.call("POST", "/containers/\(attacker)/rename?name=\(name)-renamed") }
            let pid = try #require(directory[attacker]?.pid)
            // Any process of it, as the kernel's credentials would name it.
            var clues = AttributionClues()
            clues.process = table.identity(of: pid, at: SystemTime().now(), clock: SystemTime())
            clues.lostProcess = clues.process == nil
            let verdict = directory.attribute(
                clues, at: SystemTime().now(), addresses: directory[victim]?.addresses ?? [])
            if !hasLeft { proofs += 1 }
            guard case .container(let found) = verdict, let target = ContainerID(found.id) else { continue }
            #expect(found.name.hasPrefix(name) && target == attacker, "\(found.name)")
            var order = ContainerOrder(
                kind: .freeze, container: target, action: .make(at: SystemTime().now()), isAutomatic: true)
            order.detail = try isolation.carryOut(.prepareContainer, order).detail
            do {
                _ = try isolation.carryOut(.isolateContainer, order)
            } catch  where hasLeft {
                // It was still inside when it was looked at. That it got away is said, and nobody else stands still.
                #expect(try standing.allSatisfy { id in try !control.isFrozen(#require(inventory[id])) })
                _ = try isolation.carryOut(.releaseContainer, order)
                continue
            }
            let frozen = try inventory.all.filter { $0.pid > 0 && $0.cgroups.count > 0 }.filter {
                try control.isFrozen($0)
            }
            if frozen.map(\.id) == [attacker] {
                isolated += hasLeft ? 0 : 1
            } else {
                wrong += 1
                let names = frozen.map(\.shownName)
                Issue.record("trial \(trial): \(found.name) (\(found.proof)) isolated, and \(names) stand still")
            }
            _ = try isolation.carryOut(.releaseContainer, order)
        }
        print("engine: \(Self.trials) trials, \(wrong) wrong, \(isolated) of \(proofs) with proof isolated")
        #expect(wrong == 0)
        #expect(Double(isolated) >= 0.995 * Double(proofs))
    }
}
