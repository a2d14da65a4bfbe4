import Glibc
import Synchronization

/// A defect on purpose, by which the ledger is tested: in a debug build, with `FAULT_LOSE=<hop>` in the environment, the
/// first thing that reaches the hop is lost without a word. A release build has none of it.
package enum SeededLoss {
    #if DEBUG
        private static let hop = unsafe getenv("FAULT_LOSE").map { unsafe String(cString: $0) }
        private static let isDone = Atomic<Bool>(false)

        /// Whether the hop is to lose what it has in hand: once.
        package static func happens(at name: String) -> Bool {
            hop == name && !isDone.exchange(true, ordering: .relaxed)
        }
    #else
        @inlinable
        package static func happens(at name: StaticString) -> Bool { false }
    #endif
}
