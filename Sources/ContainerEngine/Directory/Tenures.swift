internal import IronpostCore

/// Which container had something, a cgroup or an address, and when. Ends are kept for a while: events are often told
/// after their container is gone.
struct Tenures<Thing: Hashable & Sendable>: Sendable {
    struct Tenure: Sendable, Hashable {
        var id: ContainerID
        var from: Timestamp
        /// `nil` while it lasts.
        var until: Timestamp?
    }

    private var tenures: [Thing: [Tenure]] = [:]
    private(set) var count = 0

    /// One thing's tenures; older ones go first.
    static var perThingMax: Int { 64 }

    subscript(thing: Thing) -> [Tenure] { tenures[thing] ?? [] }

    mutating func begin(_ thing: Thing, _ id: ContainerID, at time: Timestamp) {
        var list = tenures[thing] ?? []
        guard !list.contains(where: { $0.id == id && $0.until == nil }) else { return }
        list.append(Tenure(id: id, from: time, until: nil))
        count += 1
        if list.count > Self.perThingMax {
            list.removeFirst()
            count -= 1
        }
        tenures[thing] = list
    }

    mutating func end(_ thing: Thing, _ id: ContainerID, at time: Timestamp) {
        guard var list = tenures[thing], let index = list.firstIndex(where: { $0.id == id && $0.until == nil }) else {
            return
        }
        list[index].until = max(time, list[index].from)
        tenures[thing] = list
    }

    /// Who had it at that time. Empty: nobody that is known.
    func holders(of thing: Thing, at time: Timestamp) -> Set<ContainerID> {
        Set((tenures[thing] ?? []).filter { $0.from <= time && time <= $0.until ?? time }.map(\.id))
    }

    /// Who ever had it; for things that the kernel never gives out twice.
    func holders(of thing: Thing) -> Set<ContainerID> { Set((tenures[thing] ?? []).map(\.id)) }

    /// Forgets what ended before `time`.
    mutating func forget(before time: Timestamp) {
        for (thing, list) in tenures {
            let kept = list.filter { $0.until ?? time >= time }
            guard kept.count < list.count else { continue }
            count -= list.count - kept.count
            tenures[thing] = kept.isEmpty ? nil : kept
        }
    }
}
