import ArgumentParser

struct Config: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "config",
        abstract: "Check, show and describe the configuration.",
        discussion: "Example: ironpost config validate -c /etc/ironpost/ironpost.toml",
        subcommands: [ConfigValidate.self, ConfigShow.self, ConfigSchema.self]
    )
}
