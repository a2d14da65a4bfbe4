/// A finding as JSON, with the names of `scan --output json`.
package struct FindingDocument: Codable, Sendable, Equatable {
    package var id: String
    package var aliases: [String]
    package var package: String
    package var version: String
    package var purl: String
    package var ecosystem: String
    package var severity: String
    package var score: Double?
    package var fixedVersion: String?
    package var kev: Bool
    package var epss: Double?
    package var description: String
    package var sourceFile: String
    package var root: String
    package var state: String
    package var firstSeen: String
    package var lastSeen: String

    enum CodingKeys: String, CodingKey {
        case id, aliases, package, version, purl, ecosystem, severity, score
        case fixedVersion = "fixed_version"
        case kev, epss, description
        case sourceFile = "source_file"
        case root, state
        case firstSeen = "first_seen"
        case lastSeen = "last_seen"
    }

    package init(_ finding: FindingRecord) {
        id = finding.advisory
        aliases = finding.aliases
        package = finding.package
        version = finding.version
        purl = finding.purl
        ecosystem = finding.ecosystem
        severity = finding.severity?.rawValue ?? "unknown"
        score = finding.score
        fixedVersion = finding.fixedVersion
        kev = finding.isExploited
        epss = finding.epss
        description = finding.summary
        sourceFile = finding.file
        root = finding.root
        state = finding.state.rawValue
        firstSeen = finding.firstSeen.rfc3339
        lastSeen = finding.lastSeen.rfc3339
    }

    /// `nil` when a part makes no sense.
    package func finding() -> FindingRecord? {
        guard let state = FindingRecord.State(rawValue: state), let first = Timestamp(rfc3339: firstSeen),
            let last = Timestamp(rfc3339: lastSeen)
        else { return nil }
        return FindingRecord(
            root: root, advisory: id, aliases: aliases, package: package, version: version, purl: purl,
            ecosystem: ecosystem, severity: Severity(rawValue: severity), score: score, fixedVersion: fixedVersion,
            isExploited: kev, epss: epss, summary: description, file: sourceFile, state: state, firstSeen: first,
            lastSeen: last
        )
    }
}

/// `{"findings": […], "total": n}`, newest first.
package struct FindingListDocument: Codable, Sendable {
    package var findings: [FindingDocument]
    package var total: Int

    package init(_ page: FindingPage) {
        findings = page.findings.map { FindingDocument($0) }
        total = page.total
    }
}

/// `{"sboms": […], "total": n}`.
package struct InventoryListDocument: Codable, Sendable {
    package struct Inventory: Codable, Sendable {
        package var root: String
        package var packages: Int
        package var files: Int
        package var scanned: String
        package var document: String?
        package var format: String
        package var faults: [String]
    }

    package var sboms: [Inventory]
    package var total: Int

    package init(_ inventories: [InventorySummary]) {
        sboms = inventories.map {
            Inventory(
                root: $0.root, packages: $0.packages, files: $0.files, scanned: $0.scanned.rfc3339,
                document: $0.document, format: $0.format, faults: $0.faults
            )
        }
        total = sboms.count
    }
}
