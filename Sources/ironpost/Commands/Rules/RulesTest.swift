import ArgumentParser
import IronpostCore
import LogPipeline

struct RulesTest: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "test", abstract: "Run the test lines that lie beside rules (<rule>.test.yml).",
        discussion:
            "Exit status 1 when any line does not do what its test says.\n\nExample: ironpost rules test ./rules"
    )

    @Argument(help: "Files and directories; the shipped pack when none is named.")
    var paths: [String] = []
    @OptionGroup var adaptation: RuleAdaptationOptions
    @OptionGroup var global: GlobalOptions
    @OptionGroup var output: OutputOptions

    private struct Document: Encodable {
        struct Failure: Encodable {
            let file: String
            let line: Int
            let message: String
        }

        let files: Int
        let lines: Int
        let untested: [String]
        let failures: [Failure]
    }

    func run() async throws {
        let chosen = paths.isEmpty ? [ShippedRules.directory()].compactMap { $0 } : paths
        guard !chosen.isEmpty else {
            throw CommandFailure(.usage, "the shipped rules were not found; name a directory")
        }
        let adaptation = try adaptation.adaptation(global)
        // Once, before every rule file complains of the same pipeline.
        try RuleAdaptationOptions.check(RuleBook(paths: [], adaptation: adaptation))
        let result = RuleTestRun.run(paths: chosen, now: SystemTime().now(), adaptation: adaptation)
        if output.format == .json {
            try Output.json(
                Document(
                    files: result.files, lines: result.lines, untested: result.untested,
                    failures: result.failures.map { .init(file: $0.file, line: $0.line, message: $0.message) }
                )
            )
        } else {
            for failure in result.failures { Output.write(Escaping.line(failure.description)) }
            for file in result.untested { Output.write(Escaping.line("no tests beside \(file)")) }
            Output.write("\(result.lines) lines of \(result.files) files, \(result.failures.count) failed")
        }
        if !result.failures.isEmpty { throw CommandFailure(.failure) }
    }
}
