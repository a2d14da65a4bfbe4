package import IronpostCore
package import Sigma
import Synchronization

/// The rules in force: loaded from files, compiled for our event classes and fields, and counted as they match.
package final class RuleBook: RuleCatalog {
    package let ruleSet: RuleSet
    package let faults: [RuleFault]
    /// Those among them that are about pipelines. Without a pipeline that was asked for, rules mean something else.
    package let pipelineFaults: [RuleFault]
    /// What an alert says of its rule, by the rule's index in the set.
    let references: [RuleReference]
    /// The index of the canary's rule.
    let canary: Int?
    /// Rules that people know of.
    var ruleCount: Int { ruleSet.rules.count - (canary == nil ? 0 : 1) }
    private let matchCounts: Mutex<[Int]>

    /// - Parameter paths: files and directories; what cannot be read is among the faults.
    ///   - withCanary: adds the rule of the live pipeline's own test event.
    ///   - mustBeOurs: leaves out files that somebody else than root or our user could have written.
    ///   - adaptation: how rules are changed before they are compiled.
    package init(
        paths: [String], classes: [EventClass] = EventClasses.all, withCanary: Bool = false, mustBeOurs: Bool = false,
        adaptation: RuleAdaptation = RuleAdaptation()
    ) {
        var load =
            mustBeOurs
            ? RuleLoader.load(paths: paths) { path, isDirectory in
                let fault = isDirectory ? FileTrust.fault(ofDirectory: path) : FileTrust.fault(ofFile: path)
                return fault?.description
            } : RuleLoader.load(paths: paths)
        let pipelines = PipelineSet.load(paths: adaptation.pipelines) { path in
            adaptation.mustBeOurs ? FileTrust.fault(ofFile: path)?.description : nil
        }
        pipelineFaults = pipelines.faults
        load = pipelines.apply(to: load, placeholders: adaptation.placeholders)
        // Not through the pipelines: it is no rule of anybody's.
        if withCanary { load.documents += RuleLoader.load(text: Canary.rule, file: Canary.file).documents }
        let compiled = RuleSet.compile(
            load, classes: classes, wellKnownFields: Fields.names, placeholders: adaptation.placeholders)
        ruleSet = compiled
        // Those of loading are among them.
        faults = compiled.faults
        references = compiled.rules.map { RuleReference($0.document) }
        canary = withCanary ? compiled.rules.lastIndex { $0.document.file == Canary.file } : nil
        matchCounts = Mutex([Int](repeating: 0, count: compiled.rules.count))
    }

    /// Without rules nothing is decided; with fewer than were asked for, less.
    var health: Health {
        let rejected = faults.filter { !$0.isWarning }
        guard ruleCount > 0 else {
            return .unhealthy("no rule is in force" + (rejected.first.map { ": \($0)" } ?? ""))
        }
        guard let first = rejected.first else { return .healthy }
        let more = rejected.count > 1 ? " (and \(rejected.count - 1) more)" : ""
        return .degraded("not in force: \(first)\(more)")
    }

    func count(_ matches: [Match]) {
        matchCounts.withLock { counts in
            for match in matches { counts[match.rule] += 1 }
        }
    }

    package func rules() -> RuleListing {
        let counts = matchCounts.withLock { $0 }
        return RuleListing(
            entries: ruleSet.rules.enumerated().filter { $0.offset != canary }.map { index, rule in
                RuleListing.Entry(
                    reference: references[index], kind: rule.document.correlation == nil ? "rule" : "correlation",
                    logsource: Self.text(rule.document.logSource), file: rule.document.file, matches: counts[index]
                )
            },
            faults: faults.map { RuleListing.Fault(file: $0.file, line: $0.line, message: $0.message) }
        )
    }

    private static func text(_ source: LogSource) -> String {
        [source.product, source.category, source.service].compactMap { $0 }.joined(separator: "/")
    }
}

extension RuleReference {
    init(_ document: RuleDocument) {
        self.init(
            id: document.id ?? document.title, title: document.title, author: document.author,
            level: (document.level ?? .medium).rawValue,
            tags: document.tags, references: document.references, license: document.license
        )
    }
}
