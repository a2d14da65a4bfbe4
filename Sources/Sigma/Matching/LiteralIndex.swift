/// Finds, in one pass over an event, the rules that can match it: those of whose witness some text occurs.
///
/// Pieces are found by their rarest four bytes: a bitmap of hashes says for almost every position "no", the others are
/// compared. Whole values are found by a hash of field and value.
struct LiteralIndex: Sendable {
    struct Piece: Sendable {
        var start: Int
        var count: Int
        /// Where in the piece its four looked-up bytes end.
        var gramEnd: Int
        var firstRule: Int
        var ruleCount: Int
    }

    private(set) var pool: [UInt8] = []
    private(set) var rules: [Int32] = []
    /// Rules without witness: candidates for every event.
    private(set) var always: [Int32] = []

    private(set) var pieces: [Piece] = []
    private(set) var filter: [UInt64] = []
    private(set) var shift: UInt32 = 32
    private(set) var slotStarts: [Int32] = []
    private(set) var slotPieces: [Int32] = []
    private(set) var slotShift: UInt32 = 0

    private(set) var values: [Piece] = []
    private(set) var valueFields: [UInt16] = []
    private(set) var valueSlots: [Int32] = []
    /// For each field the longest value looked up plus 1; 0 when none is.
    private(set) var valueLimits: [Int32]
    /// For each field the rules that need it to be there, as a range of `rules`.
    private(set) var presenceStarts: [Int32]
    private(set) var presenceCounts: [Int32]
    /// Fields whose values are scanned for pieces.
    private(set) var isScanned: [Bool]
    /// Whether the line and all values are scanned.
    private(set) var scansAll = false

    init(_ witnesses: [(rule: Int, witness: Witness?)], fieldCount: Int) {
        valueLimits = [Int32](repeating: 0, count: fieldCount)
        isScanned = [Bool](repeating: false, count: fieldCount)
        presenceStarts = [Int32](repeating: 0, count: fieldCount)
        presenceCounts = [Int32](repeating: 0, count: fieldCount)
        var byPresence: [FieldID: [Int32]] = [:]
        var byPiece: [[UInt8]: [Int32]] = [:]
        var byValue: [Witness.Literal: [Int32]] = [:]
        for (rule, witness) in witnesses {
            guard let witness else {
                always.append(Int32(rule))
                continue
            }
            for literal in witness.literals {
                switch literal {
                case .value: byValue[literal, default: []].append(Int32(rule))
                case .presence(let field): byPresence[field, default: []].append(Int32(rule))
                case .substring(let field, let bytes):
                    if let field { isScanned[Int(field.index)] = true } else { scansAll = true }
                    byPiece[bytes, default: []].append(Int32(rule))
                }
            }
        }
        buildPieces(byPiece)
        buildValues(byValue)
        for (field, needing) in byPresence {
            presenceStarts[Int(field.index)] = Int32(rules.count)
            presenceCounts[Int(field.index)] = Int32(needing.count)
            rules += needing
        }
    }

    private mutating func add(_ bytes: [UInt8], gramEnd: Int, rules new: [Int32]) -> Piece {
        let piece = Piece(
            start: pool.count, count: bytes.count, gramEnd: gramEnd, firstRule: rules.count,
            ruleCount: Set(new).count
        )
        pool += bytes
        rules += Set(new).sorted()
        return piece
    }

    private mutating func buildPieces(_ byPiece: [[UInt8]: [Int32]]) {
        guard !byPiece.isEmpty else { return }
        var bits = 13
        while bits < 20, 1 << bits < byPiece.count * 32 { bits += 1 }
        shift = UInt32(32 - bits)
        filter = [UInt64](repeating: 0, count: 1 << (bits - 6))
        slotShift = 3
        var slots: [Int: [Int32]] = [:]
        for (bytes, rules) in byPiece.sorted(by: { $0.key.lexicographicallyPrecedes($1.key) }) {
            let end = Self.rarestGramEnd(bytes)
            var gram: UInt32 = 0
            for index in end - 4..<end { gram = gram >> 8 | UInt32(bytes[index]) << 24 }
            let hash = ByteSearch.hash(gram) >> shift
            filter[Int(hash >> 6)] |= 1 << UInt64(hash & 63)
            slots[Int(hash >> slotShift), default: []].append(Int32(pieces.count))
            pieces.append(add(bytes, gramEnd: end, rules: rules))
        }
        for slot in 0..<(1 << (bits - Int(slotShift))) {
            slotStarts.append(Int32(slotPieces.count))
            slotPieces += slots[slot] ?? []
        }
        slotStarts.append(Int32(slotPieces.count))
    }

