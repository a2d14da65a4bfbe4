import ArgumentParser
import IronpostCore

struct Restart: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "restart",
        abstract: "Stop the daemon, wait until it is gone, and start it in the background.",
        discussion: """
            It is started with the options that it was running with, and its log goes where it went, unless another
            configuration file is named here. Under systemd: systemctl restart ironpost.

            Example: ironpost restart
            """
    )

    @OptionGroup var global: GlobalOptions

    func run() async throws {
        var running: RunningDaemon?
        do {
            let status = try await ControlClient(global).get("/api/v1/status", as: StatusDocument.self)
            running = RunningDaemon(pid: status.pid)
            try await Stop.parse(forwarded).run()
        } catch let failure as CommandFailure where failure.status == .daemonNotReachable {
            Output.complain("was not running")
        }
        guard let running, global.config == nil else {
            try await Start.parse(["--detach"] + forwarded).run()
            return
        }
        try await Start.inBackground(
            running.arguments, client: try ControlClient(global), log: running.log ?? DaemonProgram.defaultLogFile,
            timeout: Start.defaultTimeout
        )
    }

    private var forwarded: [String] {
        (global.config.map { ["--config", $0] } ?? []) + (global.socket.map { ["--socket", $0] } ?? [])
    }
}
