/// A module that takes a new configuration while it runs, in two steps: all modules stage, then all commit.
package protocol Reloadable: Module {
    /// Validates and opens everything that the new configuration needs, and changes nothing that runs. Throws what is
    /// wrong with it; then nothing of it is put in force anywhere.
    func stage(_ configuration: Configuration, generation: Int) async throws -> any StagedChange
}

/// What `stage` prepared.
package protocol StagedChange: Sendable {
    /// What goes in force without something that was asked for, such as a rule that cannot be read.
    var warnings: [String] { get }
    /// Puts it in force. Cannot fail.
    func commit() async
    /// Lets it go, as if it had never been staged.
    func discard() async
}

extension StagedChange {
    package var warnings: [String] { [] }
}

/// What a reload did or would do.
package struct ReloadOutcome: Sendable {
    package var changes: [Configuration.Change]
    /// Why nothing was changed; empty when it was (or, in a dry run, would be).
    package var faults: [String]
    /// What is in force without something that was asked for.
    package var warnings: [String]
    /// The generation in force after it.
    package var generation: Int

    package init(changes: [Configuration.Change], faults: [String], warnings: [String] = [], generation: Int) {
        self.changes = changes
        self.faults = faults
        self.warnings = warnings
        self.generation = generation
    }
}
