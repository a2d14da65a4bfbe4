/// Evaluates predicates and conditions on one event at a time. All memory is reused from event to event.
struct EventMatcher: ~Copyable {
    private let plan: RulePlan
    private var regexes: [RegexMatcher]

    // What is known of the current event; entries are valid when they carry its generation.
    private var generation: UInt32 = 0
    private var heads: [Int32]
    private var headMarks: [UInt32]
    private var nextField: [Int32] = []
    private var memo: [UInt32]
    private var ruleMarks: [UInt32]
    /// Each value's folded bytes, in order of the event's fields, and last the line's.
    private var foldedSlices: [ByteSlice] = []
    private var isASCII = true
    private(set) var candidates: [Int32] = []

    /// Values that one value is compared with by `fieldref`: both fields may have thousands.
    static let referencesMax = 256

    /// Rules evaluated, over all events.
    private(set) var evaluations = 0

    init(_ plan: RulePlan) {
        self.plan = plan
        regexes = plan.programs.map(RegexMatcher.init)
        heads = [Int32](repeating: -1, count: plan.fieldCount)
        headMarks = [UInt32](repeating: 0, count: plan.fieldCount)
        memo = [UInt32](repeating: 0, count: plan.codes.count)
        ruleMarks = [UInt32](repeating: 0, count: plan.roots.count)
    }

    /// How often a regular expression had to forget its states to stay within its memory.
    var regexFlushes: Int { regexes.reduce(0) { $0 + $1.flushes } }

    /// Starts the next event: where its folded values are. Values that are not ASCII are folded apart, behind
    /// `folded`'s copy of the table.
    mutating func begin(_ table: borrowing EventTable, _ event: Int, folded: inout [UInt8], mayHoldNonASCII: Bool) {
        // Two bits below the generation are the memo's.
        generation &+= 4
        if generation == 0 {
            for index in headMarks.indices { headMarks[index] = 0 }
            for index in memo.indices { memo[index] = 0 }
            for index in ruleMarks.indices { ruleMarks[index] = 0 }
            generation = 4
        }
        candidates.removeAll(keepingCapacity: true)
        isASCII = true
        guard mayHoldNonASCII else { return }
        let line = table.events[event].line
        let (start, count) = table.fieldRange(of: event)
        foldedSlices.removeAll(keepingCapacity: true)
        for index in start..<start + count {
            foldedSlices.append(fold(table, table.fields[index].value, &folded))
        }
        foldedSlices.append(fold(table, line, &folded))
    }

    private mutating func fold(
        _ table: borrowing EventTable, _ slice: ByteSlice, _ folded: inout [UInt8]
    ) -> ByteSlice {
        let bytes = table.bytes.span
        if ByteSearch.isASCII(bytes, from: slice.start, to: slice.end) { return slice }
        isASCII = false
        let start = folded.count
        Folding.append(bytes, from: slice.start, to: slice.end, to: &folded)
        return ByteSlice(offset: start, length: folded.count - start)
    }

    @inline(__always)
    private func foldedSlice(_ number: Int, _ original: ByteSlice) -> ByteSlice {
        isASCII ? original : foldedSlices[number]
    }

    /// Fills `candidates` with the rules of the event's class that can match it, in ascending order.
    mutating func findCandidates(_ table: borrowing EventTable, _ event: Int, folded: borrowing Span<UInt8>) {
        let classNumber = Int(table.events[event].eventClass.index)
        guard classNumber < plan.indexOfClass.count else { return }
        let shared = plan.indexes[plan.indexOfClass[classNumber]]
        let (start, count) = table.fieldRange(of: event)
        let line = table.events[event].line
        var widest = shared.index.scansAll ? line : ByteSlice.empty
        for number in 0..<count {
            let field = table.fields[start + number]
            let id = Int(field.id.index)
            guard id < plan.fieldCount else { continue }
            let needing = Int(shared.index.presenceStarts[id])
            for entry in needing..<needing + Int(shared.index.presenceCounts[id]) { add(shared.index.rules[entry]) }
            if field.kind == .null { continue }
            if shared.index.valueLimits[id] > 0 {
                let slice = foldedSlice(number, field.value)
                if let value = shared.index.findValue(folded, slice, field: field.id.index) {
                    fire(shared.index.values[value], shared)
                }
            }
            if shared.index.isScanned[id], field.value.length > widest.length { widest = field.value }
        }
        if !shared.index.pieces.isEmpty { scan(table, event, shared, folded, widest: widest) }
        for rule in shared.index.always { add(rule) }
        if candidates.count > 1 { candidates.sort() }
    }

