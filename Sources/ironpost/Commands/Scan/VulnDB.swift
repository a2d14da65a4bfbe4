import ArgumentParser
import Glibc
import IronpostCore
import SBOMScanner

struct VulnDB: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "vulndb",
        abstract: "The database of known vulnerabilities.",
        discussion: "Example: ironpost vulndb import ./advisories.zip --db ./vulndb",
        subcommands: [VulnDBImport.self, VulnDBUpdate.self, VulnDBStatus.self, VulnDBCompare.self]
    )
}

struct VulnDBImport: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import",
        abstract: "Add OSV records to the database: directories, git checkouts, zips or files.",
        discussion: """
            Records that are newer replace older ones of the same id; the others stay. CISA's catalogue of exploited
            vulnerabilities (its JSON) and the EPSS table (its CSV, also as .gz) may be among the sources. A record that is
            faulty is named and left out.

            Example: ironpost vulndb import ~/advisory-db all.zip known_exploited_vulnerabilities.json --db ./vulndb
            """
    )

    @Argument(help: ArgumentHelp("Where the records are.", valueName: "src")) var sources: [String]
    @Option(help: ArgumentHelp("The vulnerability database.", valueName: "path")) var db: String?
    @OptionGroup var output: OutputOptions
    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let database = VulnerabilityDatabase(try VulnerabilityLookup.path(db, global))
        let isTerminal = isatty(STDERR_FILENO) == 1
        let report: ImportReport
        do {
            report = try database.add(
                sources, now: SystemTime().now().nanoseconds / 1_000_000_000,
                progress: isTerminal ? { Output.progress("\($0) files") } : nil
            )
        } catch {
            if isTerminal { Output.progress("") }
            throw CommandFailure(.failure, "cannot import: \(error)")
        }
        if isTerminal { Output.progress("") }
        try VulnDBReport.show(report, database, output.format)
    }
}

/// What an import or update did, for people and programs.
enum VulnDBReport {
    private struct Document: Encodable {
        let path: String
        let records: Int
        let unchanged: Int
        let withdrawn: Int
        let kev: Int
        let epss: Int
        let faults: Int
        let total: Int
    }

    static func show(_ report: ImportReport, _ database: VulnerabilityDatabase, _ format: OutputFormat) throws {
        for fault in report.faults { Output.complain(Escaping.line("warning: \(fault)")) }
        if report.faultCount > report.faults.count {
            Output.complain("warning: \(report.faultCount - report.faults.count) more faults")
        }
        for (ecosystem, count) in report.unknownEcosystems.sorted(by: { $0.key < $1.key }) {
            Output.complain(Escaping.line("note: \(count) entries of \(ecosystem), whose versions are not known here"))
        }
        let index: VulnerabilityIndex
        do { index = try VulnerabilityIndex(database.path) } catch { throw CommandFailure(.failure, "\(error)") }
        switch format {
        case .json:
            try Output.json(
                Document(
                    path: index.path, records: report.records, unchanged: report.unchanged, withdrawn: report.withdrawn,
                    kev: report.exploited, epss: report.probabilities, faults: report.faultCount,
                    total: index.advisoryCount
                )
            )
        case .table:
            Output.write(
                Escaping.line(
                    "\(report.records) new or changed, \(report.unchanged) as before; \(index.advisoryCount) advisories for "
                        + "\(index.packageCount) packages in \(index.path)"
                )
            )
            if report.exploited > 0 {
                Output.write("\(report.exploited) vulnerabilities that are known to be exploited")
            }
            if report.probabilities > 0 { Output.write("\(report.probabilities) probabilities of exploitation (EPSS)") }
        }
    }
}

