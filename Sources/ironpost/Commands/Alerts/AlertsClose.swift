import ArgumentParser
import IronpostCore

struct AlertsClose: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "close", abstract: "Say that an alert is dealt with; more of the same makes a new one.",
        discussion: "Example: ironpost alerts close 019ab12c-3d4e"
    )

    @Argument(help: "The alert's id, or the beginning of it.")
    var id: String

    @OptionGroup var global: GlobalOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        try await AlertTriageCommand(path: "close", word: "closed").run(id, global, output)
    }
}

/// What `ack` and `close` have in common.
struct AlertTriageCommand {
    /// The last part of the call's path.
    let path: String
    let word: String

    func run(_ id: String, _ global: GlobalOptions, _ output: OutputOptions) async throws {
        let client = try ControlClient(global)
        let alert = try await AlertLookup(client: client).alert(id)
        let changed = try await client.post("/api/v1/alerts/\(alert.id)/\(path)", as: AlertDocument.self)
        guard output.format == .table else { return try Output.json(changed) }
        Output.complain("\(word): \(alert.id) \(Escaping.line(alert.title))")
    }
}
