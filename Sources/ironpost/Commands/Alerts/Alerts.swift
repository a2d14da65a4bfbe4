import ArgumentParser

struct Alerts: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "alerts",
        abstract: "What was detected: list, explain, follow, acknowledge, close.",
        discussion: "Example: ironpost alerts --since 1h",
        subcommands: [
            AlertsList.self, AlertsShow.self, AlertsTail.self, AlertsAck.self, AlertsClose.self, AlertsNoisy.self,
        ],
        defaultSubcommand: AlertsList.self
    )
}
