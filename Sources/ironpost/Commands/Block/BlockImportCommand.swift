import ArgumentParser
import IronpostCore

struct BlockImportCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import", abstract: "Block a list of addresses.",
        discussion: """
            Formats, told apart by what they look like: one address or network a line (# and ; begin comments), the
            output of `ipset save`, of `nft list set`, and CrowdSec's decisions as CSV or JSON. Times in a list are
            kept. A list is one action: undoing that lifts all of it. Nothing is blocked when a line cannot be read.

            Example: ironpost block import drop.txt --ttl 1d
            """
    )

    @Argument(help: "The list; - is stdin.")
    var file: String

    @Option(help: ArgumentHelp("For entries that have no time of their own.", valueName: "time"))
    var ttl: String?

    @Option(help: "Why; shown in lists and in the record.")
    var reason = ""

    @OptionGroup var global: GlobalOptions
    @OptionGroup var output: OutputOptions

    static let bytesMax = 64 << 20

    func run() async throws {
        let ttl = try BlockScope.checked(ttl)
        let bytes: [UInt8]
        do throws(InputBytes.Fault) {
            bytes = try InputBytes.read(file, max: Self.bytesMax)
        } catch {
            throw CommandFailure(.inputOutput, "cannot read \(file): \(error)")
        }
        let entries: [BlockListFile.Entry]
        do throws(BlockListFile.Fault) {
            entries = try BlockListFile.read(bytes)
        } catch {
            throw CommandFailure(.failure, "\(file):\(error.line): \(error.message)")
        }
        guard !entries.isEmpty else { throw CommandFailure(.failure, "\(file) holds no addresses") }
        let name = file == "-" ? "stdin" : String(file.split(separator: "/").last ?? "list")
        let request = BlockImportDocument(
            name: name,
            entries: entries.map { .init(cidr: $0.network.description, ttl: $0.ttl.map(DurationText.format)) },
            ttl: ttl, reason: reason
        )
        let outcome = try await ControlClient(global).post(
            "/api/v1/blocks/import", body: request, as: BlockOutcomeDocument.self)
        if let warning = outcome.warning { Output.complain("warning: \(Escaping.line(warning))") }
        for skipped in outcome.skipped { Output.complain("left out: \(Escaping.line(skipped))") }
        guard output.format == .table else { return try Output.json(outcome) }
        let word = outcome.warning == nil ? "blocked" : "stored"
        Output.complain("\(word): \(outcome.count) of \(entries.count); left out: \(outcome.skippedTotal)")
    }
}
