import ArgumentParser
import Glibc
import IronpostCore
import SBOMScanner

struct Scan: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "scan", _superCommandName: "ironpost",
        abstract: "Find known vulnerabilities in the packages of directories, images and files: no daemon.",
        discussion: """
            Matches what `ironpost sbom` lists with the database that `ironpost vulndb` makes. Without a database, or with
            one that is empty or damaged, the exit status is 2: that is never "no vulnerabilities". What nobody rated is
            always shown, and reaches every --fail-on.

            Example: ironpost scan . --db ./vulndb --min-severity medium --fail-on high --output sarif --out scan.sarif
            """
    )

    enum Form: String, ExpressibleByArgument, CaseIterable { case table, json, sarif, cyclonedx, spdx, openvex }

    @Argument(help: ArgumentHelp("Directories, archives of images or file systems, or files.", valueName: "path"))
    var paths: [String]
    @Option(help: ArgumentHelp("The vulnerability database.", valueName: "path"))
    var db: String?
    @Option(help: "Show only findings of this severity and above: info, low, medium, high or critical.")
    var minSeverity: String?
    @Option(help: "Exit with 4 when a finding has this severity or a higher one.")
    var failOn: String?
    @Option(name: [.customShort("o"), .long], help: "table, json, sarif, cyclonedx, spdx or openvex.")
    var output: Form = .table
    @Option(help: ArgumentHelp("Where to write; standard output otherwise.", valueName: "file"))
    var out: String?
    @Option(
        help: ArgumentHelp("An OpenVEX document with what does not matter here; may be repeated.", valueName: "file"))
    var vex: [String] = []
    @Option(
        help: ArgumentHelp("Say why advisories do or do not match this package; may be repeated.", valueName: "package")
    )
    var explain: [String] = []
    @Flag(help: "End with one line of JSON on stderr: how much was done, and how long each part took.")
    var stats = false
    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let minimum = try Self.severity(minSeverity, "--min-severity")
        let threshold = try Self.severity(failOn, "--fail-on")
        let exceptions = try VulnerabilityLookup.exceptions(vex)
        var statistics = ScanStatistics()
        let index = try VulnerabilityLookup.index(db, global)
        statistics.lap()
        let inventory = try ScanInput.inventory(paths)
        statistics.lap()
        if !explain.isEmpty { return try show(explanation: explain, inventory, index) }
        let all = Matcher.findings(inventory, index, exceptions: exceptions)
        statistics.lap()
        let shown = all.filter { Self.passes($0, minimum) }
        let open = shown.filter { $0.suppression == nil }
        switch output {
        case .table: try ScanInput.write(table(open, suppressed: shown.count - open.count, inventory), to: out)
        case .json: try ScanInput.write(ScanReport.json(open, inventory, paths: paths, suppressed: shown), to: out)
        case .sarif: try ScanInput.write(SARIF.document(shown, context: ScanInput.context), to: out)
        case .cyclonedx:
            try ScanInput.write(CycloneDX.document(inventory, findings: shown, context: ScanInput.context), to: out)
        case .spdx: try ScanInput.write(SPDX.document(inventory, context: ScanInput.context), to: out)
        case .openvex: try ScanInput.write(OpenVEX.document(shown, inventory, context: ScanInput.context), to: out)
        }
        if stats {
            Output.complain(
                statistics.line(
                    packages: inventory.components.count, advisories: index.advisoryCount, findings: all.count))
        }
        if let threshold, all.contains(where: { $0.suppression == nil && Self.passes($0, threshold) }) {
            throw CommandFailure(.threshold)
        }
    }

    private static func severity(_ word: String?, _ option: String) throws(CommandFailure) -> Severity? {
        guard let word else { return nil }
        guard let severity = Severity(loose: word) else {
            throw CommandFailure(.usage, "\(option) \(word): there are: info, low, medium, high, critical")
        }
        return severity
    }

    /// What nobody rated may be anything.
    private static func passes(_ finding: Finding, _ minimum: Severity?) -> Bool {
        guard let minimum, let severity = finding.advisory.severity else { return true }
        return severity >= minimum
    }

    private func show(explanation names: [String], _ inventory: Inventory, _ index: VulnerabilityIndex) throws {
        var isFound = false
        for component in inventory.components {
            let package = component.package
            guard
                names.contains(package.name) || names.contains(package.purl)
                    || names.contains(package.source?.name ?? "")
            else { continue }
            isFound = true
            for line in Matcher.explanation(package, index) { Output.write(Escaping.line(line)) }
            Output.write(Escaping.line("  found in \(component.files.joined(separator: ", "))"))
        }
        if !isFound {
            throw CommandFailure(
                .failure, "no package \(names.joined(separator: ", ")) below \(paths.joined(separator: ", "))")
        }
    }

    private func table(_ findings: [Finding], suppressed: Int, _ inventory: Inventory) -> [UInt8] {
        let terminal = Terminal(global.color)
        var lines: [String] = []
        if !findings.isEmpty {
            var table = Table([
                .init("SEVERITY"), .init("PACKAGE", canShrink: true), .init("VERSION", canShrink: true),
                .init("FIXED IN", canShrink: true), .init("ADVISORY"), .init("KEV"), .init("SUMMARY", canShrink: true),
            ])
            for finding in findings {
                table.add([
                    .init(finding.severityWord, Terminal.style(severity: finding.severityWord)),
                    .init(finding.package.name), .init(finding.package.version), .init(finding.fixedVersion ?? "-"),
                    .init(finding.advisory.id), .init(finding.advisory.exploitedSince == nil ? "" : "yes", .red),
                    .init(finding.advisory.summary),
                ])
            }
            lines = table.lines(terminal) + [""]
        }
        let counts = SeverityCounts(findings)
        lines.append(
            "\(inventory.components.count) packages in \(inventory.filesRead) files: "
                + (findings.isEmpty ? "no known vulnerabilities" : counts.words)
                + (suppressed > 0 ? ", \(suppressed) ruled out" : "")
        )
        return Array((lines.joined(separator: "\n") + "\n").utf8)
    }
}
