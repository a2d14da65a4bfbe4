import Glibc
import IronpostCore
import LogPipeline

/// Which rules an offline command is about, and how they are changed: what was said, else the configuration, else the
/// rules that come with Ironpost.
struct RuleLookup {
    let paths: [String]
    let adaptation: RuleAdaptation
    /// `nil` when there is none that can be used.
    let configuration: Configuration?

    init(rules: [String], adaptation options: RuleAdaptationOptions, _ global: GlobalOptions) throws(CommandFailure) {
        for path in rules where unsafe access(path, R_OK) != 0 {
            throw CommandFailure(.usage, "--rules \(path): it does not exist or may not be read")
        }
        configuration = try RuleAdaptationOptions.configuration(global)
        adaptation = try options.adaptation(configuration)
        let configured = configuration?.detection.rules ?? []
        paths = !rules.isEmpty ? rules : !configured.isEmpty ? configured : [ShippedRules.directory()].compactMap { $0 }
        guard !paths.isEmpty else {
            throw CommandFailure(.usage, "the shipped rules were not found; name some with --rules")
        }
    }
}
