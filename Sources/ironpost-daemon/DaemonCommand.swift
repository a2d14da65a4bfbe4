import ArgumentParser
import Dispatch
import FoundationEssentials
import Glibc
import IronpostCore
import IronpostDaemon
import Logging

/// The daemon's program. Synchronous: what must happen to the process before there is a second thread happens here.
@main
struct DaemonCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ironpost-daemon",
        abstract: "Watches this host's logs, decides with Sigma rules, stores and explains every alert.",
        discussion: """
            EXAMPLE
              ironpost-daemon --data-dir ./data --log-format pretty --set log_pipeline.file.include=/var/log/auth.log
            """,
        version: "ironpost-daemon \(IronpostVersion.current)"
    )

    @Option(
        name: [.customShort("c"), .customLong("config")],
        help: "Configuration file (default: \(ConfigurationSources.defaultFile)).")
    var config: String?
    @Option(name: .customLong("set"), help: "One value, as in log_pipeline.batch_size=1000; may be repeated.")
    var settings: [String] = []
    @Option(help: "Level, also per module: info,log-pipeline=debug.")
    var logLevel: String?
    @Option(help: "json or pretty.")
    var logFormat: String?
    @Option(help: "Where the running daemon's pid is kept.")
    var pidFile: String?
    @Option(help: "Where state is kept.")
    var dataDir: String?
    @Flag(help: "Check the configuration and exit.")
    var validate = false

    static func main() {
        do {
            var command = try parseAsRoot()
            try command.run()
        } catch {
            let code = exitCode(for: error)
            let text = fullMessage(for: error)
            if code == .success {
                print(text)
                Glibc.exit(0)
            }
            if !text.isEmpty { complain(text) }
            // Usage errors are 2, whatever the library says.
            Glibc.exit(code == .validationFailure ? 2 : code.rawValue)
        }
    }

    func run() throws {
        let sources = configurationSources()
        let loaded = try load(sources)
        try checkPolicies(loaded.configuration)
        if validate {
            for warning in loaded.warnings { Self.complain("warning: \(warning)") }
            print("configuration is valid" + (loaded.file.map { ": \($0)" } ?? " (built-in defaults)"))
            return
        }
        let configuration = loaded.configuration
        let logs = LogOutput(
            directives: configuration.general.logLevel, format: configuration.general.logFormat,
            environment: ProcessInfo.processInfo.environment
        )
        let logger = logs.logger(label: "daemon")
        for warning in loaded.warnings { logger.warning("\(warning)") }

        signal(SIGPIPE, SIG_IGN)
        // The only child is the responder's keeper, which leaves nothing to be waited for.
        signal(SIGCHLD, SIG_IGN)
        do {
            let locks = [
                try LockFile(path: configuration.pidFile),
                try LockFile(path: configuration.general.dataDirectory + "/lock"),
            ]
            // While there is one thread, and before any right is given up.
            let responder = ResponderProcess.start(sources)
            let sandbox = try Sandbox.enter(configuration)
            let daemon = try Daemon(
                loaded: loaded, sources: sources, logs: logs, responder: responder, sandbox: sandbox
            )
            logger.notice(
                "starting",
                metadata: [
                    "version": "\(IronpostVersion.current)", "pid": "\(getpid())", "node": "\(configuration.nodeName)",
                    "data_dir": "\(configuration.general.dataDirectory)",
                    "configuration": "\(loaded.file ?? "built-in defaults")",
                ]
            )
            // From here on there are other threads.
            Task {
                await daemon.run()
                for lock in locks { lock.release() }
                Glibc.exit(0)
            }
            dispatchMain()
        } catch {
            logger.critical("cannot start: \(error)")
            throw ExitCode(1)
        }
    }

    private func configurationSources() -> ConfigurationSources {
        var values = settings.map { ConfigurationSources.Setting(set: $0) }
        let options = [
            ("--log-level", "general.log_level", logLevel), ("--log-format", "general.log_format", logFormat),
            ("--pid-file", "general.pid_file", pidFile), ("--data-dir", "general.data_dir", dataDir),
        ]
        for case (let option, let key, let value?) in options {
            values.append(ConfigurationSources.Setting(option: option, key: key, value: value))
        }
        return ConfigurationSources(
            configOption: config, environment: ProcessInfo.processInfo.environment, settings: values
        )
    }

    private func checkPolicies(_ configuration: Configuration) throws {
        let faults = Daemon.policyFaults(configuration)
        for fault in faults { Self.complain(fault) }
        if !faults.isEmpty { throw ExitCode(2) }
    }

    private func load(_ sources: ConfigurationSources) throws -> LoadedConfiguration {
        switch Configuration.load(sources) {
        case .success(let loaded): return loaded
        case .failure(let faults):
            for fault in faults.faults { Self.complain("\(fault)") }
            throw ExitCode(2)
        }
    }

    private static func complain(_ text: String) {
        let bytes = Array((text + "\n").utf8)
        _ = unsafe write(STDERR_FILENO, bytes, bytes.count)
    }
}
