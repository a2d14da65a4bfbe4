import ArgumentParser

struct Events: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "events",
        abstract: "What the daemon reads, as detection sees it.",
        discussion: "Example: ironpost events tail --source file",
        subcommands: [EventsTail.self]
    )
}
