package import IronpostCore

/// What an OSV record says, as far as matching and people need it.
package struct Advisory: Sendable, Hashable {
    package var id: String
    package var aliases: [String]
    /// Records of others that this one stands for, as a distribution's for a CVE.
    package var upstream: [String]
    package var summary: String
    /// Seconds since 1970.
    package var modified: Int64
    package var isWithdrawn: Bool
    /// The vector that the score was computed from.
    package var vector: String?
    /// 0 to 10.
    package var score: Double?
    /// The database's own word where there is no vector.
    package var word: Severity?
    /// When it came into CISA's catalogue of what is exploited (`2025-08-25`).
    package var exploitedSince: String?
    /// The probability of exploitation in the next 30 days, 0 to 1.
    package var epss: Double?
    package var epssPercentile: Double?

    package init(
        id: String, aliases: [String] = [], upstream: [String] = [], summary: String = "", modified: Int64 = 0,
        isWithdrawn: Bool = false, vector: String? = nil, score: Double? = nil, word: Severity? = nil
    ) {
        self.id = id
        self.aliases = aliases
        self.upstream = upstream
        self.summary = summary
        self.modified = modified
        self.isWithdrawn = isWithdrawn
        self.vector = vector
        self.score = score
        self.word = word
    }

    /// `nil` where nobody rated it.
    package var severity: Severity? {
        guard let score else { return word }
        switch score {
        case 9...: return .critical
        case 7..<9: return .high
        case 4..<7: return .medium
        case 0.1..<4: return .low
        default: return .info
        }
    }

    package var url: String { "https://osv.dev/vulnerability/" + id }

    /// The CVE ids among its names.
    package var cves: [String] { ([id] + aliases + upstream).filter { $0.hasPrefix("CVE-") } }
}

/// An advisory that applies to a component.
package struct Finding: Sendable {
    /// Who said that it does not matter here.
    package struct Suppression: Sendable, Hashable {
        /// `not_affected` or `fixed`.
        package var status: String
        package var reason: String

        package init(status: String, reason: String) {
            self.status = status
            self.reason = reason
        }
    }

    package var advisory: Advisory
    package var package: Package
    /// The first version without it, above the one that is there.
    package var fixedVersion: String?
    /// The files that name the package.
    package var files: [String]
    /// Purls from what the project asks for to the package.
    package var path: [String]
    package var suppression: Suppression?

    package init(
        advisory: Advisory, package: Package, fixedVersion: String?, files: [String], path: [String],
        suppression: Suppression? = nil
    ) {
        self.advisory = advisory
        self.package = package
        self.fixedVersion = fixedVersion
        self.files = files
        self.path = path
        self.suppression = suppression
    }

    package var severityWord: String { advisory.severity?.rawValue ?? "unknown" }
}