struct VulnDBStatus: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "What the database holds, and how old it is.",
        discussion: """
            Reads all of it and compares it with its checksum. Exit status 2 when there is none, or it is damaged or empty.

            Example: ironpost vulndb status --db ./vulndb --output json
            """
    )

    @Option(help: ArgumentHelp("The vulnerability database.", valueName: "path")) var db: String?
    @OptionGroup var output: OutputOptions
    @OptionGroup var global: GlobalOptions

    private struct Document: Encodable {
        let path: String
        let bytes: Int
        let created: String
        let newest: String
        // swift-format-ignore: AlwaysUseLowerCamelCase
        let age_secs: Int64
        let stale: Bool
        let advisories: Int
        let packages: Int
        let kev: Int
        let epss: Int
        let ecosystems: [String: Int]
    }

    func run() async throws {
        let index: VulnerabilityIndex
        do {
            index = try VulnerabilityIndex(VulnerabilityLookup.path(db, global))
            try index.verify()
        } catch let fault as VulnerabilityIndex.Fault {
            throw CommandFailure(.usage, fault.description)
        }
        let age = max(0, SystemTime().now().nanoseconds / 1_000_000_000 - index.created)
        let isStale = age > VulnerabilityLookup.staleAfter
        let ecosystems = index.ecosystems
        switch output.format {
        case .json:
            try Output.json(
                Document(
                    path: index.path, bytes: index.bytesCount, created: Timestamp(seconds: index.created).rfc3339,
                    newest: Timestamp(seconds: index.newest).rfc3339, age_secs: age, stale: isStale,
                    advisories: index.advisoryCount, packages: index.packageCount, kev: index.exploitedCount,
                    epss: index.probabilityCount,
                    ecosystems: Dictionary(ecosystems.map { ($0.name, $0.records) }) { first, _ in first }
                )
            )
        case .table:
            Output.write(
                Escaping.line("\(index.path): \(index.advisoryCount) advisories for \(index.packageCount) packages"))
            let words = isStale ? "; it is stale, `ironpost vulndb update` renews it" : ""
            Output.write("made \(Timestamp(seconds: index.created).rfc3339), \(age / 3600) hours ago\(words)")
            Output.write("\(index.exploitedCount) known to be exploited, \(index.probabilityCount) with EPSS")
            var table = Table([.init("ECOSYSTEM", canShrink: true), .init("ADVISORIES")])
            for (name, records) in ecosystems { table.add([.init(name), .init(String(records))]) }
            for line in table.lines(Terminal(global.color)) { Output.write(line) }
        }
    }
}

struct VulnDBCompare: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "compare",
        abstract: "Compare two versions as an ecosystem orders them: prints <, = or >.",
        discussion: """
            Example: ironpost vulndb compare --ecosystem Debian 1.0~rc1-1 1.0-1
            """
    )

    @Option(
        help:
            "As OSV names it: npm, crates.io, Go, PyPI, RubyGems, Packagist, NuGet, Maven, Debian, Alpine, AlmaLinux, …."
    )
    var ecosystem: String
    @Flag(help: "Read pairs from standard input, a tab between both, one a line.")
    var stdin = false
    @Argument(help: ArgumentHelp("The versions.", valueName: "version")) var versions: [String] = []
    @Option(help: ArgumentHelp("Not needed to compare.", valueName: "path", visibility: .hidden)) var db: String?
    @OptionGroup var global: GlobalOptions

    private static let inputBytesMax = 1 << 30

    func run() async throws {
        guard let scheme = Self.scheme(ecosystem) else {
            throw CommandFailure(.usage, "--ecosystem \(ecosystem): its order of versions is not known")
        }
        guard stdin else {
            guard versions.count == 2 else { throw CommandFailure(.usage, "two versions are needed, or --stdin") }
            return Output.write(try Self.compare(versions[0], versions[1], scheme))
        }
        let bytes: [UInt8]
        do { bytes = try InputBytes.read("-", max: Self.inputBytesMax) } catch {
            throw CommandFailure(.inputOutput, "cannot read standard input: \(error)")
        }
        var answers = ""
        for (number, line) in bytes.split(separator: 0x0A).enumerated() {
            let pair = String(decoding: line, as: UTF8.self).split(separator: "\t", omittingEmptySubsequences: false)
            guard pair.count == 2 else {
                throw CommandFailure(.usage, "line \(number + 1): two versions with a tab between them are needed")
            }
            answers += try Self.compare(String(pair[0]), String(pair[1]), scheme) + "\n"
        }
        Output.write(bytes: Array(answers.utf8))
    }

    /// As OSV names it, or as a package URL does.
    private static func scheme(_ name: String) -> VersionScheme? {
        if let scheme = Ecosystem.scheme(osv: name) { return scheme }
        if let ecosystem = Ecosystem(rawValue: name.lowercased()) { return ecosystem.scheme }
        return switch name.lowercased() {
        case "semver": .semver
        case "go": .go
        case "crates.io", "crates": .semver
        case "rubygems": .gem
        case "packagist": .composer
        case "debian", "ubuntu", "dpkg": .dpkg
        case "alpine": .apk
        case "redhat", "fedora", "rhel": .rpm
        default: nil
        }
    }

    private static func compare(_ left: String, _ right: String, _ scheme: VersionScheme) throws(CommandFailure)
        -> String
    {
        for version in [left, right] where scheme.key(version) == nil {
            throw CommandFailure(.usage, "\"\(version)\" is no version of \(scheme)")
        }
        switch scheme.compare(left, right) {
        case .some(let order) where order < 0: return "<"
        case .some(let order) where order > 0: return ">"
        default: return "="
        }
    }
}
