import CPacket
import PacketDetection
import Testing

/// The sketch that tells sources that repeat themselves from those that come once.
@Suite struct SketchTests {
    /// A source's hash, its two cells both its own.
    private static func hash(_ source: UInt32) -> UInt32 { source << 16 | source }

    @Test("it counts each source by itself, and what was counted is halved with each epoch until nothing is left")
    func epochs() {
        let sketch = Sketch()
        for count in 1...1000 as ClosedRange<UInt32> {
            #expect(sketch.add(Self.hash(1), 7) == count)
        }
        #expect(sketch.add(Self.hash(2), 7) == 1)
        #expect(sketch.add(Self.hash(1), 8) == 501)
        #expect(sketch.add(Self.hash(1), 10) == 126)
        #expect(sketch.add(Self.hash(1), 26) == 1)
    }

    @Test("what a flood of forged sources leaves in every cell is no repetition, and is forgotten with the flood")
    func flood() {
        let sketch = Sketch()
        var random = SplitMix(state: 1)
        var repeated = 0
        for _ in 0..<200_000 {
            let count = sketch.add(random.next(), 1)
            if count >= sketch.threshold { repeated += 1 }
        }
        // Each came once; a few share both of their cells with others.
        #expect(repeated < 2000, "\(repeated)")
        #expect(sketch.threshold > 50)
        // A source that goes on stands out even so.
        var last: UInt32 = 0
        for _ in 0..<500 { last = sketch.add(Self.hash(9), 1) }
        #expect(last >= sketch.threshold)
        // Long after it, two packets are two again.
        sketch.add(Self.hash(4), 60)
        #expect(sketch.threshold == 2)
        #expect(sketch.add(Self.hash(4), 60) == 2)
    }

    /// It is larger than a stack should hold.
    @safe private final class Sketch {
        private let pointer = UnsafeMutablePointer<ip_sketch>.allocate(capacity: 1)

        init() { unsafe pointer.initialize(to: ip_sketch()) }
        deinit { unsafe pointer.deallocate() }

        var threshold: UInt32 { unsafe ip_sketch_threshold(pointer) }

        @discardableResult
        func add(_ hash: UInt32, _ epoch: UInt32) -> UInt32 { unsafe ip_sketch_add(pointer, hash, epoch) }
    }

    /// The same numbers in every run.
    private struct SplitMix {
        var state: UInt64

        mutating func next() -> UInt32 {
            state &+= 0x9E37_79B9_7F4A_7C15
            var value = state
            value = (value ^ value >> 30) &* 0xBF58_476D_1CE4_E5B9
            value = (value ^ value >> 27) &* 0x94D0_49BB_1331_11EB
            return UInt32(truncatingIfNeeded: value ^ value >> 31)
        }
    }
}
