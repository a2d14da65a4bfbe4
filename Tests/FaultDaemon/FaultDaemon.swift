import Dispatch
import Foundation
import IronpostCore
import IronpostDaemon
import Logging

/// The daemon with modules that misbehave on purpose, as a program of its own for tests of whole processes.
///
/// Takes the daemon's `--data-dir D` and `--set K=V`, and `FAULT_MODULES` in the environment: a comma-separated list of
/// `drain-emitter` (goes on emitting alerts and actions while it is drained), `forbidden-acts` (`ForbiddenActs`) and
/// `failing` (`FailingModule`). `FAULT_CLOCK` names a file with the seconds by which the wall clock is wrong, `FAULT_UPTIME`
/// one with those that are taken to have passed.
@main
struct FaultDaemon {
    static func main() {
        var settings: [ConfigurationSources.Setting] = []
        var arguments = CommandLine.arguments.dropFirst()
        while let option = arguments.popFirst(), let value = arguments.popFirst() {
            switch option {
            case "--data-dir": settings.append(.init(option: option, key: "general.data_dir", value: value))
            default: settings.append(.init(set: value))
            }
        }
        let wanted = (ProcessInfo.processInfo.environment["FAULT_MODULES"] ?? "").split(separator: ",").map(String.init)
        signal(SIGPIPE, SIG_IGN)
        do {
            let sources = ConfigurationSources(file: nil, fileIsExplicit: false, settings: settings)
            let loaded = try Configuration.load(sources).get()
            let logs = LogOutput(directives: loaded.configuration.general.logLevel, format: .json)
            let responder = ResponderProcess.start(sources)
            let sandbox = try Sandbox.enter(loaded.configuration)
            let daemon = try Daemon(
                loaded: loaded, sources: sources, logs: logs, responder: responder, sandbox: sandbox,
                time: ShiftedTime()
            ) { wiring in
                var modules: [any Module] = []
                if wanted.contains("drain-emitter") { modules.append(DrainEmitter(wiring: wiring)) }
                if wanted.contains("forbidden-acts") { modules.append(ForbiddenActs()) }
                if wanted.contains("failing") { modules.append(FailingModule()) }
                return modules
            }
            Task {
                await daemon.run()
                exit(0)
            }
            dispatchMain()
        } catch {
            FileHandle.standardError.write(Data("\(error)\n".utf8))
            exit(1)
        }
    }
}

/// Emits nothing while it runs, and `count` alerts and actions once it is told to stop: whoever consumes them must still
/// be there.
final class DrainEmitter: Module {
    static let count = 500

    let name = "drain-emitter"
    private let wiring: Daemon.Wiring
    private let done = BoundedChannel<Void>(name: "done", capacity: 1)

    init(wiring: Daemon.Wiring) {
        self.wiring = wiring
    }

    func prepare() async throws {}

    func run() async throws {
        _ = await done.receive()
    }

    func drain(deadline: ContinuousClock.Instant) async {
        for number in 0..<Self.count {
            let now = wiring.time.now()
            let id = UUIDv7.make(at: now)
            let alert = Alert(
                id: id, time: now, severity: .high, title: "late alert \(number)", description: "", source: name,
                rule: RuleReference(id: "late-\(number)", title: "late", level: "high"), node: "test",
                event: EventRecord(time: now, fields: []),
                evidence: Evidence(source: "test", raw: "\(number)", sha256: ""), firstSeen: now, lastSeen: now,
                traceID: "", generation: 1
            )
            let action = ActionRecord(
                id: UUIDv7.make(at: now), time: now, alertID: id, actionType: "network_block", target: "203.0.113.1",
                mode: "observe", state: .proposed
            )
            do {
                try await wiring.alerts.send(CommitBatch(alerts: [AlertEvent(alert)]))
                try await wiring.actions.send(action)
            } catch {
                break
            }
        }
        done.close()
    }

    func health() -> Health { .healthy }
}
