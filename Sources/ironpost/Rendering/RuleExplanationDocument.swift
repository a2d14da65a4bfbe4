import IronpostCore
import LogPipeline
import Sigma

/// A rule's explanation for programs.
struct RuleExplanationDocument: Encodable {
    struct Rule: Encodable {
        let id: String
        let title: String
        let level: String
        let kind: String
        let file: String
        let line: Int
    }

    struct Source: Encodable {
        let product: String?
        let category: String?
        let service: String?
    }

    struct Part: Encodable {
        let kind: String
        let name: String?
        let text: String
        let held: Bool?
        let reason: String?
        let field: String?
        let modifiers: [String]?
        let values: [String]?
        // swift-format-ignore: AlwaysUseLowerCamelCase
        let values_total: Int?
        let found: [String]?
        let matched: [String]?
        let parts: [Part]?

        init(_ part: RuleExplanation.Part) {
            kind = part.kind.rawValue
            name = part.name.isEmpty ? nil : part.name
            text = part.text
            held = part.held
            reason = part.reason
            field = part.item?.field
            modifiers = part.item?.modifiers
            values = part.item?.values
            values_total = part.item?.valueCount
            found = part.item?.found
            matched = part.held == nil ? nil : part.item?.matched
            parts = part.item == nil ? part.parts.map(Part.init) : nil
        }
    }

    struct Counted: Encodable {
        let rule: Rule
        let condition: Part?
        let matches: Bool?
    }

    struct Outcome: Encodable {
        let matches: Bool
        let tried: Bool
        let reason: String
        // swift-format-ignore: AlwaysUseLowerCamelCase
        let event_class: String
        /// Fields that a correlation needs and the event lacks.
        let lacking: [String]
        let fields: FieldMap
    }

    let rule: Rule
    let logsource: Source
    let fields: [String]
    /// Null when every event of the log source is looked at.
    let texts: [String]?
    let condition: Part?
    let counted: [Counted]?
    let outcome: Outcome?

    init(
        _ explanation: RuleExplanation, _ number: Int, _ book: RuleBook, tried: (event: EventRecord, kind: String)?
    ) {
        let document = book.ruleSet.rules[number].document
        rule = Self.rule(document)
        logsource = Source(
            product: document.logSource.product, category: document.logSource.category,
            service: document.logSource.service)
        fields = explanation.fields
        texts = explanation.texts
        condition = explanation.condition.map(Part.init)
        counted =
            document.correlation == nil
            ? nil
            : explanation.counted.map { entry in
                Counted(
                    rule: Self.rule(book.ruleSet.rules[entry.rule].document),
                    condition: entry.explanation.condition.map(Part.init), matches: entry.explanation.matches)
            }
        outcome = tried.map { tried in
            Outcome(
                matches: explanation.matches == true, tried: explanation.isTried == true,
                reason: RuleWords.outcome(explanation, document, kind: tried.kind), event_class: tried.kind,
                lacking: explanation.lacking, fields: FieldMap(tried.event.fields))
        }
    }

    private static func rule(_ document: RuleDocument) -> Rule {
        Rule(
            id: document.id ?? document.title, title: document.title, level: (document.level ?? .medium).rawValue,
            kind: document.correlation == nil ? "rule" : "correlation", file: document.file, line: document.line)
    }
}
