/// Runs one `RegexProgram` over texts in time linear in the text, building deterministic states as they are met.
///
/// A state is a set of automaton steps before assertions are resolved, and the kind of the byte before; assertions are
/// resolved when the next byte is known. States are kept up to a bound and then all forgotten, so memory is bounded
/// whatever the text.
struct RegexMatcher: Sendable {
    static let statesMax = 512
    /// Bound on the steps held in all states together.
    static let setBytesMax = 1 << 20

    /// How often the states were forgotten because a bound was reached.
    private(set) var flushes = 0

    private let program: RegexProgram
    /// For each state, the next state by byte class; the last class is the end of the text.
    private var transitions: [Int32] = []
    private var keys: [Key] = []
    private var numbers: [Key: Int32] = [:]
    private var setBytes = 0
    private let stride: Int
    private var marks: [UInt32]
    private var generation: UInt32 = 0

    private static let unknown: Int32 = -1
    private static let dead: Int32 = -2
    private static let matched: Int32 = -3

    private struct Key: Hashable {
        var steps: [Int32]
        var previous: Neighbour
    }

    private enum Neighbour: UInt8 { case none, word, lineFeed, other }

    init(_ program: RegexProgram) {
        self.program = program
        stride = program.classCount + 1
        marks = [UInt32](repeating: 0, count: program.steps.count)
        _ = intern(Key(steps: [Int32(program.start)], previous: .none))
    }

    /// Whether the expression matches anywhere in `bytes[start..<end]`.
    mutating func matches(_ bytes: borrowing Span<UInt8>, from start: Int, to end: Int) -> Bool {
        var state: Int32 = 0
        var index = start
        while index < end {
            // As far as the states are known already: no call, no check that was made before.
            var next = Self.run(program.classOf.span, transitions.span, stride, bytes, &index, end, &state)
            guard index < end else { break }
            if next == Self.unknown { next = step(state, Int(program.classOf[Int(bytes[index])])) }
            if next < 0 { return next == Self.matched }
            state = next
            index += 1
        }
        let endClass = stride - 1
        var last = transitions[Int(state) * stride + endClass]
        if last == Self.unknown { last = step(state, endClass) }
        return last == Self.matched
    }

    /// Walks from `state` at `index` to the end, or to the first byte whose transition is no state.
    /// - Returns: that transition; meaningless at the end.
    private static func run(
        _ classOf: Span<UInt8>, _ transitions: Span<Int32>, _ stride: Int, _ bytes: borrowing Span<UInt8>,
        _ index: inout Int, _ end: Int, _ state: inout Int32
    ) -> Int32 {
        var at = index
        var current = Int(state)
        defer {
            index = at
            state = Int32(truncatingIfNeeded: current)
        }
        // `classOf` has 256 entries, and every state a row of `stride` transitions.
        precondition(end <= bytes.count && classOf.count == 256)
        while at < end {
            let byteClass = Int(unsafe classOf[unchecked: Int(unsafe bytes[unchecked: at])])
            let next = transitions[current * stride + byteClass]
            if next < 0 { return next }
            current = Int(next)
            at += 1
        }
        return unknown
    }

    private mutating func step(_ state: Int32, _ byteClass: Int) -> Int32 {
        let key = keys[Int(state)]
        let isEnd = byteClass == stride - 1
        let byte = isEnd ? 0 : program.representatives[byteClass]
        let next: Neighbour = isEnd ? .none : Self.neighbour(byte)
        let result: Int32
        var target: Key?
        let (closure, isMatch) = close(key.steps, previous: key.previous, next: next)
        if isMatch {
            result = Self.matched
        } else if isEnd {
            result = Self.dead
        } else {
            var steps: [Int32] = []
            beginMarks()
            for number in closure {
                guard case .bytes(let set, let after) = program.steps[Int(number)] else { continue }
                guard program.sets[set].contains(byte), marks[after] != generation else { continue }
                marks[after] = generation
                steps.append(Int32(after))
            }
            // The search is unanchored: a match may begin after every byte.
            if !program.isAnchored, marks[program.start] != generation { steps.append(Int32(program.start)) }
            steps.sort()
            target = steps.isEmpty ? nil : Key(steps: steps, previous: next)
            result = Self.dead
        }
        guard let target else {
            transitions[Int(state) * stride + byteClass] = result
            return result
        }
        if let known = numbers[target] {
            transitions[Int(state) * stride + byteClass] = known
            return known
        }
        if keys.count >= Self.statesMax || setBytes > Self.setBytesMax {
            flush()
            return intern(target)
        }
        let number = intern(target)
        transitions[Int(state) * stride + byteClass] = number
        return number
    }

    /// Follows splits, and assertions that hold between the two neighbours.
    private mutating func close(
        _ steps: [Int32], previous: Neighbour, next: Neighbour
    ) -> (steps: [Int32], isMatch: Bool) {
        beginMarks()
        var result: [Int32] = []
        var stack = steps
        var isMatch = false
        while let number = stack.popLast() {
            guard marks[Int(number)] != generation else { continue }
            marks[Int(number)] = generation
            switch program.steps[Int(number)] {
            case .bytes: result.append(number)
            case .split(let first, let second):
                stack.append(Int32(second))
                stack.append(Int32(first))
            case .assertion(let assertion, let after):
                if Self.holds(assertion, previous: previous, next: next) { stack.append(Int32(after)) }
            case .match: isMatch = true
            }
        }
        return (result, isMatch)
    }

    private mutating func beginMarks() {
        generation &+= 1
        guard generation == 0 else { return }
        marks = [UInt32](repeating: 0, count: marks.count)
        generation = 1
    }

    private static func holds(_ assertion: RegexAssertion, previous: Neighbour, next: Neighbour) -> Bool {
        switch assertion {
        case .textStart: previous == .none
        case .textEnd: next == .none
        case .lineStart: previous == .none || previous == .lineFeed
        case .lineEnd: next == .none || next == .lineFeed
        case .wordBoundary: (previous == .word) != (next == .word)
        case .notWordBoundary: (previous == .word) == (next == .word)
        }
    }

    private static func neighbour(_ byte: UInt8) -> Neighbour {
        byte == 0x0A ? .lineFeed : RegexProgram.isWord(byte) ? .word : .other
    }

    private mutating func intern(_ key: Key) -> Int32 {
        let number = Int32(keys.count)
        keys.append(key)
        numbers[key] = number
        setBytes += key.steps.count * 8
        transitions.append(contentsOf: repeatElement(Self.unknown, count: stride))
        return number
    }

    private mutating func flush() {
        flushes += 1
        keys.removeAll(keepingCapacity: true)
        numbers.removeAll(keepingCapacity: true)
        transitions.removeAll(keepingCapacity: true)
        setBytes = 0
        _ = intern(Key(steps: [Int32(program.start)], previous: .none))
    }
}
