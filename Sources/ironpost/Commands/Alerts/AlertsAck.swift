import ArgumentParser
import IronpostCore

struct AlertsAck: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ack",
        abstract: "Say that somebody looks after an alert; more of the same is still counted there.",
        discussion: "Example: ironpost alerts ack 019ab12c-3d4e"
    )

    @Argument(help: "The alert's id, or the beginning of it.")
    var id: String

    @OptionGroup var global: GlobalOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        try await AlertTriageCommand(path: "ack", word: "acknowledged").run(id, global, output)
    }
}
