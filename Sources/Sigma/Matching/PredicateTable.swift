/// The predicates of a rule set, each held once however many rules ask it, and the field names that they ask about.
struct PredicateTable: Sendable {
    private(set) var predicates: [Predicate] = []
    private(set) var fieldNames: FieldNames
    /// Programs of the regular expressions, by the number in `programNumbers`.
    private(set) var programs: [RegexProgram] = []
    private(set) var programNumbers: [RegexSource: Int] = [:]
    private var numbers: [Predicate: Int] = [:]

    init(wellKnownFields: [String]) {
        fieldNames = FieldNames(wellKnown: wellKnownFields)
    }

    mutating func intern(_ predicate: Predicate) -> Expression {
        if let known = numbers[predicate] { return .predicate(known) }
        numbers[predicate] = predicates.count
        predicates.append(predicate)
        return .predicate(predicates.count - 1)
    }

    mutating func intern(field: String, line: Int) throws(DocumentFault) -> FieldID {
        guard let id = fieldNames.intern(field) else {
            throw DocumentFault(line, "more than \(FieldNames.countMax) field names in all rules")
        }
        return id
    }

    mutating func intern(_ source: RegexSource, line: Int) throws(DocumentFault) {
        guard programNumbers[source] == nil else { return }
        do {
            let program = try RegexProgram(source)
            programNumbers[source] = programs.count
            programs.append(program)
        } catch {
            throw DocumentFault(line, "the regular expression cannot be used: \(error.message)")
        }
    }
}
