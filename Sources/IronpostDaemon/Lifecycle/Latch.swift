import Synchronization

/// Opens once; tasks wait for it, with a bound on how long.
final class Latch: Sendable {
    private struct State {
        var isOpen = false
        var next = 0
        var waiters: [Int: CheckedContinuation<Void, Never>] = [:]
    }

    private let state = Mutex(State())

    var isOpen: Bool { state.withLock { $0.isOpen } }

    func open() {
        let waiters = state.withLock { state in
            state.isOpen = true
            defer { state.waiters = [:] }
            return Array(state.waiters.values)
        }
        for waiter in waiters { waiter.resume() }
    }

    /// - Returns: whether it opened; false when the time passed first, or the task was cancelled.
    func wait(for duration: Duration) async -> Bool {
        await wait(until: .now + duration, or: nil)
    }

    /// - Parameter other: ends the wait early when it opens.
    func wait(until deadline: ContinuousClock.Instant, or other: Latch?) async -> Bool {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.wait() }
            group.addTask { try? await Task.sleep(until: deadline) }
            if let other { group.addTask { await other.wait() } }
            await group.next()
            group.cancelAll()
        }
        return isOpen
    }

    /// Waits for the opening or for the task's cancellation.
    func wait() async {
        let id = state.withLock { state in
            state.next += 1
            return state.next
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isDone = state.withLock { state in
                    guard !state.isOpen, !Task.isCancelled else { return true }
                    state.waiters[id] = continuation
                    return false
                }
                if isDone { continuation.resume() }
            }
        } onCancel: {
            let waiter = state.withLock { $0.waiters.removeValue(forKey: id) }
            waiter?.resume()
        }
    }
}
