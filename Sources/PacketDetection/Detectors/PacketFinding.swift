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
    package var window: Duration
    /// Says more of something that was found before.
    package var isContinuation: Bool
    /// The packet that crossed the threshold.
    package var sample: ip_record

    package static let listedMax = 32
}
