/// How much correlations may remember.
public struct CorrelationLimits: Sendable {
    /// Groups of all correlations together; the one not seen for longest makes room.
    public var groupsMax: Int
    /// Events remembered per group, or as many as its condition needs if that is more.
    public var groupEventsMax: Int
    /// Events remembered in all groups together; groups not seen for longest make room.
    public var eventsMax: Int

    public init(groupsMax: Int = 100_000, groupEventsMax: Int = 1_000, eventsMax: Int = 1_000_000) {
        self.groupsMax = max(1, groupsMax)
        self.groupEventsMax = max(1, groupEventsMax)
        self.eventsMax = max(1, eventsMax)
    }
}

/// What the bounds of correlations cost so far.
public struct CorrelationCounters: Hashable, Sendable {
    /// Groups forgotten to make room for others.
    public var groupsEvicted = 0
    /// Groups forgotten because their window had passed.
    public var groupsExpired = 0
    /// Events left out because they lack a `group-by` or counted field.
    public var eventsWithoutField = 0
    /// Events older than the window that their group had moved on to; they are counted in a window of their own.
    public var eventsLate = 0
    /// Saved states that were not taken over: unknown rule, other definition, or damaged.
    public var statesRefused = 0

    public init() {}
}

/// The groups of all correlations of an engine.
struct CorrelationState: Sendable {
    /// Field values longer than this are cut in group keys.
    static let keyValueBytesMax = 1_024
    /// Removed groups remembered until they are taken; more are forgotten, and expire when they are restored.
    static let removedMax = 100_000

    let plans: [CorrelationPlan]
    let limits: CorrelationLimits
    var counters = CorrelationCounters()
    var groups: [CorrelationGroup] = []
    private var free: [Int] = []
    private var firstOfHash: [UInt64: Int] = [:]
    private var oldest = -1
    private var newest = -1
    private(set) var eventCount = 0
    private var changed: [Int] = []
    private var removed: Set<String> = []
    /// Attackers choose the values that are hashed, so the seed is random; saved states carry it along.
    private(set) var seed = UInt64.random(in: .min ... .max)
    private var keyScratch: [UInt8] = []

    init(plans: [CorrelationPlan], limits: CorrelationLimits) {
        self.plans = plans
        self.limits = limits
    }

    var groupCount: Int { groups.count - free.count }

    /// Counts an event that a correlated rule matched.
    ///
    /// - Returns: what to report, when the condition holds.
    mutating func count(_ table: borrowing EventTable, _ event: Int, in number: Int) -> CorrelationResult? {
        let plan = plans[number]
        guard collectKey(table, event, plan.groupFields) else {
            counters.eventsWithoutField += 1
            return nil
        }
        var value: UInt64 = 0
        if plan.kind == .valueCount {
            guard let hash = hashValues(table, event, plan.valueFields) else {
                counters.eventsWithoutField += 1
                return nil
            }
            value = hash
        }
        let source = table.events[event]
        let index = findOrAdd(number)
        touch(index)
        let time = source.windowTime
        let entry = CorrelationWindow.Entry(
            time: time, origin: source.origin, position: source.position, value: value, weight: Int(source.weight),
            isReported: false
        )
        let before = groups[index].entryCount
        let isInWindow = groups[index].insert(
            entry, window: plan.window, capacity: capacity(plan), countsValues: plan.kind == .valueCount
        )
        eventCount += groups[index].entryCount - before
        if !isInWindow { counters.eventsLate += 1 }
        markChanged(index)
        expireOldest(before: time, keeping: index)
        makeRoom(keeping: index)
        let count = plan.kind == .valueCount ? groups[index].distinct : groups[index].total
        guard plan.holds(count) else { return nil }
        return report(index, plan)
    }

    private func capacity(_ plan: CorrelationPlan) -> Int {
        max(limits.groupEventsMax, plan.threshold + 1)
    }

