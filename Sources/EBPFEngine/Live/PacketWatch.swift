import CPacket
import Glibc
import IronpostCore
import Logging
import PacketDetection
import Synchronization

/// What becomes of the kernel's records: detectors, alerts, and events for rules. Driven by the ring's thread.
final class PacketWatch: Sendable {
    /// Events that are handed to the log pipeline in a second; the others are counted.
    static let eventsPerSecond = 5000
    /// A scan by connections is held back this long: its handshake, if it completes one, makes it one proven alert
    /// instead of two.
    static let holdNanoseconds: UInt64 = 300_000_000
    /// A handshake proves its source's address for this long.
    static let proofNanoseconds: UInt64 = 600_000_000_000

    private struct State {
        var detector: PacketDetector
        var alert: PacketAlert
        var interfaces: [UInt32: String] = [:]
        var second: UInt64 = 0
        var eventsThisSecond = 0
        var alerts: UInt64 = 0
        var lastTick: UInt64 = 0
        /// Findings whose source has not been proven yet, by source: proven later, they are said again.
        var unproven: [PacketAddress: PacketFinding] = [:]
        var held: [PacketAddress: (finding: PacketFinding, due: UInt64)] = [:]
    }

    private let state: Mutex<State>
    private let channel: BoundedChannel<CommitBatch>
    private let intake: (any PacketIntake)?
    private let hop: LedgerHop
    private let eventHop: LedgerHop
    private let proof: @Sendable (PacketAddress) -> UInt64?
    private let time: any TimeSource
    private let logger: Logger
    private let receivedCount = Atomic<Int>(0)

    static let unprovenMax = 4096

    init(
        detector: PacketDetector, alert: PacketAlert, channel: BoundedChannel<CommitBatch>,
        intake: (any PacketIntake)?, ledger: Ledger, time: any TimeSource, logger: Logger,
        proof: @escaping @Sendable (PacketAddress) -> UInt64?
    ) {
        state = Mutex(State(detector: detector, alert: alert))
        self.channel = channel
        self.intake = intake
        hop = ledger.hop("packets")
        eventHop = ledger.hop("source:packets")
        self.proof = proof
        self.time = time
        self.logger = logger
    }

    /// Records taken out of the ring.
    var received: Int { receivedCount.load(ordering: .relaxed) }

    func take(thresholds: DetectionThresholds, generation: Int) {
        state.withLock {
            $0.detector.thresholds = thresholds
            $0.alert.generation = generation
        }
    }

    func name(_ interfaces: [KernelState.Watched]) {
        let names = Dictionary(interfaces.map { ($0.index, $0.name) }, uniquingKeysWith: { $1 })
        state.withLock { $0.interfaces = names }
    }

    func deliver(_ records: ArraySlice<ip_record>) {
        let now = time.now()
        let uptime = UInt64(max(0, time.uptime()))
        receivedCount.add(records.count, ordering: .relaxed)
        hop.store(records.count)
        var lines: [UInt8] = []
        var (lineCount, passedOver) = (0, 0)
        let (findings, released) = state.withLock { state in
            var findings: [PacketFinding] = []
            var released: [PacketFinding] = []
            for record in records {
                state.detector.add(record) { findings.append($0) }
                if record.isKind(IP_RECORD_HANDSHAKE) {
                    if let held = state.held.removeValue(forKey: record.from) {
                        released.append(held.finding)
                    } else if let waiting = state.unproven.removeValue(forKey: record.from) {
                        released.append(waiting)
                    }
                }
                guard intake != nil, PacketEvent.category(of: record) != nil else { continue }
                if state.second != uptime / 1_000_000_000 {
                    state.second = uptime / 1_000_000_000
                    state.eventsThisSecond = 0
                }
                guard state.eventsThisSecond < Self.eventsPerSecond else {
                    passedOver += 1
                    continue
                }
                state.eventsThisSecond += 1
                if let line = PacketEvent.line(of: record, interface: state.interfaces[record.interface]) {
                    lines += Array(line.utf8)
                    lines.append(10)
                    lineCount += 1
                }
            }
            if records.isEmpty, uptime > state.lastTick &+ 1_000_000_000 {
                state.lastTick = uptime
                state.detector.tick(at: uptime) { findings.append($0) }
            }
            for (source, held) in state.held where held.due <= uptime {
                state.held[source] = nil
                released.append(held.finding)
            }
            return (findings, released)
        }
        hand(lines, lineCount, passedOver, now)
        for finding in findings where !hold(finding, uptime: uptime) { tell(finding, now: now, uptime: uptime) }
        for finding in released { tell(finding, now: now, uptime: uptime) }
    }

    /// Whether the finding waits for its source's proof.
    private func hold(_ finding: PacketFinding, uptime: UInt64) -> Bool {
        guard finding.detector == .portScan, finding.technique == .syn, !finding.isContinuation,
            let source = finding.source, !isProven(source, uptime)
        else { return false }
        return state.withLock { state in
            guard state.held.count < Self.unprovenMax, state.held[source] == nil else { return false }
            state.held[source] = (finding, uptime &+ Self.holdNanoseconds)
            return true
        }
    }

    private func isProven(_ source: PacketAddress, _ uptime: UInt64) -> Bool {
        proof(source).map { $0 &+ Self.proofNanoseconds > uptime } ?? false
    }

    private func hand(_ lines: [UInt8], _ count: Int, _ passedOver: Int, _ now: Timestamp) {
        guard count + passedOver > 0 else { return }
        eventHop.accept(count + passedOver)
        eventHop.drop(passedOver, cause: "over_rate")
        guard count > 0 else { return }
        if intake?.offer(packets: lines, count: count, at: now) != true { eventHop.drop(count, cause: "no_room") }
    }

    private func tell(_ finding: PacketFinding, now: Timestamp, uptime: UInt64) {
        let isProven = finding.detector == .portScan && (finding.source.map { self.isProven($0, uptime) } ?? false)
        let alert = state.withLock { state in
            state.alerts += 1
            if let source = finding.source, finding.detector == .portScan, !isProven,
                state.unproven.count < Self.unprovenMax
            {
                state.unproven[source] = finding
            } else if let source = finding.source {
                state.unproven[source] = nil
            }
            let interfaces = state.interfaces
            var alert = state.alert.alert(
                finding, now: now, number: state.alerts,
                clock: { Timestamp(nanoseconds: now.nanoseconds &- Int64(clamping: uptime &- min(uptime, $0))) },
                interface: { interfaces[$0] }
            )
            // The address is the one that answered what only it could have received.
            if isProven { alert.srcIPProof = AddressProof(origin: .handshake, confidence: .kernel) }
            return alert
        }
        // Whoever sent it, it came in there: what leads to a container leads to the right one.
        var clues = AttributionClues()
        clues.ingressLink = finding.interface
        do {
            try channel.sendBlocking(CommitBatch(alerts: [AlertEvent(alert, clues: clues)]))
        } catch {
            logger.error("an alert could not be handed over: the hub is gone", metadata: ["rule": "\(alert.rule.id)"])
        }
    }
}
