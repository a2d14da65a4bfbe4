import ArgumentParser
import FoundationEssentials
import IronpostCore

struct EventsTail: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tail", abstract: "Show events as they pass, until interrupted.",
        discussion: "Example: ironpost events tail --source journald --where user=root"
    )

    @Option(help: ArgumentHelp("Only this source's: file, journald, syslog_udp, ….", valueName: "name"))
    var source: String?

    @Option(
        name: .customLong("where"),
        help: ArgumentHelp("Only events with this value; may be repeated.", valueName: "field=value"))
    var conditions: [String] = []

    @OptionGroup var global: GlobalOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        for condition in conditions where !condition.dropFirst().contains("=") {
            throw CommandFailure(.usage, "--where must be FIELD=VALUE, not '\(condition)'")
        }
        if let source { try await check(source) }
        let terminal = Terminal(global.color)
        let query = (source.map { [Field("source", $0)] } ?? []) + conditions.map { Field("where", $0) }
        try await ControlClient(global).follow("/api/v1/events", query: query) { message in
            guard message.event == "event" else {
                StreamLoss.tell(message)
                return true
            }
            let event = try JSONDecoder().decode(TappedEventDocument.self, from: Data(message.data))
            if output.format == .json {
                try Output.jsonLine(event)
            } else {
                Output.write(
                    EventRendering.line(
                        time: event.time, source: event.source, fields: event.fields.fields, terminal: terminal))
            }
            return true
        }
        throw CommandFailure(.daemonNotReachable, "the daemon ended the stream")
    }

    /// A source that is not there would be waited for without end.
    private func check(_ source: String) async throws {
        let status = try await ControlClient(global).get("/api/v1/status", as: StatusDocument.self)
        let known = status.ledger.keys.filter { $0.hasPrefix("source:") }.map { String($0.dropFirst(7)) }.sorted()
        guard known.contains(source) else {
            throw CommandFailure(
                .usage, "no source of this daemon is called '\(source)'; there are: \(known.joined(separator: ", "))")
        }
    }
}
