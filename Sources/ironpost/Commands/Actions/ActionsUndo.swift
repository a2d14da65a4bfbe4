import ArgumentParser
import IronpostCore

struct ActionsUndo: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "undo", abstract: "Take an action back, or decline a proposed one; returns when that is verified.",
        discussion: "Example: ironpost actions undo 019ab12c-3d4e"
    )

    @Argument(help: "The action's id, or the beginning of it.")
    var id: String

    @OptionGroup var global: GlobalOptions
    @OptionGroup var output: OutputOptions

    func run() async throws { try await ActionCommand(path: "undo").run(id, global, output) }
}

struct ActionsApprove: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "approve", abstract: "Let a proposed action happen; returns when that is verified.",
        discussion: "Example: ironpost actions approve 019ab12c-3d4e"
    )

    @Argument(help: "The action's id, or the beginning of it.")
    var id: String

    @OptionGroup var global: GlobalOptions
    @OptionGroup var output: OutputOptions

    func run() async throws { try await ActionCommand(path: "approve").run(id, global, output) }
}

/// What `undo` and `approve` have in common.
struct ActionCommand {
    /// The last part of the call's path.
    let path: String

    func run(_ id: String, _ global: GlobalOptions, _ output: OutputOptions) async throws {
        let client = try ControlClient(global)
        let id = try await ActionLookup(client: client).id(id)
        let action = try await client.post("/api/v1/actions/\(id)/\(path)", as: ActionDocument.self)
        guard output.format == .table else { return try Output.json(action) }
        Output.complain("\(action.state): \(action.actionType) of \(Escaping.line(action.target))")
    }
}
