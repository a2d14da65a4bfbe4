import ArgumentParser
import IronpostCore

struct Top: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "top",
        abstract: "Watch the daemon at work: events and losses a second, alerts, actions, blocks, CPU and memory.",
        discussion: """
            On a terminal the picture is renewed in its place until q or Ctrl-C. With -n, with -o json and when stdout is
            no terminal, one snapshot follows the other. The first one's rates are those since the daemon's start.

            Example: ironpost top -n 3 --interval 5s -o json
            """
    )

    static let intervalMin = Duration.milliseconds(100)

    @Option(name: [.customShort("n"), .customLong("count")], help: "End after this many snapshots.")
    var count: Int?

    @Option(help: ArgumentHelp("The time between two snapshots, from 100ms on.", valueName: "duration"))
    var interval = "2s"

    @Option(help: ArgumentHelp("How far back alerts and rules count.", valueName: "duration"))
    var window = "15m"

    @OptionGroup var global: GlobalOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        guard let interval = DurationText.parse(interval), interval >= Self.intervalMin, interval <= .seconds(3600)
        else {
            throw CommandFailure(.usage, "--interval must be from 100ms to 1h, not '\(interval)'")
        }
        guard let window = DurationText.parse(window), window >= .seconds(1), window <= .seconds(30 * 86_400) else {
            throw CommandFailure(.usage, "--window must be from 1s to 30d, not '\(window)'")
        }
        if let count, count < 1 { throw CommandFailure(.usage, "--count must be at least 1") }
        let client = try ControlClient(global)
        // Before the terminal is taken over: without a daemon there is nothing to see.
        let first = try await TopSample.take(client, window: window)
        if count == nil, output.format == .table, let screen = LiveScreen() {
            try await live(screen, client, first, interval: interval, window: window)
        } else {
            try await print(client, first, interval: interval, window: window)
        }
    }

    private func print(_ client: ControlClient, _ first: TopSample, interval: Duration, window: Duration) async throws {
        var (sample, before) = (first, TopSample?.none)
        var shown = 0
        while true {
            let snapshot = TopSnapshot(sample, since: before, window: window)
            if output.format == .json {
                try Output.jsonLine(snapshot)
            } else {
                let lines = (shown > 0 ? [""] : []) + TopRendering.lines(snapshot, terminal: Terminal(global.color))
                Output.write(lines.joined(separator: "\n"))
            }
            shown += 1
            if let count, shown >= count { return }
            try await Task.sleep(for: interval)
            (before, sample) = (sample, try await TopSample.take(client, window: window))
        }
    }

    private func live(
        _ screen: consuming LiveScreen, _ client: ControlClient, _ first: TopSample, interval: Duration,
        window: Duration
    ) async throws {
        var (sample, before) = (first, TopSample?.none)
        while true {
            let snapshot = TopSnapshot(sample, since: before, window: window)
            var wake = LiveScreen.Wake.resize
            while wake == .resize {
                let lines = TopRendering.lines(snapshot, terminal: Terminal(global.color))
                screen.draw(TopRendering.fit(lines, height: screen.height))
                wake = screen.wait(interval)
            }
            if wake == .end { return }
            (before, sample) = (sample, try await TopSample.take(client, window: window))
        }
    }
}
