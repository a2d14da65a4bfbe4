import Synchronization

/// Hands what was committed, or seen, to whoever is watching now: bounded, and never slower for a slow watcher.
///
/// A watcher whose buffer is full loses the oldest elements and is told how many (`Subscription.lost`).
package final class Feed<Element: Sendable>: Sendable {
    package static var bufferMax: Int { 1024 }
    package static var subscribersMax: Int { 64 }

    private struct State {
        var subscribers: [Int: AsyncStream<Element>.Continuation] = [:]
        var next = 0
        var lost: [Int: Int] = [:]
    }

    private let state = Mutex(State())
    private let active = Atomic<Bool>(false)

    package init() {}

    /// Whether anybody watches: producers ask before they make elements.
    package var isWatched: Bool { active.load(ordering: .relaxed) }

    package func publish(_ elements: some Sequence<Element>) {
        guard isWatched else { return }
        // Not under the lock: a yield wakes the watcher's task and waits for the task's own lock, which a cancellation
        // holds while it calls `remove`.
        let subscribers = state.withLock { $0.subscribers }
        var lost: [Int: Int] = [:]
        for element in elements {
            for (id, subscriber) in subscribers {
                if case .dropped = subscriber.yield(element) { lost[id, default: 0] += 1 }
            }
        }
        guard !lost.isEmpty else { return }
        state.withLock { state in
            for (id, count) in lost where state.subscribers[id] != nil { state.lost[id, default: 0] += count }
        }
    }

    /// Everything published from now on, until the stream is let go; `nil` when too many watch already.
    package func subscribe() -> Subscription? {
        state.withLock { state in
            guard state.subscribers.count < Self.subscribersMax else { return nil }
            let id = state.next
            state.next += 1
            let (stream, continuation) = AsyncStream.makeStream(
                of: Element.self, bufferingPolicy: .bufferingNewest(Self.bufferMax)
            )
            continuation.onTermination = { [weak self] _ in self?.remove(id) }
            state.subscribers[id] = continuation
            active.store(true, ordering: .relaxed)
            return Subscription(elements: stream) { [weak self] in
                self?.state.withLock { $0.lost[id] ?? 0 } ?? 0
            }
        }
    }

    /// Ends every watcher's stream.
    package func finish() {
        let all = state.withLock { Array($0.subscribers.values) }
        for subscriber in all { subscriber.finish() }
    }

    private func remove(_ id: Int) {
        state.withLock { state in
            state.subscribers[id] = nil
            state.lost[id] = nil
            active.store(!state.subscribers.isEmpty, ordering: .relaxed)
        }
    }

    package struct Subscription: Sendable {
        package let elements: AsyncStream<Element>
        private let lostCount: @Sendable () -> Int

        init(elements: AsyncStream<Element>, lostCount: @escaping @Sendable () -> Int) {
            self.elements = elements
            self.lostCount = lostCount
        }

        /// How many elements this watcher was too slow for.
        package var lost: Int { lostCount() }
    }
}

/// An event on its way past `events tail`.
package struct TappedEvent: Sendable {
    package var source: String
    package var file: String?
    package var record: EventRecord

    package init(source: String, file: String?, record: EventRecord) {
        self.source = source
        self.file = file
        self.record = record
    }
}
