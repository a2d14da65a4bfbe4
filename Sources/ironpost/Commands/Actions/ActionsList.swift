import ArgumentParser
import IronpostCore

struct ActionsList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List actions as they stand, newest first.",
        discussion: "Example: ironpost actions list --state withheld -o json"
    )

    @Option(help: "Only those in this state: proposed, approved, running, done, failed, withheld, expired, undone.")
    var state: String?

    @Option(help: "At most this many.")
    var limit = 50

    @OptionGroup var global: GlobalOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        guard (1...AlertQuery.limitMax).contains(limit) else {
            throw CommandFailure(.usage, "--limit must be from 1 to \(AlertQuery.limitMax)")
        }
        var query = [Field("limit", String(limit))]
        if let state {
            guard ActionRecord.State(rawValue: state) != nil else {
                let allowed = ActionRecord.State.allCases.map(\.rawValue).joined(separator: ", ")
                throw CommandFailure(.usage, "--state must be one of \(allowed), not '\(state)'")
            }
            query.append(Field("state", state))
        }
        let list = try await ControlClient(global).get("/api/v1/actions", query: query, as: ActionListDocument.self)
        guard output.format == .table else { return try Output.json(list) }
        guard !list.actions.isEmpty else { return Output.complain("no actions") }
        var table = Table([
            .init("ID"), .init("TIME"), .init("STATE"), .init("ACTION"), .init("TARGET", canShrink: true),
            .init("WHY", canShrink: true),
        ])
        for action in list.actions {
            table.add([
                .init(String(action.id.prefix(18)), .dim), .init(AlertRendering.shortTime(action.time)),
                .init(action.state), .init(action.actionType), .init(action.target),
                .init(action.guardrail ?? action.error ?? action.policyID ?? ""),
            ])
        }
        for line in table.lines(Terminal(global.color)) { Output.write(line) }
    }
}
