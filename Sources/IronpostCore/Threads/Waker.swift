import Synchronization

/// Lets one task sleep until its time has come or somebody has something new for it. A wake-up between two waits counts
/// for the next.
package final class Waker: Sendable {
    private struct State {
        var isAwake = false
        var number = 0
        var waiter: CheckedContinuation<Void, Never>?
    }

    private let state = Mutex(State())

    package init() {}

    package func wake() {
        let waiter = state.withLock { state in
            state.isAwake = state.waiter == nil
            defer { state.waiter = nil }
            return state.waiter
        }
        waiter?.resume()
    }

    /// Returns early when it is woken or its task is cancelled.
    package func wait(_ duration: Duration) async {
        let number = state.withLock { state in
            state.number += 1
            return state.number
        }
        let timer = Task {
            do { try await Task.sleep(for: duration) } catch { return }
            end(number)
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isDone = state.withLock { state in
                    guard !state.isAwake, !Task.isCancelled else {
                        state.isAwake = false
                        return true
                    }
                    state.waiter = continuation
                    return false
                }
                if isDone { continuation.resume() }
            }
        } onCancel: {
            wake()
        }
        timer.cancel()
    }

    /// The time of one wait is over; a later wait is none of its business. A short time can be over before the wait has
    /// begun, and then it ends at once.
    private func end(_ number: Int) {
        let waiter = state.withLock { state in
            guard state.number == number else { return nil as CheckedContinuation<Void, Never>? }
            state.isAwake = state.waiter == nil
            defer { state.waiter = nil }
            return state.waiter
        }
        waiter?.resume()
    }
}
