/// A processing pipeline as written: steps that change rules before they are compiled.
///
/// The notation is pySigma's. What it knows and this one lacks is a fault, never passed over.
struct Pipeline {
    var file: String
    var name: String
    /// Lower ones come first.
    var priority: Int
    /// Values by name, for placeholders.
    var variables: [String: [String]]
    var steps: [PipelineStep]

    /// What faults of rules call it.
    var label: String { name.isEmpty ? file : "\(name) (\(file))" }
}

/// One entry of `transformations`: what is done, and under which conditions.
struct PipelineStep {
    var id: String?
    /// In the pipeline's file.
    var line: Int
    var action: PipelineAction
    var rules: PipelineConditions<RuleQuestion>
    var items: PipelineConditions<ItemQuestion>
    var fields: PipelineConditions<FieldQuestion>
}

/// What a step does.
indirect enum PipelineAction {
    /// Names by name; the empty name is that of keywords.
    case mapFields([String: [String]])
    case mapPrefixes([(prefix: String, new: [String])])
    case prefixFields(String)
    case suffixFields(String)
    case dropItems
    case addCondition(AddedCondition)
    case changeLogSource(LogSource)
    case replaceText(TextReplacement)
    case mapTexts([String: [String]])
    case changeCase(toUpper: Bool)
    case setValue(DetectionValue)
    /// `wildcard`: by `*` instead of values.
    case fillPlaceholders(PlaceholderChoice, wildcard: Bool)
    case splitHashes(HashFields)
    case failRule(String)
    case failItem(String)
    case setState(key: String, value: String)
    case setShownFields(ShownFields)
    case nest([PipelineStep])
}

/// A selection that every condition of a rule then also demands.
struct AddedCondition {
    /// `nil` for a name of its own.
    var name: String?
    var items: [DetectionItem]
    /// `$product`, `$category` and `$service` in values stand for the rule's own.
    var isTemplate: Bool
    var isNegated: Bool
}

/// Which placeholders a step is about: all, some, or all but some.
struct PlaceholderChoice {
    var include: [String]?
    var exclude: [String]?

    func covers(_ name: String) -> Bool {
        if let include { return include.contains(name) }
        return exclude.map { !$0.contains(name) } ?? true
    }
}

/// How one field of several hashes (`SHA1=…`) becomes one field for each kind.
struct HashFields {
    /// In upper case.
    var algorithms: [String]
    var prefix: String
    var leavesOutAlgorithm: Bool
    var fields: [String]
}

/// A change of the list of fields that a rule wants shown.
enum ShownFields {
    case add([String]), remove([String]), set([String])
}

/// Questions that must be answered with yes, each by itself; there may be none.
struct PipelineConditions<Question> {
    enum Linking {
        case all, any
        case expression(Condition)
    }

    var questions: [(name: String, question: Question)] = []
    var linking = Linking.all
    var isNegated = false

    /// Without questions the answer is yes.
    func hold(_ answer: (Question) throws(DocumentFault) -> Bool) throws(DocumentFault) -> Bool {
        guard !questions.isEmpty else { return true }
        var answers: [String: Bool] = [:]
        for entry in questions { answers[entry.name] = try answer(entry.question) }
        let result =
            switch linking {
            case .all: answers.values.allSatisfy { $0 }
            case .any: answers.values.contains(true)
            case .expression(let condition): condition.value(answers)
            }
        return result != isNegated
    }
}

extension Condition {
    /// Its truth when selections are; names that are not there are false.
    fileprivate func value(_ answers: [String: Bool]) -> Bool {
        switch self {
        case .selection(let name): answers[name] ?? false
        case .and(let parts): parts.allSatisfy { $0.value(answers) }
        case .or(let parts): parts.contains { $0.value(answers) }
        case .not(let inner): !inner.value(answers)
        case .quantified: false
        }
    }
}

/// Asked of a rule as a whole.
enum RuleQuestion {
    case logSource(LogSource)
    case containsItem(field: String, value: DetectionValue)
    case containsField(String)
    case isRule
    case isCorrelation
    case hasTag(String)
    case attribute(name: String, Relation, value: String)
    case wasProcessed(step: String)
    case state(key: String, Relation, value: String)
}

/// Asked of one line of a selection.
enum ItemQuestion {
    enum Value {
        case matches(RegexProgram, isNegated: Bool)
        case equals(DetectionValue)
        case hasWildcard
        case isNull
    }

    case values(Value, all: Bool)
    case wasProcessed(step: String)
    case state(key: String, Relation, value: String)
}

/// Asked of a field's name; keywords have none.
enum FieldQuestion {
    case isOne(of: Set<String>)
    case matchesOne(of: [RegexProgram])
    indirect case not(FieldQuestion)
    case wasProcessed(step: String)
    case state(key: String, Relation, value: String)
}

enum Relation: String, CaseIterable {
    case equal = "eq"
    case notEqual = "ne"
    case less = "lt"
    case lessOrEqual = "lte"
    case greater = "gt"
    case greaterOrEqual = "gte"
    case `in`
    case notIn = "not_in"

    /// Whether it holds of two things that have an order.
    func holds<Value: Comparable>(_ left: Value, _ right: Value) -> Bool {
        switch self {
        case .equal, .in: left == right
        case .notEqual, .notIn: left != right
        case .less: left < right
        case .lessOrEqual: left <= right
        case .greater: left > right
        case .greaterOrEqual: left >= right
        }
    }

    var isOrder: Bool {
        switch self {
        case .less, .lessOrEqual, .greater, .greaterOrEqual: true
        case .equal, .notEqual, .in, .notIn: false
        }
    }
}
