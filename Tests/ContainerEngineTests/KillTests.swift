import Foundation
import IronpostCore
import Logging
import Testing

@testable import ContainerEngine
@testable import Responder

/// `kill -9` of each of the three processes in each state that an action can be in: afterwards every container is in the
/// state that the record says. A state is held by stopping whom the next step needs.
@Suite(
    .serialized, .enabled(if: DockerEngine.shared != nil, DockerEngine.missing),
    .enabled(if: GuardedDaemon.areBuilt, "the programs are not built beside these tests"),
    .enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/sqlite3"), "sqlite3 is not installed"))
struct KillTests {
    enum Victim: CaseIterable { case core, responder, engine }
    enum Phase: String, CaseIterable { case proposed, applying, applied, undoing, expiring }

    struct Case: CustomTestStringConvertible, Sendable {
        var phase: Phase
        var victim: Victim
        var testDescription: String { "\(victim) while \(phase)" }
    }

    static let cases: [Case] =
        ProcessInfo.processInfo.environment["IRONPOST_DEEP"] != nil
        ? Phase.allCases.flatMap { phase in Victim.allCases.map { Case(phase: phase, victim: $0) } }
        : [
            Case(phase: .proposed, victim: .core), Case(phase: .applying, victim: .core),
            Case(phase: .applying, victim: .engine), Case(phase: .undoing, victim: .responder),
            Case(phase: .expiring, victim: .core),
        ]

    @Test(arguments: cases)
    func killed(_ state: Case) throws {
        let engine = try #require(DockerEngine.shared)
        let daemon = try GuardedDaemon("kill-\(state.victim)-\(state.phase)", engine: engine, policy: "stop")
        try daemon.start()
        let place = daemon.directory + "/go"
        try FileManager.default.createDirectory(atPath: place, withIntermediateDirectories: true)
        // Ends at once when it is told to; says the attack when it is told to.
        let id = try engine.run(
            "ip-kill-\(state.victim)-\(state.phase)-\(getpid())",
            """
            trap 'exit 0' TERM
            while :; do
                if [ -e /go/say ]; then rm /go/say; echo XATTACKX; fi
                sleep 0.05
            done
            """, host: #""Binds":["\#(place):/go:rw"]"#)
        var isEngineStopped = false
        defer {
            if isEngineStopped { kill(engine.pid, SIGCONT) }
            engine.remove(id)
        }
        #expect(
            try eventually {
                try daemon.list().containers?.contains { $0.id == id.text && $0.state == "running" } == true
            })

        func stopEngine() {
            engine.hang()
            isEngineStopped = true
        }
        switch state.phase {
        case .proposed:
            // Decided, and whoever is to look up what it takes does not answer. (The keeper ends him in a few seconds.)
            for worker in daemon.workers { kill(worker, SIGSTOP) }
            try "".write(toFile: place + "/say", atomically: false, encoding: .utf8)
        case .applying:
            stopEngine()
            try daemon.order("isolate", id.text, "--action", "stop", "--ttl", "10m")
        case .applied:
            #expect(try daemon.ironpost("isolate", id.text, "--action", "stop", "--ttl", "10m").status == 0)
        case .undoing:
            #expect(try daemon.ironpost("isolate", id.text, "--action", "stop", "--ttl", "10m").status == 0)
            stopEngine()
            try daemon.order("release", id.text)
        case .expiring:
            #expect(try daemon.ironpost("isolate", id.text, "--action", "stop", "--ttl", "2s").status == 0)
            stopEngine()
        }
        let isHeld = try eventually(20) {
            // Who hangs is replaced after some seconds, on a slow machine before anything was decided.
            if state.phase == .proposed { for worker in daemon.workers { kill(worker, SIGSTOP) } }
            let phases = try daemon.phases()
            return phases == [state.phase.rawValue] || state.phase == .proposed && !phases.isEmpty
        }
        #expect(isHeld, "\(daemon.log.suffix(2000))")

        switch state.victim {
        case .core: daemon.kill()
        case .responder: for worker in daemon.workers { kill(worker, SIGKILL) }
        case .engine:
            engine.kill()
            isEngineStopped = false
            if state.phase == .proposed { for worker in daemon.workers { kill(worker, SIGCONT) } }
            try engine.start()
        }
        if isEngineStopped {
            kill(engine.pid, SIGCONT)
            isEngineStopped = false
        }
        if state.victim == .core { try daemon.start() }

        let (word, runs) =
            switch state.phase {
            case .proposed, .applying, .applied: ("done", false)
            case .undoing: ("undone", true)
            case .expiring: ("expired", true)
            }
        let isRight = try eventually(60) {
            try daemon.actions().first?.state == word && engine.inspect(id).state?.running == runs
        }
        let found = try daemon.actions()
        #expect(isRight, "\(found) \(daemon.log.suffix(3000))")
        #expect(found.count == 1)
        #expect(try daemon.phases() == (runs ? [] : ["applied"]))
        if !runs {
            // And what stands can be taken back.
            #expect(try daemon.ironpost("release", id.text).status == 0)
            #expect(try engine.inspect(id).state?.running == true)
        }
    }
}
