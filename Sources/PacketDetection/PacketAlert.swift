package import CPacket
import Crypto
package import IronpostCore

/// Makes alerts of findings.
package struct PacketAlert: Sendable {
    package var node: String
    package var generation: Int
    /// Where records come from, for the evidence: `packets`.
    package var source: String
    /// Names this run in trace ids.
    package var run: UInt64

    package init(node: String, generation: Int, source: String = "packets", run: UInt64) {
        self.node = node
        self.generation = generation
        self.source = source
        self.run = run
    }

    /// - Parameters:
    ///   - clock: the wall clock's time of a record's time.
    ///   - interface: the name of an interface by its number.
    ///   - number: of this alert in this run.
    package func alert(
        _ finding: PacketFinding, now: Timestamp, number: UInt64, clock: (UInt64) -> Timestamp,
        interface: (UInt32) -> String?
    ) -> Alert {
        let fields = Self.fields(of: finding, interface: interface(finding.sample.interface))
        let raw = Self.raw(of: finding.sample, interface: interface(finding.sample.interface))
        let digest = SHA256.hash(data: Array(raw.utf8))
        let last = clock(finding.lastSeen)
        return Alert(
            id: UUIDv7.make(at: now), time: now, severity: Self.severity(of: finding), title: Self.title(of: finding),
            description: Self.description(of: finding), source: "ebpf-engine",
            rule: Self.reference(of: finding), node: node,
            event: EventRecord(time: last, fields: fields),
            evidence: Evidence(
                source: source, place: interface(finding.sample.interface).map { "interface \($0)" }, raw: raw,
                sha256: digest.reduce(into: "") { text, byte in
                    if byte < 16 { text += "0" }
                    text += String(byte, radix: 16)
                }
            ),
            group: Self.group(of: finding), count: finding.packets, firstSeen: clock(finding.firstSeen),
            lastSeen: last, srcIP: finding.source?.description, dstIP: finding.destination?.description,
            traceID: Self.trace(run: run, number: number), generation: generation
        )
    }

    private static func trace(run: UInt64, number: UInt64) -> String {
        func hexadecimal(_ value: UInt64) -> String {
            let digits = String(value, radix: 16)
            return String(repeating: "0", count: 16 - digits.count) + digits
        }
        return hexadecimal(run) + hexadecimal(number)
    }

    package static func severity(of finding: PacketFinding) -> Severity {
        switch finding.detector {
        case .portScan: .medium
        case .synFlood, .udpFlood, .synAckReflection: .high
        }
    }

    package static func title(of finding: PacketFinding) -> String {
        switch finding.detector {
        case .portScan:
            finding.shape == .horizontal ? "Scan of one port over many hosts" : "Port scan"
        case .synFlood: "SYN flood"
        case .udpFlood: "UDP flood"
        case .synAckReflection: "Reflected SYN-ACK flood"
        }
    }

    package static func reference(of finding: PacketFinding) -> RuleReference {
        let tags: [String]
        switch finding.detector {
        case .portScan: tags = ["attack.discovery", "attack.t1046"]
        case .synFlood, .udpFlood: tags = ["attack.impact", "attack.t1498.001"]
        case .synAckReflection: tags = ["attack.impact", "attack.t1498.002"]
        }
        return RuleReference(
            id: finding.detector.rawValue, title: title(of: finding), level: severity(of: finding).rawValue, tags: tags
        )
    }

    static func description(of finding: PacketFinding) -> String {
        let seconds = finding.window.components.seconds
        switch finding.detector {
        case .portScan:
            let technique = finding.technique?.rawValue ?? "syn"
            let what =
                finding.shape == .horizontal
                ? "port \(finding.ports.first ?? 0) of \(finding.hosts) hosts or more"
                : "\(finding.ports.count) ports or more"
            return "One source asked for \(what) within \(seconds) s, by \(technique) probes that found nothing open."
        case .synFlood:
            return "\(finding.packets) connections were asked for and \(finding.completed) completed, by about "
                + "\(finding.sourceCount) sources. Sources of a SYN flood are easily forged."
        case .udpFlood:
            return "\(finding.packets) datagrams came within \(seconds) s, from about \(finding.sourceCount) sources."
        case .synAckReflection:
            return "\(finding.packets) answers came to connections that nobody here asked for: others are being sent "
                + "SYNs in this host's name."
        }
    }

    /// What repeats of the same finding have in common.
    package static func group(of finding: PacketFinding) -> [Field] {
        switch finding.detector {
        case .portScan:
            return [
                Field("src_ip", finding.source?.description ?? ""),
                Field("technique", finding.technique?.rawValue ?? ""),
                Field("scan", finding.shape?.rawValue ?? ""),
            ]
        case .synFlood, .udpFlood, .synAckReflection:
            return [
                Field("dst_ip", finding.destination?.description ?? ""),
                Field("dst_port", finding.destinationPort.map(String.init) ?? "any"),
            ]
        }
    }

    /// The finding as an event, for people and for `detect`.
    package static func fields(of finding: PacketFinding, interface: String?) -> [Field] {
        var fields = [Field("detector", finding.detector.rawValue)]
        func add(_ name: String, _ value: String?) {
            if let value { fields.append(Field(name, value)) }
        }
        add("src_ip", finding.source?.description)
        add("dst_ip", finding.destination?.description)
        add("dst_port", finding.destinationPort.map(String.init))
        add("technique", finding.technique?.rawValue)
        add("scan", finding.shape?.rawValue)
        add("packets", String(finding.packets))
        if finding.detector == .portScan {
            add("ports", finding.ports.map(String.init).joined(separator: ","))
            add("hosts", String(finding.hosts))
        } else {
            add("completed", String(finding.completed))
            add("sources", String(finding.sourceCount))
            add("source_sample", finding.sources.prefix(8).map(\.description).joined(separator: ","))
        }
        add("window_seconds", String(finding.window.components.seconds))
        add("interface_index", String(finding.sample.interface))
        add("interface", interface)
        if finding.sample.vlan != 0 { add("vlan", String(finding.sample.vlan)) }
        return fields
    }

    /// The packet that crossed the threshold, in a line.
    package static func raw(of record: ip_record, interface: String?) -> String {
        let name = PacketEvent.name(ofProtocol: record.protocol)
        var text = "\(name) \(record.from) port \(record.source_port) to \(record.to) port \(record.destination_port)"
        if record.protocol == UInt8(IP_PROTO_TCP.rawValue) { text += " flags \(PacketEvent.flags(record.tcp_flags))" }
        if record.vlan != 0 { text += " vlan \(record.vlan)" }
        text += " length \(record.length) interface \(interface ?? String(record.interface))"
        return text
    }
}
