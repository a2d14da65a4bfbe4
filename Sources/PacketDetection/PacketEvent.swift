package import CPacket

/// A record as an event for rules: one JSON object, in the words of both Sigma categories that speak of packets.
///
///     {"category":"network_connection","Initiated":"false","SourceIp":"203.0.113.7",…,"src_ip":"203.0.113.7",…}
package enum PacketEvent {
    /// `firewall` for what a list says of a packet, else `network_connection`; `nil` for records that only count.
    package static func category(of record: ip_record) -> String? {
        switch UInt32(record.kind) {
        case IP_RECORD_LISTED.rawValue: "firewall"
        case IP_RECORD_SYN.rawValue, IP_RECORD_UDP.rawValue, IP_RECORD_STEALTH.rawValue, IP_RECORD_HANDSHAKE.rawValue,
            IP_RECORD_SYN_ACK.rawValue:
            "network_connection"
        default: nil
        }
    }

    /// The fields, in the order in which they are shown.
    /// - Parameter interface: its name, or its number as text where the name is not known.
    package static func fields(of record: ip_record, category: String, interface: String?) -> [(String, String)] {
        let (from, to) = (record.from.description, record.to.description)
        var fields = [("category", category)]
        let ports = [("src_port", record.source_port), ("dst_port", record.destination_port)]
        fields += [("src_ip", from), ("dst_ip", to), ("protocol", name(ofProtocol: record.protocol))]
        fields += ports.map { ($0.0, String($0.1)) }
        if record.protocol == UInt8(IP_PROTO_TCP.rawValue) { fields.append(("tcp_flags", flags(record.tcp_flags))) }
        if category == "firewall" {
            fields.append(("action", record.has(IP_FACT_DROPPED) ? "blocked" : "would_block"))
        } else {
            fields += [
                ("Initiated", "false"), ("SourceIp", from), ("SourcePort", String(record.source_port)),
                ("DestinationIp", to), ("DestinationPort", String(record.destination_port)),
                ("Protocol", name(ofProtocol: record.protocol)),
            ]
            fields.append(("event", word(of: record)))
            if record.has(IP_FACT_CLOSED) { fields.append(("destination_state", "closed")) }
            if record.has(IP_FACT_OPEN) { fields.append(("destination_state", "open")) }
        }
        if record.vlan != 0 { fields.append(("vlan", String(record.vlan))) }
        fields.append(("interface_index", String(record.interface)))
        if let interface { fields.append(("interface", interface)) }
        fields.append(("length", String(record.length)))
        if record.weight != 1 { fields.append(("weight", String(record.weight))) }
        return fields
    }

    /// The event as a line, without a line feed; `nil` for records that only count.
    package static func line(of record: ip_record, interface: String? = nil) -> String? {
        guard let category = category(of: record) else { return nil }
        let body = fields(of: record, category: category, interface: interface).map {
            "\"\($0.0)\":\"\(escaped($0.1))\""
        }
        return "{" + body.joined(separator: ",") + "}"
    }

    /// Interface names may hold anything but a slash and a space.
    private static func escaped(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            if scalar == "\"" || scalar == "\\" {
                result += "\\\(scalar)"
            } else if scalar.value < 0x20 || scalar.value == 0x7F {
                result += "?"
            } else {
                result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    package static func name(ofProtocol number: UInt8) -> String {
        switch UInt32(number) {
        case IP_PROTO_TCP.rawValue: "tcp"
        case IP_PROTO_UDP.rawValue: "udp"
        case IP_PROTO_ICMP.rawValue: "icmp"
        case IP_PROTO_ICMPV6.rawValue: "icmpv6"
        default: String(number)
        }
    }

    private static func word(of record: ip_record) -> String {
        switch UInt32(record.kind) {
        case IP_RECORD_SYN.rawValue: "connection_attempt"
        case IP_RECORD_SYN_ACK.rawValue: "unsolicited_answer"
        case IP_RECORD_STEALTH.rawValue: "impossible_flags"
        case IP_RECORD_HANDSHAKE.rawValue: "connection"
        default: "datagram"
        }
    }

    /// `SA` for SYN and ACK, as tcpdump writes them; `none` without any.
    package static func flags(_ bits: UInt8) -> String {
        let names: [(UInt32, String)] = [
            (IP_TCP_SYN.rawValue, "S"), (IP_TCP_FIN.rawValue, "F"), (IP_TCP_RST.rawValue, "R"),
            (IP_TCP_PSH.rawValue, "P"), (IP_TCP_ACK.rawValue, "A"), (IP_TCP_URG.rawValue, "U"),
        ]
        let text = names.filter { UInt32(bits) & $0.0 != 0 }.map(\.1).joined()
        return text.isEmpty ? "none" : text
    }
}
