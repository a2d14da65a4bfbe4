/// A dictionary that never grows beyond its capacity: when it is full, an entry goes that was not used since the last
/// time it was looked at. A lookup and an insertion cost a constant number of steps.
struct BoundedTable<Key: Hashable & Sendable, Value: Sendable>: Sendable {
    private struct Slot {
        var key: Key
        var value: Value
        var isUsed: Bool
    }

    let capacity: Int
    private var slots: [Slot] = []
    private var places: [Key: Int] = [:]
    private var hand = 0
    /// Entries that went to make room.
    private(set) var evicted = 0

    init(capacity: Int) {
        self.capacity = max(1, capacity)
    }

    var count: Int { slots.count }
    /// Whether half of it is taken: then whoever can wait for a second sign should.
    var isCrowded: Bool { slots.count * 2 > capacity }

    func contains(_ key: Key) -> Bool { places[key] != nil }

    func value(of key: Key) -> Value? { places[key].map { slots[$0].value } }

    /// Changes the entry of `key`, made from `initial` if it is not there.
    mutating func update<Result>(
        _ key: Key, initial: @autoclosure () -> Value, _ body: (inout Value) -> Result
    ) -> Result {
        body(&slots[place(of: key, initial: initial())].value)
    }

    private mutating func place(of key: Key, initial: @autoclosure () -> Value) -> Int {
        if let known = places[key] {
            slots[known].isUsed = true
            return known
        }
        if slots.count < capacity {
            slots.append(Slot(key: key, value: initial(), isUsed: true))
            places[key] = slots.count - 1
            return slots.count - 1
        }
        // Every pass takes one mark away, so that the hand stops after two rounds at the latest; a few steps in practice.
        while slots[hand].isUsed {
            slots[hand].isUsed = false
            hand = (hand + 1) % capacity
        }
        let place = hand
        hand = (hand + 1) % capacity
        places[slots[place].key] = nil
        slots[place] = Slot(key: key, value: initial(), isUsed: true)
        places[key] = place
        evicted += 1
        return place
    }

    /// Visits every entry, and may take it out.
    mutating func sweep(_ keep: (Key, inout Value) -> Bool) {
        var index = 0
        while index < slots.count {
            if keep(slots[index].key, &slots[index].value) {
                index += 1
                continue
            }
            places[slots[index].key] = nil
            let last = slots.removeLast()
            if index < slots.count {
                slots[index] = last
                places[last.key] = index
            }
        }
        if hand >= slots.count { hand = 0 }
    }
}
