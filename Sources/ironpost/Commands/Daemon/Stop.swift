import ArgumentParser
import IronpostCore

struct Stop: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stop",
        abstract: "Stop the daemon and wait until it is gone.",
        discussion: "Example: ironpost stop --timeout 60"
    )

    @Option(help: ArgumentHelp("How long to wait for its end.", valueName: "seconds"))
    var timeout = 40

    @OptionGroup var global: GlobalOptions

    private static let pollInterval = Duration.milliseconds(100)

    func run() async throws {
        let client = try ControlClient(global)
        let pid = try await client.get("/api/v1/status", as: StatusDocument.self).pid
        let process = RunningProcess(pid: pid)
        _ = try await client.post("/api/v1/stop", as: StopDocument.self)
        let deadline = ContinuousClock.now + .seconds(max(1, timeout))
        while process.isAlive {
            guard ContinuousClock.now < deadline else {
                throw CommandFailure(.failure, "the daemon (pid \(pid)) is still there after \(timeout) seconds")
            }
            try await Task.sleep(for: Self.pollInterval)
        }
        Output.complain("stopped")
    }
}
