import ArgumentParser
import IronpostCore

struct ActionsShow: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Show an action, step by step.",
        discussion: "Example: ironpost actions show 019ab12c-3d4e"
    )

    @Argument(help: "The action's id, or the beginning of it.")
    var id: String

    @OptionGroup var global: GlobalOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let client = try ControlClient(global)
        let id = try await ActionLookup(client: client).id(id)
        let detail = try await client.get("/api/v1/actions/\(id)", as: ActionDetailDocument.self)
        guard output.format == .table else { return try Output.json(detail) }
        let action = detail.action
        Output.write("\(action.actionType) of \(Escaping.line(action.target)): \(action.state)")
        let lines: [(String, String?)] = [
            ("Id", action.id), ("Alert", action.alertID), ("Policy", action.policyID), ("Mode", action.mode),
            ("Ends", action.expiresAt), ("Evidence", action.evidencePath),
            (
                "Guardrail",
                action.guardrail.map { word in word + (Guardrail(rawValue: word).map { ": \($0.meaning)" } ?? "") }
            ),
            ("Error", action.error),
        ]
        for case (let label, let text?) in lines {
            Output.write("  " + label + String(repeating: " ", count: 11 - label.count) + Escaping.line(text))
        }
        for step in detail.transitions {
            let detail = [step.guardrail, step.error].compactMap { $0 }.joined(separator: ", ")
            Output.write("  \(step.time)  \(step.state)" + (detail.isEmpty ? "" : "  \(Escaping.line(detail))"))
        }
    }
}

/// Finds an action by its id or an unambiguous beginning of it.
struct ActionLookup {
    let client: ControlClient

    func id(_ text: String) async throws -> String {
        if let id = UUIDv7(text) { return id.description }
        let prefix = text.lowercased()
        guard prefix.count >= AlertLookup.prefixMin, prefix.allSatisfy({ $0.isHexDigit || $0 == "-" }) else {
            throw CommandFailure(
                .usage, "'\(text)' is no action's id, and no beginning of one with \(AlertLookup.prefixMin) characters")
        }
        let list = try await client.get(
            "/api/v1/actions", query: [Field("limit", String(AlertQuery.limitMax))], as: ActionListDocument.self)
        let found = Set(list.actions.map(\.id).filter { $0.hasPrefix(prefix) })
        guard let first = found.first else { throw CommandFailure(.failure, "no action's id begins with '\(text)'") }
        guard found.count == 1 else {
            throw CommandFailure(
                .usage, "'\(text)' fits \(found.count) actions: \(found.sorted().prefix(5).joined(separator: ", "))")
        }
        return first
    }
}
