import ArgumentParser

struct Audit: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "audit", abstract: "The append-only record of every action.",
        discussion: "Example: ironpost audit verify", subcommands: [AuditVerify.self]
    )
}
