import ArgumentParser
import IronpostCore

struct RulesList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List the rules in force, how often each matched, and those that were refused.",
        discussion: "Example: ironpost rules list -o json"
    )

    @OptionGroup var global: GlobalOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let list = try await ControlClient(global).get("/api/v1/rules", as: RuleListDocument.self)
        guard output.format == .table else { return try Output.json(list) }
        var table = Table([
            .init("LEVEL"), .init("TITLE", canShrink: true), .init("LOG SOURCE", canShrink: true), .init("KIND"),
            .init("MATCHES"), .init("ID", canShrink: true),
        ])
        for rule in list.rules.sorted(by: { ($0.logsource, $0.title) < ($1.logsource, $1.title) }) {
            table.add([
                .init(rule.level, Terminal.style(severity: rule.level)), .init(rule.title), .init(rule.logsource),
                .init(rule.kind), .init(String(rule.matches)), .init(rule.id, .dim),
            ])
        }
        for line in table.lines(Terminal(global.color)) { Output.write(line) }
        for fault in list.faults {
            Output.complain(Escaping.line("refused: \(fault.file):\(fault.line): \(fault.message)"))
        }
    }
}
