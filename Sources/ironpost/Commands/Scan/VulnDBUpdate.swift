import ArgumentParser
import Glibc
import IronpostCore
import SBOMScanner

struct VulnDBUpdate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "update",
        abstract: "Renew the database from the configured mirror of OSV's zips.",
        discussion: """
            Fetches `all.zip` of each ecosystem over HTTPS by curl, only where it changed, and goes on where an earlier
            download broke off. sbom.vuln_db_url is the mirror, sbom.vuln_db_ecosystems what is fetched; without any, the
            ecosystems of programming languages and this host's distribution.

            Example: ironpost vulndb update --ecosystem npm --ecosystem Debian:12
            """
    )

    @Option(help: ArgumentHelp("An ecosystem as OSV names it; may be repeated.", valueName: "ecosystem"))
    var ecosystem: [String] = []
    @Option(help: ArgumentHelp("The mirror, in place of the configured one.", valueName: "url")) var url: String?
    @Option(help: ArgumentHelp("Certificates to trust in place of the system's.", valueName: "file")) var caFile:
        String?
    @Option(help: ArgumentHelp("The vulnerability database.", valueName: "path")) var db: String?
    @OptionGroup var output: OutputOptions
    @OptionGroup var global: GlobalOptions

    private static let languages = [
        "crates.io", "Go", "Maven", "npm", "NuGet", "Packagist", "PyPI", "RubyGems", "SwiftURL",
    ]

    func run() async throws {
        let configuration = try ConfigurationLookup.load(global).configuration
        let database = VulnerabilityDatabase(db ?? configuration.vulnerabilityDatabase)
        var ecosystems = ecosystem.isEmpty ? configuration.sbom.vulnDBEcosystems : ecosystem
        if ecosystems.isEmpty { ecosystems = Self.languages + (HostDistribution.osvName.map { [$0] } ?? []) }
        for name in ecosystems where Ecosystem.scheme(osv: name) == nil {
            throw CommandFailure(.usage, "\(name): an ecosystem that is not known here")
        }
        let mirror: AdvisoryMirror
        do {
            mirror = AdvisoryMirror(
                url: url ?? configuration.sbom.vulnDBURL, directory: try database.downloadDirectory(), authority: caFile
            )
        } catch { throw CommandFailure(.failure, "\(error)") }
        var fetched: [AdvisoryMirror.Fetched] = []
        var failures: [String] = []
        for name in ecosystems {
            if isatty(STDERR_FILENO) == 1 { Output.progress("fetching \(Escaping.line(name))") }
            do {
                if let one = try mirror.fetch(name) { fetched.append(one) }
            } catch {
                if error.status == .usage { throw error }
                failures.append(error.message ?? "\(name): failed")
            }
        }
        if isatty(STDERR_FILENO) == 1 { Output.progress("") }
        for failure in failures { Output.complain(Escaping.line("warning: \(failure)")) }
        let imported = try take(fetched, mirror, database, &failures)
        if imported == 0, failures.isEmpty { Output.complain("nothing is newer than what is here") }
        guard failures.isEmpty else {
            throw CommandFailure(.failure, "\(failures.count) of \(ecosystems.count) ecosystems could not be renewed")
        }
    }

    /// Each zip by itself, so that one that is damaged keeps out no other.
    private func take(
        _ fetched: [AdvisoryMirror.Fetched], _ mirror: AdvisoryMirror, _ database: VulnerabilityDatabase,
        _ failures: inout [String]
    ) throws -> Int {
        var imported = 0
        for one in fetched {
            do {
                let report = try database.add([one.file], now: SystemTime().now().nanoseconds / 1_000_000_000)
                mirror.finish(one)
                imported += 1
                try VulnDBReport.show(report, database, output.format)
            } catch let fault as ReadFault {
                mirror.discard(one)
                failures.append("\(one.ecosystem): \(fault)")
                Output.complain(Escaping.line("warning: \(one.ecosystem): \(fault)"))
            }
        }
        return imported
    }
}
