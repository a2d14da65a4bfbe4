import IronpostCore
import Synchronization
import Testing

@testable import LogPipeline

struct SourceQueueTests {
    static func batch(_ bytes: Int, position: UInt64 = 0) -> RawBatch {
        RawBatch(
            origin: 0, format: .auto, framing: .lines, bytes: [UInt8](repeating: 0x0A, count: bytes),
            position: position, lineNumber: nil, count: bytes, received: Timestamp(seconds: 0), checkpoints: [],
            place: nil
        )
    }

    @Test("a source that floods waits for itself; the quiet one gets the next turn")
    func fairness() async {
        let queue = SourceQueue(lanes: 2, bytesMax: 8 << 20)
        let flood = PlainThread(name: "flood") {
            var position: UInt64 = 0
            while queue.pushBlocking(Self.batch(256 << 10, position: position), lane: 0) { position += 1 }
        }
        // The flooding lane is full, at its share and not beyond.
        while queue.depth < (4 << 20) - (300 << 10) { await Task.yield() }
        #expect(queue.depth <= 4 << 20)
        #expect(await queue.push(Self.batch(10), lane: 1))
        var turns = 0
        var found = false
        while !found, turns < 10 {
            guard case .batches(let batches) = queue.take(wait: 0) else { continue }
            turns += 1
            found = batches.contains { $0.bytes.isEmpty || $0.bytes.count == 10 }
        }
        #expect(turns <= 2, "the quiet source waited \(turns) turns")
        queue.close()
        while case .batches = queue.take(wait: 0) {}
        await flood.join()
    }

    @Test("what was taken before the close comes out, in order, and nothing after it is taken")
    func closing() async {
        let queue = SourceQueue(lanes: 1, bytesMax: 1 << 20)
        for position in 0..<100 { #expect(await queue.push(Self.batch(1, position: UInt64(position)), lane: 0)) }
        queue.close()
        #expect(await !queue.push(Self.batch(1), lane: 0))
        var positions: [UInt64] = []
        while case .batches(let batches) = queue.take(wait: 0) { positions += batches.map(\.position) }
        #expect(positions == (0..<100).map { UInt64($0) })
    }

    @Test("what is given up is counted")
    func abandoning() async {
        let queue = SourceQueue(lanes: 2, bytesMax: 1 << 20)
        _ = await queue.push(Self.batch(7), lane: 0)
        _ = await queue.push(Self.batch(5), lane: 1)
        #expect(queue.abandon().values.reduce(0, +) == 12)
        guard case .finished = queue.take(wait: 0) else {
            Issue.record("an abandoned queue still gives something")
            return
        }
    }

    @Test("waiting producers are released by a close")
    func release() async {
        let queue = SourceQueue(lanes: 1, bytesMax: 100)
        _ = await queue.push(Self.batch(100), lane: 0)
        let producers = (0..<8).map { _ in Task { await queue.push(Self.batch(100), lane: 0) } }
        let thread = PlainThread(name: "producer") { _ = queue.pushBlocking(Self.batch(100), lane: 0) }
        queue.close()
        for producer in producers { #expect(await !producer.value) }
        await thread.join()
    }
}
