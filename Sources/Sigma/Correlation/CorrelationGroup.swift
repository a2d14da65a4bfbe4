/// The events of one group: those within the window of the newest, and apart from them those that came later but lie
/// before that window.
///
/// One line with a time far ahead (a clock that was wrong, a sender who lies) must not make the group deaf to
/// everything that comes after it: late events are counted in a window of their own.
struct CorrelationGroup: Sendable {
    /// Which correlation it belongs to.
    var correlation: Int
    /// The hash its look-up begins with, and the encoded values of its fields.
    var hash: UInt64
    var key: [UInt8]
    private var ahead = CorrelationWindow()
    private var behind: CorrelationWindow?
    /// Whether the last event fell into `behind`.
    private var isBehind = false
    /// The time of the last event, in whichever window.
    private(set) var lastTime: Int64?
    var isChanged = false

    // Neighbours in order of last use, and the next group of the same hash.
    var older = -1
    var newer = -1
    var nextOfHash = -1

    init(correlation: Int, hash: UInt64, key: [UInt8]) {
        self.correlation = correlation
        self.hash = hash
        self.key = key
    }

    /// The window that the last event fell into.
    var window: CorrelationWindow { isBehind ? behind ?? ahead : ahead }
    var total: Int { isBehind ? behind?.total ?? 0 : ahead.total }
    var distinct: Int { isBehind ? behind?.distinct ?? 0 : ahead.distinct }
    /// Events of both windows.
    var entryCount: Int { ahead.entries.count + (behind?.entries.count ?? 0) }
    /// All events, in an order in which `insert` puts each where it is now.
    var entries: [CorrelationWindow.Entry] { ahead.entries + (behind?.entries ?? []) }

    /// Adds an event at its place in time, and forgets what its window has left behind.
    ///
    /// - Returns: `false` for an event that the window of the newest has left behind.
    mutating func insert(
        _ entry: CorrelationWindow.Entry, window: Int64, capacity: Int, countsValues: Bool
    ) -> Bool {
        lastTime = entry.time
        isBehind = ahead.hasLeftBehind(entry.time, window)
        guard isBehind else {
            // What was late has caught up.
            if let late = behind, let newest = late.newest,
                !CorrelationWindow.isBeyond(window, from: newest, to: entry.time)
            {
                for entry in late.entries where !ahead.hasLeftBehind(entry.time, window) {
                    ahead.insert(entry, window: window, capacity: capacity, countsValues: countsValues)
                }
                behind = nil
            }
            ahead.insert(entry, window: window, capacity: capacity, countsValues: countsValues)
            return true
        }
        if behind?.hasLeftBehind(entry.time, window) != false { behind = CorrelationWindow() }
        behind?.insert(entry, window: window, capacity: capacity, countsValues: countsValues)
        return false
    }

    /// Marks all events of the window as counted by a match, and says how many were not before.
    mutating func report() -> Int {
        isBehind ? behind?.report() ?? 0 : ahead.report()
    }
}

/// Events that lie within one window, in order of time.
struct CorrelationWindow: Sendable {
    struct Entry: Sendable {
        var time: Int64
        var origin: UInt64
        var position: UInt64
        /// A hash of what `value_count` counts; 0 otherwise.
        var value: UInt64
        /// How many events it stands for.
        var weight: Int
        /// Whether a match has counted this event.
        var isReported: Bool
    }

    private(set) var entries: [Entry] = []
    /// How many events the entries stand for.
    private(set) var total = 0
    private var unreported = 0
    /// How often each value occurs among `entries`.
    private var occurrences: [UInt64: Int] = [:]

    var distinct: Int { occurrences.count }
    var newest: Int64? { entries.last?.time }

    func hasLeftBehind(_ time: Int64, _ window: Int64) -> Bool {
        newest.map { Self.isBeyond(window, from: time, to: $0) } ?? false
    }

    mutating func insert(_ entry: Entry, window: Int64, capacity: Int, countsValues: Bool) {
        var place = entries.count
        while place > 0, entries[place - 1].time > entry.time { place -= 1 }
        entries.insert(entry, at: place)
        total += entry.weight
        if !entry.isReported { unreported += 1 }
        if countsValues { occurrences[entry.value, default: 0] += 1 }
        guard let newest else { return }
        var expired = 0
        while expired < entries.count, Self.isBeyond(window, from: entries[expired].time, to: newest) { expired += 1 }
        forget(max(expired, entries.count - capacity), countsValues: countsValues)
    }

    private mutating func forget(_ count: Int, countsValues: Bool) {
        guard count > 0 else { return }
        for entry in entries[..<count] {
            total -= entry.weight
            if !entry.isReported { unreported -= 1 }
            guard countsValues, let known = occurrences[entry.value] else { continue }
            occurrences[entry.value] = known > 1 ? known - 1 : nil
        }
        entries.removeFirst(count)
    }

    /// Marks all events as counted by a match, and says how many they stand for that were not before.
    mutating func report() -> Int {
        var weight = 0
        // Unreported events are mostly the newest: stop as soon as all are found.
        var index = entries.count - 1
        while unreported > 0, index >= 0 {
            if !entries[index].isReported {
                entries[index].isReported = true
                unreported -= 1
                weight += entries[index].weight
            }
            index -= 1
        }
        unreported = 0
        return weight
    }

    static func isBeyond(_ window: Int64, from old: Int64, to new: Int64) -> Bool {
        let (difference, overflow) = new.subtractingReportingOverflow(old)
        return overflow ? new > old : difference >= window
    }
}