    private mutating func report(_ index: Int, _ plan: CorrelationPlan) -> CorrelationResult {
        let weight = groups[index].report()
        let group = groups[index].window
        let values = CorrelationKey.decode(groups[index].key) ?? []
        return CorrelationResult(
            group: zip(plan.groupNames, values).map { (field: $0, value: String(decoding: $1, as: UTF8.self)) },
            count: group.total,
            distinct: plan.kind == .valueCount ? group.distinct : nil,
            weight: weight,
            first: group.entries.first?.time ?? 0,
            last: group.entries.last?.time ?? 0,
            grade: grade(of: group, plan),
            members: group.entries.suffix(CorrelationResult.membersMax).map {
                CorrelationResult.Member(time: $0.time, origin: $0.origin, position: $0.position)
            }
        )
    }

    private func grade(of group: CorrelationWindow, _ plan: CorrelationPlan) -> UInt8 {
        for grade in stride(from: EventTable.gradeMask, to: 0, by: -1) {
            let trusted = group.entries.filter { $0.origin & EventTable.gradeMask >= grade }
            let count =
                plan.kind == .valueCount ? Set(trusted.map(\.value)).count : trusted.reduce(0) { $0 + $1.weight }
            if count > 0, plan.holds(count) { return UInt8(grade) }
        }
        return 0
    }

    /// Encodes the values of the group's fields into `keyScratch`; `false` when one is missing.
    private mutating func collectKey(_ table: borrowing EventTable, _ event: Int, _ fields: [FieldID]) -> Bool {
        keyScratch.removeAll(keepingCapacity: true)
        for field in fields {
            guard let value = table.firstValue(field, of: event) else { return false }
            let end = min(value.end, value.start + Self.keyValueBytesMax)
            CorrelationKey.append(table.bytes.span, from: value.start, to: end, to: &keyScratch)
        }
        return true
    }

    private func hashValues(_ table: borrowing EventTable, _ event: Int, _ fields: [FieldID]) -> UInt64? {
        var hash = StableHash(seed: seed)
        for field in fields {
            guard let value = table.firstValue(field, of: event) else { return nil }
            hash.combine(table.bytes.span, from: value.start, to: value.end)
        }
        return hash.value
    }

    private func hashKey(_ number: Int, _ key: [UInt8]) -> UInt64 {
        var hash = StableHash(seed: seed ^ UInt64(number))
        hash.combine(key.span, from: 0, to: key.count)
        return hash.value
    }

    private mutating func findOrAdd(_ number: Int) -> Int {
        let hash = hashKey(number, keyScratch)
        var index = firstOfHash[hash] ?? -1
        while index >= 0 {
            if groups[index].correlation == number, groups[index].key == keyScratch { return index }
            index = groups[index].nextOfHash
        }
        if groupCount >= limits.groupsMax, oldest >= 0 {
            counters.groupsEvicted += 1
            remove(oldest)
        }
        return add(CorrelationGroup(correlation: number, hash: hash, key: keyScratch))
    }

    private mutating func add(_ new: CorrelationGroup) -> Int {
        var group = new
        group.nextOfHash = firstOfHash[new.hash] ?? -1
        group.older = newest
        let index: Int
        if let reused = free.popLast() {
            index = reused
            groups[index] = group
        } else {
            index = groups.count
            groups.append(group)
        }
        firstOfHash[new.hash] = index
        if newest >= 0 { groups[newest].newer = index } else { oldest = index }
        newest = index
        return index
    }

    /// Makes a group the one seen last.
    private mutating func touch(_ index: Int) {
        guard index != newest else { return }
        unlink(index)
        groups[index].older = newest
        groups[index].newer = -1
        if newest >= 0 { groups[newest].newer = index } else { oldest = index }
        newest = index
    }

    private mutating func unlink(_ index: Int) {
        let (older, newer) = (groups[index].older, groups[index].newer)
        if older >= 0 { groups[older].newer = newer } else { oldest = newer }
        if newer >= 0 { groups[newer].older = older } else { newest = older }
    }

