import ArgumentParser

struct Config: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Check, show and describe the configuration.",
        discussion: "Example: ironpost config validate -c /etc/ironpost/ironpost.toml",
        subcommands: [ConfigValidate.self, ConfigShow.self, ConfigSchema.self]
    )
}
