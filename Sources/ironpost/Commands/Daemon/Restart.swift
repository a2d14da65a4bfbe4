import ArgumentParser

struct Restart: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Stop the daemon, wait until it is gone, and start it in the background.",
        discussion: "Example: ironpost restart -c /etc/ironpost/ironpost.toml"
    )

    @OptionGroup var global: GlobalOptions

    func run() async throws {
        var forwarded: [String] = []
        if let config = global.config { forwarded += ["--config", config] }
        if let socket = global.socket { forwarded += ["--socket", socket] }
        do {
            try await Stop.parse(forwarded).run()
        } catch let failure as CommandFailure where failure.status == .daemonNotReachable {
            Output.complain("was not running")
        }
        try await Start.parse(["--detach"] + forwarded).run()
    }
}
