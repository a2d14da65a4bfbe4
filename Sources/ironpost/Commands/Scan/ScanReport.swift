import IronpostCore
import SBOMScanner

/// How many findings there are of each severity.
struct SeverityCounts {
    private(set) var counts: [(name: String, count: Int)]

    init(_ findings: [Finding]) {
        counts = ["critical", "high", "medium", "low", "info", "unknown"].map { name in
            (name, findings.count { $0.severityWord == name })
        }
    }

    var total: Int { counts.reduce(0) { $0 + $1.count } }

    var words: String {
        counts.filter { $0.count > 0 }.map { "\($0.count) \($0.name)" }.joined(separator: ", ")
    }
}

/// `scan --output json`: contract, section 2.
enum ScanReport {
    static func json(_ findings: [Finding], _ inventory: Inventory, paths: [String], suppressed all: [Finding])
        -> [UInt8]
    {
        let counts = SeverityCounts(findings)
        var writer = JSONWriter()
        writer.object { report in
            report.array("paths", of: paths)
            report.field("lockfiles_scanned", inventory.filesRead)
            report.field("total_packages", inventory.components.count)
            report.object("vulnerabilities") { vulnerabilities in
                for (name, count) in counts.counts { vulnerabilities.field(counted: name, count) }
                vulnerabilities.field("total", counts.total)
            }
            report.array("findings") { list in
                for finding in findings { list.object { write(finding, &$0) } }
            }
            report.array("suppressed") { list in
                for finding in all {
                    guard let suppression = finding.suppression else { continue }
                    list.object { entry in
                        write(finding, &entry)
                        entry.field("status", suppression.status)
                        entry.field("reason", suppression.reason)
                    }
                }
            }
            report.array("faults", of: inventory.faults)
        }
        return writer.finish()
    }

    private static func write(_ finding: Finding, _ writer: inout JSONWriter) {
        let advisory = finding.advisory
        writer.field("id", advisory.id)
        writer.array("aliases", of: advisory.aliases)
        writer.field("package", finding.package.name)
        writer.field("version", finding.package.version)
        writer.field("purl", finding.package.purl)
        writer.field("ecosystem", finding.package.osvEcosystems.first ?? finding.package.ecosystem.rawValue)
        writer.field("severity", finding.severityWord)
        writer.field("score", advisory.score)
        writer.field(optional: "fixed_version", finding.fixedVersion)
        writer.field("kev", advisory.exploitedSince != nil)
        writer.field("epss", advisory.epss)
        writer.field("description", advisory.summary)
        writer.field("source_file", finding.files.first ?? "")
        writer.array("path", of: finding.path)
    }
}
