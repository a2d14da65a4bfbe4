import ArgumentParser
import IronpostCore

struct ConfigSchema: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "schema", abstract: "Print the JSON schema of the configuration.",
        discussion: "Example: ironpost config schema > ironpost.schema.json"
    )

    @OptionGroup var global: GlobalOptions

    func run() async throws {
        Output.write(Configuration.schemaJSON())
    }
}