    /// Scans each value that matters; those that lie within the widest are scanned with it.
    private mutating func scan(
        _ table: borrowing EventTable, _ event: Int, _ shared: SharedIndex, _ folded: borrowing Span<UInt8>,
        widest: ByteSlice
    ) {
        let (start, count) = table.fieldRange(of: event)
        let scansAll = shared.index.scansAll
        if isASCII, !widest.isEmpty { scan(widest, shared, folded) }
        for number in 0..<count {
            let field = table.fields[start + number]
            let id = Int(field.id.index)
            guard field.kind != .null, scansAll || id < plan.fieldCount && shared.index.isScanned[id] else { continue }
            if isASCII, field.value.offset >= widest.offset, field.value.end <= widest.end { continue }
            scan(foldedSlice(number, field.value), shared, folded)
        }
        if scansAll {
            let line = table.events[event].line
            if !(isASCII && line.offset >= widest.offset && line.end <= widest.end) {
                scan(foldedSlice(count, line), shared, folded)
            }
        }
    }

    private mutating func scan(_ slice: ByteSlice, _ shared: SharedIndex, _ folded: borrowing Span<UInt8>) {
        let filter = shared.index.filter
        let slotShift = shared.index.slotShift
        ByteSearch.grams(
            folded, from: slice.start, to: slice.end, filter: filter.span, shift: shared.index.shift
        ) { end, hash in
            let slot = Int(hash >> slotShift)
            for entry in Int(shared.index.slotStarts[slot])..<Int(shared.index.slotStarts[slot + 1]) {
                let piece = shared.index.pieces[Int(shared.index.slotPieces[entry])]
                let start = end - piece.gramEnd
                guard start >= slice.start, start + piece.count <= slice.end else { continue }
                let pool = shared.index.pool
                if ByteSearch.equal(folded, at: start, pool.span, at: piece.start, count: piece.count) {
                    fire(piece, shared)
                }
            }
        }
    }

    private mutating func fire(_ piece: LiteralIndex.Piece, _ shared: SharedIndex) {
        for number in piece.firstRule..<piece.firstRule + piece.ruleCount { add(shared.index.rules[number]) }
    }

    private mutating func add(_ rule: Int32) {
        guard ruleMarks[Int(rule)] != generation else { return }
        ruleMarks[Int(rule)] = generation
        candidates.append(rule)
    }

    /// Prepares looking up fields by number; call once before `matches`.
    mutating func linkFields(_ table: borrowing EventTable, _ event: Int) {
        let (start, count) = table.fieldRange(of: event)
        while nextField.count < count { nextField.append(-1) }
        // Backwards, so that the chain runs in the order of the event.
        var number = count - 1
        while number >= 0 {
            let id = Int(table.fields[start + number].id.index)
            if id < plan.fieldCount {
                nextField[number] = headMarks[id] == generation ? heads[id] : -1
                heads[id] = Int32(number)
                headMarks[id] = generation
            }
            number -= 1
        }
    }

    mutating func matches(
        rule: Int, _ table: borrowing EventTable, _ event: Int, folded: borrowing Span<UInt8>
    ) -> Bool {
        evaluations += 1
        let root = plan.roots[rule]
        return root >= 0 && holds(node: Int(root), table, event, folded)
    }

