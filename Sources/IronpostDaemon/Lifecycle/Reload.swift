import AlertHub
import IronpostCore
import Logging
import Synchronization

/// Takes a new configuration while everything runs: all of it, or nothing.
///
/// Read and checked whole, then staged in every module, then committed in every module. Whatever is wrong is named, and
/// the configuration in force stays as it is, with its generation. One reload at a time.
final class Reload: Sendable {
    static let firstGeneration = 1

    private struct State {
        var loaded: LoadedConfiguration
        var generation = Reload.firstGeneration
        var isRunning = false
    }

    private let state: Mutex<State>
    private let sources: ConfigurationSources
    private let registry: ModuleRegistry
    private let hub: AlertHub
    private let logs: LogOutput
    private let logger: Logger

    init(
        loaded: LoadedConfiguration, sources: ConfigurationSources, registry: ModuleRegistry, hub: AlertHub,
        logs: LogOutput, logger: Logger
    ) {
        state = Mutex(State(loaded: loaded))
        self.sources = sources
        self.registry = registry
        self.hub = hub
        self.logs = logs
        self.logger = logger
    }

    var configuration: Configuration { state.withLock { $0.loaded.configuration } }
    var generation: Int { state.withLock { $0.generation } }

    func run(dryRun: Bool) async -> ReloadOutcome {
        let old: LoadedConfiguration? = state.withLock { state in
            guard !state.isRunning else { return nil }
            state.isRunning = true
            return state.loaded
        }
        guard let old else {
            return ReloadOutcome(changes: [], faults: ["another reload is under way"], generation: generation)
        }
        defer { state.withLock { $0.isRunning = false } }
        let outcome = await take(old, dryRun: dryRun)
        for fault in outcome.faults { logger.error("reload refused: \(fault)") }
        if outcome.faults.isEmpty, !dryRun {
            logger.notice(
                "reloaded", metadata: ["generation": "\(outcome.generation)", "changes": "\(outcome.changes.count)"]
            )
        }
        return outcome
    }

    private func take(_ old: LoadedConfiguration, dryRun: Bool) async -> ReloadOutcome {
        let present = generation
        let loaded: LoadedConfiguration
        switch Configuration.load(sources) {
        case .success(let new): loaded = new
        case .failure(let faults):
            return ReloadOutcome(changes: [], faults: faults.faults.map { "\($0)" }, generation: present)
        }
        let changes = loaded.configuration.changes(from: old.configuration)
        let refused = changes.filter(\.needsRestart).map {
            "\($0.key) cannot change while the daemon runs (\($0.old) to \($0.new)): restart it"
        }
        guard refused.isEmpty else { return ReloadOutcome(changes: changes, faults: refused, generation: present) }
        let (faults, warnings) = await registry.reload(
            loaded.configuration, generation: present + 1, dryRun: dryRun
        )
        guard faults.isEmpty, !dryRun else {
            return ReloadOutcome(changes: changes, faults: faults, warnings: warnings, generation: present)
        }
        hub.update(limits: AlertLimits(loaded.configuration))
        logs.apply(directives: loaded.configuration.general.logLevel, format: loaded.configuration.general.logFormat)
        state.withLock { state in
            state.loaded = loaded
            state.generation = present + 1
        }
        return ReloadOutcome(changes: changes, faults: [], warnings: warnings, generation: present + 1)
    }
}
