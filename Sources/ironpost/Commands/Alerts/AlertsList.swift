import ArgumentParser
import IronpostCore

struct AlertsList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List alerts, newest first.",
        discussion: "Example: ironpost alerts list --since 1h --severity high -o json"
    )

    @Option(help: ArgumentHelp("Stored since then: 90s, 15m, 1h, 7d ago, or an RFC 3339 time.", valueName: "time"))
    var since: String?

    @Option(help: "At least this severity: info, low, medium, high or critical.")
    var severity: String?

    @Option(help: ArgumentHelp("Only this rule's.", valueName: "id"))
    var rule: String?

    @Option(help: "At most this many.")
    var limit = 50

    @OptionGroup var global: GlobalOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let client = try ControlClient(global)
        let list = try await client.get(
            "/api/v1/alerts", query: try query(now: SystemTime().now()), as: AlertListDocument.self)
        guard output.format == .table else { return try Output.json(list) }
        let terminal = Terminal(global.color)
        guard !list.alerts.isEmpty else { return Output.complain("no alerts") }
        for line in AlertRendering.table(list.alerts, terminal: terminal) { Output.write(line) }
        if list.total > list.alerts.count {
            Output.complain("\(list.alerts.count) of \(list.total) alerts; --limit shows more")
        }
    }

    func query(now: Timestamp) throws -> [Field] {
        var query: [Field] = []
        if let since {
            guard let point = TimeExpression.point(since, now: now) else {
                throw CommandFailure(.usage, "--since must be \(TimeExpression.allowed), not '\(since)'")
            }
            query.append(Field("since", point.rfc3339))
        }
        if let severity {
            guard let known = Severity(loose: severity) else {
                let allowed = Severity.allCases.map(\.rawValue).joined(separator: ", ")
                throw CommandFailure(.usage, "--severity must be one of \(allowed), not '\(severity)'")
            }
            query.append(Field("severity", known.rawValue))
        }
        if let rule { query.append(Field("rule", rule)) }
        guard (1...AlertQuery.limitMax).contains(limit) else {
            throw CommandFailure(.usage, "--limit must be from 1 to \(AlertQuery.limitMax)")
        }
        query.append(Field("limit", String(limit)))
        return query
    }
}
