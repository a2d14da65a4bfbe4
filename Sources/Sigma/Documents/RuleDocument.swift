/// A Sigma rule or correlation as written, with the lines that faults are reported by.
///
/// Sections that Sigma does not define are ignored. Source: Sigma specification 2.1.0.
public struct RuleDocument: Sendable {
    /// The path as the loader was given it, or found it below what it was given.
    public var file: String
    /// The line of the file at which the document begins.
    public var line: Int

    public var id: String?
    public var title: String = ""
    /// What correlations may call the rule by, besides its id.
    public var name: String?
    public var description: String?
    public var author: String?
    public var license: String?
    public var status: String?
    public var level: RuleLevel?
    public var date: String?
    public var modified: String?
    public var references: [String] = []
    public var tags: [String] = []
    public var falsePositives: [String] = []
    /// Fields that an analyst wants to see beside a match.
    public var fields: [String] = []
    public var logSource = LogSource()
    /// The line of `logsource`, or of the document when there is none.
    public var logSourceLine = 0
    public var body: Body

    /// A document is either a rule on single events or a correlation of other rules.
    public enum Body: Sendable {
        case detection(DetectionDocument)
        case correlation(CorrelationDocument)
    }

    public var detection: DetectionDocument? {
        if case .detection(let detection) = body { detection } else { nil }
    }

    public var correlation: CorrelationDocument? {
        if case .correlation(let correlation) = body { correlation } else { nil }
    }

    /// What people call the rule: its title, else its name, else its id.
    public var label: String {
        if !title.isEmpty { return title }
        return name ?? id ?? ""
    }
}

/// How much a match matters.
public enum RuleLevel: String, Hashable, Sendable, CaseIterable, Comparable {
    case informational, low, medium, high, critical

    public static func < (left: RuleLevel, right: RuleLevel) -> Bool {
        left.order < right.order
    }

    private var order: Int {
        switch self {
        case .informational: 0
        case .low: 1
        case .medium: 2
        case .high: 3
        case .critical: 4
        }
    }
}

/// The `detection` section: named selections, and conditions over their names.
public struct DetectionDocument: Sendable {
    public var selections: [SelectionDocument]
    /// More than one condition means: any of them.
    public var conditions: [Located]

    /// A text and the line it was written on.
    public struct Located: Sendable {
        public var text: String
        public var line: Int
    }
}

/// One named selection.
public struct SelectionDocument: Sendable {
    public var name: String
    public var line: Int
    /// Alternatives of items that must all hold: one alternative for a map, several for a list of maps. A list of
    /// values (keywords) is one alternative of one item without field.
    public var alternatives: [[DetectionItem]]
}

/// One line of a selection: a field, modifiers, and the values to compare with.
public struct DetectionItem: Sendable {
    /// Empty for keywords, which are looked for in the entire event.
    public var field: String
    /// In the order written, in lower case.
    public var modifiers: [String]
    public var values: [DetectionValue]
    public var line: Int
    /// Items of which one may hold instead of this one: what a pipeline made of one field. They have none themselves.
    public var others: [DetectionItem] = []
    /// The pipeline steps that changed it.
    var applied: Set<String> = []

    /// The item, and those that may hold in its place.
    public var group: [DetectionItem] {
        var first = self
        first.others = []
        return [first] + others
    }
}

extension DetectionItem {
    /// - Returns: `nil` when there is none.
    init?(anyOf group: [DetectionItem]) {
        guard var first = group.first else { return nil }
        first.others = Array(group.dropFirst())
        self = first
    }
}

/// A value as written. Numbers and booleans keep their text, since they are compared as text.
public struct DetectionValue: Sendable {
    public enum Kind: Sendable { case string, number, boolean, null }

    public var kind: Kind
    public var text: String
    public var line: Int
    /// A pipeline filled its placeholders: what looks like one by now is text.
    var isFilled = false
}

/// The `correlation` section.
public struct CorrelationDocument: Sendable {
    public var line: Int
    /// `event_count`, `value_count`, …; which of them run is the compiler's to say.
    public var type: String
    /// Ids or names of the correlated rules.
    public var rules: [DetectionDocument.Located]
    public var groupBy: [String]
    /// Where `aliases` stand, if there are any.
    public var aliasesLine: Int?
    public var timespan: String
    /// Comparisons that must all hold, such as `gte: 5`.
    public var comparisons: [Comparison]
    /// The field whose values are counted, for types that count values.
    public var valueFields: [String]
    /// Whether the correlated rules also match on their own.
    public var generate: Bool

    public struct Comparison: Sendable {
        public var name: String
        public var value: String
        public var line: Int
    }
}
