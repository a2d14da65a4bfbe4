import CPacket
import Glibc

/// What came to one destination lately.
struct FloodTrace {
    static let buckets = 8
    /// From this many sources on a flood is one of many.
    static let manySources = 32

    private struct Bucket {
        var number: UInt64 = 0
        var packets = 0
        var completed = 0
        var closed = 0
    }

    private var ring = [Bucket](repeating: Bucket(), count: Self.buckets)
    private var sources = DistinctCounter()
    private var sourceSample: [PacketAddress] = []
    private var windowStart: UInt64
    private var start: UInt64
    private var lastSeen: UInt64
    private var alertedAt: UInt64?
    private var lastReport: UInt64 = 0
    private var packetsSince = 0
    private var completedSince = 0
    private var sample = ip_record()
    private var ingress = IngressWitness()

    init(start: UInt64) {
        self.start = start
        windowStart = start
        lastSeen = start
    }

    var isAlerted: Bool { alertedAt != nil }

    private static func bucketLength(_ window: Duration) -> UInt64 {
        UInt64(max(Int64(Self.buckets), window.nanosecondsClamped)) / UInt64(Self.buckets)
    }

    private mutating func bucket(at time: UInt64, window: Duration) -> Int {
        let number = time / Self.bucketLength(window)
        let index = Int(number % UInt64(Self.buckets))
        if ring[index].number != number { ring[index] = Bucket(number: number) }
        return index
    }

    private func sum(at time: UInt64, window: Duration) -> Bucket {
        let number = time / Self.bucketLength(window)
        var total = Bucket()
        for bucket in ring where bucket.number + UInt64(Self.buckets) > number {
            total.packets += bucket.packets
            total.completed += bucket.completed
            total.closed += bucket.closed
        }
        return total
    }

    /// - Parameters:
    ///   - isWholeHost: all ports together: a flood only when it comes from many sources.
    ///   - isHeld: another trace speaks for this packet already.
    mutating func add(
        _ record: ip_record, _ flood: DetectionThresholds.Flood, isWholeHost: Bool, isHeld: Bool
    ) -> PacketFinding? {
        let now = max(record.time, lastSeen)
        lastSeen = now
        let index = bucket(at: now, window: flood.window)
        ring[index].packets += Int(record.weight)
        if record.has(IP_FACT_CLOSED) { ring[index].closed += Int(record.weight) }
        packetsSince += Int(record.weight)
        if now > windowStart &+ UInt64(max(0, flood.window.nanosecondsClamped)), alertedAt == nil {
            windowStart = now
            start = now
            sources = DistinctCounter()
            sourceSample = []
            ingress = IngressWitness()
            packetsSince = sum(at: now, window: flood.window).packets
            completedSince = 0
        }
        sources.insert(record.source)
        if sourceSample.count < PacketFinding.listedMax, !sourceSample.contains(record.from) {
            sourceSample.append(record.from)
        }
        sample = record
        ingress.add(record, stands: record.weight)
        guard alertedAt == nil, !isHeld else { return nil }
        let total = sum(at: now, window: flood.window)
        guard total.packets - total.completed >= flood.packets, total.completed * 2 < total.packets else { return nil }
        let many = sources.count >= Self.manySources
        if isWholeHost, !many { return nil }
        // Datagrams to a socket that waits for them may be what it is there for.
        if record.isKind(IP_RECORD_UDP_VOLUME), !many, total.closed * 2 < total.packets { return nil }
        alertedAt = now
        lastReport = now
        return finding(flood, isContinuation: false)
    }

    mutating func complete(_ count: Int, at time: UInt64, window: Duration) {
        let now = max(time, lastSeen)
        ring[bucket(at: now, window: window)].completed += count
        completedSince += count
    }

    mutating func continued(at now: UInt64, _ flood: DetectionThresholds.Flood) -> PacketFinding? {
        let window = UInt64(max(0, flood.window.nanosecondsClamped))
        guard let alertedAt, now >= max(lastReport, alertedAt) &+ window, packetsSince > 0 else { return nil }
        lastReport = now
        return finding(flood, isContinuation: true)
    }

    func isOver(at now: UInt64, window: Duration) -> Bool {
        let window = UInt64(max(0, window.nanosecondsClamped))
        return now > lastSeen &+ 2 * window && (alertedAt == nil || packetsSince == 0)
    }

    private mutating func finding(_ flood: DetectionThresholds.Flood, isContinuation: Bool) -> PacketFinding {
        let (packets, completed) = (packetsSince, completedSince)
        packetsSince = 0
        completedSince = 0
        return PacketFinding(
            detector: .synFlood, technique: nil, shape: nil,
            source: sourceSample.count == 1 ? sourceSample[0] : nil, destination: nil, destinationPort: nil,
            packets: max(1, packets), completed: completed, ports: [], sources: sourceSample, hosts: 1,
            sourceCount: max(sources.count, sourceSample.count), firstSeen: start, lastSeen: lastSeen,
            interface: ingress.only, window: flood.window, isContinuation: isContinuation, sample: sample
        )
    }
}

/// About how many different addresses, in 128 bytes (linear counting; Whang, Vander-Zanden, Taylor 1990).
struct DistinctCounter {
    static let bits = 1024
    private var words = [UInt64](repeating: 0, count: bits / 64)
    private var zeros = bits

    mutating func insert(_ address: ip_address) {
        let hash = ip_hash_of(address, 0, 0x2545_F491)
        let bit = Int(hash & UInt32(Self.bits - 1))
        let mask: UInt64 = 1 << UInt64(bit & 63)
        if words[bit >> 6] & mask == 0 {
            words[bit >> 6] |= mask
            zeros -= 1
        }
    }

    /// Up to about 7,000; more counts as that.
    var count: Int {
        guard zeros > 0 else { return 7000 }
        return Int((-Double(Self.bits) * Glibc.log(Double(zeros) / Double(Self.bits))).rounded())
    }
}
