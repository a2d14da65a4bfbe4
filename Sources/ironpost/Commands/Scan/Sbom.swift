import ArgumentParser
import IronpostCore
import SBOMScanner

struct Sbom: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sbom", _superCommandName: "ironpost",
        abstract: "List the packages of a directory, host, root file system, image or file: no daemon.",
        discussion: """
            The same input makes the same bytes; SOURCE_DATE_EPOCH sets the time that the document carries. What could
            not be read is named on stderr.

            Example: ironpost sbom . --output cyclonedx@1.7 --out sbom.json
            """
    )

    @Argument(help: ArgumentHelp("Directories, archives of images or file systems, or files.", valueName: "path"))
    var paths: [String]
    @Option(name: [.customShort("o"), .long], help: "cyclonedx, cyclonedx@1.6, cyclonedx@1.7, spdx or spdx@2.3.")
    var output = "cyclonedx"
    @Option(help: ArgumentHelp("Where to write; standard output otherwise.", valueName: "file"))
    var out: String?
    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let pieces: (Inventory, DocumentContext) -> [[UInt8]]
        switch output {
        case "cyclonedx", "cyclonedx@1.6": pieces = { CycloneDX.pieces($0, version: .release6, context: $1) }
        case "cyclonedx@1.7": pieces = { CycloneDX.pieces($0, version: .release7, context: $1) }
        case "spdx", "spdx@2.3": pieces = { SPDX.pieces($0, context: $1) }
        default:
            throw CommandFailure(
                .usage, "--output \(output): there are: cyclonedx, cyclonedx@1.6, cyclonedx@1.7, spdx, spdx@2.3"
            )
        }
        let inventory = try ScanInput.inventory(paths)
        try ScanInput.write(pieces(inventory, ScanInput.context), to: out)
    }
}
