internal import IronpostCore

/// Alerts that may still be counted up, found by group: bounded, the one that was used longest ago goes first.
struct RecentAlerts {
    /// What makes two events belong to one alert.
    struct Key: Hashable {
        var rule: String
        /// The group's fields, sorted, as one text in which no value can pass for a field.
        var group: String
        /// The value of the label `demo`: practice never folds into the real thing.
        var demo: String?
    }

    private struct Slot {
        var key: Key
        var alert: AlertKey
        var newer: Int?
        var older: Int?
    }

    let capacity: Int
    private var slots: [Slot] = []
    private var index: [Key: Int] = [:]
    private var free: [Int] = []
    private var newest: Int?
    private var oldest: Int?

    init(capacity: Int) {
        self.capacity = max(capacity, 1)
    }

    var count: Int { index.count }

    subscript(key: Key) -> AlertKey? {
        index[key].map { slots[$0].alert }
    }

    /// Remembers `alert` as the one of `key`, used just now.
    mutating func remember(_ alert: AlertKey, for key: Key) {
        if let slot = index[key] {
            slots[slot].alert = alert
            unlink(slot)
            link(slot)
            return
        }
        if index.count >= capacity, let oldest { remove(slot: oldest) }
        let slot: Int
        if let reused = free.popLast() {
            slot = reused
            slots[slot] = Slot(key: key, alert: alert)
        } else {
            slot = slots.count
            slots.append(Slot(key: key, alert: alert))
        }
        index[key] = slot
        link(slot)
    }

    mutating func forget(_ key: Key) {
        if let slot = index[key] { remove(slot: slot) }
    }

    private mutating func remove(slot: Int) {
        unlink(slot)
        index[slots[slot].key] = nil
        free.append(slot)
    }

    private mutating func link(_ slot: Int) {
        slots[slot].older = newest
        slots[slot].newer = nil
        if let newest { slots[newest].newer = slot }
        newest = slot
        if oldest == nil { oldest = slot }
    }

    private mutating func unlink(_ slot: Int) {
        let (newer, older) = (slots[slot].newer, slots[slot].older)
        if let newer { slots[newer].older = older } else { newest = older }
        if let older { slots[older].newer = newer } else { oldest = newer }
    }
}
