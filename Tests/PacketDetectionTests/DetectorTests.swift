import CPacket
import Testing

@testable import PacketDetection

/// What is found, and above all what is not.
struct DetectorTests {
    @Test("fifteen closed ports within a minute are a scan, said once, with the right address and ports")
    func vertical() throws {
        var detector = PacketDetector()
        let probes = (0..<100).map { record(IP_RECORD_SYN, port: UInt16(1 + $0), at: Double($0) * 0.4) }
        #expect(detector.findings(Array(probes.prefix(14))).isEmpty)
        let found = detector.findings(Array(probes.dropFirst(14)))
        let scan = try #require(found.first)
        #expect(found.count == 1)
        #expect(scan.detector == .portScan && scan.shape == .vertical && scan.technique == .syn)
        #expect(scan.source?.description == "203.0.113.7" && scan.destination?.description == "192.0.2.1")
        #expect(scan.ports == Array(1...15) && scan.packets == 15)
    }

    @Test("a finding names the interface only if all of it came in by that one")
    func ingress() {
        func probes(_ interfaces: [UInt32], weight: UInt32 = 1, ports: Int = 15) -> [ip_record] {
            (0..<ports).map { number in
                var probe = record(IP_RECORD_SYN, port: UInt16(1 + number), weight: weight, at: Double(number) * 0.4)
                probe.interface = interfaces[number % interfaces.count]
                return probe
            }
        }
        var detector = PacketDetector()
        #expect(detector.findings(probes([7])).map(\.interface) == [7])
        // Fourteen of somebody who writes in another's address, and one of that other.
        detector = PacketDetector()
        #expect(detector.findings(probes([7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8])).map(\.interface) == [nil])
        // A capture tells no interface.
        detector = PacketDetector()
        #expect(detector.findings(probes([0])).map(\.interface) == [nil])

        func flood(_ interfaces: [UInt32], weight: UInt32) -> [UInt32?] {
            var detector = PacketDetector()
            let packets = (0..<4000).map { number in
                var packet = record(
                    IP_RECORD_SYN, from: "198.51.\(number / 250).\(number % 250)", facts: [IP_FACT_OPEN],
                    weight: weight, at: Double(number) * 0.0005)
                packet.interface = interfaces[number % interfaces.count]
                return packet
            }
            return detector.findings(packets).filter { $0.detector == .synFlood }.prefix(1).map(\.interface)
        }
        #expect(flood([7], weight: 1) == [7])
        #expect(flood([7, 8], weight: 1) == [nil])
        #expect(flood([7], weight: 3) == [nil], "of the packets that were left out nobody knows where they came in")
    }

    @Test("one port of many hosts is a horizontal scan")
    func horizontal() {
        var detector = PacketDetector()
        let found = detector.findings(
            (1...40).map { record(IP_RECORD_SYN, to: "192.0.2.\($0)", port: 22, at: Double($0)) })
        #expect(found.map(\.shape) == [.horizontal] && found.first?.destinationPort == 22)
    }

    @Test(
        "stealth probes count three times, each technique for itself",
        arguments: [(0, PacketFinding.Technique.null), (1, .fin), (41, .xmas), (3, .flags)]
    )
    func stealth(_ flags: Int, _ technique: PacketFinding.Technique) {
        var detector = PacketDetector()
        let probes = (1...9).map {
            record(IP_RECORD_STEALTH, port: UInt16($0), flags: flags, facts: [], at: Double($0))
        }
        #expect(detector.findings(Array(probes.prefix(4))).isEmpty)
        #expect(detector.findings(Array(probes.dropFirst(4))).map(\.technique) == [technique])
    }

