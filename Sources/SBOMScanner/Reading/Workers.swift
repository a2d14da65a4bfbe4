internal import Dispatch
internal import Synchronization

/// Work that is shared out among threads, each taking what comes next.
enum Workers {
    /// Calls `body` once for each number below `count`; all of it is done when this returns.
    static func each(_ count: Int, threads: Int, _ body: @Sendable (Int) -> Void) {
        let threads = min(threads, count)
        guard threads > 1 else {
            for number in 0..<count { body(number) }
            return
        }
        let next = Atomic(0)
        DispatchQueue.concurrentPerform(iterations: threads) { _ in
            while true {
                let number = next.wrappingAdd(1, ordering: .relaxed).oldValue
                guard number < count else { return }
                body(number)
            }
        }
    }
}