    private mutating func remove(_ index: Int) {
        unlink(index)
        let hash = groups[index].hash
        if firstOfHash[hash] == index {
            let next = groups[index].nextOfHash
            firstOfHash[hash] = next >= 0 ? next : nil
        } else {
            var previous = firstOfHash[hash] ?? -1
            while previous >= 0, groups[previous].nextOfHash != index { previous = groups[previous].nextOfHash }
            if previous >= 0 { groups[previous].nextOfHash = groups[index].nextOfHash }
        }
        if removed.count < Self.removedMax { removed.insert(stateKey(groups[index])) }
        eventCount -= groups[index].entryCount
        groups[index] = CorrelationGroup(correlation: -1, hash: 0, key: [])
        free.append(index)
    }

    /// Forgets at most two groups whose window has long passed, so that the cost is spread over events.
    private mutating func expireOldest(before time: Int64, keeping index: Int) {
        for _ in 0..<2 {
            guard oldest >= 0, oldest != index, let last = groups[oldest].lastTime else { return }
            // Twice the window, so that events which arrive late find their group.
            let window = plans[groups[oldest].correlation].window * 2
            guard CorrelationWindow.isBeyond(window, from: last, to: time) else {
                // Of a time far ahead: it must not keep those behind it from being looked at.
                if CorrelationWindow.isBeyond(window, from: time, to: last) { touch(oldest) }
                return
            }
            counters.groupsExpired += 1
            remove(oldest)
        }
    }

    private mutating func makeRoom(keeping index: Int) {
        while eventCount > limits.eventsMax, oldest >= 0, oldest != index {
            counters.groupsEvicted += 1
            remove(oldest)
        }
    }

    private mutating func markChanged(_ index: Int) {
        guard !groups[index].isChanged else { return }
        groups[index].isChanged = true
        changed.append(index)
    }

    // MARK: Saving

    private func stateKey(_ group: CorrelationGroup) -> String {
        CorrelationKey.name(plans[group.correlation].identity, group.key)
    }

    private func state(_ index: Int) -> GroupState {
        let group = groups[index]
        let blob = CorrelationBlob.encode(group, definition: plans[group.correlation].definition, seed: seed)
        return GroupState(key: stateKey(group), blob: blob)
    }

    mutating func takeChanged() -> [GroupState] {
        var result: [GroupState] = []
        for index in changed where groups[index].isChanged {
            groups[index].isChanged = false
            let saved = state(index)
            removed.remove(saved.key)
            result.append(saved)
        }
        changed.removeAll(keepingCapacity: true)
        result += removed.map { GroupState(key: $0, blob: nil) }
        removed.removeAll()
        return result
    }

    func all() -> [GroupState] {
        groups.indices.filter { groups[$0].correlation >= 0 }.map(state)
    }

    mutating func restore(_ states: [GroupState]) {
        for saved in states {
            guard let blob = saved.blob else { continue }
            if !restore(saved.key, blob) { counters.statesRefused += 1 }
        }
    }

    private mutating func restore(_ name: String, _ blob: [UInt8]) -> Bool {
        guard let saved = CorrelationBlob(blob), let values = CorrelationKey.decode(saved.key) else { return false }
        let found = plans.firstIndex { plan in
            plan.definition == saved.definition && plan.groupFields.count == values.count
                && CorrelationKey.name(plan.identity, saved.key) == name
        }
        guard let number = found else { return false }
        let plan = plans[number]
        if groupCount == 0 { seed = saved.seed }
        // Hashes of values from another seed cannot be compared with ours.
        if plan.kind == .valueCount, seed != saved.seed { return false }
        keyScratch = saved.key
        let index = findOrAdd(number)
        guard groups[index].entryCount == 0 else { return false }
        let capacity = capacity(plan)
        for entry in saved.entries {
            _ = groups[index].insert(
                entry, window: plan.window, capacity: capacity, countsValues: plan.kind == .valueCount
            )
        }
        eventCount += groups[index].entryCount
        makeRoom(keeping: index)
        return true
    }
}
