import ArgumentParser

struct Containers: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "containers", abstract: "The containers of this host.",
        discussion: "Example: ironpost containers list", subcommands: [ContainersList.self]
    )
}
