/// Runs a rule set over batches of events and remembers what correlations have counted.
///
/// One engine belongs to one thread at a time. It allocates while it grows to the size of its batches, for new
/// correlation groups, and for the matches of correlations; not otherwise.
public struct RuleEngine: ~Copyable, Sendable {
    public let ruleSet: RuleSet
    private var matcher: EventMatcher
    private var correlations: CorrelationState
    private var folded: [UInt8] = []

    public init(_ ruleSet: RuleSet, limits: CorrelationLimits = CorrelationLimits()) {
        self.ruleSet = ruleSet
        matcher = EventMatcher(ruleSet.plan)
        correlations = CorrelationState(plans: ruleSet.plan.correlations, limits: limits)
    }

    /// What the bounds of correlations cost so far.
    public var counters: CorrelationCounters { correlations.counters }
    /// Correlation groups held now.
    public var groupCount: Int { correlations.groupCount }
    /// Rules evaluated so far, over all events: what the index could not exclude.
    public var evaluations: Int { matcher.evaluations }
    /// How often a regular expression outgrew its memory and began anew.
    public var regexFlushes: Int { matcher.regexFlushes }
    /// How many events had how many candidate rules: `[n]` is the number of events with n, the last entry those with more.
    public private(set) var candidateHistogram = [Int](repeating: 0, count: RuleEngine.candidateHistogramMax)
    public static let candidateHistogramMax = 1024
    /// Events evaluated so far, counted one by one as they are.
    public private(set) var eventsEvaluated = 0

    /// Appends the matches of a batch, event by event in order of the table, and in order of rules within an event.
    ///
    /// The table's events must be of the classes, and its fields of the names, that the rule set was compiled with.
    public mutating func evaluate(_ table: borrowing EventTable, into matches: inout [Match]) {
        var folded: [UInt8] = []
        swap(&folded, &self.folded)
        let mayHoldNonASCII = ByteSearch.foldASCII(table.bytes.span, into: &folded)
        let batchBytes = folded.count
        for event in 0..<table.count {
            matcher.begin(table, event, folded: &folded, mayHoldNonASCII: mayHoldNonASCII)
            evaluate(table, event, folded: folded.span, into: &matches)
            eventsEvaluated += 1
            if folded.count > batchBytes { folded.removeLast(folded.count - batchBytes) }
        }
        swap(&folded, &self.folded)
    }

    private mutating func evaluate(
        _ table: borrowing EventTable, _ event: Int, folded: borrowing Span<UInt8>, into matches: inout [Match]
    ) {
        matcher.findCandidates(table, event, folded: folded)
        candidateHistogram[min(matcher.candidates.count, Self.candidateHistogramMax - 1)] += 1
        guard !matcher.candidates.isEmpty else { return }
        matcher.linkFields(table, event)
        for position in matcher.candidates.indices {
            let rule = Int(matcher.candidates[position])
            guard matcher.matches(rule: rule, table, event, folded: folded) else { continue }
            if ruleSet.plan.isEmitted[rule] { matches.append(Match(rule: rule, event: event)) }
            for number in ruleSet.plan.correlationsOfRule[rule] {
                guard let result = correlations.count(table, event, in: number) else { continue }
                matches.append(
                    Match(rule: ruleSet.plan.correlations[number].rule, event: event, correlation: result)
                )
            }
        }
    }

    /// The groups that changed since the last call, and those that are gone.
    public mutating func takeChangedGroups() -> [GroupState] {
        correlations.takeChanged()
    }

    /// All groups, for handing them to the engine of a reloaded rule set.
    public func allGroups() -> [GroupState] {
        correlations.all()
    }

    /// Takes over saved groups of correlations that are still defined as they were; counts the others in
    /// `counters.statesRefused`. Call before the first batch.
    public mutating func restore(_ groups: [GroupState]) {
        correlations.restore(groups)
    }

    /// Takes over the groups of the engine that this one replaces.
    public mutating func adopt(from old: borrowing RuleEngine) {
        correlations.restore(old.allGroups())
    }
}
