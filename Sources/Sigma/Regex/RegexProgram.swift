/// A regular expression as a nondeterministic automaton over bytes (Thompson's construction), with what is needed to
/// run it as a deterministic one: bytes that no state tells apart share a class.
struct RegexProgram: Sendable {
    /// A larger automaton is refused.
    static let statesMax = 10_000

    enum Step: Sendable {
        /// A byte of the set with this number, then `next`.
        case bytes(set: Int, next: Int)
        case split(Int, Int)
        case assertion(RegexAssertion, next: Int)
        case match
    }

    private(set) var steps: [Step] = []
    private(set) var sets: [ByteSet] = []
    private(set) var start = 0
    /// For each byte its class.
    private(set) var classOf = [UInt8](repeating: 0, count: 256)
    private(set) var classCount = 1
    /// One byte of each class.
    private(set) var representatives: [UInt8] = []
    /// A text that every match contains, folded; empty when none is known.
    private(set) var requiredLiteral: [UInt8] = []

    /// Every match begins at the text's start, so that a search needs no second attempt.
    private(set) var isAnchored = false

    private var setNumbers: [ByteSet: Int] = [:]
    /// Nodes compiled, repetitions counted: bounds repetitions of nothing, which add no states.
    private var work = 0

    init(_ source: RegexSource) throws(RegexFault) {
        let node = try RegexParser.parse(source)
        let end = try add(.match)
        start = try compile(node, next: end)
        isAnchored = beginsOnlyAtStart()
        computeClasses()
        requiredLiteral = RegexLiterals.required(node)
        setNumbers = [:]
    }

    /// Whether every way from the start passes `^` (of the text, not of a line) before it takes a byte or matches.
    private func beginsOnlyAtStart() -> Bool {
        var seen = Set<Int>()
        var stack = [start]
        while let number = stack.popLast() {
            guard seen.insert(number).inserted else { continue }
            switch steps[number] {
            case .bytes, .match: return false
            case .assertion(.textStart, _): continue
            case .assertion(_, let next): stack.append(next)
            case .split(let first, let second): stack += [first, second]
            }
        }
        return true
    }

    private mutating func add(_ step: Step) throws(RegexFault) -> Int {
        guard steps.count < Self.statesMax else {
            throw RegexFault("the expression needs more than \(Self.statesMax) states")
        }
        steps.append(step)
        return steps.count - 1
    }

    private mutating func addBytes(_ set: ByteSet, next: Int) throws(RegexFault) -> Int {
        let number = setNumbers[set] ?? sets.count
        if number == sets.count {
            sets.append(set)
            setNumbers[set] = number
        }
        return try add(.bytes(set: number, next: next))
    }

    /// Compiles backwards: every node knows what comes after it.
    private mutating func compile(_ node: RegexNode, next: Int) throws(RegexFault) -> Int {
        work += 1
        guard work <= Self.statesMax * 10 else { throw RegexFault("repetitions of repetitions go too far") }
        switch node {
        case .empty: return next
        case .group(_, let inner), .lazy(let inner): return try compile(inner, next: next)
        case .characters(let ranges): return try compile(ranges, next: next)
        case .assertion(let assertion): return try add(.assertion(assertion, next: next))
        case .concatenation(let parts):
            var after = next
            for part in parts.reversed() { after = try compile(part, next: after) }
            return after
        case .alternation(let branches):
            var entry = try compile(branches[branches.count - 1], next: next)
            for branch in branches.dropLast().reversed() {
                let other = try compile(branch, next: next)
                entry = try add(.split(other, entry))
            }
            return entry
        case .repetition(let inner, let min, let max):
            var after = next
            if let max {
                for _ in min..<Swift.max(min, max) {
                    let body = try compile(inner, next: after)
                    after = try add(.split(body, next))
                }
            } else {
                let loop = try add(.split(next, next))
                let body: Int
                if case .characters(let ranges) = inner, Self.isTolerant(ranges) {
                    body = try addBytes(ByteSet(asciiOf: ranges, andAllAbove: true), next: loop)
                } else {
                    body = try compile(inner, next: loop)
                }
                steps[loop] = .split(body, next)
                after = loop
            }
            for _ in 0..<min { after = try compile(inner, next: after) }
            return after
        }
    }

    /// Whether a set holds everything beyond ASCII. Repeated, such a set runs over invalid UTF-8 too: a stray byte in
    /// an attacker's text must not hide what follows it.
    private static func isTolerant(_ ranges: [ClosedRange<UInt32>]) -> Bool {
        guard let last = ranges.last else { return false }
        return last.lowerBound <= 0x80 && last.upperBound == 0x10FFFF
    }

    private mutating func compile(_ ranges: [ClosedRange<UInt32>], next: Int) throws(RegexFault) -> Int {
        if Self.isTolerant(ranges) { return try compileTolerant(ranges, next: next) }
        var single = ByteSet()
        var entries: [Int] = []
        for range in ranges {
            for sequence in UTF8Ranges.split(range) {
                guard sequence.count > 1 else {
                    single.insert(sequence[0])
                    continue
                }
                var after = next
                for bytes in sequence.reversed() {
                    var set = ByteSet()
                    set.insert(bytes)
                    after = try addBytes(set, next: after)
                }
                entries.append(after)
            }
        }
        if single != ByteSet() || entries.isEmpty { entries.append(try addBytes(single, next: next)) }
        var entry = entries[entries.count - 1]
        for other in entries.dropLast().reversed() { entry = try add(.split(other, entry)) }
        return entry
    }

