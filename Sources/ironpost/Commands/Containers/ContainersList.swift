import ArgumentParser
import IronpostCore

struct ContainersList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List the containers that the daemon knows.",
        discussion: "Example: ironpost containers list -o json"
    )

    @OptionGroup var global: GlobalOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let list = try await ControlClient(global).get("/api/v1/containers", as: ContainerListDocument.self)
        guard output.format == .table else { return try Output.json(list) }
        if list.engine.state != "following" {
            Output.complain(Escaping.line("containers are not followed: \(list.engine.reason ?? list.engine.state)"))
        }
        var table = Table([
            .init("ID"), .init("NAME", canShrink: true), .init("IMAGE", canShrink: true), .init("STATE"),
            .init("ADDRESSES", canShrink: true), .init("PID"),
        ])
        for container in list.containers {
            let addresses = container.networks.flatMap { [$0.ip, $0.ip6] }.compactMap { $0 }
            table.add([
                .init(String(container.id.prefix(12)), .dim), .init(container.name), .init(container.image),
                .init(container.state), .init(addresses.joined(separator: " ")),
                .init(container.pid.map(String.init) ?? "-"),
            ])
        }
        for line in table.lines(Terminal(global.color)) { Output.write(line) }
    }
}
