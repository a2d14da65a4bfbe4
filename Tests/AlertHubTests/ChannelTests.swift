import IronpostCore
import Synchronization
import Testing

struct ChannelTests {
    /// Counts how many of it there are.
    private final class Token: Sendable {
        static let alive = Atomic<Int>(0)

        init() { Self.alive.add(1, ordering: .relaxed) }
        deinit { Self.alive.subtract(1, ordering: .relaxed) }
    }

    @Test("a batch that was taken is not kept: sixty-four of them were, and a flood of matches cost half a gigabyte")
    func takenIsReleased() async throws {
        let channel = BoundedChannel<Token>(name: "tokens", capacity: 256)
        for _ in 0..<50 { try channel.sendBlocking(Token()) }
        for _ in 0..<50 { _ = channel.receiveBlocking(max: 1) }
        #expect(Token.alive.load(ordering: .relaxed) == 0)
        #expect(channel.depth == 0)
    }
}
