import ArgumentParser
import IronpostCore

struct BlockAdd: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "add", abstract: "Block an address or a network.",
        discussion: """
            Stored and not in force while response.mode is not enforce; then it warns. Guardrails hold: this host, its
            gateways and name servers, whoever is logged in over SSH, and the allow list are never blocked.

            Example: ironpost block add 203.0.113.0/24 --ttl 1d --port 22 --proto tcp --reason "brute force"
            """
    )

    @OptionGroup var scope: BlockScope

    @Option(help: ArgumentHelp("For how long: 90s, 10m, 4h, 30d (default: response.default_ttl).", valueName: "time"))
    var ttl: String?

    @Option(help: "Why; shown in lists and in the record.")
    var reason = ""

    @OptionGroup var global: GlobalOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let request = BlockRequestDocument(
            cidr: try scope.network(), port: try scope.checkedPort(), protocol: scope.proto?.rawValue,
            ttl: try BlockScope.checked(ttl), reason: reason
        )
        let outcome = try await ControlClient(global).post(
            "/api/v1/blocks", body: request, as: BlockOutcomeDocument.self)
        if let warning = outcome.warning { Output.complain("warning: \(Escaping.line(warning))") }
        guard output.format == .table else { return try Output.json(outcome) }
        let word = outcome.warning == nil ? "blocked" : "stored"
        Output.complain("\(word): \(outcome.action.target) until \(outcome.action.expiresAt ?? "-")")
    }
}

/// Which address, and which of its packets.
struct BlockScope: ParsableArguments {
    @Argument(help: "An address, or a network as 203.0.113.0/24 or 2001:db8::/32.")
    var cidr: String

    @Option(help: "Only packets to this port; without --proto of TCP and of UDP.")
    var port: Int?

    @Option(help: "Only packets of this protocol: tcp or udp.")
    var proto: Transport?

    enum Transport: String, ExpressibleByArgument, CaseIterable, Sendable {
        case tcp, udp
    }

    func network() throws -> String {
        guard let network = IPNetwork(cidr) else {
            throw CommandFailure(.usage, "'\(cidr)' is no address and no network, as 203.0.113.7 or 203.0.113.0/24")
        }
        return network.description
    }

    func checkedPort() throws -> UInt16? {
        guard let port else { return nil }
        guard let number = UInt16(exactly: port), number > 0 else {
            throw CommandFailure(.usage, "--port must be 1 to 65535, not \(port)")
        }
        return number
    }

    static func checked(_ ttl: String?) throws -> String? {
        guard let ttl else { return nil }
        guard let time = DurationText.parse(ttl), time >= .seconds(1), time <= .seconds(365 * 86_400) else {
            throw CommandFailure(.usage, "'\(ttl)' is no time as 90s, 10m, 4h or 30d, from 1s to 365d")
        }
        return ttl
    }
}
