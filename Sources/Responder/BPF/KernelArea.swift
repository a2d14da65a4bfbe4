import CLinux
import EBPFEngine
import Glibc
import IronpostCore
import PacketDetection

/// Holds the kernel program: loads and attaches it as the configuration says, keeps its lists, and hands the ring to the
/// core, which may not call bpf(2) itself.
struct KernelArea: ResponderArea {
    let name = "kernel program"
    let verbs: [ResponderVerb] = [.kernelStart, .kernelState, .kernelProof, .kernelStop]
    private let host: KernelHost

    init(_ host: KernelHost) {
        self.host = host
    }

    func take(_ configuration: Configuration) { host.take(configuration.ebpf) }

    func selfTest() -> String? {
        let needed: [(Int32, String)] = [(CAP_BPF, "BPF"), (CAP_NET_ADMIN, "NET_ADMIN"), (CAP_PERFMON, "PERFMON")]
        let held = ip_effective_capabilities()
        let missing = needed.filter { held & (1 << UInt64($0.0)) == 0 }.map(\.1)
        return missing.isEmpty ? nil : "missing capabilities: \(missing.joined(separator: ", "))"
    }

    func answer(
        _ verb: ResponderVerb, _ reader: inout MessageReader, descriptors: [OwnedDescriptor]
    ) throws -> ResponderReply {
        switch verb {
        case .kernelStart:
            try reader.finish()
            if let missing = selfTest() {
                throw KernelHost.Fault(description: "\(missing); loading programs takes them")
            }
            let state = try host.start()
            return ResponderReply(descriptors: [try host.ring()]) { writer in
                writer.write(UInt64(host.ringBytes))
                state.write(to: &writer)
            }
        case .kernelState:
            try reader.finish()
            let state = try host.tend()
            return ResponderReply { state.write(to: &$0) }
        case .kernelProof:
            let text = try reader.text(max: 64)
            try reader.finish()
            guard let address = PacketAddress(text) else { throw Refusal("\(text) is not an address") }
            let when = host.proof(of: address)
            return ResponderReply { $0.write(when) { $0.write($1) } }
        default:
            let keepsBlocks = try reader.bool()
            try reader.finish()
            try host.stop(keepsBlocks: keepsBlocks)
            return ResponderReply()
        }
    }
}