    @Test("a slow scan that stays below the threshold within every minute is not one")
    func slow() {
        var detector = PacketDetector()
        #expect(
            detector.findings((0..<60).map { record(IP_RECORD_SYN, port: UInt16($0 + 1), at: Double($0) * 5) }).isEmpty)
    }

    @Test("UDP to closed ports is a scan; answers that come too late for a client are not")
    func datagrams() {
        var detector = PacketDetector()
        let late = (0..<200).map {
            record(
                IP_RECORD_UDP, from: "192.0.2.53", port: UInt16(33_000 + $0 * 7), sourcePort: 53, at: Double($0) * 0.1)
        }
        #expect(detector.findings(late, until: 30).isEmpty)
        let probes = (1...20).map { record(IP_RECORD_UDP, port: UInt16($0 * 3), at: Double($0)) }
        #expect(detector.findings(probes).map(\.technique) == [.udp])
    }

    @Test("a thousand ordinary connections, and a client of many open ports, are nothing")
    func ordinary() {
        var detector = PacketDetector()
        var records: [ip_record] = []
        for index in 0..<1000 {
            let at = Double(index) * 0.002
            records.append(record(IP_RECORD_SYN, sourcePort: UInt16(20_000 + index), facts: [IP_FACT_OPEN], at: at))
            records.append(record(IP_RECORD_HANDSHAKE, sourcePort: UInt16(20_000 + index), facts: [], at: at + 0.0001))
        }
        // One address, forty services, all of them open: a proxy or a monitor.
        for index in 0..<40 {
            let at = 3 + Double(index) * 0.01
            let port = UInt16(8000 + index)
            records.append(record(IP_RECORD_SYN, from: "192.0.2.9", port: port, facts: [IP_FACT_OPEN], at: at))
            records.append(record(IP_RECORD_HANDSHAKE, from: "192.0.2.9", port: port, facts: [], at: at))
        }
        #expect(detector.findings(records, until: 10).isEmpty)
    }

    @Test("many open ports whose handshakes never complete are a scan, a second later")
    func halfOpen() {
        var detector = PacketDetector()
        let probes = (1...20).map {
            record(IP_RECORD_SYN, port: UInt16($0), facts: [IP_FACT_OPEN], at: 0.01 * Double($0))
        }
        #expect(detector.findings(probes).isEmpty)
        #expect(detector.findings([], until: 2).count == 1)
    }

    @Test("retransmissions, a swarm of peers at one port, and a service that is down are nothing")
    func crowds() {
        var detector = PacketDetector()
        let again = (0..<300).map { record(IP_RECORD_SYN, at: Double($0) * 0.2) }
        let swarm = (0..<5000).map {
            record(
                IP_RECORD_UDP, from: "10.\($0 / 65536).\($0 / 256 % 256).\($0 % 256)", port: 51413,
                sourcePort: 51413, at: Double($0) * 0.01)
        }
        #expect(detector.findings(again + swarm, until: 60).isEmpty)
    }

    @Test("a flood from forged sources is one flood, names no source, and accuses nobody of scanning")
    func flood() throws {
        var detector = PacketDetector()
        let syns = (0..<5000).map { index in
            record(
                IP_RECORD_SYN, from: "10.\(index / 251 % 200).\(index % 251).\(index * 7 % 250)", port: 443,
                facts: [IP_FACT_OPEN], at: Double(index) * 0.0005)
        }
        let found = detector.findings(syns)
        let flood = try #require(found.first)
        #expect(found.count == 1 && flood.detector == .synFlood)
        #expect(flood.source == nil && flood.destination?.description == "192.0.2.1" && flood.destinationPort == 443)
        #expect(flood.packets == 500)
        #expect(flood.sourceCount > 300)
    }

    @Test("a flood over all ports from many sources is one flood of the host")
    func floodOverPorts() {
        var detector = PacketDetector()
        let syns = (0..<5000).map { index in
            record(
                IP_RECORD_SYN, from: "10.1.\(index % 251).\(index * 7 % 250)", port: UInt16(1 + index % 60_000),
                at: Double(index) * 0.0005)
        }
        let found = detector.findings(syns)
        #expect(found.map(\.detector) == [.synFlood] && found.first?.destinationPort == nil)
    }

    @Test("a scan stays visible while a flood of a million forged sources fills the table")
    func thrash() {
        var detector = PacketDetector(sourcesMax: 1024)
        var records: [ip_record] = []
        var state: UInt64 = 7
        for index in 0..<200_000 {
            state = state &* 6_364_136_223_846_793_005 &+ 1
            var forged = record(IP_RECORD_SYN, port: 443, facts: [], at: Double(index) * 0.0001)
            forged.source.word.3 = UInt32(truncatingIfNeeded: state >> 32)
            records.append(forged)
            if index % 8000 == 4000 {
                records.append(
                    record(
                        IP_RECORD_SYN, from: "198.51.100.66", port: UInt16(100 + index / 8000),
                        facts: [IP_FACT_CLOSED, IP_FACT_REPEATED], at: Double(index) * 0.0001))
            }
        }
        let found = detector.findings(records)
        #expect(
            found.filter { $0.detector == .portScan && !$0.isContinuation }.map { $0.source?.description } == [
                "198.51.100.66"
            ])
        #expect(detector.sourceCount <= 1024)
    }

    @Test("answers that nobody asked for are a reflection; a volume to a closed port is a flood, to a socket is not")
    func volumes() {
        var detector = PacketDetector()
        let answers = (0..<600).map {
            record(
                IP_RECORD_SYN_ACK, from: "198.51.100.\($0 % 200)", port: UInt16(1024 + $0), flags: 18,
                at: Double($0) * 0.001)
        }
        #expect(detector.findings(answers).map(\.detector) == [.synAckReflection])
        let stream = (0..<1000).map {
            record(IP_RECORD_UDP_VOLUME, port: 5201, facts: [IP_FACT_OPEN], weight: 256, at: Double($0) * 0.001)
        }
        #expect(detector.findings(stream).isEmpty)
        let closed = (0..<1000).map { record(IP_RECORD_UDP_VOLUME, port: 9, weight: 256, at: 10 + Double($0) * 0.001) }
        #expect(detector.findings(closed).filter { !$0.isContinuation }.map(\.detector) == [.udpFlood])
    }

    @Test("thresholds hold at once when they are changed")
    func thresholds() {
        var detector = PacketDetector()
        detector.thresholds.portScan.targets = 3
        #expect(detector.findings((1...3).map { record(IP_RECORD_SYN, port: UInt16($0), at: Double($0)) }).count == 1)
        detector.thresholds.portScan.isEnabled = false
        let others = (1...50).map { record(IP_RECORD_SYN, from: "203.0.113.8", port: UInt16($0), at: 5) }
        #expect(detector.findings(others).isEmpty)
    }

    @Test("a scan of a host's ports and one of a network, from the same source, are two alerts")
    func twoShapes() {
        var detector = PacketDetector()
        let vertical = (1...100).map { record(IP_RECORD_SYN, port: UInt16($0), at: Double($0) * 0.01) }
        let horizontal = (10...60).map {
            record(IP_RECORD_SYN, to: "192.0.2.\($0)", port: 23, at: 2 + Double($0) * 0.01)
        }
        #expect(detector.findings(vertical + horizontal).map(\.shape) == [.vertical, .horizontal])
    }

    @Test("a scan that goes on is said again once a window, as a continuation with what came since")
    func continuation() {
        var detector = PacketDetector()
        let probes = (0..<200).map { record(IP_RECORD_SYN, port: UInt16(1 + $0), at: Double($0)) }
        let found = detector.findings(probes, until: 300)
        #expect(found.filter { !$0.isContinuation }.count == 1)
        #expect(found.map(\.packets).reduce(0, +) == 200)
    }
}
