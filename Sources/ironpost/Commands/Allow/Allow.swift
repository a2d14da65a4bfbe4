import ArgumentParser
import IronpostCore

struct Allow: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "allow", abstract: "Addresses that are never blocked.",
        discussion: "Example: ironpost allow add 192.0.2.0/24 --reason office",
        subcommands: [AllowAdd.self, AllowRemove.self, AllowList.self]
    )
}

struct AllowAdd: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "add", abstract: "Never block this address or network; what is blocked of it is lifted.",
        discussion: "Example: ironpost allow add 192.0.2.0/24 --reason office"
    )

    @Argument(help: "An address, or a network.")
    var cidr: String

    @Option(help: "Why; shown in lists.")
    var reason = ""

    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let network = try AllowCommand.network(cidr)
        _ = try await ControlClient(global).post(
            "/api/v1/allow", body: BlockRequestDocument(cidr: network, reason: reason), as: CountDocument.self)
        Output.complain("allowed: \(network)")
    }
}

struct AllowRemove: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "remove", abstract: "Take an address off the allow list.",
        discussion: "Example: ironpost allow remove 192.0.2.0/24"
    )

    @Argument(help: "The address or network, as it is listed.")
    var cidr: String

    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let network = try AllowCommand.network(cidr)
        let done = try await ControlClient(global).post(
            "/api/v1/allow/remove", body: BlockRequestDocument(cidr: network), as: CountDocument.self)
        guard done.count > 0 else {
            throw CommandFailure(
                .failure, "\(network) is not on the list of `ironpost allow add`; response.allow is changed in the file"
            )
        }
        Output.complain("removed: \(network)")
    }
}

struct AllowList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List the addresses that are never blocked.",
        discussion: "Example: ironpost allow list"
    )

    @OptionGroup var global: GlobalOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let list = try await ControlClient(global).get("/api/v1/allow", as: AllowListDocument.self)
        guard output.format == .table else { return try Output.json(list) }
        guard !list.allowed.isEmpty else { return Output.complain("the allow list is empty") }
        var table = Table([.init("ADDRESS"), .init("BY"), .init("REASON", canShrink: true)])
        for entry in list.allowed { table.add([.init(entry.cidr), .init(entry.origin), .init(entry.reason)]) }
        for line in table.lines(Terminal(global.color)) { Output.write(line) }
    }
}

enum AllowCommand {
    static func network(_ text: String) throws -> String {
        guard let network = IPNetwork(text) else {
            throw CommandFailure(.usage, "'\(text)' is no address and no network, as 203.0.113.7 or 203.0.113.0/24")
        }
        return network.description
    }
}
