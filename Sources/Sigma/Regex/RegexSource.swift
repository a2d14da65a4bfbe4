/// A regular expression as written, with the modifiers that change its meaning.
struct RegexSource: Hashable, Sendable {
    var text: String
    /// `i`: case is ignored.
    var ignoresCase = false
    /// `m`: `^` and `$` also match at line feeds.
    var isMultiline = false
    /// `s`: `.` also matches line feeds.
    var dotMatchesLineFeed = false
}

/// A regular expression, parsed.
indirect enum RegexNode: Hashable {
    case empty
    /// One character of a set of scalar ranges, sorted and apart.
    case characters([ClosedRange<UInt32>])
    case concatenation([RegexNode])
    case alternation([RegexNode])
    /// `max` is `nil` for no bound.
    case repetition(RegexNode, min: Int, max: Int?)
    /// What matches here is remembered under this number; only when asked for.
    case group(Int, RegexNode)
    /// A repetition that takes as little as it can; only when groups are remembered, since otherwise it makes no difference.
    case lazy(RegexNode)
    case assertion(RegexAssertion)
}

enum RegexAssertion: Hashable, Sendable {
    case textStart, textEnd, lineStart, lineEnd, wordBoundary, notWordBoundary
}

struct RegexFault: Error {
    var message: String

    init(_ message: String) {
        self.message = message
    }
}
