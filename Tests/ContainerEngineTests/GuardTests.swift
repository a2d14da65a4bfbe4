import Foundation
import IronpostCore
import Logging
import Testing

@testable import ContainerEngine
@testable import Responder

/// The built daemon and its responder, with a real engine: from what a container does to what is done to it.
@Suite(
    .serialized, .enabled(if: DockerEngine.shared != nil, DockerEngine.missing),
    .enabled(if: GuardedDaemon.areBuilt, "the programs are not built beside these tests"))
struct GuardTests {
    let engine: DockerEngine
    let control = CgroupControl(table: ProcessTable())
    let inventory: ContainerInventory

    init() throws {
        engine = try #require(DockerEngine.shared)
        let inventory = ContainerInventory(socketPath: engine.socket, logger: .init(label: "test"))
        self.inventory = inventory
        _ = PlainThread(name: "inventory") { inventory.follow() }
    }

    func isFrozen(_ id: ContainerID) -> Bool {
        guard let record = inventory[id], record.pid > 0 else { return false }
        return (try? control.isFrozen(record)) ?? false
    }

    static let isDeep = ProcessInfo.processInfo.environment["IRONPOST_DEEP"] != nil
    /// Of each container: with 50 of them 10,000 alerts.
    static let stormLines = isDeep ? 200 : 25

    private var gateway: String { "10.211.\(getpid() % 200).1" }

    /// Containers that do what a file in `place` tells them to.
    func actors(_ name: String, _ count: Int, _ daemon: GuardedDaemon) throws -> [ContainerID] {
        let ids = try (1...count).map { number in
            let place = "\(daemon.directory)/go\(number)"
            try FileManager.default.createDirectory(atPath: place, withIntermediateDirectories: true)
            return try engine.run(
                "ip-\(name)\(number)-\(getpid())",
                """
                while :; do
                    if [ -e /go/say ]; then echo "XATTACKX from inside"; mv /go/say /go/said; fi
                    if [ -e /go/connect ]; then mv /go/connect /go/connected; echo x | nc -w 1 \(gateway) 9; fi
                    if [ -e /go/scan ]; then
                        mv /go/scan /go/scanned
                        for port in $(seq 101 140); do echo x | nc -w 1 \(gateway) $port; done
                    fi
                    if [ -e /go/storm ]; then
                        mv /go/storm /go/stormed
                        for number in $(seq 1 \(Self.stormLines)); do echo "XATTACKX $number"; done
                    fi
                    if [ -e /go/log ]; then mv /go/log /go/logged; (echo "XATTACKX by syslog"; sleep 30) | logger -t app & fi
                    sleep 0.02
                done
                """,
                host: #""Binds":["\#(place):/go:rw","\#(daemon.syslog):/dev/log:rw"]"#)
        }
        #expect(eventually { ids.allSatisfy { inventory[$0]?.pid ?? 0 > 0 } })
        return ids
    }

    func tell(_ number: Int, _ what: String, _ daemon: GuardedDaemon) throws {
        try "".write(toFile: "\(daemon.directory)/go\(number)/\(what)", atomically: false, encoding: .utf8)
    }

    @Test("of three alike, the one that acted is frozen: by its log, by syslog; the others never")
    func threeAlike() throws {
        let daemon = try GuardedDaemon("three", engine: engine, policy: "freeze")
        try daemon.start()
        let ids = try actors("three", 3, daemon)
        defer {
            engine.remove(ids)
            inventory.stop()
        }
        #expect(try eventually { try daemon.list().containers?.filter { $0.state == "running" }.count ?? 0 >= 3 })
        for what in ["say", "log"] {
            try tell(3, what, daemon)
            #expect(eventually(20) { isFrozen(ids[2]) }, "\(what): \(daemon.log.suffix(2000))")
            #expect(!isFrozen(ids[0]) && !isFrozen(ids[1]))
            #expect(try eventually(10) { try daemon.actions().first?.state == "done" })
            let release = try daemon.ironpost("release", "ip-three3-\(getpid())")
            #expect(release.status == 0, "\(release.err)")
            #expect(eventually(10) { !isFrozen(ids[2]) })
        }
        #expect(try daemon.actions().allSatisfy { $0.target.contains(ids[2].text) })
        let alerts = try daemon.ironpost("alerts", "-o", "json").out
        #expect(alerts.contains("log_stream"))
        #expect(alerts.contains("of process"))
    }

    @Test("of three alike, the one whose packets came in by its own interface is frozen; the others never")
    func connections() throws {
        let daemon = try GuardedDaemon(
            "veth", engine: engine, policy: "freeze", namespace: engine.networkNamespace,
            settings: ["ebpf.enabled=true", "ebpf.interfaces=veth*", "ebpf.mode=monitor"])
        try daemon.start()
        let ids = try actors("veth", 3, daemon)
        defer {
            engine.remove(ids)
            inventory.stop()
        }
        let isWatching = try eventually(20) {
            let status = try daemon.ironpost("status", "-o", "json").out
            let running = try daemon.list().containers?.filter { $0.state == "running" }.count ?? 0
            return running >= 3 && status.components(separatedBy: "packets on veth").count > 3
        }
        let status = try daemon.ironpost("status", "-v").out
        #expect(isWatching, "\(status) \(daemon.log.suffix(2000))")
        for what in ["connect", "scan"] {
            try tell(3, what, daemon)
            #expect(eventually(20) { isFrozen(ids[2]) }, "\(what): \(daemon.log.suffix(2000))")
            #expect(!isFrozen(ids[0]) && !isFrozen(ids[1]))
            #expect(try eventually(10) { try daemon.actions().first?.state == "done" })
            // The rest of a scan goes on when it is let go, and is answered again.
            #expect(try daemon.ironpost("release", ids[2].text).status == 0)
        }
        #expect(try daemon.actions().allSatisfy { $0.target.contains(ids[2].text) })
        let alerts = try daemon.ironpost("alerts", "-o", "json").out
        #expect(alerts.contains("ingress interface"))
        #expect(alerts.contains("port_scan"))
    }

    @Test("what was isolated stays so through kill -9 of core, responder and engine, and ends on time")
    func killed() throws {
        let daemon = try GuardedDaemon("killed", engine: engine, policy: "freeze")
        try daemon.start()
        let ids = try actors("killed", 2, daemon)
        defer {
            engine.remove(ids)
            inventory.stop()
        }
        #expect(
            try eventually {
                try daemon.list().containers?.contains { $0.id == ids[0].text && $0.state == "running" } == true
            })
        // On a slow machine the kills may take longer than the isolation itself: then once more, for longer.
        var stood = false
        for seconds in [5, 30, 90] where !stood {
            let begun = Date()
            var up: Double { Date().timeIntervalSince(begun) }
            let isolated = try daemon.ironpost("isolate", ids[0].text, "--ttl", "\(seconds)s")
            #expect(isolated.status == 0, "\(isolated.err)")
            stood = isFrozen(ids[0])
            daemon.kill()
            stood = stood && isFrozen(ids[0])
            try daemon.start()
            stood = stood && isFrozen(ids[0])
            for worker in daemon.workers { Foundation.kill(worker, SIGKILL) }
            engine.kill()
            try engine.start()
            #expect(try eventually(30) { try daemon.list().engine?.state == "following" })
            stood = stood && isFrozen(ids[0])
            let killed = up
            #expect(stood || killed > Double(seconds) - 2, "\(daemon.log.suffix(2000))")
            #expect(eventually(150) { !isFrozen(ids[0]) })
            let took = up
            print("an isolation of \(seconds) s, through three kills of \(killed) s, took \(took) s")
            #expect(took > Double(seconds) - 0.5)
            #expect(took < max(Double(seconds), killed) + 20, "late by more than a loaded machine explains")
            #expect(try eventually(10) { try daemon.actions().first?.state == "expired" })
            #expect(!isFrozen(ids[1]))
        }
        #expect(stood)
    }

