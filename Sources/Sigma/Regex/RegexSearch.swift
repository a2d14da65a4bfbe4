/// Finds where an expression matches in a text, and what its groups matched: the leftmost match, as Perl finds it.
///
/// It tries one way after the other, so that some expressions take very long on some texts; beyond a number of steps it
/// gives up. For replacing texts of rules, never for events.
struct RegexSearch {
    /// Steps of one search through one text.
    static let stepsMax = 1_000_000
    /// Parts of the expression that are under way at once: each is a call within a call.
    static let depthMax = 1_000

    struct GivenUp: Error {}

    private let node: RegexNode
    /// Names of groups, from 1.
    let groups: [String?]

    init(_ text: String) throws(RegexFault) {
        (node, groups) = try RegexParser.parseWithGroups(text)
    }

    /// The places of all matches that do not overlap, each with those of its groups; the match itself is group 0.
    func matches(_ text: [Unicode.Scalar]) throws(GivenUp) -> [[Range<Int>?]] {
        let attempt = Attempt(text, groupCount: groups.count)
        var found: [[Range<Int>?]] = []
        var position = 0
        // Behind an empty match, one that is not empty may begin at the same place.
        var mustAdvance = false
        while position <= text.count {
            var end: Int?
            attempt.clear()
            let isFound = try attempt.match(node, at: position) { last throws(GivenUp) in
                guard last > position || !mustAdvance else { return false }
                end = last
                return true
            }
            guard isFound, let end else {
                (position, mustAdvance) = (position + 1, false)
                continue
            }
            found.append([position..<end] + attempt.captures)
            (position, mustAdvance) = (end, end == position)
        }
        return found
    }

    private final class Attempt {
        private let text: [Unicode.Scalar]
        private(set) var captures: [Range<Int>?]
        private var steps = 0
        private var depth = 0

        typealias Rest = (Int) throws(GivenUp) -> Bool

        init(_ text: [Unicode.Scalar], groupCount: Int) {
            self.text = text
            captures = Array(repeating: nil, count: groupCount)
        }

        func clear() {
            for index in captures.indices { captures[index] = nil }
        }

        /// Whether the node matches at `position`, and `rest` what follows it.
        func match(
            _ node: RegexNode, at position: Int, _ rest: Rest
        ) throws(GivenUp) -> Bool {
            steps += 1
            depth += 1
            defer { depth -= 1 }
            guard steps <= RegexSearch.stepsMax, depth <= RegexSearch.depthMax else { throw GivenUp() }
            switch node {
            case .empty: return try rest(position)
            case .characters(let ranges):
                guard position < text.count, Self.contains(ranges, text[position]) else { return false }
                return try rest(position + 1)
            case .assertion(let assertion):
                return holds(assertion, at: position) ? try rest(position) : false
            case .concatenation(let parts):
                return try match(parts[...], at: position, rest)
            case .alternation(let branches):
                for branch in branches where try match(branch, at: position, rest) { return true }
                return false
            case .group(let number, let inner):
                return try match(inner, at: position) { end throws(GivenUp) in
                    let within = self.captures[number - 1]
                    self.captures[number - 1] = position..<end
                    if try rest(end) { return true }
                    self.captures[number - 1] = within
                    return false
                }
            case .lazy(.repetition(let inner, let min, let max)):
                return try match(inner, min, max, isLazy: true, at: position, rest)
            case .lazy(let inner): return try match(inner, at: position, rest)
            case .repetition(let inner, let min, let max):
                return try match(inner, min, max, isLazy: false, at: position, rest)
            }
        }

        private func match(
            _ parts: ArraySlice<RegexNode>, at position: Int, _ rest: Rest
        ) throws(GivenUp) -> Bool {
            guard let first = parts.first else { return try rest(position) }
            return try match(first, at: position) { end throws(GivenUp) in
                try self.match(parts.dropFirst(), at: end, rest)
            }
        }

        private func match(
            _ inner: RegexNode, _ min: Int, _ max: Int?, isLazy: Bool, at position: Int, _ rest: Rest
        ) throws(GivenUp) -> Bool {
            if case .characters(let ranges) = inner {
                return try match(ranges, min, max, isLazy: isLazy, at: position, rest)
            }
            func more() throws(GivenUp) -> Bool {
                guard max != 0 else { return false }
                return try match(inner, at: position) { end throws(GivenUp) in
                    // A repetition of nothing leads nowhere.
                    guard end > position || min > 0 else { return false }
                    return try self.match(
                        inner, Swift.max(0, min - 1), max.map { $0 - 1 }, isLazy: isLazy, at: end,
                        rest)
                }
            }
            if min > 0 { return try more() }
            if isLazy {
                if try rest(position) { return true }
                return try more()
            }
            if try more() { return true }
            return try rest(position)
        }

        /// Of single characters, without a call for each.
        private func match(
            _ ranges: [ClosedRange<UInt32>], _ min: Int, _ max: Int?, isLazy: Bool, at position: Int, _ rest: Rest
        ) throws(GivenUp) -> Bool {
            var longest = 0
            let limit = Swift.min(max ?? text.count, text.count - position)
            while longest < limit, Self.contains(ranges, text[position + longest]) { longest += 1 }
            guard longest >= min else { return false }
            for offset in 0...(longest - min) {
                steps += 1
                guard steps <= RegexSearch.stepsMax else { throw GivenUp() }
                if try rest(position + (isLazy ? min + offset : longest - offset)) { return true }
            }
            return false
        }

        private func holds(_ assertion: RegexAssertion, at position: Int) -> Bool {
            func isWord(_ index: Int) -> Bool {
                guard text.indices.contains(index) else { return false }
                switch text[index] {
                case "a"..."z", "A"..."Z", "0"..."9", "_": return true
                default: return false
                }
            }
            switch assertion {
            case .textStart: return position == 0
            case .textEnd: return position == text.count
            case .lineStart: return position == 0 || text[position - 1] == "\n"
            case .lineEnd: return position == text.count || text[position] == "\n"
            case .wordBoundary: return isWord(position - 1) != isWord(position)
            case .notWordBoundary: return isWord(position - 1) == isWord(position)
            }
        }

        private static func contains(_ ranges: [ClosedRange<UInt32>], _ scalar: Unicode.Scalar) -> Bool {
            ranges.contains { $0.contains(scalar.value) }
        }
    }
}
