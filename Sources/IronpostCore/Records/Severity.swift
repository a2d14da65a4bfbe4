/// How much an alert matters, from `info` to `critical`.
package enum Severity: String, Sendable, CaseIterable, Comparable {
    case info, low, medium, high, critical

    /// Reads any case and the field's usual synonyms (`informational`, `med`, `crit`).
    package init?(loose text: some StringProtocol) {
        switch text.lowercased() {
        case "info", "informational": self = .info
        case "low": self = .low
        case "medium", "med": self = .medium
        case "high": self = .high
        case "critical", "crit": self = .critical
        default: return nil
        }
    }

    package static func < (left: Severity, right: Severity) -> Bool { left.rank < right.rank }

    /// 0 for `info` to 4 for `critical`; the number by which the store sorts.
    package var rank: Int {
        switch self {
        case .info: 0
        case .low: 1
        case .medium: 2
        case .high: 3
        case .critical: 4
        }
    }

    package init?(rank: Int) {
        guard let match = Severity.allCases.first(where: { $0.rank == rank }) else { return nil }
        self = match
    }
}
