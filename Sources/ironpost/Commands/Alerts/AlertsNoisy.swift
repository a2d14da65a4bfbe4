import ArgumentParser
import IronpostCore

struct AlertsNoisy: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "noisy", abstract: "The rules that make the most noise, each with the silence that would fit.",
        discussion: "Example: ironpost alerts noisy --since 7d"
    )

    @Option(help: ArgumentHelp("Stored since then: 1h, 7d ago, or an RFC 3339 time.", valueName: "time"))
    var since = "7d"

    @Option(help: "At most this many rules.")
    var limit = 10

    @OptionGroup var global: GlobalOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        guard let point = TimeExpression.point(since, now: SystemTime().now()) else {
            throw CommandFailure(.usage, "--since must be \(TimeExpression.allowed), not '\(since)'")
        }
        guard (1...AlertQuery.limitMax).contains(limit) else {
            throw CommandFailure(.usage, "--limit must be from 1 to \(AlertQuery.limitMax)")
        }
        let report = try await ControlClient(global).get(
            "/api/v1/noise", query: [Field("since", point.rfc3339), Field("limit", String(limit))],
            as: NoiseDocument.self)
        guard output.format == .table else { return try Output.json(report) }
        guard !report.rules.isEmpty else { return Output.complain("no alerts") }
        var table = Table([
            .init("EVENTS"), .init("ALERTS"), .init("SETTLED"), .init("SEVERITY"), .init("RULE", canShrink: true),
            .init("MOSTLY FROM"),
        ])
        for rule in report.rules {
            table.add([
                .init("\(rule.events)"), .init("\(rule.alerts)"), .init("\(rule.settled)"),
                .init(rule.severity, Terminal.style(severity: rule.severity)), .init(rule.title),
                .init(rule.topSource.map { "\($0) (\(rule.topSourceEvents))" } ?? "-"),
            ])
        }
        for line in table.lines(Terminal(global.color)) { Output.write(line) }
        for rule in report.rules { Output.write(Escaping.line(rule.silence)) }
    }
}
