import CPacket
import PacketDetection

/// Frames made by hand, byte for byte.
enum Frames {
    static func ethernet(_ type: UInt16, vlans: [(UInt16, UInt16)] = [], _ payload: [UInt8]) -> [UInt8] {
        var frame: [UInt8] = [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2]
        for (tag, id) in vlans { frame += big(tag) + big(id) }
        return frame + big(type) + payload
    }

    static func big(_ value: UInt16) -> [UInt8] { [UInt8(value >> 8), UInt8(value & 0xFF)] }

    static func ipv4(
        _ proto: UInt8, from: [UInt8] = [203, 0, 113, 7], to: [UInt8] = [192, 0, 2, 1], options: [UInt8] = [],
        fragment: UInt16 = 0, total: Int? = nil, _ payload: [UInt8]
    ) -> [UInt8] {
        let header = 20 + options.count
        var bytes: [UInt8] = [0x40 | UInt8(header / 4), 0]
        bytes += big(UInt16(total ?? header + payload.count)) + [0, 1] + big(fragment) + [64, proto, 0, 0]
        return bytes + from + to + options + payload
    }

    static func ipv6(_ next: UInt8, length: Int? = nil, _ payload: [UInt8]) -> [UInt8] {
        var bytes: [UInt8] = [0x60, 0, 0, 0] + big(UInt16(length ?? payload.count)) + [next, 64]
        bytes += [0x20, 1, 0x0D, 0xB8] + [UInt8](repeating: 0, count: 11) + [7]
        bytes += [0x20, 1, 0x0D, 0xB8] + [UInt8](repeating: 0, count: 11) + [1]
        return bytes + payload
    }

    static func tcp(_ flags: Int, from: UInt16 = 40000, to: UInt16 = 80, offset: UInt8 = 5) -> [UInt8] {
        big(from) + big(to) + [0, 0, 0, 1, 0, 0, 0, 0, offset << 4, UInt8(flags), 4, 0, 0, 0, 0, 0]
    }

    static func udp(from: UInt16 = 40000, to: UInt16 = 53, length: UInt16? = nil, _ payload: [UInt8] = [1]) -> [UInt8] {
        big(from) + big(to) + big(length ?? UInt16(8 + payload.count)) + [0, 0] + payload
    }

    static func parse(_ bytes: [UInt8], _ linkType: UInt32 = 1) -> ip_packet {
        unsafe bytes.withUnsafeBufferPointer { unsafe ip_parse($0.baseAddress, $0.count, linkType) }
    }
}

func record(
    _ kind: ip_record_kind, from: String = "203.0.113.7", to: String = "192.0.2.1", port: UInt16 = 80,
    sourcePort: UInt16 = 40000, flags: Int = 2, facts: [ip_record_fact] = [IP_FACT_CLOSED], weight: UInt32 = 1,
    at seconds: Double
) -> ip_record {
    var record = ip_record()
    record.kind = UInt8(kind.rawValue)
    record.source = PacketAddress(from)?.raw ?? ip_address()
    record.destination = PacketAddress(to)?.raw ?? ip_address()
    record.destination_port = port
    record.source_port = sourcePort
    record.protocol = kind == IP_RECORD_UDP || kind == IP_RECORD_UDP_VOLUME ? 17 : 6
    record.tcp_flags = UInt8(flags)
    record.facts = facts.reduce(0) { $0 | UInt8($1.rawValue) }
    record.weight = weight
    record.time = UInt64((1000 + seconds) * 1e9)
    return record
}

extension PacketDetector {
    mutating func findings(_ records: [ip_record], until: Double? = nil) -> [PacketFinding] {
        var findings: [PacketFinding] = []
        for record in records { add(record) { findings.append($0) } }
        if let until { tick(at: UInt64((1000 + until) * 1e9)) { findings.append($0) } }
        return findings
    }
}
