/// A known vulnerability in a package of this host, over its life.
package struct FindingRecord: Sendable, Hashable {
    package enum State: String, Sendable, CaseIterable {
        /// Stored, its alert not yet.
        case new
        case seen
        /// The package went away, or its version is one without it.
        case fixed
        /// Ruled out by an operator's statement.
        case suppressed
    }

    /// What was scanned: `/`, a configured directory.
    package var root: String
    package var advisory: String
    package var aliases: [String]
    package var package: String
    package var version: String
    package var purl: String
    package var ecosystem: String
    /// `nil` where nobody rated it.
    package var severity: Severity?
    package var score: Double?
    package var fixedVersion: String?
    /// In CISA's catalogue of what is exploited.
    package var isExploited: Bool
    package var epss: Double?
    package var summary: String
    /// The file that names the package.
    package var file: String
    package var state: State
    package var firstSeen: Timestamp
    package var lastSeen: Timestamp

    package init(
        root: String, advisory: String, aliases: [String], package: String, version: String, purl: String,
        ecosystem: String, severity: Severity?, score: Double?, fixedVersion: String?, isExploited: Bool, epss: Double?,
        summary: String, file: String, state: State, firstSeen: Timestamp, lastSeen: Timestamp
    ) {
        self.root = root
        self.advisory = advisory
        self.aliases = aliases
        self.package = package
        self.version = version
        self.purl = purl
        self.ecosystem = ecosystem
        self.severity = severity
        self.score = score
        self.fixedVersion = fixedVersion
        self.isExploited = isExploited
        self.epss = epss
        self.summary = summary
        self.file = file
        self.state = state
        self.firstSeen = firstSeen
        self.lastSeen = lastSeen
    }

    /// One vulnerability in one package of one root.
    package struct Key: Sendable, Hashable {
        package var root: String
        package var advisory: String
        package var purl: String
    }

    package var key: Key { Key(root: root, advisory: advisory, purl: purl) }
}

package struct FindingQuery: Sendable, Hashable {
    /// `nil` is every state but fixed.
    package var state: FindingRecord.State?
    package var minimumSeverity: Severity?
    package var limit: Int

    package init(state: FindingRecord.State? = nil, minimumSeverity: Severity? = nil, limit: Int = 100) {
        self.state = state
        self.minimumSeverity = minimumSeverity
        self.limit = limit
    }
}

package struct FindingPage: Sendable {
    /// The newest first.
    package var findings: [FindingRecord]
    package var total: Int

    package init(findings: [FindingRecord], total: Int) {
        self.findings = findings
        self.total = total
    }
}

/// Remembers what was found, so that a restart tells nothing twice. Calls block on the disk.
package protocol FindingStore: Sendable {
    /// Adds or replaces; all or nothing, durable on return.
    func put(_ findings: [FindingRecord]) throws
    /// Everything that is not fixed.
    func standingFindings() throws -> [FindingRecord]
    func findings(_ query: FindingQuery) throws -> FindingPage
}

/// What is known of the packages of one root.
package struct InventorySummary: Sendable, Hashable {
    package var root: String
    package var packages: Int
    package var files: Int
    package var scanned: Timestamp
    /// The document on disk; `nil` where it could not be written.
    package var document: String?
    package var format: String
    package var faults: [String]

    package init(
        root: String, packages: Int, files: Int, scanned: Timestamp, document: String?, format: String, faults: [String]
    ) {
        self.root = root
        self.packages = packages
        self.files = files
        self.scanned = scanned
        self.document = document
        self.format = format
        self.faults = faults
    }
}

/// The inventories that the daemon keeps.
package protocol InventoryView: Sendable {
    func inventories() -> [InventorySummary]
}
