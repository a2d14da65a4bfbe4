import FoundationEssentials
import IronpostCore

/// The configuration as the daemon would read it: the same file, the same variables.
enum ConfigurationLookup {
    static func load(_ options: GlobalOptions, settings: [String] = []) throws(CommandFailure) -> LoadedConfiguration {
        let sources = ConfigurationSources(
            configOption: options.config, environment: ProcessInfo.processInfo.environment,
            settings: settings.map { ConfigurationSources.Setting(set: $0) }
        )
        switch Configuration.load(sources) {
        case .success(let loaded):
            for warning in loaded.warnings { Output.complain(Escaping.line("warning: \(warning)")) }
            return loaded
        case .failure(let faults):
            for fault in faults.faults { Output.complain(Escaping.line("\(fault)")) }
            throw CommandFailure(.usage)
        }
    }
}
