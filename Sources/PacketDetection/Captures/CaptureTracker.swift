package import CPacket

/// Turns a capture's packets into the records that the kernel program would have made of them.
///
/// The kernel knows its sockets; a capture shows both directions instead: who answered, and which handshakes were
/// completed.
package struct CaptureTracker: ~Copyable {
    /// Conversations that are remembered at once; the oldest go first, and their later packets count as new.
    static let conversationsMax = 200_000

    private struct Key: Hashable {
        var client: PacketAddress
        var server: PacketAddress
        var clientPort: UInt16
        var serverPort: UInt16
        var proto: UInt8
    }

    private enum Stage: UInt8 { case asked, answered, completed }

    private var conversations: [Key: Stage] = [:]
    private var order: [Key] = []
    private var oldest = 0
    private let sketch = SourceSketch()

    package init() {}

    /// Reads one packet; `nil` when it means nothing to detection.
    package mutating func record(of packet: CaptureReader.Packet, _ bytes: Span<UInt8>) -> ip_record? {
        let parsed = unsafe bytes.withUnsafeBufferPointer {
            unsafe ip_parse($0.baseAddress, $0.count, packet.linkType)
        }
        guard parsed.family != 0 || parsed.malformed != 0 else { return nil }
        var record = ip_record()
        record.time = UInt64(max(0, packet.time))
        record.source = parsed.source
        record.destination = parsed.destination
        record.source_port = parsed.source_port
        record.destination_port = parsed.destination_port
        record.vlan = parsed.vlan
        record.length = UInt16(clamping: packet.length)
        record.interface = UInt32(clamping: packet.interface)
        record.weight = 1
        record.protocol = parsed.protocol
        record.tcp_flags = parsed.tcp_flags
        record.family = parsed.family
        record.icmp_type = parsed.icmp_type
        record.icmp_code = parsed.icmp_code
        record.malformed = parsed.malformed
        if parsed.malformed != 0 {
            record.kind = UInt8(IP_RECORD_MALFORMED.rawValue)
            return record
        }
        record.kind = ip_kind_of(parsed)
        guard follow(&record), record.kind != 0 else { return nil }
        let second = UInt32(truncatingIfNeeded: packet.time / 1_000_000_000)
        if sketch.isRepeated(record.source, at: second) { record.facts |= UInt8(IP_FACT_REPEATED.rawValue) }
        return record
    }

    /// Keeps the conversation up to date. False: the packet belongs to one, and is nothing new.
    private mutating func follow(_ record: inout ip_record) -> Bool {
        let there = Key(
            client: record.from, server: record.to, clientPort: record.source_port,
            serverPort: record.destination_port, proto: record.protocol
        )
        let back = Key(
            client: record.to, server: record.from, clientPort: record.destination_port,
            serverPort: record.source_port, proto: record.protocol
        )
        if record.protocol == UInt8(IP_PROTO_UDP.rawValue) {
            if conversations[back] == .asked {
                // An answer: for who asked this is what a handshake is.
                conversations[back] = .completed
                swap(&record.source, &record.destination)
                swap(&record.source_port, &record.destination_port)
                record.kind = UInt8(IP_RECORD_HANDSHAKE.rawValue)
                return true
            }
            if conversations[back] != nil || conversations[there] != nil { return false }
            // A one-sided capture of answers: they come from a service's port.
            if record.source_port < 1024, record.destination_port >= 1024 { return false }
            remember(there, .asked)
            return true
        }
        guard record.protocol == UInt8(IP_PROTO_TCP.rawValue) else { return true }
        let flags = record.tcp_flags & (UInt8(IP_TCP_SYN.rawValue) | UInt8(IP_TCP_ACK.rawValue))
        switch flags {
        case UInt8(IP_TCP_SYN.rawValue):
            if conversations[there] == nil { remember(there, .asked) }
        case UInt8(IP_TCP_SYN.rawValue) | UInt8(IP_TCP_ACK.rawValue):
            // An answer to somebody's SYN is no reflection.
            if conversations[back] != nil {
                conversations[back] = .answered
                return false
            }
            record.facts |= UInt8(IP_FACT_CLOSED.rawValue)
        case UInt8(IP_TCP_ACK.rawValue):
            let isReset = record.tcp_flags & UInt8(IP_TCP_RST.rawValue) != 0
            if conversations[there] == .answered, !isReset {
                conversations[there] = .completed
                record.kind = UInt8(IP_RECORD_HANDSHAKE.rawValue)
            }
        default: break
        }
        return true
    }

    private mutating func remember(_ key: Key, _ stage: Stage) {
        if conversations.count >= Self.conversationsMax {
            conversations[order[oldest]] = nil
            order[oldest] = key
            oldest = (oldest + 1) % order.count
        } else {
            order.append(key)
        }
        conversations[key] = stage
    }
}

/// How often a source has been seen lately, in a fixed amount of memory.
@safe final class SourceSketch {
    /// Seconds after which counts are halved.
    static let epochSeconds: UInt32 = 8
    private let sketch: OpaquePointer?
    private let seed: UInt32

    init(seed: UInt32 = 0x51ED_270B) {
        unsafe sketch = OpaquePointer(ip_sketch_make())
        self.seed = seed
    }

    deinit {
        unsafe ip_sketch_free(UnsafeMutablePointer(sketch))
    }

    func isRepeated(_ source: ip_address, at second: UInt32) -> Bool {
        guard let sketch = unsafe UnsafeMutablePointer<ip_sketch>(sketch) else { return true }
        let count = unsafe ip_sketch_count(sketch, ip_hash_of(source, 0, seed), second / Self.epochSeconds)
        return unsafe count >= ip_sketch_limit(sketch)
    }
}
