import ArgumentParser
import IronpostCore

struct ConfigShow: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Show every value in force and where it comes from; secrets are ***.",
        discussion: "Example: ironpost config show --section log_pipeline"
    )

    @Option(help: "Only this section.")
    var section: String?
    @Option(name: .customLong("set"), help: "One value, as in http.enabled=false; may be repeated.")
    var settings: [String] = []
    @OptionGroup var global: GlobalOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let loaded = try ConfigurationLookup.load(global, settings: settings)
        let format: Configuration.RenderingFormat = output.format == .json ? .json : .toml
        guard let text = loaded.configuration.rendered(section: section, as: format, origins: loaded.origins) else {
            throw CommandFailure(
                .usage,
                "there is no section \"\(section ?? "")\"; there are: "
                    + ConfigurationSection.all.map(\.path).joined(separator: ", "))
        }
        Output.write(text)
    }
}
