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

    /// The names of options that take a value and may stand before the command.
    private static let names: Set<String> = ["-c", "--config", "--socket", "--color", "-o", "--output"]

    /// Moves global options that stand before the command behind it, where every command knows them.
    static func hoist(_ arguments: [String]) -> [String] {
        var index = 0
        while index < arguments.count {
            let name = arguments[index].split(separator: "=", maxSplits: 1).first.map(String.init) ?? ""
            guard names.contains(name) else { break }
            index += arguments[index].contains("=") ? 1 : 2
        }
        guard index > 0, index < arguments.count else { return arguments }
        let global = arguments[..<index]
        let rest = arguments[index...]
        // Behind `--` nothing is an option.
        let end = rest.firstIndex(of: "--") ?? rest.endIndex
        return Array(rest[..<end] + global + rest[end...])
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
