/// What a reload changed, would change, or why it changed nothing.
package struct ReloadDocument: Codable, Sendable, Equatable {
    package struct Change: Codable, Sendable, Equatable {
        package var key: String
        package var old: String
        package var new: String
    }

    package var generation: Int
    package var dryRun: Bool
    package var changes: [Change]
    package var faults: [String]
    package var warnings: [String]

    enum CodingKeys: String, CodingKey {
        case generation
        case dryRun = "dry_run"
        case changes, faults, warnings
    }

    package init(_ outcome: ReloadOutcome, dryRun: Bool) {
        generation = outcome.generation
        self.dryRun = dryRun
        changes = outcome.changes.map { Change(key: $0.key, old: $0.old, new: $0.new) }
        faults = outcome.faults
        warnings = outcome.warnings
    }
}
