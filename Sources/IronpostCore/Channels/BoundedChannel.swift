import Dispatch
import Synchronization

/// The channel was closed: nothing more is taken.
package struct ChannelClosed: Error, Equatable {
    package let channel: String
}

/// A queue of batches between two parts of the daemon, bounded: a full channel makes its producer wait, and nobody else.
///
/// Several producers and consumers, tasks or plain threads alike. First in, first out; one producer's elements keep
/// their order. After `close` the elements that are inside can still be received.
package final class BoundedChannel<Element: Sendable>: Sendable {
    package let name: String
    package let capacity: Int
    private let state: Mutex<State>

    private struct State {
        /// From `head` on what is inside; before it empty places.
        var elements: [Element?] = []
        var head = 0
        var isClosed = false
        var highWater = 0
        var senders: [Waiter] = []
        var receivers: [Waiter] = []

        var count: Int { elements.count - head }

        mutating func pop() -> Element? {
            // Let go now, not when the array is shifted: a batch can be megabytes.
            let element = elements[head].take()
            head += 1
            // Shift down rarely, so that taking from the front costs nothing on average.
            if head > 64, head * 2 >= elements.count {
                elements.removeFirst(head)
                head = 0
            }
            return element
        }
    }

    /// - Parameter capacity: elements held at most, at least 1.
    package init(name: String, capacity: Int) {
        precondition(capacity > 0, "a channel holds at least one element")
        self.name = name
        self.capacity = capacity
        state = Mutex(State())
    }

    package var depth: Int { state.withLock { $0.count } }
    package var highWater: Int { state.withLock { $0.highWater } }

    /// Waits for room. Throws `ChannelClosed`, also when the channel is closed while waiting, or `CancellationError`.
    package func send(_ element: Element) async throws {
        while true {
            let waiter = Waiter()
            if try offer(element, else: waiter) { return }
            await waiter.suspend()
            try Task.checkCancellation()
        }
    }

    /// As `send`, for plain threads.
    package func sendBlocking(_ element: Element) throws(ChannelClosed) {
        while true {
            let waiter = Waiter()
            if try offer(element, else: waiter) { return }
            waiter.block()
        }
    }

    /// Waits for an element; `nil` when the channel is closed and empty, or the task is cancelled.
    package func receive() async -> Element? {
        while !Task.isCancelled {
            let waiter = Waiter()
            switch poll(max: 1, else: waiter) {
            case .some(let elements): return elements.first
            case .none: await waiter.suspend()
            }
        }
        return nil
    }

    /// As `receive` for plain threads: everything there is, at most `max`; empty when the channel is closed and empty.
    package func receiveBlocking(max: Int) -> [Element] {
        while true {
            let waiter = Waiter()
            if let elements = poll(max: max, else: waiter) { return elements }
            waiter.block()
        }
    }

    /// As `receiveBlocking(max:)`, but waits for `patience` at most; `nil` when nothing came in time.
    package func receiveBlocking(max: Int, patience: Duration) -> [Element]? {
        let deadline = DispatchTime.now() + .nanoseconds(Int(patience.nanoseconds))
        while true {
            let waiter = Waiter()
            if let elements = poll(max: max, else: waiter) { return elements }
            guard !waiter.block(until: deadline) else { continue }
            // Out of the line, unless an element has just come: its wake-up must not be lost.
            let wasInLine = state.withLock { state in
                let place = state.receivers.firstIndex { $0 === waiter }
                if let place { state.receivers.remove(at: place) }
                return place != nil
            }
            if wasInLine { return nil }
        }
    }

    package func close() {
        let waiters = state.withLock { state in
            state.isClosed = true
            defer {
                state.senders = []
                state.receivers = []
            }
            return state.senders + state.receivers
        }
        for waiter in waiters { waiter.wake() }
    }

    private enum Outcome { case taken(Waiter?), full, closed }

    private func offer(_ element: Element, else waiter: Waiter) throws(ChannelClosed) -> Bool {
        let outcome: Outcome = state.withLock { state in
            if state.isClosed { return .closed }
            guard state.count < capacity else {
                state.senders.append(waiter)
                return .full
            }
            state.elements.append(element)
            state.highWater = max(state.highWater, state.count)
            return .taken(state.receivers.isEmpty ? nil : state.receivers.removeFirst())
        }
        switch outcome {
        case .closed: throw ChannelClosed(channel: name)
        case .full: return false
        case .taken(let receiver):
            receiver?.wake()
            return true
        }
    }

    /// `nil` means: nothing there, and the waiter is in line.
    private func poll(max: Int, else waiter: Waiter) -> [Element]? {
        let (elements, senders): ([Element]?, [Waiter]) = state.withLock { state in
            guard state.count > 0 else {
                if state.isClosed { return ([], []) }
                state.receivers.append(waiter)
                return (nil, [])
            }
            let taken = (0..<min(max, state.count)).compactMap { _ in state.pop() }
            let woken = Array(state.senders.prefix(taken.count))
            state.senders.removeFirst(woken.count)
            // What is left is for the next in line.
            if state.count > 0, !state.receivers.isEmpty { return (taken, woken + [state.receivers.removeFirst()]) }
            return (taken, woken)
        }
        for sender in senders { sender.wake() }
        return elements
    }
}

/// One task or thread that waits to be woken, once. Whoever is woken looks again: waking too often is harmless.
private final class Waiter: Sendable {
    private enum State {
        case idle, woken
        case suspended(CheckedContinuation<Void, Never>)
    }

    private let state = Mutex(State.idle)
    private let semaphore = DispatchSemaphore(value: 0)

    func suspend() async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isWoken = state.withLock { state in
                    if case .woken = state { return true }
                    state = .suspended(continuation)
                    return false
                }
                if isWoken { continuation.resume() }
            }
        } onCancel: {
            wake()
        }
    }

    func block() {
        semaphore.wait()
    }

    /// `false` when nobody woke it in time.
    func block(until deadline: DispatchTime) -> Bool {
        semaphore.wait(timeout: deadline) == .success
    }

    func wake() {
        let continuation: CheckedContinuation<Void, Never>? = state.withLock { state in
            defer { state = .woken }
            if case .suspended(let continuation) = state { return continuation }
            return nil
        }
        continuation?.resume()
        semaphore.signal()
    }
}