    /// Where the four bytes end that occur least in logs, by a rough guess from the kinds of bytes.
    private static func rarestGramEnd(_ bytes: [UInt8]) -> Int {
        func weight(_ byte: UInt8) -> Int {
            switch byte {
            case UInt8(ascii: "e"), UInt8(ascii: "t"), UInt8(ascii: "s"), UInt8(ascii: "r"), UInt8(ascii: "o"),
                UInt8(ascii: "n"), UInt8(ascii: "i"), UInt8(ascii: "a"), UInt8(ascii: " "):
                1
            case UInt8(ascii: "a")...UInt8(ascii: "z"): byte == UInt8(ascii: "q") || byte > 0x77 ? 4 : 2
            case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "/"), UInt8(ascii: "-"),
                UInt8(ascii: "="), UInt8(ascii: ":"):
                2
            default: 5
            }
        }
        var best = 4
        var bestWeight = -1
        for end in 4...bytes.count {
            let total = bytes[end - 4..<end].reduce(0) { $0 + weight($1) }
            if total > bestWeight { (best, bestWeight) = (end, total) }
        }
        return best
    }

    private mutating func buildValues(_ byValue: [Witness.Literal: [Int32]]) {
        guard !byValue.isEmpty else { return }
        var capacity = 16
        while capacity < byValue.count * 4 { capacity *= 2 }
        valueSlots = [Int32](repeating: -1, count: capacity)
        for (literal, rules) in byValue {
            guard case .value(let field, let bytes) = literal else { continue }
            let number = values.count
            values.append(add(bytes, gramEnd: 0, rules: rules))
            valueFields.append(field.index)
            let index = Int(field.index)
            valueLimits[index] = max(valueLimits[index], Int32(bytes.count + 1))
            var slot = Self.hash(bytes.span, from: 0, to: bytes.count, field: field.index) & (capacity - 1)
            while valueSlots[slot] >= 0 { slot = (slot + 1) & (capacity - 1) }
            valueSlots[slot] = Int32(number)
        }
    }

    @inline(__always)
    static func hash(_ bytes: borrowing Span<UInt8>, from start: Int, to end: Int, field: UInt16) -> Int {
        var value: UInt32 = 2_166_136_261 ^ UInt32(field) &* 0x85EB_CA6B
        for index in start..<end { value = (value ^ UInt32(bytes[index])) &* 16_777_619 }
        return Int(value ^ value >> 15)
    }

    /// The number of the value entry for this field and value, if there is one.
    func findValue(_ bytes: borrowing Span<UInt8>, _ slice: ByteSlice, field: UInt16) -> Int? {
        guard slice.length < valueLimits[Int(field)] else { return nil }
        let mask = valueSlots.count - 1
        var slot = Self.hash(bytes, from: slice.start, to: slice.end, field: field) & mask
        while valueSlots[slot] >= 0 {
            let number = Int(valueSlots[slot])
            let value = values[number]
            if valueFields[number] == field, value.count == Int(slice.length),
                ByteSearch.equal(bytes, at: slice.start, pool.span, at: value.start, count: value.count)
            {
                return number
            }
            slot = (slot + 1) & mask
        }
        return nil
    }
}

/// An index shared by classes and by whoever reads it, so that reading it copies nothing.
final class SharedIndex: Sendable {
    let index: LiteralIndex

    init(_ index: LiteralIndex) {
        self.index = index
    }
}
