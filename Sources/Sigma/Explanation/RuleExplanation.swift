/// What a rule looks for, in words, and for one event which of it held, and why.
///
/// Every part is asked, also where the engine would know the answer from another part already.
public struct RuleExplanation: Sendable {
    /// A node of the condition.
    public struct Part: Sendable {
        public enum Kind: String, Sendable { case and, or, not, selection, item }

        public var kind: Kind
        /// Of a selection, its name; empty for others.
        public var name: String
        /// What must be true, in words.
        public var text: String
        public var item: Item?
        public var parts: [Part]
        /// Whether it held; `nil` without an event.
        public var held: Bool?
        /// Of an item, what the event has there, in words.
        public var reason: String?
    }

    /// One line of a selection.
    public struct Item: Sendable {
        /// Empty for keywords.
        public var field: String
        public var modifiers: [String]
        /// As the rule has them; at most `valuesMax`.
        public var values: [String]
        public var valueCount: Int
        /// What the event has there; `nil` when it has no such field, and without an event. At most `foundMax`.
        public var found: [String]?
        /// Those of `values` that held.
        public var matched: [String]
    }

    public static let valuesMax = 100
    public static let foundMax = 10
    /// Bytes of one value that are kept.
    public static let valueBytesMax = 1_000

    /// `nil` for correlations.
    public var condition: Part?
    /// Every field that it names, in order.
    public var fields: [String] = []
    /// Texts of which an event must hold one to be looked at; `nil` when every event is. Folded to lower case.
    public var texts: [String]?
    /// Whether the rule is tried on events of this one's kind; `nil` without an event.
    public var isTried: Bool?
    /// `nil` without an event. For a correlation: whether the event counts.
    public var matches: Bool?
    /// Of a correlation: the rules that it counts, by their number.
    public var counted: [(rule: Int, explanation: RuleExplanation)] = []
    /// Of a correlation: the fields that an event must have to be counted and this one lacks.
    public var lacking: [String] = []
}

extension RuleExplanation {
    /// - Parameter rule: its number in the set.
    public init(_ rule: Int, of ruleSet: RuleSet) {
        self.init(rule, of: ruleSet, event: nil)
    }

    /// - Parameter event: its number in the table, whose fields have the numbers of the set.
    public init(_ rule: Int, of ruleSet: RuleSet, _ table: borrowing EventTable, event: Int) {
        self.init(rule, of: ruleSet, event: ExplainedEvent(table, event, ruleSet))
    }

    private init(_ rule: Int, of ruleSet: RuleSet, event: ExplainedEvent?) {
        let document = ruleSet.rules[rule].document
        if let correlation = document.correlation {
            counted = ruleSet.countedRules(of: rule).map { ($0, RuleExplanation($0, of: ruleSet, event: event)) }
            fields = correlation.groupBy + correlation.valueFields
            guard let event else { return }
            lacking = fields.filter { event.values(of: $0)?.contains { $0 != nil } != true }
            isTried = counted.contains { $0.explanation.isTried == true }
            matches = lacking.isEmpty && counted.contains { $0.explanation.matches == true }
            return
        }
        guard let detection = document.detection, let expression = ruleSet.expressions[rule] else { return }
        var maker = ExplanationMaker(ruleSet, event)
        condition = maker.part(detection)
        fields = maker.fields
        texts = Witness(expression, ruleSet.table).map(Self.texts)
        guard let event else { return }
        let admitting = EventClass.admitting(document.logSource, of: ruleSet.classes)
        isTried = admitting.contains(event.classNumber)
        matches = isTried == true && condition?.held == true
    }

    private static func texts(of witness: Witness) -> [String] {
        let texts = witness.literals.compactMap { literal -> String? in
            switch literal {
            case .value(_, let bytes), .substring(_, let bytes): String(decoding: bytes, as: UTF8.self)
            case .presence: nil
            }
        }
        return Array(Set(texts)).sorted()
    }
}

/// One event, taken out of its table.
struct ExplainedEvent {
    let classNumber: Int
    private let fields: [(name: String, id: FieldID, value: [UInt8]?)]
    private let line: [UInt8]

    init(_ table: borrowing EventTable, _ event: Int, _ ruleSet: RuleSet) {
        classNumber = Int(table.events[event].eventClass.index)
        var fields: [(name: String, id: FieldID, value: [UInt8]?)] = []
        for field in table.fields(of: event) {
            let bytes = Array(table.bytes[field.value.start..<field.value.end])
            let name = field.id == .unnamed ? table.text(field.name) : ruleSet.fieldNames.name(of: field.id)
            fields.append((name, field.id, field.kind == .null ? nil : bytes))
        }
        self.fields = fields
        let slice = table.events[event].line
        line = Array(table.bytes[slice.start..<slice.end])
    }

    /// `nil` when there is no such field; an element that is `nil` is null.
    func values(of name: String) -> [[UInt8]?]? {
        let own = fields.filter { $0.name == name }
        return own.isEmpty ? nil : own.map(\.value)
    }

    func holds(_ expression: Expression, _ ruleSet: RuleSet) -> Bool {
        PlainEvaluator(ruleSet).holds(expression, fields.map { ($0.id, $0.value) }, line)
    }
}
