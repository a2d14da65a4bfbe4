/// Texts of which at least one occurs in every event that matches an expression; found by the index before anything
/// is evaluated.
struct Witness: Hashable {
    enum Literal: Hashable {
        /// A field's whole value, folded.
        case value(FieldID, [UInt8])
        /// A piece of a field's value (of any value or the line for `nil`), folded, at least `substringMin` bytes long.
        case substring(FieldID?, [UInt8])
        /// That there is such a field at all: for tests without a text of their own.
        case presence(FieldID)

        /// How rarely it is expected to occur; higher is better.
        var rarity: Int {
            switch self {
            case .value(_, let bytes): 12 + min(bytes.count, 16)
            case .substring(_, let bytes): min(bytes.count, 24)
            case .presence: 1
            }
        }
    }

    /// Shorter pieces occur too often, and have no four bytes to be looked up by.
    static let substringMin = 4

    var literals: Set<Literal>

    /// - Returns: `nil` when an event can match without containing any text that could be named.
    init?(_ expression: Expression, _ table: PredicateTable) {
        switch expression {
        case .constant(false): literals = []
        case .constant(true), .not: return nil
        case .predicate(let number):
            guard let literal = Self.literal(of: table.predicates[number], table) else { return nil }
            literals = [literal]
        case .and(let parts):
            var best: Witness?
            for part in parts {
                guard let witness = Witness(part, table) else { continue }
                if best == nil || witness.score > best?.score ?? 0 { best = witness }
            }
            guard let best else { return nil }
            self = best
        case .or(let parts):
            literals = []
            for part in parts {
                guard let witness = Witness(part, table) else { return nil }
                literals.formUnion(witness.literals)
            }
        }
    }

    /// The rarity of its most frequent text, less something for every further text.
    private var score: Int {
        guard let worst = literals.map(\.rarity).min() else { return Int.max }
        return worst * 8 - min(literals.count, 64)
    }

    private static func literal(of predicate: Predicate, _ table: PredicateTable) -> Literal? {
        let piece: [UInt8]
        switch predicate.test {
        case .exact(let bytes, let cased):
            let folded = cased ? Folding.fold(bytes) : bytes
            if let field = predicate.field { return .value(field, folded) }
            piece = folded
        case .prefix(let bytes, let cased), .suffix(let bytes, let cased), .contains(let bytes, let cased):
            piece = cased ? Folding.fold(bytes) : bytes
        case .glob(let pattern, let cased):
            let pieces = (cased ? pattern.folded() : pattern).literals
            piece = pieces.max { $0.count < $1.count } ?? []
        case .regex(let source):
            guard let number = table.programNumbers[source] else { return nil }
            piece = table.programs[number].requiredLiteral
        case .exists, .cidr, .compare, .reference: piece = []
        case .null: return nil
        }
        if piece.count >= substringMin { return .substring(predicate.field, piece) }
        return predicate.field.map(Literal.presence)
    }
}
