/// Everything about compiled rules that the engine reads while matching, in flat arrays. Never changes once built.
final class RulePlan: Sendable {
    enum Operation: UInt8 {
        case exact, prefix, suffix, contains, glob, regex, null, exists, cidr, less, lessOrEqual, greater,
            greaterOrEqual
        case reference
    }

    /// A predicate in plain values: its literal lies in `pool`, other parts in the array its operation names.
    struct Code {
        var operation: Operation
        var isCased = false
        /// `keywordField` for keywords.
        var field: UInt16
        var start: Int32 = 0
        var count: Int32 = 0
        var number: Double = 0
        var position: Predicate.Position = .whole
    }

    enum NodeKind: UInt8 { case predicate, and, or, not, never, always }

    /// A step of a condition: `first` is a predicate, a node, or where children begin in `children`.
    struct Node {
        var kind: NodeKind
        var first: Int32 = 0
        var count: Int32 = 0
    }

    static let keywordField = UInt16.max

    let pool: [UInt8]
    let codes: [Code]
    let globs: [[UInt16]]
    let ranges: [CIDR]
    let programs: [RegexProgram]
    let nodes: [Node]
    let children: [Int32]
    /// For each rule its node, or -1 for correlations.
    let roots: [Int32]
    let fieldCount: Int
    let isFieldUsed: [Bool]
    let indexes: [SharedIndex]
    /// For each event class the number of its index.
    let indexOfClass: [Int]
    /// Whether a rule's matches are handed out (or only feed correlations).
    let isEmitted: [Bool]
    let correlations: [CorrelationPlan]
    /// For each rule, which correlations it feeds.
    let correlationsOfRule: [[Int]]

    init(
        table: PredicateTable, expressions: [Expression?], indexes: [LiteralIndex], indexOfClass: [Int],
        isEmitted: [Bool], correlations: [CorrelationPlan]
    ) {
        var build = Build()
        codes = table.predicates.map { build.code($0, table) }
        programs = table.programs
        let costs = table.predicates.map(\.cost)
        roots = expressions.map { expression in
            expression.map { build.node($0, costs) } ?? -1
        }
        pool = build.pool
        globs = build.globs
        ranges = build.ranges
        nodes = build.nodes
        children = build.children
        fieldCount = table.fieldNames.count
        var used = [Bool](repeating: false, count: fieldCount)
        for predicate in table.predicates {
            if let field = predicate.field { used[Int(field.index)] = true }
            if case .reference(let other, _, _) = predicate.test { used[Int(other.index)] = true }
        }
        for correlation in correlations {
            for field in correlation.groupFields + correlation.valueFields { used[Int(field.index)] = true }
        }
        isFieldUsed = used
        self.indexes = indexes.map(SharedIndex.init)
        self.indexOfClass = indexOfClass
        self.isEmitted = isEmitted
        self.correlations = correlations
        var byRule = [[Int]](repeating: [], count: expressions.count)
        for (number, correlation) in correlations.enumerated() {
            for rule in correlation.sources { byRule[rule].append(number) }
        }
        correlationsOfRule = byRule
    }

    /// Tokens of globs beyond the 256 bytes.
    static let anyToken: UInt16 = 256
    static let starToken: UInt16 = 257
    static let dashToken: UInt16 = 258

    private struct Build {
        var pool: [UInt8] = []
        var globs: [[UInt16]] = []
        var ranges: [CIDR] = []
        var nodes: [Node] = []
        var children: [Int32] = []

        mutating func code(_ predicate: Predicate, _ table: PredicateTable) -> Code {
            let field = predicate.field?.index ?? RulePlan.keywordField
            func literal(_ operation: Operation, _ bytes: [UInt8], _ cased: Bool) -> Code {
                pool += bytes
                return Code(
                    operation: operation, isCased: cased, field: field, start: Int32(pool.count - bytes.count),
                    count: Int32(bytes.count)
                )
            }
            switch predicate.test {
            case .exact(let bytes, let cased): return literal(.exact, bytes, cased)
            case .prefix(let bytes, let cased): return literal(.prefix, bytes, cased)
            case .suffix(let bytes, let cased): return literal(.suffix, bytes, cased)
            case .contains(let bytes, let cased): return literal(.contains, bytes, cased)
            case .glob(let pattern, let cased):
                globs.append(
                    pattern.tokens.map { token in
                        switch token {
                        case .byte(let byte): UInt16(byte)
                        case .any: RulePlan.anyToken
                        case .star: RulePlan.starToken
                        case .dash: RulePlan.dashToken
                        }
                    }
                )
                return Code(operation: .glob, isCased: cased, field: field, start: Int32(globs.count - 1))
            case .regex(let source):
                return Code(operation: .regex, field: field, start: Int32(table.programNumbers[source] ?? 0))
            case .null: return Code(operation: .null, field: field)
            case .exists: return Code(operation: .exists, field: field)
            case .cidr(let range):
                ranges.append(range)
                return Code(operation: .cidr, field: field, start: Int32(ranges.count - 1))
            case .compare(let comparison, let number):
                let operation: Operation =
                    switch comparison {
                    case .lt: .less
                    case .lte: .lessOrEqual
                    case .gt: .greater
                    case .gte: .greaterOrEqual
                    }
                return Code(operation: operation, field: field, number: number)
            case .reference(let other, let position, let cased):
                return Code(
                    operation: .reference, isCased: cased, field: field, start: Int32(other.index), position: position
                )
            }
        }

        mutating func node(_ expression: Expression, _ costs: [Int]) -> Int32 {
            let node: Node
            switch expression {
            case .constant(let value): node = Node(kind: value ? .always : .never)
            case .predicate(let number): node = Node(kind: .predicate, first: Int32(number))
            case .not(let inner): node = Node(kind: .not, first: self.node(inner, costs))
            case .and(let parts), .or(let parts):
                let sorted = parts.enumerated().sorted { left, right in
                    let leftCost = left.element.cost(costs)
                    let rightCost = right.element.cost(costs)
                    return leftCost == rightCost ? left.offset < right.offset : leftCost < rightCost
                }
                let numbers = sorted.map { self.node($0.element, costs) }
                let isAnd = if case .and = expression { true } else { false }
                node = Node(kind: isAnd ? .and : .or, first: Int32(children.count), count: Int32(numbers.count))
                children += numbers
            }
            nodes.append(node)
            return Int32(nodes.count - 1)
        }
    }
}

extension Expression {
    fileprivate func cost(_ costs: [Int]) -> Int {
        switch self {
        case .constant: 0
        case .predicate(let number): costs[number]
        case .not(let inner): inner.cost(costs)
        case .and(let parts), .or(let parts): parts.reduce(0) { $0 + $1.cost(costs) }
        }
    }
}
