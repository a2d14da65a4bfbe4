import ArgumentParser
import IronpostCore

struct Demo: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "demo",
        abstract: "Let the daemon detect harmless attacks, and show what it says of them.",
        discussion: """
            Writes a few lines that look like attacks into a file of its own under the daemon's data directory. Nothing \
            is blocked, nothing leaves this host. Exit status 1 when a rule that should have fired did not.

            Example: ironpost demo
            """
    )

    @Option(help: ArgumentHelp("How long to wait for the alerts.", valueName: "seconds"))
    var timeout = 15

    @OptionGroup var global: GlobalOptions
    @OptionGroup var output: OutputOptions

    private static let pollInterval = Duration.milliseconds(200)

    func run() async throws {
        let client = try ControlClient(global)
        let demo = try await client.post("/api/v1/demo", as: DemoDocument.self)
        if output.format == .table {
            Output.complain("attacks written to \(Escaping.line(demo.file)); waiting for their alerts")
        }
        let terminal = Terminal(global.color)
        let deadline = ContinuousClock.now + .seconds(max(1, timeout))
        var seen: [AlertDocument] = []
        while true {
            for alert in try await alerts(of: demo, client: client)
            where !seen.contains(where: { $0.rule.id == alert.rule.id }) {
                seen.append(alert)
                if output.format == .table {
                    Output.write(AlertRendering.paragraph(alert, terminal: terminal).joined(separator: "\n") + "\n")
                }
            }
            if Self.missing(demo, seen).isEmpty || ContinuousClock.now >= deadline { break }
            try await Task.sleep(for: Self.pollInterval)
        }
        if output.format == .json { try Output.json(AlertListDocument(alerts: seen, total: seen.count)) }
        let missing = Self.missing(demo, seen)
        guard missing.isEmpty else {
            throw CommandFailure(
                .failure, "no alert came within \(timeout) seconds of: \(missing.joined(separator: ", "))"
            )
        }
    }

    /// The stored alerts that this run of the demo caused, of the rules that it expects.
    private func alerts(of demo: DemoDocument, client: ControlClient) async throws -> [AlertDocument] {
        let query = [Field("label", "demo=true"), Field("limit", "1000")]
        let list = try await client.get("/api/v1/alerts", query: query, as: AlertListDocument.self)
        return list.alerts.reversed().filter { Self.belongs($0, to: demo) }
    }

    static func belongs(_ alert: AlertDocument, to demo: DemoDocument) -> Bool {
        guard let started = Timestamp(rfc3339: demo.started), let last = Timestamp(rfc3339: alert.lastSeen) else {
            return false
        }
        // Web servers write their times in whole seconds; some attacks have no address.
        return alert.labels["demo"] == "true" && alert.srcIP ?? demo.sourceIP == demo.sourceIP
            && last.advanced(by: .seconds(1)) > started && demo.expectedRules.contains(alert.rule.id)
    }

    static func missing(_ demo: DemoDocument, _ seen: [AlertDocument]) -> [String] {
        demo.expectedRules.filter { rule in !seen.contains { $0.rule.id == rule } }
    }
}
