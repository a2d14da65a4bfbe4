import CPacket
import PacketDetection
import Testing

struct ParserTests {
    @Test("addresses, ports and flags are read through up to four tags, and no further")
    func vlans() {
        for count in 0...5 {
            let tags = [(UInt16, UInt16)](repeating: (0x8100, 42), count: count)
            let packet = Frames.parse(Frames.ethernet(0x0800, vlans: tags, Frames.ipv4(6, Frames.tcp(2))))
            if count <= 4 {
                #expect(packet.malformed == 0 && packet.family == 4)
                #expect(PacketAddress(packet.source).description == "203.0.113.7")
                #expect(packet.destination_port == 80 && packet.tcp_flags == 2)
                #expect(packet.vlan == (count > 0 ? 42 : 0) && Int(packet.vlan_count) == count)
            } else {
                #expect(UInt32(packet.malformed) == IP_TOO_MANY_VLANS.rawValue)
            }
        }
        let mixed = Frames.ethernet(
            0x86DD, vlans: [(0x88A8, 7), (0x8100, 8)], Frames.ipv6(17, Frames.udp()))
        #expect(Frames.parse(mixed).destination_port == 53)
        #expect(Frames.parse(mixed).vlan == 7)
    }

    @Test("IPv4 options and IPv6 extension headers are stepped over")
    func options() {
        let options = Frames.ipv4(6, options: [UInt8](repeating: 1, count: 40), Frames.tcp(2))
        #expect(Frames.parse(Frames.ethernet(0x0800, options)).destination_port == 80)
        // Hop-by-hop, then destination options, then TCP.
        let extensions: [UInt8] = [60, 0, 1, 4, 0, 0, 0, 0] + [6, 1] + [UInt8](repeating: 0, count: 14)
        let packet = Frames.parse(Frames.ethernet(0x86DD, Frames.ipv6(0, extensions + Frames.tcp(16))))
        #expect(packet.protocol == 6 && packet.destination_port == 80 && packet.tcp_flags == 16)
        // Authentication counts its length in other units.
        let authenticated: [UInt8] = [17, 4] + [UInt8](repeating: 0, count: 22)
        #expect(
            Frames.parse(Frames.ethernet(0x86DD, Frames.ipv6(51, authenticated + Frames.udp()))).destination_port == 53)
    }

    @Test("the middle of a fragmented packet has no ports")
    func fragments() {
        let first = Frames.parse(Frames.ethernet(0x0800, Frames.ipv4(17, fragment: 0x2000, Frames.udp(length: 4000))))
        #expect(UInt32(first.fragment) == IP_FIRST_FRAGMENT.rawValue)
        #expect(first.destination_port == 53 && first.malformed == 0)
        let later = Frames.parse(Frames.ethernet(0x0800, Frames.ipv4(17, fragment: 0x2001, Frames.udp())))
        #expect(UInt32(later.fragment) == IP_LATER_FRAGMENT.rawValue && later.destination_port == 0)
        let header: [UInt8] = [17, 0, 0, 9, 0, 0, 0, 1]
        let six = Frames.parse(Frames.ethernet(0x86DD, Frames.ipv6(44, header + Frames.udp())))
        #expect(UInt32(six.fragment) == IP_LATER_FRAGMENT.rawValue && six.destination_port == 0)
        #expect(ip_kind_of(later) == 0)
    }

    static let malformed: [(ip_malformed, [UInt8])] = [
        (IP_SHORT_ETHERNET, [1, 2, 3]),
        (IP_SHORT_ETHERNET, Frames.ethernet(0x8100, [0])),
        (IP_SHORT_IPV4, Frames.ethernet(0x0800, [0x45])),
        (IP_BAD_IPV4_VERSION, Frames.ethernet(0x0800, [0x55] + [UInt8](repeating: 0, count: 30))),
        (IP_BAD_IPV4_HEADER_LENGTH, Frames.ethernet(0x0800, [0x44] + [UInt8](repeating: 0, count: 30))),
        (IP_BAD_IPV4_LENGTH, Frames.ethernet(0x0800, Frames.ipv4(6, total: 10, Frames.tcp(2)))),
        (IP_SHORT_IPV6, Frames.ethernet(0x86DD, [0x60])),
        (IP_BAD_IPV6_VERSION, Frames.ethernet(0x86DD, [0x40] + [UInt8](repeating: 0, count: 50))),
        (IP_SHORT_EXTENSION, Frames.ethernet(0x86DD, Frames.ipv6(0, [6]))),
        (
            IP_TOO_MANY_EXTENSIONS,
            Frames.ethernet(
                0x86DD, Frames.ipv6(60, [[UInt8]](repeating: [60, 0, 0, 0, 0, 0, 0, 0], count: 9).flatMap { $0 }))
        ),
        (IP_TINY_FRAGMENT, Frames.ethernet(0x0800, Frames.ipv4(6, fragment: 0x2000, [0, 1, 2, 3]))),
        (IP_SHORT_TCP, Frames.ethernet(0x0800, Frames.ipv4(6, [0, 1, 2]))),
        // What the frame holds beyond the IP length is padding, not a header.
        (IP_SHORT_TCP, Frames.ethernet(0x0800, Frames.ipv4(6, total: 30, Frames.tcp(2)))),
        (IP_BAD_TCP_OFFSET, Frames.ethernet(0x0800, Frames.ipv4(6, Frames.tcp(2, offset: 4)))),
        (IP_BAD_TCP_OFFSET, Frames.ethernet(0x0800, Frames.ipv4(6, Frames.tcp(2, offset: 15)))),
        (IP_SHORT_UDP, Frames.ethernet(0x0800, Frames.ipv4(17, [0, 1]))),
        (IP_BAD_UDP_LENGTH, Frames.ethernet(0x0800, Frames.ipv4(17, Frames.udp(length: 7)))),
        (IP_BAD_UDP_LENGTH, Frames.ethernet(0x0800, Frames.ipv4(17, Frames.udp(length: 900)))),
        (IP_SHORT_ICMP, Frames.ethernet(0x0800, Frames.ipv4(1, [8]))),
        (IP_BAD_IPV6_LENGTH, Frames.ethernet(0x86DD, Frames.ipv6(0, length: 4, [6, 0, 1, 4, 0, 0, 0, 0]))),
    ]

    @Test("a packet that is cut or lies gets its reason", arguments: malformed.indices)
    func reasons(_ index: Int) {
        let (reason, bytes) = Self.malformed[index]
        #expect(UInt32(Frames.parse(bytes).malformed) == reason.rawValue)
    }

    @Test("every prefix and every changed byte of a packet is read without a fault")
    func everyPrefix() {
        let whole = Frames.ethernet(
            0x86DD, vlans: [(0x8100, 1)],
            Frames.ipv6(0, [43, 0, 0, 0, 0, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0] + Frames.tcp(2)))
        for length in 0...whole.count { _ = Frames.parse(Array(whole.prefix(length))) }
        for index in whole.indices {
            for value in UInt8.min...UInt8.max {
                var changed = whole
                changed[index] = value
                let packet = Frames.parse(changed)
                #expect(UInt32(packet.malformed) < IP_MALFORMED_COUNT.rawValue)
            }
        }
    }

    @Test(
        "flags that no connection has are told from those that every one has",
        arguments: [
            (2, IP_RECORD_SYN.rawValue), (18, IP_RECORD_SYN_ACK.rawValue), (0, IP_RECORD_STEALTH.rawValue),
            (1, IP_RECORD_STEALTH.rawValue), (41, IP_RECORD_STEALTH.rawValue), (3, IP_RECORD_STEALTH.rawValue),
            (6, IP_RECORD_STEALTH.rawValue), (16, 0), (17, 0), (24, 0), (4, 0), (20, 0),
        ]
    )
    func kinds(_ flags: Int, _ kind: UInt32) {
        let packet = Frames.parse(Frames.ethernet(0x0800, Frames.ipv4(6, Frames.tcp(flags))))
        #expect(UInt32(ip_kind_of(packet)) == kind)
    }

    @Test("addresses are written as everybody writes them, and read again")
    func addresses() {
        for text in ["203.0.113.7", "2001:db8::1", "::1", "255.255.255.255", "fe80::ff:fe00:1"] {
            #expect(PacketAddress(text)?.description == text)
        }
        #expect(PacketAddress("::ffff:203.0.113.7") == PacketAddress("203.0.113.7"))
        #expect(PacketAddress("203.0.113.7")?.isIPv4 == true && PacketAddress("::1")?.isIPv4 == false)
        for text in ["", "203.0.113", "fe80::1%eth0", "example.org"] { #expect(PacketAddress(text) == nil) }
    }
}
