/// A rule that is ready to run.
public struct CompiledRule: Sendable {
    public let document: RuleDocument
    /// Whether its matches are handed out; `false` for rules that only feed correlations.
    public let isEmitted: Bool
    /// The event classes it is tried on; empty for correlations, and for rules of logs that no parser reads.
    public let classes: [EventClassID]

    public var id: String? { document.id }
    public var title: String { document.title }
    public var level: RuleLevel? { document.level }
    public var author: String? { document.author }
    public var tags: [String] { document.tags }
}

/// Rules compiled together: what they share is evaluated once. Immutable; an engine runs it.
public struct RuleSet: Sendable {
    public let rules: [CompiledRule]
    /// What was wrong: the loader's faults and the compiler's. Rules with a fault that is no warning do not run.
    public let faults: [RuleFault]
    /// The well-known fields, in their order, then what rules name.
    public let fieldNames: FieldNames
    public let classes: [EventClass]

    let plan: RulePlan
    /// For the plain evaluator.
    let table: PredicateTable
    let expressions: [Expression?]
    /// For explanations.
    let placeholders: [String: [String]]

    /// Whether any rule looks at this field by name. Keywords look at all fields and do not count.
    public func isFieldUsed(_ id: FieldID) -> Bool {
        Int(id.index) < plan.isFieldUsed.count && plan.isFieldUsed[Int(id.index)]
    }

    /// Compiles what was loaded; never fails as a whole.
    ///
    /// - Parameters:
    ///   - classes: the classes of events that the caller's parsers produce, numbered by their place here.
    ///   - wellKnownFields: names that get the first numbers in this order.
    ///   - placeholders: values for `%name%` in items with `expand`.
    public static func compile(
        _ load: RuleLoad, classes: [EventClass], wellKnownFields: [String], placeholders: [String: [String]] = [:]
    ) -> RuleSet {
        var compiler = RuleSetCompiler(
            classes: classes, wellKnownFields: wellKnownFields, placeholders: placeholders, faults: load.faults
        )
        return compiler.compile(load.documents)
    }
}

private struct RuleSetCompiler {
    var classes: [EventClass]
    var faults: [RuleFault]
    var selections: SelectionCompiler
    var accepted: [(document: RuleDocument, expression: Expression?)] = []
    /// Rules by id and by name. A name that two rules have names neither.
    var numbers: [String: Int] = [:]

    init(
        classes: [EventClass], wellKnownFields: [String], placeholders: [String: [String]], faults: [RuleFault]
    ) {
        self.classes = classes
        self.faults = faults
        selections = SelectionCompiler(
            table: PredicateTable(wellKnownFields: wellKnownFields), placeholders: placeholders
        )
    }

    mutating func compile(_ documents: [RuleDocument]) -> RuleSet {
        for document in documents {
            if let detection = document.detection { compile(detection, of: document) }
        }
        var correlations: [CorrelationPlan] = []
        var silenced: Set<Int> = []
        for document in documents {
            guard let correlation = document.correlation else { continue }
            // Rules that were written to be counted do not alert one by one because their correlation cannot be used.
            if !correlation.generate { silenced.formUnion(correlation.rules.compactMap { numbers[$0.text] }) }
            if let plan = compile(correlation, of: document) { correlations.append(plan) }
        }
        let classesOf = accepted.map { rule in
            rule.expression == nil
                ? [] : EventClass.admitting(rule.document.logSource, of: classes)
        }
        let (indexes, indexOfClass) = index(classesOf)
        let isEmitted = accepted.indices.map { !silenced.contains($0) }
        let rules = accepted.indices.map { number in
            CompiledRule(
                document: accepted[number].document, isEmitted: isEmitted[number],
                classes: classesOf[number].map { EventClassID(UInt16($0)) }
            )
        }
        let expressions = accepted.map(\.expression)
        let plan = RulePlan(
            table: selections.table, expressions: expressions, indexes: indexes, indexOfClass: indexOfClass,
            isEmitted: isEmitted, correlations: correlations
        )
        return RuleSet(
            rules: rules, faults: faults, fieldNames: selections.table.fieldNames, classes: classes, plan: plan,
            table: selections.table, expressions: expressions, placeholders: selections.placeholders
        )
    }

    private mutating func fault(_ document: RuleDocument, _ fault: DocumentFault) {
        let line = fault.line > 0 ? fault.line : document.line
        faults.append(RuleFault(file: document.file, line: line, rule: document.label, message: fault.message))
    }

    private mutating func compile(_ detection: DetectionDocument, of document: RuleDocument) {
        if let id = document.id, let other = numbers[id] {
            let first = accepted[other].document
            let message = "the id \(id) is already that of a rule in \(first.file):\(first.line)"
            return fault(document, DocumentFault(document.line, message))
        }
        do throws(DocumentFault) {
            let expression = try selections.compile(detection)
            register(document)
            accepted.append((document, expression))
        } catch {
            fault(document, error)
        }
    }

    private mutating func register(_ document: RuleDocument) {
        if let id = document.id { numbers[id] = accepted.count }
        if let name = document.name, numbers[name] == nil { numbers[name] = accepted.count }
    }

    private mutating func compile(
        _ correlation: CorrelationDocument, of document: RuleDocument
    ) -> CorrelationPlan? {
        do throws(DocumentFault) {
            if let id = document.id, numbers[id] != nil {
                throw DocumentFault(document.line, "the id \(id) is already that of another rule")
            }
            for name in correlation.rules {
                if let number = numbers[name.text], accepted[number].expression == nil {
                    throw DocumentFault(name.line, "correlations of correlations are not supported yet")
                }
            }
            let identity = document.id ?? document.name ?? document.title
            guard !identity.isEmpty else {
                throw DocumentFault(document.line, "a correlation needs an id, a name or a title")
            }
            let plan = try CorrelationPlan(
                correlation, rule: accepted.count, identity: identity, ruleNumbers: numbers
            ) { name, line throws(DocumentFault) in
                try selections.table.intern(field: name, line: line)
            }
            register(document)
            accepted.append((document, nil))
            return plan
        } catch {
            fault(document, error)
            return nil
        }
    }

    /// One index for all classes that the same rules are tried on.
    private func index(_ classesOf: [[Int]]) -> (indexes: [LiteralIndex], indexOfClass: [Int]) {
        var rulesOfClass = [[Int]](repeating: [], count: classes.count)
        for (rule, classes) in classesOf.enumerated() {
            for number in classes { rulesOfClass[number].append(rule) }
        }
        let witnesses = accepted.map { $0.expression.flatMap { Witness($0, selections.table) } }
        var indexes: [LiteralIndex] = []
        var known: [[Int]: Int] = [:]
        var indexOfClass: [Int] = []
        for rules in rulesOfClass {
            if let number = known[rules] {
                indexOfClass.append(number)
                continue
            }
            known[rules] = indexes.count
            indexOfClass.append(indexes.count)
            indexes.append(
                LiteralIndex(
                    rules.map { (rule: $0, witness: witnesses[$0]) }, fieldCount: selections.table.fieldNames.count
                )
            )
        }
        return (indexes, indexOfClass)
    }
}
