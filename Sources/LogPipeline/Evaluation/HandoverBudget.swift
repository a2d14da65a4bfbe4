import Dispatch
import Synchronization

/// What was handed to the hub and is not durable yet, bounded by alerts and by batches: while the store stands still,
/// evaluation waits and through the source queue its sources; memory does not grow.
///
/// One thread takes; any thread gives back.
final class HandoverBudget: Sendable {
    /// Some KiB each.
    static let alertsMax = 8192
    /// Fewer than the hub's channel holds, so that waiting happens here, where it can be ended.
    static let batchesMax = 128

    private struct State {
        var alerts = 0
        var batches = 0
        var isWaiting = false
        var isClosed = false
    }

    private let state = Mutex(State())
    private let wake = DispatchSemaphore(value: 0)

    /// Waits for room; however large, one batch fits when nothing else is under way.
    /// - Returns: whether there is room; false once closed.
    func take(_ alerts: Int) -> Bool {
        while true {
            let isTaken: Bool? = state.withLock { state in
                if state.isClosed { return false }
                let fits = state.alerts + alerts <= Self.alertsMax && state.batches < Self.batchesMax
                guard fits || state.batches == 0 else {
                    state.isWaiting = true
                    return nil
                }
                state.isWaiting = false
                state.alerts += alerts
                state.batches += 1
                return true
            }
            if let isTaken { return isTaken }
            wake.wait()
        }
    }

    func give(back alerts: Int) {
        let mustWake = state.withLock { state in
            state.alerts -= alerts
            state.batches -= 1
            return state.isWaiting
        }
        if mustWake { wake.signal() }
    }

    /// Ends every wait: nothing more is handed over.
    func close() {
        state.withLock { $0.isClosed = true }
        wake.signal()
    }

    /// Somebody waits for room.
    var isFull: Bool { state.withLock { $0.isWaiting && !$0.isClosed } }
}
