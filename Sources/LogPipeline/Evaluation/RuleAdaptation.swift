package import IronpostCore

/// What changes rules between being read and being compiled.
package struct RuleAdaptation: Sendable, Equatable {
    /// Files of processing pipelines.
    package var pipelines: [String]
    /// Values for placeholders.
    package var placeholders: [String: [String]]
    /// Leaves out pipelines that somebody else than root or our user could have written.
    package var mustBeOurs: Bool

    package init(pipelines: [String] = [], placeholders: [String: [String]] = [:], mustBeOurs: Bool = false) {
        self.pipelines = pipelines
        self.placeholders = placeholders
        self.mustBeOurs = mustBeOurs
    }

    /// As the daemon does it.
    package init(_ detection: Configuration.Detection) {
        self.init(pipelines: detection.pipelines, placeholders: detection.placeholders, mustBeOurs: true)
    }
}
