import ArgumentParser

struct Actions: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "actions", abstract: "What was done about alerts, proposed or withheld, and why.",
        discussion: "Example: ironpost actions list --state proposed",
        subcommands: [ActionsList.self, ActionsShow.self, ActionsUndo.self, ActionsApprove.self],
        defaultSubcommand: ActionsList.self
    )
}
