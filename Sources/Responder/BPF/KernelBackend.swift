import EBPFEngine
import Glibc
import IronpostCore
import PacketDetection
import Synchronization

/// Blocks in the kernel program's list: packets are dropped where they come in.
struct KernelBackend: BlockBackend {
    private let host: KernelHost

    init(_ host: KernelHost) {
        self.host = host
    }

    func add(_ entries: [BlockEntry]) throws -> UInt64 {
        let now = UInt64(max(0, SystemTime().uptime()))
        try host.block(
            entries.flatMap { Self.rules(of: $0.target, expires: now &+ UInt64(max(0, $0.remaining.nanoseconds))) })
        return host.generation
    }

    func remove(_ targets: [BlockTarget]) throws -> UInt64 {
        try host.unblock(targets.flatMap { Self.rules(of: $0, expires: 0) })
        return host.generation
    }

    func list() throws -> [BlockEntry] {
        let now = UInt64(max(0, SystemTime().uptime()))
        var seen: Set<BlockTarget> = []
        return try host.blocks().compactMap { rule in
            guard rule.action == .block, rule.expires > now, let target = Self.target(of: rule),
                seen.insert(target).inserted
            else { return nil }
            return BlockEntry(target, remaining: .nanoseconds(Int64(clamping: rule.expires - now)))
        }
    }

    func flush() throws { try host.flush() }

    func generation() throws -> UInt64 { host.generation }

    /// A port without a protocol is that of TCP and of UDP.
    private static func rules(of target: BlockTarget, expires: UInt64) -> [NetworkRule] {
        guard let prefix = NetworkPrefix(target.network.description) else { return [] }
        let port = target.port ?? 0
        func rule(_ proto: UInt8) -> NetworkRule {
            NetworkRule(prefix, port: port, proto: proto, action: .block, expires: expires)
        }
        switch target.transport {
        case .tcp: return [rule(UInt8(IPPROTO_TCP))]
        case .udp: return [rule(UInt8(IPPROTO_UDP))]
        case nil: return port == 0 ? [rule(0)] : [rule(UInt8(IPPROTO_TCP)), rule(UInt8(IPPROTO_UDP))]
        }
    }

    private static func target(of rule: NetworkRule) -> BlockTarget? {
        guard let network = IPNetwork(rule.prefix.description) else { return nil }
        switch Int(rule.proto) {
        case Int(IPPROTO_TCP): return BlockTarget(network, port: rule.port == 0 ? nil : rule.port, transport: .tcp)
        case Int(IPPROTO_UDP): return BlockTarget(network, port: rule.port == 0 ? nil : rule.port, transport: .udp)
        default: return BlockTarget(network)
        }
    }
}

/// The backend that `response.block_backend` asks for; `auto` takes the kernel program where it drops packets on every
/// interface that it was asked to watch, else nf_tables.
final class ChosenBackend: BlockBackend {
    private let kernel: KernelBackend
    private let nftables = NftablesBackend()
    private let host: KernelHost
    private let wanted: Mutex<Configuration.Response.BlockBackend>
    /// Which one the last change went to: blocks are never in two places.
    private let last = Mutex<Bool?>(nil)

    init(_ wanted: Configuration.Response.BlockBackend, host: KernelHost) {
        self.wanted = Mutex(wanted)
        self.host = host
        kernel = KernelBackend(host)
    }

    func take(_ wanted: Configuration.Response.BlockBackend) { self.wanted.withLock { $0 = wanted } }

    private func chosen() throws -> any BlockBackend {
        let usesKernel =
            switch wanted.withLock({ $0 }) {
            case .nftables: false
            case .xdp: true
            case .auto: host.enforcesEverywhere
            }
        let before = last.withLock { last in
            defer { last = usesKernel }
            return last
        }
        // What the other one holds would stay for ever, also what an earlier run left there; the caller brings everything
        // in line with the new one. A backend that this host has not got holds nothing.
        if before != usesKernel {
            if usesKernel { try? nftables.flush() } else { try? kernel.flush() }
        }
        return usesKernel ? kernel : nftables
    }

    func add(_ entries: [BlockEntry]) throws -> UInt64 { try chosen().add(entries) }
    func remove(_ targets: [BlockTarget]) throws -> UInt64 { try chosen().remove(targets) }
    func list() throws -> [BlockEntry] { try chosen().list() }
    func flush() throws { try chosen().flush() }

    /// Another backend has another generation, so that whoever compares looks again.
    func generation() throws -> UInt64 {
        let backend = try chosen()
        let generation = try backend.generation()
        return backend is KernelBackend ? generation | 1 << 63 : generation
    }
}
