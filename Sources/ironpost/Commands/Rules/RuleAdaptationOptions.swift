import ArgumentParser
import Glibc
import IronpostCore
import LogPipeline
import Sigma

/// How offline commands change rules before they use them.
struct RuleAdaptationOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "A Sigma processing pipeline; may be repeated. By priority, then in this order.", valueName: "file"))
    var pipeline: [String] = []

    /// What the options say alone.
    func adaptation() throws(CommandFailure) -> RuleAdaptation {
        for path in pipeline where unsafe access(path, R_OK) != 0 {
            throw CommandFailure(.usage, "--pipeline \(path): it does not exist or may not be read")
        }
        return RuleAdaptation(pipelines: pipeline)
    }

    /// What the options say, else the configuration.
    ///
    /// - Parameter global: names the configuration; one that was not asked for and cannot be used is only warned of.
    func adaptation(_ global: GlobalOptions) throws(CommandFailure) -> RuleAdaptation {
        try adaptation(Self.configuration(global))
    }

    func adaptation(_ configuration: Configuration?) throws(CommandFailure) -> RuleAdaptation {
        guard let configuration else { return try adaptation() }
        guard pipeline.isEmpty else {
            var own = try adaptation()
            own.placeholders = configuration.detection.placeholders
            return own
        }
        return RuleAdaptation(configuration.detection)
    }

    static func configuration(_ global: GlobalOptions) throws(CommandFailure) -> Configuration? {
        do {
            return try ConfigurationLookup.load(global).configuration
        } catch {
            guard global.config == nil else { throw error }
            Output.complain("warning: the configuration cannot be used; its pipelines and placeholders are not applied")
            return nil
        }
    }

    /// A pipeline that cannot be used makes everything else mean something else.
    static func check(_ book: RuleBook) throws(CommandFailure) {
        let refused = book.pipelineFaults.filter { !$0.isWarning }
        guard let first = refused.first else { return }
        for fault in refused.dropFirst() { Output.complain(Escaping.line("\(fault)")) }
        throw CommandFailure(.usage, "a pipeline cannot be used: \(first)")
    }
}
