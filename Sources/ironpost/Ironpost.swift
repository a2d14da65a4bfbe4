import ArgumentParser
import Glibc
import IronpostCore

/// The command `ironpost`.
@main
struct Ironpost: AsyncParsableCommand {
    /// Every command, by its first word.
    static let commands: [(word: String, type: any ParsableCommand.Type)] = [
        ("start", Start.self), ("stop", Stop.self), ("restart", Restart.self), ("reload", Reload.self),
        ("status", Status.self), ("doctor", Doctor.self), ("demo", Demo.self), ("alerts", Alerts.self),
        ("actions", Actions.self), ("block", BlockCommand.self), ("allow", Allow.self),
        ("silence", SilenceCommand.self), ("events", Events.self), ("rules", Rules.self), ("detect", Detect.self),
        ("parse", Parse.self), ("store", Store.self), ("audit", Audit.self), ("config", Config.self),
        ("completions", Completions.self), ("sbom", Sbom.self), ("scan", Scan.self), ("vulndb", VulnDB.self),
        ("top", Top.self), ("containers", Containers.self), ("isolate", Isolate.self), ("release", Release.self),
    ]

    /// The one command that the words name. The parser looks at every command it knows of, by reflection, before it
    /// reads a word: that was a third of the time in which a short command starts and ends.
    @TaskLocal private static var named: (any ParsableCommand.Type)?

    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "ironpost",
            abstract: "Watch and steer the Ironpost host security agent.",
            discussion: """
                Options that work before and after every command:
                  -c, --config FILE       the configuration file
                  --socket PATH           the daemon's control socket
                  -o, --output FORMAT     table or json
                  --color WHEN            auto, always or never

                Exit status: 0 success, 1 failure, 2 usage or configuration, 3 daemon not reachable,
                4 findings or matches at or above the asked threshold, 10 input or output.

                Example: ironpost alerts --since 1h --severity high
                """,
            version: Version.text,
            subcommands: named.map { [$0] } ?? commands.map(\.type)
        )
    }

    static func main() async {
        signal(SIGPIPE, SIG_IGN)
        await Glibc.exit(run(Array(CommandLine.arguments.dropFirst())).rawValue)
    }

    static func parsed(_ arguments: [String]) throws -> any ParsableCommand {
        let words = GlobalOptions.hoist(arguments)
        let chosen = commands.first { $0.word == words.first }?.type
        // Those that are run over and over, in scripts, know whose command they are, and are parsed without it: that
        // takes half as long. What is not understood so, the whole is asked about.
        if let chosen, chosen.configuration._superCommandName != nil,
            let command = try? chosen.parseAsRoot(Array(words.dropFirst())), type(of: command) == chosen
        {
            return command
        }
        return try $named.withValue(chosen) { try parseAsRoot(words) }
    }

    /// Parses and runs; what went wrong is on stderr when this returns.
    static func run(_ arguments: [String]) async -> ExitStatus {
        do {
            var command = try parsed(arguments)
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
            return .success
        } catch let failure as CommandFailure {
            if let message = failure.message { Output.complain("ironpost: \(Escaping.line(message))") }
            return failure.status
        } catch {
            let code = exitCode(for: error)
            let text = fullMessage(for: error)
            guard code != .success else {
                Output.write(text)
                return .success
            }
            Output.complain(text)
            return code == .validationFailure ? .usage : .failure
        }
    }
}

enum Version {
    static let text = "ironpost \(IronpostVersion.current)"
}
