import ArgumentParser

/// Options of every command that talks to the daemon.
struct GlobalOptions: ParsableArguments {
    @Option(
        name: [.customShort("c"), .customLong("config")],
        help: ArgumentHelp("The configuration file.", valueName: "file"))
    var config: String?

    @Option(help: ArgumentHelp("The daemon's control socket.", valueName: "path"))
    var socket: String?

    @Option(help: "Colours: auto, always or never.")
    var color: ColorChoice = .auto

    /// Whether this is the name of a global option; each takes a value.
    private static func isGlobal(_ name: Substring) -> Bool {
        switch name {
        case "-c", "--config", "--socket", "--color", "-o", "--output": true
        default: false
        }
    }

    /// Moves global options that stand before or between the words of a command behind them, where every command knows
    /// them.
    static func hoist(_ arguments: [String]) -> [String] {
        // Behind `--` nothing is an option.
        let end = arguments.firstIndex(of: "--") ?? arguments.endIndex
        var kept: [String] = []
        var moved: [String] = []
        var index = 0
        while index < end {
            let name = arguments[index].prefix { $0 != "=" }
            let length = name.endIndex < arguments[index].endIndex ? 1 : 2
            if isGlobal(name), index + length <= end {
                moved += arguments[index..<index + length]
                index += length
            } else {
                kept.append(arguments[index])
                index += 1
            }
        }
        return kept + moved + arguments[end...]
    }
}

/// `-o`, for commands that show lists and records.
struct OutputOptions: ParsableArguments {
    @Option(name: [.customShort("o"), .customLong("output")], help: "How to show it: table or json.")
    var format: OutputFormat = .table
}

enum OutputFormat: String, ExpressibleByArgument, CaseIterable, Sendable {
    case table, json
}

enum ColorChoice: String, ExpressibleByArgument, CaseIterable, Sendable {
    case auto, always, never
}
