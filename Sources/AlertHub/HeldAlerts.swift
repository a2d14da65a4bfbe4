internal import IronpostCore

/// What cannot be stored while the disk is full: kept in memory, in order, together with every checkpoint that came
/// after the first of it. Repeated events are folded as they arrive, so that a flood of one kind takes one place.
struct HeldAlerts {
    static let bytesMax = 16 << 20
    /// Only high and critical alerts may go beyond `bytesMax`, up to here.
    static let urgentBytesMax = 24 << 20
    /// What a waiting reply takes.
    private static let replyBytes = 64

    private(set) var waiting = Delivery()
    private(set) var bytes = 0
    private var places: [RecentAlerts.Key: Int] = [:]

    var isEmpty: Bool { waiting.isEmpty }

    /// Adds an event; `false` when there is no room for it.
    /// - Parameter window: within which events of one rule and group become one.
    mutating func add(_ event: AlertEvent, window: Duration) -> Bool {
        let key = Deduplicator.key(of: event.alert, group: Deduplicator.group(of: event.alert))
        if window > .zero, let place = places[key], waiting.events[place].fold(event, within: window) { return true }
        let size = event.bytes
        guard bytes + size <= (event.isUrgent ? Self.urgentBytesMax : Self.bytesMax) else { return false }
        places[key] = waiting.events.count
        waiting.events.append(event)
        bytes += size
        return true
    }

    /// Remembers how far the sources have come: not written before everything that is held is stored.
    mutating func addPlaces(of delivery: Delivery) {
        waiting.addPlaces(of: delivery)
        bytes += delivery.replies.count * Self.replyBytes
    }

    /// The first events, or everything with the checkpoints when there are no more than `count`.
    func first(_ count: Int) -> (delivery: Delivery, isLast: Bool) {
        guard waiting.events.count > count else { return (waiting, true) }
        return (Delivery(events: Array(waiting.events.prefix(count))), false)
    }

    /// The first `count` events are stored.
    mutating func removeFirst(_ count: Int) {
        for event in waiting.events.prefix(count) { bytes -= event.bytes }
        waiting.events.removeFirst(min(count, waiting.events.count))
        places = [:]
    }

    /// High and critical ones, which the reserve may still have room for.
    mutating func takeUrgent() -> [AlertEvent] {
        let urgent = waiting.events.filter(\.isUrgent)
        guard !urgent.isEmpty else { return [] }
        waiting.events.removeAll(where: \.isUrgent)
        for event in urgent { bytes -= event.bytes }
        places = [:]
        return urgent
    }

    mutating func takeAll() -> Delivery {
        defer { self = HeldAlerts() }
        return waiting
    }
}

extension AlertEvent {
    /// Counts another event of the same rule and group here, if it is near enough.
    fileprivate mutating func fold(_ other: AlertEvent, within window: Duration) -> Bool {
        let (earliest, latest) = (other.alert.firstSeen, other.alert.lastSeen)
        guard earliest.clamped(by: -window.nanoseconds) <= alert.lastSeen,
            alert.firstSeen <= latest.clamped(by: window.nanoseconds)
        else { return false }
        alert.count = max(alert.count, 1) + max(other.alert.count, 1)
        alert.firstSeen = min(alert.firstSeen, earliest)
        alert.lastSeen = max(alert.lastSeen, latest)
        return true
    }
}
