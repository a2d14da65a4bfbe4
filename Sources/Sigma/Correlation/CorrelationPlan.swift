/// A correlation, checked and with its fields and rules as numbers.
struct CorrelationPlan: Sendable {
    /// A count that no condition may exceed: that many events of a group are remembered.
    static let thresholdMax = 100_000
    static let timespanMax: Int64 = 366 * 86_400

    enum Kind: Sendable { case eventCount, valueCount }
    enum Comparison: Sendable { case gt, gte, lt, lte, eq, neq }

    var kind: Kind
    /// The number of the correlation among all rules.
    var rule: Int
    /// What its state is kept under: the correlation's id, or else its name or title.
    var identity: String
    /// The rules whose matches are counted.
    var sources: [Int]
    var groupFields: [FieldID]
    var groupNames: [String]
    var valueFields: [FieldID]
    /// Nanoseconds; two events exactly this far apart are not in one window.
    var window: Int64
    var conditions: [(Comparison, Int)]
    /// Tells one definition from another: state of a different definition is not taken over.
    var definition: UInt64

    /// The largest count that any condition speaks of.
    var threshold: Int { conditions.map(\.1).max() ?? 0 }

    func holds(_ count: Int) -> Bool {
        for (comparison, value) in conditions {
            let isTrue =
                switch comparison {
                case .gt: count > value
                case .gte: count >= value
                case .lt: count < value
                case .lte: count <= value
                case .eq: count == value
                case .neq: count != value
                }
            guard isTrue else { return false }
        }
        return true
    }

    /// - Parameter ruleNumbers: rules by id and by name.
    init(
        _ document: CorrelationDocument, rule: Int, identity: String, ruleNumbers: [String: Int],
        intern: (String, Int) throws(DocumentFault) -> FieldID
    ) throws(DocumentFault) {
        if let line = document.aliasesLine {
            throw DocumentFault(line, "correlation 'aliases' are not supported yet")
        }
        switch document.type {
        case "event_count": kind = .eventCount
        case "value_count": kind = .valueCount
        default: throw DocumentFault(document.line, "correlation type '\(document.type)' is not supported yet")
        }
        self.rule = rule
        self.identity = identity
        sources = []
        for name in document.rules {
            guard let number = ruleNumbers[name.text] else {
                throw DocumentFault(name.line, "no usable rule has the id or name '\(name.text)'")
            }
            if !sources.contains(number) { sources.append(number) }
        }
        groupNames = document.groupBy
        groupFields = []
        for field in document.groupBy { groupFields.append(try intern(field, document.line)) }
        valueFields = []
        for field in document.valueFields { valueFields.append(try intern(field, document.line)) }
        guard (kind == .valueCount) != valueFields.isEmpty else {
            throw DocumentFault(document.line, "'field' in the condition goes with value_count, and must")
        }
        window = try Self.timespan(document.timespan, line: document.line)
        conditions = []
        for comparison in document.comparisons {
            let kinds: [String: Comparison] = [
                "gt": .gt, "gte": .gte, "lt": .lt, "lte": .lte, "eq": .eq, "neq": .neq,
            ]
            guard let kind = kinds[comparison.name] else {
                throw DocumentFault(comparison.line, "unknown comparison '\(comparison.name)'")
            }
            guard let value = Int(comparison.value), (0...Self.thresholdMax).contains(value) else {
                throw DocumentFault(
                    comparison.line, "'\(comparison.value)' is not a count from 0 to \(Self.thresholdMax)")
            }
            conditions.append((kind, value))
        }
        guard !conditions.isEmpty else { throw DocumentFault(document.line, "'condition' is missing or empty") }
        var hash = StableHash(seed: 0)
        hash.combine(document.type)
        hash.combine(String(window))
        for field in document.groupBy { hash.combine("g" + field) }
        for field in document.valueFields { hash.combine("v" + field) }
        for rule in document.rules.map(\.text).sorted() { hash.combine("r" + rule) }
        for comparison in document.comparisons { hash.combine(comparison.name + comparison.value) }
        definition = hash.value
    }

    /// `90s`, `5m`, `1h`, `1d` in nanoseconds.
    private static func timespan(_ text: String, line: Int) throws(DocumentFault) -> Int64 {
        let units: [Character: Int64] = ["s": 1, "m": 60, "h": 3_600, "d": 86_400]
        guard let last = text.last, let unit = units[last], let number = Int64(text.dropLast()), number > 0 else {
            throw DocumentFault(line, "'\(text)' is not a timespan such as 30s, 5m, 1h or 1d")
        }
        let (seconds, overflow) = number.multipliedReportingOverflow(by: unit)
        guard !overflow, seconds <= timespanMax else { throw DocumentFault(line, "'\(text)' is longer than a year") }
        return seconds * 1_000_000_000
    }
}

/// A 64-bit hash that is the same in every run with the same seed.
struct StableHash {
    private(set) var value: UInt64

    init(seed: UInt64) {
        value = seed ^ 0x9E37_79B9_7F4A_7C15
    }

    mutating func combine(_ text: String) {
        combine(text.utf8.span, from: 0, to: text.utf8.count)
    }

    mutating func combine(_ bytes: borrowing Span<UInt8>, from start: Int, to end: Int) {
        var word: UInt64 = 0
        var filled: UInt64 = 0
        for index in start..<end {
            word |= UInt64(bytes[index]) << (filled * 8)
            filled += 1
            if filled == 8 {
                mix(word)
                (word, filled) = (0, 0)
            }
        }
        mix(word)
        mix(UInt64(end - start) ^ 0x5851_F42D_4C95_7F2D)
    }

    private mutating func mix(_ word: UInt64) {
        let product = (value ^ word).multipliedFullWidth(by: 0xD6E8_FEB8_6659_FD93)
        value = (product.high ^ product.low) &+ 0xA076_1D64_78BD_642F ^ word << 1
    }
}
