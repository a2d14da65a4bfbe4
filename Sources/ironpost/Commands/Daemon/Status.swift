import ArgumentParser
import IronpostCore

struct Status: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Show whether the daemon runs and does what it is for.",
        discussion: "Exit status: 0 healthy or degraded, 1 unhealthy, 3 not running.\n\nExample: ironpost status -v"
    )

    @Flag(name: .shortAndLong, help: "Show what each module watches and what it cannot, and the ledger.")
    var verbose = false

    @OptionGroup var global: GlobalOptions
    @OptionGroup var output: OutputOptions

    private struct NotRunning: Encodable {
        let daemonRunning = false
        let reason: String

        enum CodingKeys: String, CodingKey {
            case daemonRunning = "daemon_running"
            case reason
        }
    }

    func run() async throws {
        let status: StatusDocument
        do {
            status = try await ControlClient(global).get("/api/v1/status", as: StatusDocument.self)
        } catch let failure as CommandFailure where failure.status == .daemonNotReachable {
            if output.format == .json { try Output.json(NotRunning(reason: failure.message ?? "")) }
            throw failure
        }
        if output.format == .json {
            try Output.json(status)
        } else {
            for line in StatusRendering.lines(status, isVerbose: verbose, terminal: Terminal(global.color)) {
                Output.write(line)
            }
        }
        if status.status == "unhealthy" { throw CommandFailure(.failure) }
    }
}
