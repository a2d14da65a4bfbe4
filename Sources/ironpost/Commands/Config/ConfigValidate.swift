import ArgumentParser
import IronpostCore
import Response

struct ConfigValidate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "validate", abstract: "Name everything that is wrong with the configuration, at once.",
        discussion: "Example: ironpost config validate -c ./ironpost.toml"
    )

    @Option(name: .customLong("set"), help: "One value, as in http.enabled=false; may be repeated.")
    var settings: [String] = []
    @OptionGroup var global: GlobalOptions
    @OptionGroup var output: OutputOptions

    private struct Document: Encodable {
        let source: String?
        let valid: Bool
    }

    func run() async throws {
        let loaded = try ConfigurationLookup.load(global, settings: settings)
        do throws(PolicyFolder.Faults) {
            _ = try PolicyFolder.load(loaded.configuration.response.policyPath)
        } catch {
            for fault in error.faults { Output.complain(Escaping.line(fault.description)) }
            throw CommandFailure(.usage, "the policies are not valid")
        }
        guard output.format == .table else { return try Output.json(Document(source: loaded.file, valid: true)) }
        Output.write("valid: " + Escaping.line(loaded.file ?? "built-in defaults (no file)"))
    }
}
