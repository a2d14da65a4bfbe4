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
    private var alertedShapes: Set<PacketFinding.Shape> = []
    /// Of what was found last, while other targets are gathered.
    private var found: PacketFinding?
    private var packetsReported = 0
    private var lastReport: UInt64 = 0
    private var sample = ip_record()
    private var ingress = IngressWitness()

    init(start: UInt64) {
        self.start = start
        lastSeen = start
    }

    mutating func add(_ record: ip_record, thresholds: DetectionThresholds.PortScan) -> PacketFinding? {
        let window = UInt64(max(0, thresholds.window.nanosecondsClamped))
        let now = max(record.time, lastSeen)
        lastSeen = now
        packets += Int(record.weight)
        sample = record
        // Every target has a record of its own, so what others were left out for says nothing against it.
        ingress.add(record)
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
            guard let shape = newShape else { return nil }
            return fire(shape, at: now, thresholds)
        }
        guard alertedAt == nil else { return nil }
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
            return continuation()
        }
        guard let since = doubtfulSince, now >= since &+ PacketDetector.graceNanoseconds else { return nil }
        if completed * 2 >= targets.count {
            doubtfulSince = now
            return nil
        }
        return fire(shape, at: now, thresholds)
    }

    func isOver(at now: UInt64, window: Duration) -> Bool {
        let window = UInt64(max(0, window.nanosecondsClamped))
        // What was found and went on must be said before it is forgotten.
        return now > lastSeen &+ window && packets == (alertedAt == nil ? packets : packetsReported)
    }

    private var shape: PacketFinding.Shape {
        Set(targets.map(\.host)).count > Set(targets.map(\.port)).count ? .horizontal : .vertical
    }

    /// The targets' shape, if it has not been told yet. One scan is told once: another shape must be plain to see, as
    /// from one scan of a host's ports and a second one of a network.
    private var newShape: PacketFinding.Shape? {
        let shape = shape
        guard !alertedShapes.isEmpty else { return shape }
        let (hosts, ports) = (Set(targets.map(\.host)).count, Set(targets.map(\.port)).count)
        guard max(hosts, ports) >= 4 * min(hosts, ports) else { return nil }
        return alertedShapes.contains(shape) ? nil : shape
    }

    private mutating func fire(
        _ shape: PacketFinding.Shape, at now: UInt64, _ thresholds: DetectionThresholds.PortScan
    ) -> PacketFinding {
        alertedAt = now
        lastReport = now
        doubtfulSince = nil
        alertedShapes.insert(shape)
        let finding = finding(shape, thresholds)
        found = finding
        // From here on new targets are gathered, for another shape.
        targets = []
        ingress = IngressWitness()
        return finding
    }

    private mutating func continuation() -> PacketFinding? {
        guard var finding = found else { return nil }
        finding.isContinuation = true
        finding.packets = packets - packetsReported
        finding.lastSeen = lastSeen
        finding.interface = finding.interface == ingress.only ? finding.interface : nil
        packetsReported = packets
        return finding
    }

    private mutating func finding(
        _ shape: PacketFinding.Shape, _ thresholds: DetectionThresholds.PortScan
    ) -> PacketFinding {
        let ports = Set(targets.map(\.port))
        let hosts = Set(targets.map(\.host))
        let count = packets - packetsReported
        packetsReported = packets
        return PacketFinding(
            detector: .portScan, technique: nil, shape: shape, source: nil,
            destination: hosts.count == 1 ? hosts.first : nil,
            destinationPort: ports.count == 1 ? ports.first : nil, packets: max(1, count), completed: 0,
            ports: Array(targets.map(\.port).uniqued().prefix(PacketFinding.listedMax)), sources: [],
            hosts: hosts.count, sourceCount: 1, firstSeen: targets.map(\.time).min() ?? start, lastSeen: lastSeen,
            interface: ingress.only, window: thresholds.window, isContinuation: false, sample: sample
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
