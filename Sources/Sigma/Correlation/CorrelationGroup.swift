/// The events of one group that lie within the window, in order of time.
struct CorrelationGroup: Sendable {
    struct Entry: Sendable {
        var time: Int64
        var origin: UInt64
        var position: UInt64
        /// A hash of what `value_count` counts; 0 otherwise.
        var value: UInt64
        /// Whether a match has counted this event.
        var isReported: Bool
    }

    /// Which correlation it belongs to.
    var correlation: Int
    /// The hash its look-up begins with, and the encoded values of its fields.
    var hash: UInt64
    var key: [UInt8]
    private(set) var entries: [Entry] = []
    private(set) var unreported = 0
    /// How often each value occurs among `entries`.
    private var occurrences: [UInt64: Int] = [:]
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

    var distinct: Int { occurrences.count }
    var newest: Int64? { entries.last?.time }

    /// Adds an event at its place in time, and forgets what the window has left behind.
    ///
    /// - Returns: `false` for an event so late that the window has left it behind already.
    mutating func insert(_ entry: Entry, window: Int64, capacity: Int, countsValues: Bool) -> Bool {
        if let newest, Self.isBeyond(window, from: entry.time, to: newest) { return false }
        var place = entries.count
        while place > 0, entries[place - 1].time > entry.time { place -= 1 }
        entries.insert(entry, at: place)
        if !entry.isReported { unreported += 1 }
        if countsValues { occurrences[entry.value, default: 0] += 1 }
        guard let newest else { return true }
        var expired = 0
        while expired < entries.count, Self.isBeyond(window, from: entries[expired].time, to: newest) { expired += 1 }
        forget(max(expired, entries.count - capacity), countsValues: countsValues)
        return true
    }

    private mutating func forget(_ count: Int, countsValues: Bool) {
        guard count > 0 else { return }
        for entry in entries[..<count] {
            if !entry.isReported { unreported -= 1 }
            guard countsValues, let known = occurrences[entry.value] else { continue }
            occurrences[entry.value] = known > 1 ? known - 1 : nil
        }
        entries.removeFirst(count)
    }

    /// Marks all events as counted by a match, and says how many were not before.
    mutating func report() -> Int {
        let weight = unreported
        guard weight > 0 else { return 0 }
        // Unreported events are mostly the newest: stop as soon as all are found.
        var index = entries.count - 1
        while unreported > 0, index >= 0 {
            if !entries[index].isReported {
                entries[index].isReported = true
                unreported -= 1
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