    private mutating func holds(
        node number: Int, _ table: borrowing EventTable, _ event: Int, _ folded: borrowing Span<UInt8>
    ) -> Bool {
        let node = plan.nodes[number]
        switch node.kind {
        case .always: return true
        case .never: return false
        case .predicate: return holds(predicate: Int(node.first), table, event, folded)
        case .not: return !holds(node: Int(node.first), table, event, folded)
        case .and:
            for child in Int(node.first)..<Int(node.first + node.count)
            where !holds(node: Int(plan.children[child]), table, event, folded) { return false }
            return true
        case .or:
            for child in Int(node.first)..<Int(node.first + node.count)
            where holds(node: Int(plan.children[child]), table, event, folded) { return true }
            return false
        }
    }

    private mutating func holds(
        predicate number: Int, _ table: borrowing EventTable, _ event: Int, _ folded: borrowing Span<UInt8>
    ) -> Bool {
        let known = memo[number]
        if known & ~3 == generation { return known & 1 == 1 }
        let result = evaluate(plan.codes[number], table, event, folded)
        memo[number] = generation | (result ? 1 : 0)
        return result
    }

    private mutating func evaluate(
        _ code: RulePlan.Code, _ table: borrowing EventTable, _ event: Int, _ folded: borrowing Span<UInt8>
    ) -> Bool {
        let (start, count) = table.fieldRange(of: event)
        if code.field == RulePlan.keywordField {
            for number in 0..<count where table.fields[start + number].kind != .null {
                if test(code, number, table.fields[start + number].value, table, event, folded) { return true }
            }
            return test(code, count, table.events[event].line, table, event, folded)
        }
        var number = first(code.field)
        if code.operation == .exists { return number >= 0 }
        if code.operation == .null, number < 0 { return true }
        while number >= 0 {
            let field = table.fields[start + Int(number)]
            if field.kind == .null {
                if code.operation == .null { return true }
            } else if code.operation != .null, test(code, Int(number), field.value, table, event, folded) {
                return true
            }
            number = nextField[Int(number)]
        }
        return false
    }

    private func first(_ field: UInt16) -> Int32 {
        headMarks[Int(field)] == generation ? heads[Int(field)] : -1
    }

    private mutating func test(
        _ code: RulePlan.Code, _ number: Int, _ original: ByteSlice, _ table: borrowing EventTable, _ event: Int,
        _ folded: borrowing Span<UInt8>
    ) -> Bool {
        switch code.operation {
        case .exact, .prefix, .suffix, .contains, .glob:
            if code.isCased { return ValueTest.text(code, plan, table.bytes.span, original) }
            return ValueTest.text(code, plan, folded, foldedSlice(number, original))
        case .regex:
            return regexes[Int(code.start)].matches(table.bytes.span, from: original.start, to: original.end)
        case .cidr:
            var address = IPAddress()
            guard address.parse(table.bytes.span, from: original.start, to: original.end) else { return false }
            return plan.ranges[Int(code.start)].contains(address)
        case .less, .lessOrEqual, .greater, .greaterOrEqual:
            guard let value = Number.parse(table.bytes.span, from: original.start, to: original.end) else {
                return false
            }
            return ValueTest.compare(code.operation, value, code.number)
        case .reference:
            return refers(code, number, original, table, event, folded)
        case .null, .exists:
            return false
        }
    }

    private func refers(
        _ code: RulePlan.Code, _ number: Int, _ original: ByteSlice, _ table: borrowing EventTable, _ event: Int,
        _ folded: borrowing Span<UInt8>
    ) -> Bool {
        let (start, _) = table.fieldRange(of: event)
        var other = first(UInt16(code.start))
        var tries = 0
        while other >= 0, tries < Self.referencesMax {
            tries += 1
            let field = table.fields[start + Int(other)]
            if field.kind != .null {
                let isTrue =
                    code.isCased
                    ? ValueTest.position(code.position, table.bytes.span, original, field.value)
                    : ValueTest.position(
                        code.position, folded, foldedSlice(number, original), foldedSlice(Int(other), field.value)
                    )
                if isTrue { return true }
            }
            other = nextField[Int(other)]
        }
        return false
    }
}
