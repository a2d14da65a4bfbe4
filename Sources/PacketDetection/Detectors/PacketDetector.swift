package import CPacket

/// Finds scans and floods in records, from the kernel or from a capture.
///
/// State is bounded whatever comes: a table of sources and one of destinations, each of fixed capacity. While a table is
/// more than half full, sources that were seen only once do not get into it, so that a flood with forged sources cannot
/// push out those that scan.
package struct PacketDetector: Sendable {
    package static let sourcesMax = 65_536
    package static let destinationsMax = 16_384
    /// Targets that are not known to be closed are judged this much later: their handshakes may still be under way.
    static let graceNanoseconds: UInt64 = 1_000_000_000

    private struct SourceKey: Hashable {
        var address: PacketAddress
        var technique: PacketFinding.Technique
    }

    private struct DestinationKey: Hashable {
        var address: PacketAddress
        /// 0 stands for all ports together.
        var port: UInt16
        var kind: UInt8
    }

    package var thresholds: DetectionThresholds
    /// Whether datagrams count of which it is not known if anybody waits for them.
    private let countsUnknownDatagrams: Bool
    private var sources: BoundedTable<SourceKey, ScanTrace>
    private var destinations: BoundedTable<DestinationKey, FloodTrace>
    /// Completed handshakes by source: what makes many targets ordinary.
    private var completions: BoundedTable<PacketAddress, Completions>
    private var lastSweep: UInt64 = 0

    private struct Completions {
        var count = 0
        var since: UInt64
    }

    package init(
        thresholds: DetectionThresholds = DetectionThresholds(), countsUnknownDatagrams: Bool = false,
        sourcesMax: Int = Self.sourcesMax,
        destinationsMax: Int = Self.destinationsMax
    ) {
        self.thresholds = thresholds
        self.countsUnknownDatagrams = countsUnknownDatagrams
        sources = BoundedTable(capacity: sourcesMax)
        destinations = BoundedTable(capacity: destinationsMax)
        completions = BoundedTable(capacity: sourcesMax)
    }

    /// Entries that went to make room, over all tables.
    package var evicted: Int { sources.evicted + destinations.evicted + completions.evicted }
    package var sourceCount: Int { sources.count }

    /// Takes one record; what it brings over a threshold goes to `report`.
    package mutating func add(_ record: ip_record, report: (PacketFinding) -> Void) {
        switch UInt32(record.kind) {
        case IP_RECORD_SYN.rawValue:
            addFlood(record, .synFlood, report)
            addProbe(record, .syn, report)
        case IP_RECORD_STEALTH.rawValue:
            addProbe(record, Self.technique(of: record.tcp_flags), report)
        case IP_RECORD_UDP.rawValue:
            if isProbe(record) { addProbe(record, .udp, report) }
        case IP_RECORD_UDP_VOLUME.rawValue:
            addFlood(record, .udpFlood, report)
        case IP_RECORD_SYN_ACK.rawValue:
            if record.has(IP_FACT_CLOSED) { addFlood(record, .synAckReflection, report) }
        case IP_RECORD_HANDSHAKE.rawValue:
            complete(record)
        default: break
        }
        if record.time > lastSweep &+ Self.graceNanoseconds { tick(at: record.time, report: report) }
    }

    /// Judges what had to wait, reports what went on since, and forgets what is over. To be called about every second.
    package mutating func tick(at now: UInt64, report: (PacketFinding) -> Void) {
        lastSweep = now
        let (scan, completions) = (thresholds.portScan, self.completions)
        sources.sweep { key, trace in
            let finding = trace.judge(
                at: now, thresholds: scan, completed: completions.value(of: key.address)?.count ?? 0)
            if let finding { report(finding.named(key.address, key.technique)) }
            return !trace.isOver(at: now, window: scan.window)
        }
        let thresholds = self.thresholds
        destinations.sweep { key, trace in
            let detector = Self.detector(of: key.kind)
            let flood = thresholds.flood(detector)
            if let finding = trace.continued(at: now, flood) {
                report(finding.named(detector, key.address, key.port))
            }
            return !trace.isOver(at: now, window: flood.window)
        }
        let window = UInt64(max(1, scan.window.components.seconds)) * 1_000_000_000
        self.completions.sweep { _, value in now < value.since &+ 2 * window }
    }

    // MARK: - Scans

    private static func technique(of flags: UInt8) -> PacketFinding.Technique {
        let flags = UInt32(flags)
        if flags == 0 { return .null }
        if flags == IP_TCP_FIN.rawValue { return .fin }
        if flags == IP_TCP_FIN.rawValue | IP_TCP_PSH.rawValue | IP_TCP_URG.rawValue { return .xmas }
        return .flags
    }

    /// Live, the kernel says whether a socket waits; datagrams that only pass by, or that are expected, are no probes. A
    /// capture says it by answers.
    private func isProbe(_ record: ip_record) -> Bool {
        guard !isLateAnswer(record) else { return false }
        return record.has(IP_FACT_CLOSED) || countsUnknownDatagrams && !record.has(IP_FACT_OPEN)
    }

    /// A service that answers a client which has gone: from a service's port to one that only clients use.
    private func isLateAnswer(_ record: ip_record) -> Bool {
        record.source_port < 1024 && record.source_port > 0 && record.destination_port >= 32_768
    }

    private mutating func addProbe(
        _ record: ip_record, _ technique: PacketFinding.Technique, _ report: (PacketFinding) -> Void
    ) {
        guard thresholds.portScan.isEnabled else { return }
        let key = SourceKey(address: record.from, technique: technique)
        // A forged flood's sources are seen once: they get in only while there is plenty of room.
        guard record.has(IP_FACT_REPEATED) || !sources.isCrowded || sources.contains(key) else { return }
        let scan = thresholds.portScan
        let finding = sources.update(key, initial: ScanTrace(start: record.time)) { trace in
            trace.add(record, thresholds: scan)
        }
        if let finding { report(finding.named(key.address, key.technique)) }
    }

    private mutating func complete(_ record: ip_record) {
        let window = UInt64(max(1, thresholds.portScan.window.components.seconds)) * 1_000_000_000
        completions.update(record.from, initial: Completions(since: record.time)) { value in
            if record.time > value.since &+ window {
                value.count /= 2
                value.since = record.time
            }
            value.count += Int(record.weight)
        }
        let synFlood = thresholds.synFlood
        for port in [record.destination_port, 0] {
            let key = DestinationKey(
                address: record.to, port: port, kind: UInt8(IP_RECORD_SYN.rawValue))
            // Without SYNs there is no flood to put it beside.
            guard destinations.contains(key) else { continue }
            destinations.update(key, initial: FloodTrace(start: record.time)) {
                $0.complete(Int(record.weight), at: record.time, window: synFlood.window)
            }
        }
    }

    // MARK: - Floods

    private static func detector(of kind: UInt8) -> PacketFinding.Detector {
        switch UInt32(kind) {
        case IP_RECORD_UDP_VOLUME.rawValue: .udpFlood
        case IP_RECORD_SYN_ACK.rawValue: .synAckReflection
        default: .synFlood
        }
    }

    private mutating func addFlood(
        _ record: ip_record, _ detector: PacketFinding.Detector, _ report: (PacketFinding) -> Void
    ) {
        let flood = thresholds.flood(detector)
        guard flood.isEnabled else { return }
        // A flood over all ports of a host shows in no single one; from few sources it is a scan.
        var isFound = false
        for port in [record.destination_port, 0] {
            let key = DestinationKey(address: record.to, port: port, kind: record.kind)
            let finding = destinations.update(key, initial: FloodTrace(start: record.time)) { trace in
                trace.add(record, flood, isWholeHost: port == 0, isHeld: isFound)
            }
            if let finding { report(finding.named(detector, key.address, port)) }
            if finding != nil || destinations.value(of: key)?.isAlerted == true { isFound = true }
        }
    }
}

extension DetectionThresholds {
    fileprivate func flood(_ detector: PacketFinding.Detector) -> Flood {
        detector == .udpFlood ? udpFlood : synFlood
    }
}
