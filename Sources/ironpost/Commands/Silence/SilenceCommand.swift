import ArgumentParser
import IronpostCore

struct SilenceCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "silence", abstract: "Keep alerts away for a while; what is kept away is counted.",
        discussion: """
            `ironpost alerts noisy` names the rules that make the most noise, each with the silence that would fit.

            Example: ironpost silence add --rule 56e17dd8-60a6-46d1-8638-1aaaba31c40e --field src_ip=192.0.2.7 --for 8h
            """,
        subcommands: [SilenceAdd.self, SilenceList.self, SilenceRemove.self]
    )
}

struct SilenceAdd: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "add", abstract: "Keep alerts of a rule, or with certain fields, away until a time.",
        discussion: """
            A silenced alert is neither stored nor acted upon. Fields are those of the event and of the alert's group;
            a value may end in *.

            Example: ironpost silence add --rule "Web Content Scan" --field src_ip=192.0.2.* --for 8h --reason crawler
            """
    )

    @Option(help: ArgumentHelp("The rule's id or title.", valueName: "rule"))
    var rule: String?

    @Option(help: ArgumentHelp("A field that must have this value; may be repeated.", valueName: "name=value"))
    var field: [String] = []

    @Option(
        name: .customLong("for"), help: ArgumentHelp("How long: 30m, 8h, 7d. Every silence ends.", valueName: "time"))
    var length: String

    @Option(help: "Why; shown in lists.")
    var reason = ""

    @OptionGroup var global: GlobalOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        var fields: [String: String] = [:]
        for text in field {
            let halves = text.split(separator: "=", maxSplits: 1)
            guard halves.count == 2 else { throw CommandFailure(.usage, "--field must be NAME=VALUE, not '\(text)'") }
            fields[String(halves[0])] = String(halves[1])
        }
        guard rule != nil || !fields.isEmpty else {
            throw CommandFailure(.usage, "name a --rule or a --field: a silence for everything is not to be had")
        }
        _ = try BlockScope.checked(length)
        let request = SilenceRequestDocument(rule: rule, fields: fields, duration: length, reason: reason)
        let silence = try await ControlClient(global).post(
            "/api/v1/silences", body: request, as: SilenceDocument.self)
        guard output.format == .table else { return try Output.json(silence) }
        Output.complain("silenced until \(silence.ends): \(silence.id)")
    }
}

struct SilenceList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List the silences, and how many events each kept away.",
        discussion: "Example: ironpost silence list"
    )

    @OptionGroup var global: GlobalOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let list = try await ControlClient(global).get("/api/v1/silences", as: SilenceListDocument.self)
        guard output.format == .table else { return try Output.json(list) }
        guard !list.silences.isEmpty else { return Output.complain("no silences") }
        var table = Table([
            .init("ID"), .init("ENDS"), .init("KEPT AWAY"), .init("WHAT", canShrink: true),
            .init("REASON", canShrink: true),
        ])
        for silence in list.silences {
            let what =
                [silence.rule].compactMap { $0 } + silence.fields.sorted { $0.key < $1.key }.map { "\($0)=\($1)" }
            table.add([
                .init(silence.id, .dim), .init(AlertRendering.shortTime(silence.ends)), .init("\(silence.suppressed)"),
                .init(what.joined(separator: " ")), .init(silence.reason),
            ])
        }
        for line in table.lines(Terminal(global.color)) { Output.write(line) }
    }
}

struct SilenceRemove: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "remove", abstract: "End a silence now.",
        discussion: "Example: ironpost silence remove 019ab12c-3d4e-7000-8000-000000000000"
    )

    @Argument(help: "The silence's id, or the beginning of it.")
    var id: String

    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let client = try ControlClient(global)
        let list = try await client.get("/api/v1/silences", as: SilenceListDocument.self)
        let found = list.silences.filter { $0.id.hasPrefix(id.lowercased()) }
        guard let silence = found.first, found.count == 1, !id.isEmpty else {
            throw CommandFailure(
                .failure, "\(found.isEmpty ? "no silence's" : "more than one silence's") id begins with '\(id)'")
        }
        _ = try await client.post("/api/v1/silences/\(silence.id)/remove", as: CountDocument.self)
        Output.complain("removed: \(silence.id)")
    }
}
