extension RuleSet {
    /// The rules that a correlation counts, by their number; empty for rules on single events.
    public func countedRules(of rule: Int) -> [Int] {
        plan.correlations.first { $0.rule == rule }?.sources ?? []
    }

    /// For want of which fields a rule can never match events that have no others than those that are known; `nil` when
    /// it can. Of several ways to match, the one that lacks least.
    ///
    /// For a correlation, the fields that it groups and counts by are needed too.
    public func fieldsLacking(rule: Int, known: (String) -> Bool) -> [String]? {
        let lacking: Set<String>
        if let correlation = rules[rule].document.correlation {
            let own = Set((correlation.groupBy + correlation.valueFields).filter { !known($0) })
            let counted = countedRules(of: rule).map { Set(fieldsLacking(rule: $0, known: known) ?? []) }
            guard let least = counted.min(by: { $0.count < $1.count }) else { return [] }
            lacking = own.union(least)
        } else {
            guard let expression = expressions[rule] else { return [] }
            switch need(expression, isTrue: true, known) {
            case .nothing: return nil
            case .never: return []
            case .fields(let names): lacking = names
            }
        }
        return lacking.isEmpty ? nil : lacking.sorted()
    }

    /// What it takes for an expression to have a value.
    private enum Need {
        case nothing
        case fields(Set<String>)
        /// Whatever the event has.
        case never

        var size: Int {
            switch self {
            case .nothing: 0
            case .fields(let names): names.count
            case .never: .max
            }
        }
    }

    private func need(_ expression: Expression, isTrue wanted: Bool, _ known: (String) -> Bool) -> Need {
        switch expression {
        case .constant(let value): return value == wanted ? .nothing : .never
        case .not(let inner): return need(inner, isTrue: !wanted, known)
        case .and(let parts), .or(let parts):
            let isAnd = if case .and = expression { true } else { false }
            let needs = parts.map { need($0, isTrue: wanted, known) }
            // One part decides when an `and` shall fail or an `or` hold.
            guard isAnd == wanted else { return needs.min { $0.size < $1.size } ?? .never }
            return needs.reduce(.nothing) { sum, next in
                switch (sum, next) {
                case (.never, _), (_, .never): .never
                case (.nothing, let other), (let other, .nothing): other
                case (.fields(let left), .fields(let right)): .fields(left.union(right))
                }
            }
        case .predicate(let number):
            let predicate = table.predicates[number]
            var names = [predicate.field].compactMap { $0 }.map(fieldNames.name)
            if case .reference(let other, _, _) = predicate.test { names.append(fieldNames.name(of: other)) }
            let missing = Set(names.filter { !known($0) })
            // An absent field is null, and answers every other question with no.
            let isNull = if case .null = predicate.test { true } else { false }
            return missing.isEmpty || isNull == wanted ? .nothing : .fields(missing)
        }
    }
}
