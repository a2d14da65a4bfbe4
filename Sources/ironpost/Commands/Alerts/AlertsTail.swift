import ArgumentParser
import FoundationEssentials
import IronpostCore

struct AlertsTail: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tail", abstract: "Show alerts as they come, each with its explanation, until interrupted.",
        discussion: """
            An alert that happens again is one line with its new count.
            Example: ironpost alerts tail --severity medium
            """
    )

    @Option(help: "At least this severity: info, low, medium, high or critical.")
    var severity: String?

    @OptionGroup var global: GlobalOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let minimum = try severity.map { text in
            guard let known = Severity(loose: text) else {
                throw CommandFailure(.usage, "'\(text)' is no severity")
            }
            return known
        }
        let terminal = Terminal(global.color)
        var shown = RecentlyShown()
        try await ControlClient(global).follow("/api/v1/stream") { message in
            guard message.event == "alert" else {
                StreamLoss.tell(message)
                return true
            }
            let alert = try JSONDecoder().decode(AlertDocument.self, from: Data(message.data))
            if let minimum, let severity = Severity(rawValue: alert.severity), severity < minimum { return true }
            if output.format == .json {
                try Output.jsonLine(alert)
            } else if !shown.insert(alert.id) {
                Output.write(AlertRendering.countUp(alert, terminal: terminal) + "\n")
            } else {
                Output.write(AlertRendering.paragraph(alert, terminal: terminal).joined(separator: "\n") + "\n")
            }
            return true
        }
        throw CommandFailure(.daemonNotReachable, "the daemon ended the stream")
    }
}

/// The alerts whose explanation is on the screen, as far back as one would look.
struct RecentlyShown {
    static let countMax = 1000
    private var ids: Set<String> = []
    private var order: [String] = []
    private var next = 0

    /// False when it is among them already.
    mutating func insert(_ id: String) -> Bool {
        guard ids.insert(id).inserted else { return false }
        if order.count < Self.countMax {
            order.append(id)
        } else {
            ids.remove(order[next])
            order[next] = id
            next = (next + 1) % Self.countMax
        }
        return true
    }
}
