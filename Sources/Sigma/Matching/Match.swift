/// That a rule matched an event.
public struct Match: Sendable {
    /// The rule's number in `RuleSet.rules`.
    public var rule: Int
    /// The event's number in the table; for a correlation the event that completed it.
    public var event: Int
    public var correlation: CorrelationResult?

    public init(rule: Int, event: Int, correlation: CorrelationResult? = nil) {
        self.rule = rule
        self.event = event
        self.correlation = correlation
    }
}

/// What a correlation found when its condition held.
public struct CorrelationResult: Sendable {
    /// Members beyond this many, the oldest, are left out of `members`.
    public static let membersMax = 100

    /// The `group-by` fields and their values.
    public var group: [(field: String, value: String)]
    /// Events of the group in the window, at most as many as are remembered.
    public var count: Int
    /// Different values in the window, for `value_count`.
    public var distinct: Int?
    /// Events of the window that no earlier match of this group has counted.
    public var weight: Int
    /// Event times of the oldest and the newest event in the window, in nanoseconds since 1970.
    public var first: Int64
    public var last: Int64
    /// The highest grade for which the condition holds also when only events of that grade or better are counted; 0 when
    /// it holds only with events that nobody vouches for.
    public var grade: UInt8
    /// The newest events of the window, in order of time.
    public var members: [Member]

    /// One event, by the numbers that its reader gave it.
    public struct Member: Hashable, Sendable {
        public var time: Int64
        public var origin: UInt64
        public var position: UInt64
    }
}
