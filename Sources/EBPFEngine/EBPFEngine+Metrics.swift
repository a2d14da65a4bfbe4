import CPacket
package import IronpostCore

extension EBPFEngine: MetricSource {
    package func metrics() -> [MetricFamily] {
        guard let (state, rates) = figures else { return [] }
        let counters = state.counters
        let protocols = KernelCounters.protocols.indices
        func name(_ index: Int) -> MetricFamily.Label { .init("protocol", KernelCounters.protocols[index]) }
        func perSecond(_ name: StaticString, _ help: StaticString, _ values: [Int]) -> MetricFamily {
            let samples = values.indices.map {
                MetricFamily.Sample(.init("protocol", KernelCounters.protocols[$0]), value: values[$0])
            }
            return MetricFamily(
                name, .gauge, help, samples: samples + [.init(.init("protocol", "total"), value: values.reduce(0, +))])
        }
        var families = [
            MetricFamily(
                "ironpost_ebpf_packets_total", .counter, "Packets seen on watched interfaces.", counters.packets),
            MetricFamily("ironpost_ebpf_packets_blocked_total", .counter, "Packets dropped.", counters.dropped),
            MetricFamily("ironpost_ebpf_bytes_total", .counter, "Bytes seen on watched interfaces.", counters.bytes),
            MetricFamily(
                "ironpost_ebpf_blocked_bytes_total", .counter, "Bytes of packets dropped.", counters.droppedBytes),
            MetricFamily(
                "ironpost_ebpf_protocol_packets_total", .counter, "Packets by protocol.",
                samples: protocols.map { .init(name($0), value: counters.packets(ofProtocol: $0)) }),
            MetricFamily(
                "ironpost_ebpf_protocol_bytes_total", .counter, "Bytes by protocol.",
                samples: protocols.map { .init(name($0), value: counters.bytes(ofProtocol: $0)) }),
            MetricFamily(
                "ironpost_ebpf_verdict_packets_total", .counter, "Packets by what was done with them.",
                samples: [
                    .init(.init("verdict", "passed"), value: counters.passed),
                    .init(.init("verdict", "dropped"), value: counters.dropped),
                    .init(.init("verdict", "would_drop"), value: counters.wouldDrop),
                    .init(.init("verdict", "monitored"), value: counters.monitored),
                    .init(.init("verdict", "allowed"), value: counters.allowed),
                ]),
            MetricFamily(
                "ironpost_ebpf_malformed_packets_total", .counter, "Packets that are cut or contradict themselves.",
                samples: (1..<Int(IP_MALFORMED_COUNT.rawValue)).map { reason in
                    .init(
                        .init("reason", unsafe String(cString: ip_malformed_name(UInt8(reason)))),
                        value: counters.malformed(reason))
                }),
            MetricFamily("ironpost_ebpf_fragments_total", .counter, "Fragments.", counters.fragments),
            MetricFamily("ironpost_ebpf_handshakes_total", .counter, "Completed handshakes.", counters.handshakes),
            MetricFamily(
                "ironpost_ebpf_records_total", .counter, "Records for detection, by what became of them.",
                samples: [
                    .init(.init("outcome", "emitted"), value: counters.emitted),
                    .init(.init("outcome", "sampled_out"), value: counters.sampledOut),
                    .init(.init("outcome", "lost"), value: counters.lost),
                ]),
            MetricFamily(
                "ironpost_ebpf_list_rules", .gauge, "Rules in the kernel's lists, by where they come from.",
                samples: [
                    .init(.init("source", "files"), value: state.filedRules),
                    .init(.init("source", "commands"), value: state.commandedRules),
                ]),
            MetricFamily(
                "ironpost_ebpf_interface_info", .gauge, "1 for each watched interface.",
                samples: state.watched.map {
                    .init(
                        .init("interface", $0.name), .init("xdp_mode", $0.attachment.word),
                        .init("mode", state.mode.rawValue), value: 1)
                }),
        ]
        families.append(
            perSecond("ironpost_ebpf_packets_per_second", "Packets a second, lately.", rates.map(\.packets)))
        families.append(perSecond("ironpost_ebpf_bits_per_second", "Bits a second, lately.", rates.map(\.bits)))
        return families
    }
}
