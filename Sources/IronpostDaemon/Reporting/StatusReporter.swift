import Glibc
import IronpostCore

/// Answers what the daemon is doing, from the registry and the ledger as they are at that moment.
final class StatusReporter: StatusSource {
    private let registry: ModuleRegistry
    private let ledger: Ledger
    private let time: any TimeSource
    private let started: Int64
    private let generation: @Sendable () -> Int
    private let isReady: @Sendable () -> Bool
    private let absentModules: [ModuleStatus]
    private let responder: ResponderClient?

    /// - Parameter absent: modules that this daemon does not have, and why; shown, so that nobody believes they work.
    init(
        registry: ModuleRegistry, ledger: Ledger, time: any TimeSource, generation: @escaping @Sendable () -> Int,
        isReady: @escaping @Sendable () -> Bool, absent: [Field], responder: ResponderClient? = nil
    ) {
        self.responder = responder
        self.registry = registry
        self.ledger = ledger
        self.time = time
        self.generation = generation
        self.isReady = isReady
        absentModules = absent.map {
            ModuleStatus(
                name: $0.name, isEnabled: false, state: .created, health: .healthy,
                details: [Field("not watching", $0.value)]
            )
        }
        started = time.uptime()
    }

    func status() -> DaemonStatus {
        let modules = registry.statuses()
        return DaemonStatus(
            pid: Int(getpid()), version: IronpostVersion.current,
            uptime: .nanoseconds(time.uptime() - started), generation: generation(),
            health: Health.worst(of: modules.map { ($0.name, $0.health) }),
            modules: modules + absentModules, ledger: ledger.entries(),
            isReady: isReady() && modules.allSatisfy { $0.state == .running },
            processes: [ProcessStatus(name: "daemon", pid: Int(getpid()), usage: .current())]
                + (responder?.process.map { [$0] } ?? [])
        )
    }

    /// Engines that this version does not have yet.
    static let absent: [Field] = [
        Field("outputs", "outputs: this version delivers alerts to its store, API and commands only")
    ]
}
