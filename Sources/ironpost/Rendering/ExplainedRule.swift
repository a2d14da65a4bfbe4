import IronpostCore
import LogPipeline
import Sigma

/// A rule's explanation for people.
struct ExplainedRule {
    /// Texts of the search ahead beyond this many are counted.
    private static let textsMax = 8

    private(set) var lines: [String] = []
    private let terminal: Terminal

    init(
        _ explanation: RuleExplanation, _ number: Int, _ book: RuleBook, tried: (event: EventRecord, kind: String)?,
        terminal: Terminal
    ) {
        self.terminal = terminal
        let document = book.ruleSet.rules[number].document
        let level = (document.level ?? .medium).rawValue
        lines.append(
            terminal.paint(Escaping.line(document.title), .bold) + "  "
                + terminal.paint(level, Terminal.style(severity: level)))
        if let id = document.id { add("id", id) }
        add("file", "\(document.file):\(document.line)")
        if let text = document.description {
            add("meaning", text.split(whereSeparator: \.isNewline).joined(separator: " "))
        }
        if let correlation = document.correlation {
            add("counts", Self.words(correlation))
        } else {
            add("events of", RuleWords.logSource(document.logSource))
        }
        if !explanation.fields.isEmpty { add("fields", explanation.fields.joined(separator: ", ")) }
        search(explanation)
        lines.append("")
        if let condition = explanation.condition { add(condition, depth: 0) }
        for (rule, counted) in explanation.counted {
            lines.append("\(mark(counted.matches))counted: \(Escaping.line(book.ruleSet.rules[rule].title))")
            if let condition = counted.condition { add(condition, depth: 1) }
        }
        guard let tried else { return }
        lines.append("")
        lines.append(Escaping.line(RuleWords.outcome(explanation, document, kind: tried.kind)))
    }

    private mutating func add(_ name: String, _ text: String) {
        lines.append("  \(name.padding(to: 10))\(Escaping.line(text))")
    }

    private mutating func search(_ explanation: RuleExplanation) {
        guard explanation.condition != nil else { return }
        guard let texts = explanation.texts else {
            return add("searched", "on every such event: it names no text that must be there")
        }
        guard !texts.isEmpty else { return add("searched", "only where one of its fields is there") }
        let more = texts.count > Self.textsMax ? ", and \(texts.count - Self.textsMax) more" : ""
        let list = texts.prefix(Self.textsMax).map { "\"\($0)\"" }.joined(separator: ", ")
        add("searched", "only where one of these is in the event: \(list)\(more)")
    }

    private mutating func add(_ part: RuleExplanation.Part, depth: Int) {
        let indentation = String(repeating: "  ", count: depth)
        var line = mark(part.held) + indentation + Escaping.line(part.text)
        if let reason = part.reason { line += terminal.paint("  (\(Escaping.line(reason)))", .dim) }
        lines.append(line)
        for inner in part.parts { add(inner, depth: depth + 1) }
    }

    private func mark(_ held: Bool?) -> String {
        switch held {
        case nil: "  "
        case true?: terminal.paint("yes", .green) + " "
        case false?: terminal.paint("no", .red) + "  "
        }
    }

    private static func words(_ correlation: CorrelationDocument) -> String {
        let what =
            correlation.type == "value_count"
            ? "different values of \(correlation.valueFields.joined(separator: ", "))" : "events"
        let comparisons = correlation.comparisons.map { "\($0.name) \($0.value)" }.joined(separator: " and ")
        let group = correlation.groupBy.isEmpty ? "" : " with the same \(correlation.groupBy.joined(separator: ", "))"
        return "\(what)\(group) within \(correlation.timespan): \(comparisons)"
    }
}

/// What is said of rules in more than one place.
enum RuleWords {
    static func logSource(_ source: LogSource) -> String {
        let parts = [source.product, source.category, source.service].compactMap { $0 }
        return parts.isEmpty ? "any kind" : parts.joined(separator: "/")
    }

    static func outcome(_ explanation: RuleExplanation, _ document: RuleDocument, kind: String) -> String {
        if explanation.isTried == false {
            return "no match: the rule is not tried on events of this kind (\(kind))"
        }
        guard document.correlation != nil else {
            return explanation.matches == true ? "match" : "no match: the condition does not hold"
        }
        if explanation.matches == true { return "counted: this event is one of those that the correlation waits for" }
        let isCounted = explanation.counted.contains { $0.explanation.matches == true }
        guard isCounted, !explanation.lacking.isEmpty else { return "not counted: no rule that it counts matches" }
        return "not counted: the event has no \(explanation.lacking.joined(separator: ", "))"
    }
}

extension String {
    fileprivate func padding(to width: Int) -> String {
        self + String(repeating: " ", count: max(1, width - count))
    }
}
