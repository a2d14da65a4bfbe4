import ArgumentParser

struct Store: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "store", abstract: "The database of alerts, checkpoints and audit records: check it, copy it.",
        discussion: "Example: ironpost store check", subcommands: [StoreCheckCommand.self, StoreBackup.self]
    )
}
