import CLinux
import Dispatch
import IronpostCore
import Synchronization

/// Everything read and not yet evaluated: a lane for each source, each bounded by bytes, taken from in turn.
///
/// A full lane makes its own source wait. A source that floods fills its own lane and gets its turn like the others,
/// so a quiet source waits for one turn of each at most.
final class SourceQueue: Sendable {
    /// Taken from one lane before the next lane's turn.
    static let turnBytes = 512 << 10
    /// What a batch costs beside its bytes: a sender of tiny messages must not get more memory than others.
    static let batchBytes = 256

    private let state: Mutex<State>
    private let arrivals = DispatchSemaphore(value: 0)

    private struct Lane {
        var batches: [RawBatch] = []
        var head = 0
        var bytes = 0
        let bytesMax: Int
        var waiters: [CheckedContinuation<Void, Never>] = []
        var threads: [DispatchSemaphore] = []

        var isEmpty: Bool { head == batches.count }

        mutating func pop() -> RawBatch {
            let batch = batches[head]
            // Lets go of the bytes now, not when the array is shifted.
            batches[head].bytes = []
            batches[head].senders = []
            head += 1
            if head > 32, head * 2 >= batches.count {
                batches.removeFirst(head)
                head = 0
            }
            bytes -= SourceQueue.cost(of: batch)
            return batch
        }
    }

    private struct State {
        var lanes: [Lane] = []
        var turn = 0
        var isClosed = false
        var isAbandoned = false
    }

    /// - Parameters:
    ///   - lanes: how many sources there are.
    ///   - bytesMax: over all lanes; each gets its equal share.
    init(lanes: Int, bytesMax: Int) {
        let share = max(1, bytesMax / max(1, lanes))
        state = Mutex(State(lanes: (0..<lanes).map { _ in Lane(bytesMax: share) }))
    }

    /// Bytes held, over all lanes.
    var depth: Int { state.withLock { $0.lanes.reduce(0) { $0 + $1.bytes } } }

    private static func cost(of batch: RawBatch) -> Int {
        batch.bytes.count + batch.senders.count * MemoryLayout<ip_peer>.stride + batchBytes
    }

    private enum Outcome { case taken, full, closed }

    /// Adds a batch if there is room now.
    func pushIfRoom(_ batch: RawBatch, lane: Int) -> Bool {
        if case .taken = offer(batch, lane: lane) { return true }
        return false
    }

    /// Adds a batch; waits while the lane is full. False: the queue is closed, the batch was not taken.
    func push(_ batch: RawBatch, lane: Int) async -> Bool {
        while true {
            switch offer(batch, lane: lane) {
            case .taken: return true
            case .closed: return false
            case .full:
                await withCheckedContinuation { continuation in
                    let mustWait = state.withLock { state in
                        guard !state.isClosed, !state.lanes[lane].isEmpty else { return false }
                        state.lanes[lane].waiters.append(continuation)
                        return true
                    }
                    if !mustWait { continuation.resume() }
                }
            }
        }
    }

    /// As `push`, for plain threads.
    func pushBlocking(_ batch: RawBatch, lane: Int) -> Bool {
        while true {
            switch offer(batch, lane: lane) {
            case .taken: return true
            case .closed: return false
            case .full:
                let semaphore = DispatchSemaphore(value: 0)
                let mustWait = state.withLock { state in
                    guard !state.isClosed, !state.lanes[lane].isEmpty else { return false }
                    state.lanes[lane].threads.append(semaphore)
                    return true
                }
                if mustWait { semaphore.wait() }
            }
        }
    }

    private func offer(_ batch: RawBatch, lane: Int) -> Outcome {
        let outcome: Outcome = state.withLock { state in
            if state.isClosed { return .closed }
            // A batch larger than the lane still passes when the lane is empty: bounded by what a source reads at once.
            let cost = Self.cost(of: batch)
            guard state.lanes[lane].isEmpty || state.lanes[lane].bytes + cost <= state.lanes[lane].bytesMax
            else { return .full }
            state.lanes[lane].batches.append(batch)
            state.lanes[lane].bytes += cost
            return .taken
        }
        if case .taken = outcome { arrivals.signal() }
        return outcome
    }

    enum Taking {
        case batches([RawBatch])
        /// Nothing came in time.
        case idle
        /// Closed, and everything was taken.
        case finished
    }

    /// The next lane's batches, up to `turnBytes` of them (at least one batch).
    /// - Parameter wait: longest wait, in nanoseconds.
    func take(wait: Int) -> Taking {
        let deadline = DispatchTime.now() + .nanoseconds(wait)
        while true {
            let (result, threads, tasks) = next()
            for thread in threads { thread.signal() }
            for task in tasks { task.resume() }
            if let result { return result }
            if arrivals.wait(timeout: deadline) == .timedOut {
                return .idle
            }
        }
    }

    private func next() -> (Taking?, [DispatchSemaphore], [CheckedContinuation<Void, Never>]) {
        state.withLock { state in
            if state.isAbandoned { return (.finished, [], []) }
            for step in 0..<state.lanes.count {
                let index = (state.turn + step) % state.lanes.count
                guard !state.lanes[index].isEmpty else { continue }
                state.turn = index + 1
                var taken: [RawBatch] = []
                var bytes = 0
                while !state.lanes[index].isEmpty, bytes < Self.turnBytes {
                    let batch = state.lanes[index].pop()
                    bytes += batch.bytes.count
                    taken.append(batch)
                }
                defer {
                    state.lanes[index].threads = []
                    state.lanes[index].waiters = []
                }
                return (.batches(taken), state.lanes[index].threads, state.lanes[index].waiters)
            }
            return (state.isClosed ? .finished : nil, [], [])
        }
    }

    /// Takes nothing more; what is inside can still be taken.
    func close() { end { $0.isClosed = true } }

    /// Gives up what is inside.
    /// - Returns: lines and records given up, by their origin.
    func abandon() -> [UInt64: Int] {
        end {
            $0.isClosed = true
            $0.isAbandoned = true
        }
        return state.withLock { state in
            var lost: [UInt64: Int] = [:]
            for lane in state.lanes {
                for batch in lane.batches[lane.head...] where batch.count > 0 {
                    lost[batch.origin, default: 0] += batch.count
                }
            }
            return lost
        }
    }

    private func end(_ change: (inout sending State) -> Void) {
        let (threads, tasks) = state.withLock { state in
            change(&state)
            defer {
                for index in state.lanes.indices {
                    state.lanes[index].threads = []
                    state.lanes[index].waiters = []
                }
            }
            return (state.lanes.flatMap(\.threads), state.lanes.flatMap(\.waiters))
        }
        for thread in threads { thread.signal() }
        for task in tasks { task.resume() }
        arrivals.signal()
    }
}
