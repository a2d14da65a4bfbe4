import Foundation
import IronpostCore
import IronpostDaemon
import Synchronization

/// Fails at the stage that the file `FAULT_FILE` names, for as long as it names it: `prepare`, `run`, `stage`, `stop`,
/// `hang-prepare`, `hang-stage`, `hang-stop`.
final class FailingModule: Reloadable {
    struct Planned: Error, CustomStringConvertible {
        let stage: String
        var description: String { "planned failure at \(stage)" }
    }

    let name = "failing"
    private let file = ProcessInfo.processInfo.environment["FAULT_FILE"] ?? ""
    private let isDraining = Atomic<Bool>(false)

    private func fail(at stage: String) throws { if fault == stage { throw Planned(stage: stage) } }

    private var fault: String {
        ((try? String(contentsOfFile: file, encoding: .utf8)) ?? "").trimmingCharacters(in: .whitespacesAndNewlines)
    }

    /// Hears neither a deadline nor a cancellation.
    private func hang() async {
        await withCheckedContinuation { continuation in Self.hanging.withLock { $0.append(continuation) } }
    }

    private static let hanging = Mutex<[CheckedContinuation<Void, Never>]>([])

    func prepare() async throws {
        if fault == "hang-prepare" { await hang() }
        try fail(at: "prepare")
    }

    func run() async throws {
        while !isDraining.load(ordering: .acquiring) {
            try fail(at: "run")
            try await Task.sleep(for: .milliseconds(20))
        }
        if fault == "hang-stop" { await hang() }
        try fail(at: "stop")
    }

    func drain(deadline: ContinuousClock.Instant) async {
        isDraining.store(true, ordering: .releasing)
        if fault == "hang-stop" { await hang() }
    }

    func health() -> Health { .healthy }

    struct Nothing: StagedChange {
        func commit() async {}
        func discard() async {}
    }

    func stage(_ configuration: Configuration, generation: Int) async throws -> any StagedChange {
        try fail(at: "stage")
        return Nothing()
    }
}

/// The system's time, wrong by the seconds that stand in the file `FAULT_CLOCK`, looked at every few milliseconds.
final class ShiftedTime: TimeSource {
    private let system = SystemTime()
    private let file = ProcessInfo.processInfo.environment["FAULT_CLOCK"]
    private let uptimeFile = ProcessInfo.processInfo.environment["FAULT_UPTIME"]
    private let shift = Mutex((seconds: 0, readAt: Int64.min / 2))

    func now() -> Timestamp {
        guard let file else { return system.now() }
        let uptime = system.uptime()
        let seconds = shift.withLock { shift in
            if uptime - shift.readAt > 5_000_000 {
                let text = (try? String(contentsOfFile: file, encoding: .utf8)) ?? ""
                shift = (Int(text.trimmingCharacters(in: .whitespacesAndNewlines)) ?? shift.seconds, uptime)
            }
            return shift.seconds
        }
        return system.now().advanced(by: .seconds(seconds))
    }

    func uptime() -> Int64 {
        guard let uptimeFile else { return system.uptime() }
        let text = (try? String(contentsOfFile: uptimeFile, encoding: .utf8)) ?? ""
        return system.uptime() + (Int64(text.trimmingCharacters(in: .whitespacesAndNewlines)) ?? 0) * 1_000_000_000
    }
}
