import ArgumentParser
import Glibc
import IronpostCore

/// The command `ironpost`.
@main
struct Ironpost: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
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
        subcommands: [
            Start.self, Stop.self, Restart.self, Reload.self, Status.self, Doctor.self, Demo.self, Alerts.self,
            Actions.self, BlockCommand.self, Allow.self, SilenceCommand.self, Events.self, Rules.self, Detect.self,
            Parse.self, Store.self, Audit.self, Config.self, Completions.self,
            Sbom.self, Scan.self, VulnDB.self,
            Containers.self, Isolate.self, Release.self,
        ]
    )

    static func main() async {
        signal(SIGPIPE, SIG_IGN)
        await Glibc.exit(run(Array(CommandLine.arguments.dropFirst())).rawValue)
    }

    /// Parses and runs; what went wrong is on stderr when this returns.
    static func run(_ arguments: [String]) async -> ExitStatus {
        do {
            var command = try parseAsRoot(GlobalOptions.hoist(arguments))
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
