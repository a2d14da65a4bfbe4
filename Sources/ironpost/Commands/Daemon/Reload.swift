import ArgumentParser
import IronpostCore

struct Reload: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reload",
        abstract: "Put the configuration file and the rules in force again, all of it or nothing.",
        discussion: """
            Exit status 2 when something is wrong or cannot change while the daemon runs; then everything is as before.

            Example: ironpost reload --dry-run
            """
    )

    @Flag(help: "Only say what would change, and what is wrong.")
    var dryRun = false

    @OptionGroup var global: GlobalOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let path = "/api/v1/reload" + (dryRun ? "?dry_run=true" : "")
        let result = try await ControlClient(global).post(path, as: ReloadDocument.self)
        if output.format == .json {
            try Output.json(result)
        } else {
            for change in result.changes {
                Output.write(Escaping.line("\(change.key): \(change.old) -> \(change.new)"))
            }
            if result.faults.isEmpty {
                let what = dryRun ? "nothing was changed (dry run)" : "configuration \(result.generation) is in force"
                Output.write(result.changes.isEmpty ? "no key changes; \(what)" : what)
            }
        }
        for warning in result.warnings { Output.complain(Escaping.line(warning)) }
        guard result.faults.isEmpty else {
            for fault in result.faults { Output.complain(Escaping.line(fault)) }
            throw CommandFailure(.usage, "not reloaded; configuration \(result.generation) stays in force")
        }
    }
}
