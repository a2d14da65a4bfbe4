/// What a rule says of itself, by the name that pipelines ask for it by.
enum RuleAttribute {
    private enum Kind {
        case text((RuleDocument) -> String?)
        case date((RuleDocument) -> String?)
        /// Words in an order.
        case rank([String], (RuleDocument) -> String?)
        case list((RuleDocument) -> [String])
    }

    private static let levels = RuleLevel.allCases.map(\.rawValue)
    private static let statuses = ["unsupported", "deprecated", "experimental", "test", "stable"]
    private static let names = [
        "author", "date", "description", "falsepositives", "fields", "id", "level", "license", "modified", "name",
        "references", "status", "tags", "title",
    ]

    private static func kind(_ name: String) -> Kind? {
        switch name {
        case "author": .text { $0.author }
        case "date": .date { $0.date }
        case "description": .text { $0.description }
        case "falsepositives": .list { $0.falsePositives }
        case "fields": .list { $0.fields }
        case "id": .text { $0.id }
        case "level": .rank(levels) { $0.level?.rawValue }
        case "license": .text { $0.license }
        case "modified": .date { $0.modified }
        case "name": .text { $0.name }
        case "references": .list { $0.references }
        case "status": .rank(statuses) { $0.status }
        case "tags": .list { $0.tags }
        case "title": .text { $0.title }
        default: nil
        }
    }

    /// Refuses questions that no rule could answer.
    static func check(_ name: String, _ relation: Relation, _ value: String, line: Int) throws(DocumentFault) {
        func refuse(_ reason: String) -> DocumentFault { DocumentFault(line, "the attribute '\(name)' \(reason)") }
        let isMembership = relation == .in || relation == .notIn
        switch kind(name) {
        case nil: throw refuse("is not known; there are: \(names.joined(separator: ", "))")
        case .text?:
            guard !isMembership, !relation.isOrder else { throw refuse("is text: 'op' must be eq or ne") }
        case .date?:
            guard !isMembership else { throw refuse("is a date, not a list") }
            guard value.utf8.count == 10, normal(date: value).split(separator: "-").count == 3 else {
                throw refuse("is a date such as 2026-01-31, not '\(value)'")
            }
        case .rank(let words, _)?:
            guard !isMembership else { throw refuse("is one word, not a list") }
            guard words.contains(value.lowercased()) else {
                throw refuse("is one of \(words.joined(separator: ", ")), not '\(value)'")
            }
        case .list?:
            guard isMembership else { throw refuse("is a list: 'op' must be in or not_in") }
        }
    }

    /// What the rule does not say is unequal to everything, and neither more nor less.
    static func holds(_ name: String, _ relation: Relation, _ value: String, _ document: RuleDocument) -> Bool {
        switch kind(name) {
        case nil: return false
        case .text(let read)?:
            guard let own = read(document) else { return relation == .notEqual }
            return relation.holds(own, value)
        case .date(let read)?:
            guard let own = read(document) else { return relation == .notEqual }
            return relation.holds(normal(date: own), normal(date: value))
        case .rank(let words, let read)?:
            guard let own = read(document).flatMap({ words.firstIndex(of: $0.lowercased()) }),
                let wanted = words.firstIndex(of: value.lowercased())
            else { return relation == .notEqual }
            return relation.holds(own, wanted)
        case .list(let read)?:
            return read(document).contains(value) == (relation == .in)
        }
    }

    /// Older rules write `2020/01/31`.
    private static func normal(date: String) -> String {
        String(date.map { $0 == "/" ? "-" : $0 })
    }
}
