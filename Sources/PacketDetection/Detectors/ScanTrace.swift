import CPacket

/// What one source has asked for lately with one technique.
struct ScanTrace {
    /// A probe whose flags no connection has says more than a SYN, which ordinary clients send too.
    static let stealthScore = 3

    private struct Target {
        var host: PacketAddress
        var port: UInt16
        var time: UInt64
        /// It is for this host and nothing waits there, or no connection looks like this.
        var isCertain: Bool
    }

    private var targets: [Target] = []
    private var start: UInt64
    private var lastSeen: UInt64
    private var packets = 0
    /// Since this time the threshold is reached by targets that may still turn out to be ordinary.
    private var doubtfulSince: UInt64?
    private var alertedAt: UInt64?
    private var packetsReported = 0
    private var lastReport: UInt64 = 0
    private var sample = ip_record()

    init(start: UInt64) {
        self.start = start
        lastSeen = start
    }

    mutating func add(_ record: ip_record, thresholds: DetectionThresholds.PortScan) -> PacketFinding? {
        let window = UInt64(max(0, thresholds.window.nanosecondsClamped))
        let now = max(record.time, lastSeen)
        lastSeen = now
        packets += Int(record.weight)
        guard alertedAt == nil else { return nil }
        sample = record
        let certain = record.has(IP_FACT_CLOSED) || record.isKind(IP_RECORD_STEALTH)
        if let known = targets.firstIndex(where: { $0.host == record.to && $0.port == record.destination_port }) {
            targets[known].time = now
            targets[known].isCertain = targets[known].isCertain || certain
        } else {
            // Oldest first; beyond the threshold none is needed.
            if targets.count >= thresholds.targets { targets.removeFirst() }
            targets.append(Target(host: record.to, port: record.destination_port, time: now, isCertain: certain))
        }
        if now > window { targets.removeAll { $0.time &+ window < now } }
        let score = record.isKind(IP_RECORD_STEALTH) ? Self.stealthScore : 1
        let certainCount = targets.count { $0.isCertain }
        if certainCount * score >= thresholds.targets {
            return fire(at: now, thresholds)
        }
        if targets.count >= thresholds.targets {
            if doubtfulSince == nil { doubtfulSince = now }
        } else {
            doubtfulSince = nil
        }
        return nil
    }

    /// - Parameter completed: connections of this source that were completed lately.
    mutating func judge(
        at now: UInt64, thresholds: DetectionThresholds.PortScan, completed: Int
    ) -> PacketFinding? {
        let window = UInt64(max(0, thresholds.window.nanosecondsClamped))
        if let alertedAt {
            // Once a window: how it went on.
            guard now >= max(lastReport, alertedAt) &+ window, packets > packetsReported else { return nil }
            lastReport = now
            return finding(thresholds, isContinuation: true)
        }
        guard let since = doubtfulSince, now >= since &+ PacketDetector.graceNanoseconds else { return nil }
        if completed * 2 >= targets.count {
            doubtfulSince = now
            return nil
        }
        return fire(at: now, thresholds)
    }

    func isOver(at now: UInt64, window: Duration) -> Bool {
        let window = UInt64(max(0, window.nanosecondsClamped))
        // What was found and went on must be said before it is forgotten.
        return now > lastSeen &+ window && packets == (alertedAt == nil ? packets : packetsReported)
    }

    private mutating func fire(at now: UInt64, _ thresholds: DetectionThresholds.PortScan) -> PacketFinding {
        alertedAt = now
        lastReport = now
        return finding(thresholds, isContinuation: false)
    }

    private mutating func finding(
        _ thresholds: DetectionThresholds.PortScan, isContinuation: Bool
    ) -> PacketFinding {
        let ports = Set(targets.map(\.port))
        let hosts = Set(targets.map(\.host))
        let count = packets - packetsReported
        packetsReported = packets
        return PacketFinding(
            detector: .portScan, technique: nil, shape: hosts.count > ports.count ? .horizontal : .vertical,
            source: nil, destination: hosts.count == 1 ? hosts.first : nil,
            destinationPort: ports.count == 1 ? ports.first : nil, packets: max(1, count), completed: 0,
            ports: Array(targets.map(\.port).uniqued().prefix(PacketFinding.listedMax)), sources: [],
            hosts: hosts.count, sourceCount: 1, firstSeen: start, lastSeen: lastSeen, window: thresholds.window,
            isContinuation: isContinuation, sample: sample
        )
    }
}

extension PacketFinding {
    func named(_ source: PacketAddress, _ technique: Technique) -> PacketFinding {
        var finding = self
        finding.source = source
        finding.sources = [source]
        finding.technique = technique
        return finding
    }

    func named(_ detector: Detector, _ destination: PacketAddress, _ port: UInt16) -> PacketFinding {
        var finding = self
        finding.detector = detector
        finding.destination = destination
        finding.destinationPort = port == 0 ? nil : port
        return finding
    }
}

extension Duration {
    var nanosecondsClamped: Int64 {
        let (seconds, attoseconds) = components
        let (scaled, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        return overflow ? .max : scaled &+ attoseconds / 1_000_000_000
    }
}

extension Array where Element: Hashable {
    func uniqued() -> [Element] {
        var seen: Set<Element> = []
        return filter { seen.insert($0).inserted }
    }
}
