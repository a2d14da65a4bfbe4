package import CPacket

/// What a detector found: who, whom, how much, in which window.
package struct PacketFinding: Sendable {
    package enum Detector: String, Sendable, CaseIterable {
        case portScan = "port_scan"
        case synFlood = "syn_flood"
        case udpFlood = "udp_flood"
        case synAckReflection = "syn_ack_reflection"
    }

    /// How a scan asks.
    package enum Technique: String, Sendable, CaseIterable {
        case syn, null, fin, xmas, flags, udp
    }

    /// Many ports of few hosts, or few ports of many hosts.
    package enum Shape: String, Sendable {
        case vertical, horizontal
    }

    package var detector: Detector
    package var technique: Technique?
    package var shape: Shape?
    /// The one source; `nil` where there are many, or where any could have been written in.
    package var source: PacketAddress?
    /// The one destination.
    package var destination: PacketAddress?
    package var destinationPort: UInt16?
    /// Packets, by what the records stand for.
    package var packets: Int
    /// Connections among them that were completed.
    package var completed: Int
    /// Ports and sources, those seen first, at most `listedMax`.
    package var ports: [UInt16]
    package var sources: [PacketAddress]
    package var hosts: Int
    /// About how many different sources.
    package var sourceCount: Int
    package var firstSeen: UInt64
    package var lastSeen: UInt64
    /// By which all of it came in; `nil` when by several, or when that is not known of every packet.
    package var interface: UInt32?
    package var window: Duration
    /// Says more of something that was found before.
    package var isContinuation: Bool
    /// The packet that crossed the threshold.
    package var sample: ip_record

    package static let listedMax = 32
}

/// Whether everything came in by one and the same interface: a source may be forged, this may not.
struct IngressWitness {
    private var first: UInt32?
    private var isDoubtful = false

    /// - Parameter stands: for how many packets the record speaks, of which only one was looked at.
    mutating func add(_ record: ip_record, stands: UInt32 = 1) {
        if stands > 1 || first ?? record.interface != record.interface { isDoubtful = true }
        first = record.interface
    }

    /// 0 is no interface: a capture does not tell.
    var only: UInt32? { isDoubtful || first == 0 ? nil : first }
}
