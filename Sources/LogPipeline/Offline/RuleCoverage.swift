package import Sigma

/// Which rules can fire on this host, and for want of what the others cannot.
package struct RuleCoverage: Sendable {
    package struct Entry: Sendable {
        /// The rule's number in the set.
        package var rule: Int
        /// The sources through which it can fire; empty when it cannot.
        package var through: [String] = []
        /// Of the events that come closest, the fields that they have not.
        package var fields: [String] = []
        /// When no event for it comes at all: what kind of log that would be.
        package var source = ""
        /// Sources of which it is not known what they bring.
        package var perhaps: [String] = []

        package var canFire: Bool { !through.isEmpty }
    }

    /// Kinds of logs that are named one by one.
    private static let namesMax = 3

    package let sources: [HostSource]
    package let entries: [Entry]

    package init(_ ruleSet: RuleSet, sources: [HostSource]) {
        self.sources = sources
        let open = sources.filter(\.isOpen).map(\.name)
        entries = ruleSet.rules.indices.map { rule in
            var entry = Entry(rule: rule)
            let known = Self.classes(of: rule, in: ruleSet)
            let classes = known + EventClasses.general.map { Int($0.index) }
            var best: [String]?
            for number in classes {
                for source in sources where source.classes[number] != nil {
                    guard let lacking = ruleSet.fieldsLacking(rule: rule, known: { source.has($0, class: number) })
                    else {
                        if !entry.through.contains(source.name) { entry.through.append(source.name) }
                        continue
                    }
                    // What a log for something else lacks says nothing of this rule.
                    if known.contains(number), best.map({ lacking.count < $0.count }) ?? true { best = lacking }
                }
            }
            guard entry.through.isEmpty else { return entry }
            entry.fields = best ?? []
            if best == nil {
                let names = known.map { EventClasses.names[$0] }
                entry.source =
                    names.isEmpty || names.count > Self.namesMax
                    ? Self.words(rule, ruleSet) : names.joined(separator: " or ")
            }
            entry.perhaps = open
            return entry
        }
    }

    /// The classes of events that a rule is written for; of a correlation, those of the rules that it counts.
    private static func classes(of rule: Int, in ruleSet: RuleSet) -> [Int] {
        let counted = ruleSet.countedRules(of: rule)
        let sources = (counted.isEmpty ? [rule] : counted).map { ruleSet.rules[$0].document.logSource }
        let general = EventClasses.general + [EventClasses.canary]
        return ruleSet.classes.indices.filter { number in
            !general.contains(EventClassID(UInt16(number))) && sources.contains { ruleSet.classes[number].serves($0) }
        }
    }

    private static func words(_ rule: Int, _ ruleSet: RuleSet) -> String {
        let source = ruleSet.rules[rule].document.logSource
        return [source.product, source.category, source.service].compactMap { $0 }.joined(separator: "/")
    }
}
