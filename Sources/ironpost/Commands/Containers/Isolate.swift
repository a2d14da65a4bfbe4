import ArgumentParser
import IronpostCore

struct Isolate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "isolate", abstract: "Isolate a container now, in every mode; returns once that was verified.",
        discussion: """
            Example: ironpost isolate web-1 --action freeze --ttl 1h --reason "crypto miner"

            freeze stands everything still through the cgroup, pause through the engine; stop and kill end its processes,
            network_disconnect takes its networks away, throttle leaves it 5 % of a processor. What is protected
            (label ironpost.protect, response.protect) is not touched. It ends by itself after --ttl.
            """
    )

    @OptionGroup var global: GlobalOptions
    @OptionGroup var output: OutputOptions
    @Argument(help: "The container's name, id, or the beginning of its id.") var name: String
    @Option(help: "freeze, pause, stop, kill, network_disconnect or throttle.") var action = "freeze"
    @Option(help: "How long, as in 90s, 10m, 4h; without it response.default_ttl.") var ttl: String?
    @Option(help: "Why, for the record.") var reason: String?
    @Flag(help: "Only say what would happen.") var dryRun = false

    func validate() throws {
        guard ContainerOrder.Kind(word: action) != nil else {
            let words = ContainerOrder.Kind.allCases.map(\.word).joined(separator: ", ")
            throw ValidationError("--action \(action): use one of \(words)")
        }
    }

    func run() async throws {
        var query = [("action", action)]
        if let ttl { query.append(("ttl", ttl)) }
        if let reason { query.append(("reason", reason)) }
        if dryRun { query.append(("dry_run", "true")) }
        let done = try await ControlClient(global).post(
            ContainerPath.path(name, "isolate", query: query), as: IsolationDocument.self)
        guard output.format == .table else { return try Output.json(done) }
        let who = "\(done.container.name) (\(done.container.id.prefix(12)))"
        if let record = done.action {
            Output.write(Escaping.line("\(who): \(action) \(record.state), until \(record.expiresAt ?? "released")"))
            Output.write(
                Escaping.line("action \(record.id); take it back with: ironpost release \(done.container.name)"))
            if let path = record.evidencePath { Output.write(Escaping.line("evidence in \(path)")) }
        }
        if let note = done.note { Output.write(Escaping.line(note)) }
    }
}
