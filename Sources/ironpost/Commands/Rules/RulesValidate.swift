import ArgumentParser
import IronpostCore
import LogPipeline
import Sigma

struct RulesValidate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "validate", abstract: "Compile rules and name file and line of everything that is wrong.",
        discussion: "Exit status 1 when any rule is refused.\n\nExample: ironpost rules validate ./rules"
    )

    @Argument(help: "Files and directories.")
    var paths: [String]
    @OptionGroup var adaptation: RuleAdaptationOptions
    @OptionGroup var global: GlobalOptions
    @OptionGroup var output: OutputOptions

    private struct Document: Encodable {
        struct Fault: Encodable {
            let file: String
            let line: Int
            let rule: String
            let message: String
            let warning: Bool
        }

        let paths: [String]
        let valid: Int
        let invalid: Int
        let errors: [Fault]
    }

    func run() async throws {
        let book = RuleBook(paths: paths, adaptation: try adaptation.adaptation(global))
        try RuleAdaptationOptions.check(book)
        let refused = book.faults.filter { !$0.isWarning }
        if output.format == .json {
            try Output.json(
                Document(
                    paths: paths, valid: book.ruleSet.rules.count, invalid: refused.count,
                    errors: book.faults.map {
                        .init(file: $0.file, line: $0.line, rule: $0.rule, message: $0.message, warning: $0.isWarning)
                    }
                )
            )
        } else {
            for fault in book.faults {
                Output.write(Escaping.line((fault.isWarning ? "warning: " : "") + fault.description))
            }
            Output.write("\(book.ruleSet.rules.count) rules valid, \(refused.count) refused")
        }
        if !refused.isEmpty { throw CommandFailure(.failure) }
    }
}