    /// A set that holds everything beyond ASCII: a lead byte and what continues it, in few states, since such sets are
    /// often repeated. Bytes that never occur in UTF-8 count as characters.
    private mutating func compileTolerant(_ ranges: [ClosedRange<UInt32>], next: Int) throws(RegexFault) -> Int {
        var single = ByteSet(asciiOf: ranges, andAllAbove: false)
        single.insert(0xC0...0xC1)
        single.insert(0xF5...0xFF)
        var lead = ByteSet()
        lead.insert(0xC2...0xF4)
        var tail = ByteSet()
        tail.insert(0x80...0xBF)
        // After a lead byte 1 to 3 bytes follow; only a whole character lets what comes next begin at a lead byte.
        let third = try addBytes(tail, next: next)
        let second = try addBytes(tail, next: try add(.split(third, next)))
        let first = try addBytes(tail, next: try add(.split(second, next)))
        let multi = try addBytes(lead, next: first)
        return try add(.split(try addBytes(single, next: next), multi))
    }

    private mutating func computeClasses() {
        // Assertions tell word bytes and line feeds from others.
        var distinctions = sets
        distinctions.append(ByteSet { RegexProgram.isWord($0) })
        distinctions.append(ByteSet { $0 == 0x0A })
        var numbers: [[Bool]: UInt8] = [:]
        for byte in 0..<256 {
            let key = distinctions.map { $0.contains(UInt8(byte)) }
            if let known = numbers[key] {
                classOf[byte] = known
            } else {
                let number = UInt8(numbers.count)
                numbers[key] = number
                classOf[byte] = number
                representatives.append(UInt8(byte))
            }
        }
        classCount = numbers.count
    }

    static func isWord(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x5F, 0x61...0x7A: true
        default: false
        }
    }
}

/// A set of bytes.
struct ByteSet: Hashable, Sendable {
    private var words: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)

    init() {}

    init(where isMember: (UInt8) -> Bool) {
        for byte in 0...UInt8.max where isMember(byte) { insert(byte...byte) }
    }

    init(asciiOf ranges: [ClosedRange<UInt32>], andAllAbove: Bool) {
        for range in ranges where range.lowerBound < 0x80 {
            insert(UInt8(range.lowerBound)...UInt8(min(range.upperBound, 0x7F)))
        }
        if andAllAbove { insert(0x80...0xFF) }
    }

    mutating func insert(_ range: ClosedRange<UInt8>) {
        for byte in range {
            let bit = UInt64(1) << UInt64(byte & 63)
            switch byte >> 6 {
            case 0: words.0 |= bit
            case 1: words.1 |= bit
            case 2: words.2 |= bit
            default: words.3 |= bit
            }
        }
    }

    func contains(_ byte: UInt8) -> Bool {
        let word =
            switch byte >> 6 {
            case 0: words.0
            case 1: words.1
            case 2: words.2
            default: words.3
            }
        return word >> UInt64(byte & 63) & 1 == 1
    }

    static func == (left: ByteSet, right: ByteSet) -> Bool {
        left.words == right.words
    }

    func hash(into hasher: inout Hasher) {
        hasher.combine(words.0)
        hasher.combine(words.1)
        hasher.combine(words.2)
        hasher.combine(words.3)
    }
}

/// Ranges of scalars as ranges of the bytes that encode them.
enum UTF8Ranges {
    static func split(_ range: ClosedRange<UInt32>) -> [[ClosedRange<UInt8>]] {
        var result: [[ClosedRange<UInt8>]] = []
        for bounds: ClosedRange<UInt32> in [0...0x7F, 0x80...0x7FF, 0x800...0xFFFF, 0x10000...0x10FFFF] {
            let low = max(range.lowerBound, bounds.lowerBound)
            let high = min(range.upperBound, bounds.upperBound)
            guard low <= high else { continue }
            split(encode(low), encode(high), prefix: [], into: &result)
        }
        return result
    }

    private static func encode(_ scalar: UInt32) -> [UInt8] {
        var bytes: [UInt8] = []
        Folding.appendUTF8(scalar, to: &bytes)
        return bytes
    }

    /// Both bounds have the same length; the bytes before the first difference are shared.
    private static func split(
        _ low: [UInt8], _ high: [UInt8], prefix: [ClosedRange<UInt8>], into result: inout [[ClosedRange<UInt8>]]
    ) {
        guard let first = low.first, let last = high.first else { return }
        let lowRest = Array(low.dropFirst())
        let highRest = Array(high.dropFirst())
        if lowRest.isEmpty {
            result.append(prefix + [first...last])
        } else if first == last {
            split(lowRest, highRest, prefix: prefix + [first...first], into: &result)
        } else {
            let isLowWhole = lowRest.allSatisfy { $0 == 0x80 }
            let isHighWhole = highRest.allSatisfy { $0 == 0xBF }
            let top = [UInt8](repeating: 0xBF, count: lowRest.count)
            let bottom = [UInt8](repeating: 0x80, count: lowRest.count)
            if !isLowWhole { split(lowRest, top, prefix: prefix + [first...first], into: &result) }
            let middleLow = isLowWhole ? first : first + 1
            let middleHigh = isHighWhole ? last : last - 1
            if middleLow <= middleHigh {
                split(bottom, top, prefix: prefix + [middleLow...middleHigh], into: &result)
            }
            if !isHighWhole { split(bottom, highRest, prefix: prefix + [last...last], into: &result) }
        }
    }
}
