import Foundation
import IronpostCore
import Synchronization
import Testing

@Suite("a feed of committed alerts")
struct FeedTests {
    /// A watcher that is cancelled lets go of the feed while its task's lock is held; one that is woken needs that lock.
    @Test("watchers come and go while it publishes, and neither waits for the other for ever")
    func cancelledWhilePublishing() {
        let feed = Feed<Int>()
        let isOver = Atomic<Bool>(false)
        let rounds = 4000
        let finished = DispatchSemaphore(value: 0)
        let publisher = Thread {
            while !isOver.load(ordering: .acquiring) { feed.publish(0..<8) }
            finished.signal()
        }
        publisher.start()
        Task.detached {
            for _ in 0..<rounds {
                guard let subscription = feed.subscribe() else { continue }
                let watcher = Task.detached {
                    for await _ in subscription.elements {}
                }
                await Task.yield()
                watcher.cancel()
                await watcher.value
            }
            isOver.store(true, ordering: .releasing)
            finished.signal()
        }
        let end = DispatchTime.now() + .seconds(60)
        #expect(finished.wait(timeout: end) == .success)
        #expect(finished.wait(timeout: end) == .success)
        #expect(!feed.isWatched)
    }

    @Test("a watcher that is too slow is told how much it lost, and one that left is forgotten")
    func lost() throws {
        let feed = Feed<Int>()
        var subscription = feed.subscribe()
        feed.publish(0..<Feed<Int>.bufferMax + 10)
        #expect(subscription?.lost == 10)
        #expect(feed.isWatched)
        subscription = nil
        #expect(!feed.isWatched)
    }
}
