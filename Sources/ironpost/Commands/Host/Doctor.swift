import ArgumentParser
import IronpostCore

struct Doctor: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Check what this host and user allow Ironpost to do. Needs no daemon.",
        discussion: """
            Exit status 1 when something that Ironpost cannot do without is missing.

            --bundle packs all that a maintainer needs to help into one .tar.gz, also without a daemon, and prints what
            is in it: never a secret or a log line that was watched, and no names of users or hosts and no addresses but those that the
            configuration has.

            Example: sudo ironpost doctor --bundle ironpost.tar.gz
            """
    )

    @Option(help: ArgumentHelp("The daemon's data directory, where it is not the configuration's.", valueName: "dir"))
    var dataDir: String?

    @Option(help: ArgumentHelp("Pack what a maintainer needs into this file, which must not exist.", valueName: "file"))
    var bundle: String?

    @Flag(help: "Keep names of users and hosts, and addresses, in the bundle.")
    var withNames = false

    @OptionGroup var global: GlobalOptions
    @OptionGroup var output: OutputOptions

    struct CheckReport: Encodable {
        let checks: [HostCheck]
        let total: Int
    }

    func validate() throws {
        if withNames, bundle == nil { throw ValidationError("--with-names belongs to --bundle") }
    }

    func run() async throws {
        if let bundle { return try await pack(to: bundle) }
        let client = try ControlClient(global)
        let configuration = try ConfigurationLookup.load(global).configuration
        let checks = await checks(configuration, client)
        if output.format == .json {
            try Output.json(CheckReport(checks: checks, total: checks.count))
        } else {
            let terminal = Terminal(global.color)
            for check in checks {
                for line in Self.lines(check, terminal: terminal) { Output.write(line) }
            }
        }
        if checks.contains(where: { $0.isRequired && $0.state == .missing }) { throw CommandFailure(.failure) }
    }

    func checks(_ configuration: Configuration, _ client: ControlClient) async -> [HostCheck] {
        HostChecks(
            dataDir: dataDir ?? configuration.general.dataDirectory, logFiles: configuration.logPipeline.followed,
            user: configuration.general.user, isSandboxed: configuration.general.sandbox != .off
        ).all() + [await Self.reachability(client)]
    }

    static func lines(_ check: HostCheck, terminal: Terminal) -> [String] {
        let word = check.state.rawValue
        let state = terminal.paint(word, Terminal.style(health: word)) + String(repeating: " ", count: 9 - word.count)
        var texts = ["\(check.name): \(check.finding)"]
        if let cost = check.cost { texts.append("  costs: \(cost)") }
        if let fix = check.fix { texts.append("  fix:   \(fix)") }
        return texts.flatMap { TextWidth.wrap(Escaping.line($0), to: terminal.width - 9) }.enumerated().map {
            ($0 == 0 ? state : String(repeating: " ", count: 9)) + $1
        }
    }

    private static func reachability(_ client: ControlClient) async -> HostCheck {
        do {
            let status = try await client.get("/api/v1/status", as: StatusDocument.self)
            return HostCheck(
                name: "control socket", state: .ok,
                finding: "\(client.socketPath) answers, daemon \(status.status), pid \(status.pid)"
            )
        } catch {
            let reason = (error as? CommandFailure)?.message ?? "\(error)"
            return HostCheck(
                name: "control socket", state: .limited, finding: reason, cost: "alerts, status and demo",
                fix: "ironpost start -d"
            )
        }
    }
}
