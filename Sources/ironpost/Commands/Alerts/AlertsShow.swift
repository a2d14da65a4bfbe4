import ArgumentParser
import IronpostCore

struct AlertsShow: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Explain an alert: who, from where, how often, where the proof is, what to do.",
        discussion: "Example: ironpost alerts show 019ab12c-3d4e"
    )

    @Argument(help: "The alert's id, or the beginning of it.")
    var id: String

    @OptionGroup var global: GlobalOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let client = try ControlClient(global)
        let found = try await AlertLookup(client: client).detail(id)
        guard output.format == .table else {
            return try Output.json(AlertDetailDocument(found.alert, actions: found.actions))
        }
        let terminal = Terminal(global.color)
        for line in AlertRendering.paragraph(found.alert, actions: found.actions, terminal: terminal) {
            Output.write(line)
        }
    }
}
