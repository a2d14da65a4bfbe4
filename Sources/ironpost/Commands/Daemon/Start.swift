import ArgumentParser
import Glibc
import IronpostCore

struct Start: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "start",
        abstract: "Start the daemon, in the foreground or, with -d, in the background.",
        discussion: "Under systemd: systemctl start ironpost.\n\nExample: ironpost start -d"
    )

    @Flag(
        name: [.customShort("d"), .customLong("detach")], help: "Leave it running in the background, once it is ready.")
    var detach = false

    @Option(help: ArgumentHelp("With -d: how long it may take to be ready.", valueName: "seconds"))
    var timeout = Start.defaultTimeout

    @Option(help: ArgumentHelp("With -d: where its log goes.", valueName: "file"))
    var logFile: String?

    @OptionGroup var global: GlobalOptions

    static let defaultTimeout = 30
    private static let pollInterval = Duration.milliseconds(100)

    func run() async throws {
        let program = try DaemonProgram.find()
        var arguments = [program]
        if let config = global.config { arguments += ["-c", config] }
        if let socket = global.socket { arguments += ["--set", "general.control_socket=\(socket)"] }
        guard detach else { throw DaemonProgram.replace(program, arguments) }

        let client = try ControlClient(global)
        if await client.isReady() {
            throw CommandFailure(.failure, "a daemon is running already at \(client.socketPath)")
        }
        try await Self.inBackground(
            arguments, client: client, log: logFile ?? DaemonProgram.defaultLogFile, timeout: timeout
        )
    }

    /// Starts the daemon and waits until it is ready.
    /// - Parameter arguments: the program first.
    static func inBackground(_ arguments: [String], client: ControlClient, log: String, timeout: Int) async throws {
        let program = arguments.first ?? DaemonProgram.name
        let pid = try DaemonProgram.spawn(program, arguments, log: log)
        let deadline = ContinuousClock.now + .seconds(max(1, timeout))
        while true {
            if await client.isReady() { break }
            if let status = DaemonProgram.exitStatus(pid) {
                throw CommandFailure(.failure, story("the daemon ended with status \(status)", log: log))
            }
            guard ContinuousClock.now < deadline else {
                throw CommandFailure(
                    .failure, story("the daemon (pid \(pid)) is not ready after \(timeout) seconds", log: log)
                )
            }
            try await Task.sleep(for: pollInterval)
        }
        Output.complain("started, pid \(pid), log in \(log)")
    }

    private static func story(_ what: String, log: String) -> String {
        let lines = SmallFile.lastLines(log, count: 10)
        for line in lines { Output.complain("  " + Escaping.line(line)) }
        return "\(what); its log is \(log)"
    }
}
