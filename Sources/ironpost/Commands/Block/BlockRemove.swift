import ArgumentParser
import IronpostCore

struct BlockRemove: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "remove", abstract: "Lift a block; exit status 1 when there is none of exactly this.",
        discussion: "Example: ironpost block remove 203.0.113.7"
    )

    @OptionGroup var scope: BlockScope
    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let request = BlockRequestDocument(
            cidr: try scope.network(), port: try scope.checkedPort(), protocol: scope.proto?.rawValue)
        let done = try await ControlClient(global).post(
            "/api/v1/blocks/remove", body: request, as: CountDocument.self)
        guard done.count > 0 else {
            throw CommandFailure(.failure, "\(request.cidr) is not blocked; ironpost block list shows what is")
        }
        Output.complain("lifted: \(request.cidr)")
    }
}
