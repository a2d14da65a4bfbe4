import ArgumentParser
import IronpostCore

struct BlockList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List what is blocked, newest first.",
        discussion: "Example: ironpost block list -o json"
    )

    @Option(help: "At most this many.")
    var limit = AlertQuery.limitMax

    @OptionGroup var global: GlobalOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        guard (1...AlertQuery.limitMax).contains(limit) else {
            throw CommandFailure(.usage, "--limit must be from 1 to \(AlertQuery.limitMax)")
        }
        let list = try await ControlClient(global).get(
            "/api/v1/blocks", query: [Field("limit", String(limit))], as: BlockListDocument.self)
        guard output.format == .table else { return try Output.json(list) }
        guard !list.blocks.isEmpty else { return Output.complain("nothing is blocked") }
        var table = Table([
            .init("ADDRESS"), .init("SCOPE"), .init("ENDS IN"), .init("IN FORCE"), .init("BY"),
            .init("REASON", canShrink: true),
        ])
        for block in list.blocks {
            let scope = [block.protocol, block.port.map { "port \($0)" }].compactMap { $0 }.joined(separator: " ")
            table.add([
                .init(block.cidr), .init(scope.isEmpty ? "all" : scope),
                .init(DurationText.format(.seconds(block.ttlSecs))), .init(block.inForce ? "yes" : "no"),
                .init(block.origin), .init(block.reason),
            ])
        }
        for line in table.lines(Terminal(global.color)) { Output.write(line) }
        if list.total > list.blocks.count { Output.complain("\(list.blocks.count) of \(list.total) blocks") }
    }
}
