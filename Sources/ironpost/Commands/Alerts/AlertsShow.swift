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
        let alert = try await AlertLookup(client: client).alert(id)
        guard output.format == .table else { return try Output.json(alert) }
        for line in AlertRendering.paragraph(alert, terminal: Terminal(global.color)) { Output.write(line) }
    }
}
