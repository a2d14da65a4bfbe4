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
        // A rule that is not in force raises no alert, however long one waits.
        let inForce = Set(try await client.get("/api/v1/rules", as: RuleListDocument.self).rules.map(\.id))
        let absent = demo.expectedRules.filter { !inForce.contains($0) }
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
            if Self.missing(demo, seen).allSatisfy(absent.contains) || ContinuousClock.now >= deadline { break }
            try await Task.sleep(for: Self.pollInterval)
        }
        if output.format == .json { try Output.json(AlertListDocument(alerts: seen, total: seen.count)) }
        var faults: [String] = []
        if !absent.isEmpty { faults.append("rules that are not in force: \(absent.joined(separator: ", "))") }
        let silent = Self.missing(demo, seen).filter { !absent.contains($0) }
        if !silent.isEmpty {
            faults.append("no alert came within \(timeout) seconds of: \(silent.joined(separator: ", "))")
        }
        guard faults.isEmpty else { throw CommandFailure(.failure, faults.joined(separator: "; ")) }
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