    @Test("protection and budget hold in a storm; the rest is withheld, and says why")
    func storm() throws {
        let count = Self.isDeep ? 50 : 8
        let daemon = try GuardedDaemon(
            "storm", engine: engine, policy: "freeze",
            settings: [
                "response.budget.minimum=2", "response.budget.share=0", "response.protect=ip-storm1-*",
                "detection.rate_limit_per_rule=0",
            ])
        try daemon.start()
        let ids = try actors("storm", count, daemon)
        defer {
            engine.remove(ids)
            inventory.stop()
        }
        #expect(try eventually { try daemon.list().containers?.filter { $0.state == "running" }.count ?? 0 >= count })
        for number in 1...count { try tell(number, "storm", daemon) }
        // All of those that are not stood still say everything; a batch may be decided upon after that.
        let least = (count - 2) * Self.stormLines
        #expect(try eventually(120) { try daemon.count("select count(*) from alerts") >= least })
        #expect(
            try eventually(60) {
                try daemon.count("select count(distinct alert_id) from actions")
                    == daemon.count("select count(*) from alerts")
            })
        #expect(try eventually(10) { try daemon.count("select count(*) from actions where state = 'done'") == 2 })
        #expect(!isFrozen(ids[0]))
        #expect(ids.count { isFrozen($0) } == 2)
        for guardrail in ["protected", "budget"] {
            #expect(try daemon.count("select count(*) from actions where guardrail = '\(guardrail)'") > 0)
        }
        // A person is asked once about each container, not once for each of its alerts.
        #expect(try daemon.phases().count { $0 == "proposed" } == count - 3)
        let alerts = try daemon.count("select count(*) from alerts")
        print("storm: \(alerts) alerts over \(count) containers, 2 isolated")
    }

    @Test("from a line in the log to a frozen container")
    func latency() throws {
        let daemon = try GuardedDaemon("latency", engine: engine, policy: "freeze")
        try daemon.start()
        let ids = try actors("latency", 1, daemon)
        defer {
            engine.remove(ids)
            inventory.stop()
        }
        #expect(
            try eventually {
                try daemon.list().containers?.contains { $0.id == ids[0].text && $0.state == "running" } == true
            })
        let log = try #require(inventory[ids[0]]?.logPath)
        let rounds = ProcessInfo.processInfo.environment["IRONPOST_DEEP"] != nil ? 100 : 8
        var times: [Double] = []
        for _ in 0..<rounds {
            try tell(1, "say", daemon)
            let end = Date(timeIntervalSinceNow: 20)
            while !isFrozen(ids[0]), Date() < end { usleep(200) }
            let frozen = SystemTime().now()
            #expect(isFrozen(ids[0]))
            // When the engine had the line, by its own clock.
            let text = try String(contentsOfFile: log, encoding: .utf8)
            let stamp = text.components(separatedBy: #""time":""#).last?.prefix { $0 != "\"" } ?? ""
            let written = try #require(Timestamp(rfc3339: stamp))
            times.append(Double(frozen.since(written).nanoseconds) / 1e6)
            #expect(try eventually(10) { try daemon.actions().first?.state == "done" })
            try daemon.ironpost("release", ids[0].text)
            #expect(eventually(10) { !isFrozen(ids[0]) })
        }
        times.sort()
        print(
            "log line to frozen, ms: p50 \(times[times.count / 2]), p99 \(times[min(times.count - 1, times.count * 99 / 100)]), of \(times.count)"
        )
    }
}
