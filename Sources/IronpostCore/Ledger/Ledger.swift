import Synchronization

/// Counts what came in, what went on and what was dropped, at every hop: contract, promise P1.
///
/// `accepted = stored + dropped by cause` holds for each hop when nothing is under way. The three are counted at
/// different places of the code by whoever does the work, never derived from each other.
package final class Ledger: Sendable {
    private let hops = Mutex<[LedgerHop]>([])

    package init() {}

    /// The counters of a hop, made at first use; kept in the order of first use.
    package func hop(_ name: String) -> LedgerHop {
        hops.withLock { hops in
            if let known = hops.first(where: { $0.name == name }) { return known }
            let new = LedgerHop(name: name)
            hops.append(new)
            return new
        }
    }

    package func entries() -> [LedgerEntry] {
        hops.withLock { $0.map { $0.entry() } }
    }
}

/// The counters of one hop; safe from any thread.
package final class LedgerHop: Sendable {
    package let name: String
    private let acceptedCount = Atomic<Int>(0)
    private let storedCount = Atomic<Int>(0)
    private let droppedCounts = Mutex<[String: Int]>([:])

    init(name: String) {
        self.name = name
    }

    package func accept(_ count: Int) {
        acceptedCount.add(count, ordering: .relaxed)
    }

    package func store(_ count: Int) {
        storedCount.add(count, ordering: .relaxed)
    }

    /// - Parameter cause: one of a fixed set of words, never text from outside.
    package func drop(_ count: Int, cause: String) {
        guard count > 0 else { return }
        droppedCounts.withLock { $0[cause, default: 0] += count }
    }

    package func entry() -> LedgerEntry {
        // Read in the order opposite to the flow, so that a snapshot under load never shows more stored than accepted.
        let dropped = droppedCounts.withLock { $0 }
        let stored = storedCount.load(ordering: .acquiring)
        return LedgerEntry(
            hop: name, accepted: acceptedCount.load(ordering: .acquiring), stored: stored, dropped: dropped)
    }
}

package struct LedgerEntry: Sendable, Hashable {
    package var hop: String
    package var accepted: Int
    package var stored: Int
    package var dropped: [String: Int]

    package init(hop: String, accepted: Int, stored: Int, dropped: [String: Int]) {
        self.hop = hop
        self.accepted = accepted
        self.stored = stored
        self.dropped = dropped
    }

    /// What is under way or, at rest, missing.
    package var imbalance: Int { accepted - stored - dropped.values.reduce(0, +) }
}
