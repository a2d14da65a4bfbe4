import CLinux
import Glibc
package import IronpostCore
import Synchronization

/// Blocks addresses for the core, after it has looked by itself whether they may be blocked.
package struct BlockArea: ResponderArea {
    package let name = "blocks"
    package let verbs: [ResponderVerb] = [.addBlocks, .removeBlocks, .listBlocks, .flushBlocks, .blockGeneration]

    private let backend: any BlockBackend
    private let guarding: Held
    private let host: AddressGuard.Host

    private final class Held: Sendable {
        let allowed: Mutex<[IPNetwork]>
        init(_ allowed: [IPNetwork]) { self.allowed = Mutex(allowed) }
    }

    package init(
        _ configuration: Configuration, backend: any BlockBackend = NftablesBackend(), host: AddressGuard.Host = .this
    ) {
        self.backend = backend
        self.host = host
        guarding = Held(configuration.response.allow)
    }

    package func take(_ configuration: Configuration) {
        guarding.allowed.withLock { $0 = configuration.response.allow }
        (backend as? ChosenBackend)?.take(configuration.response.blockBackend)
    }

    package func selfTest() -> String? {
        guard ip_effective_capabilities() & (1 << UInt64(CAP_NET_ADMIN)) != 0 else {
            return "the capability NET_ADMIN is missing: addresses cannot be blocked"
        }
        do {
            _ = try backend.generation()
            return nil
        } catch {
            return "\(error)"
        }
    }

    package func answer(
        _ verb: ResponderVerb, _ reader: inout MessageReader, descriptors: [OwnedDescriptor]
    ) throws -> ResponderReply {
        switch verb {
        case .addBlocks:
            let entries = try Self.entries(&reader)
            let objections = objections(to: entries)
            var kept = entries
            for objection in objections.reversed() { kept.remove(at: objection.index) }
            let generation = try kept.isEmpty ? backend.generation() : backend.add(kept)
            let answer = BlockReply(generation: generation, objections: objections)
            return ResponderReply { answer.write(to: &$0) }
        case .removeBlocks:
            return try Self.reply(generation: backend.remove(Self.entries(&reader).map(\.target)))
        case .listBlocks:
            try reader.finish()
            return try list()
        case .flushBlocks:
            try reader.finish()
            try backend.flush()
            return ResponderReply()
        default:
            try reader.finish()
            return try Self.reply(generation: backend.generation())
        }
    }

    private static func entries(_ reader: inout MessageReader) throws(MessageFault) -> [BlockEntry] {
        let entries = try reader.list(max: BlockCodec.entriesMax) { (reader) throws(MessageFault) in
            try BlockCodec.read(&reader)
        }
        try reader.finish()
        return entries
    }

    private static func reply(generation: UInt64) -> ResponderReply {
        ResponderReply { $0.write(generation) }
    }

    /// One that must not be blocked takes nothing away from the others.
    private func objections(to entries: [BlockEntry]) -> [BlockReply.Objection] {
        let guarding = AddressGuard(allowed: guarding.allowed.withLock { $0 }, host: host)
        // A few are asked for by themselves: a snapshot of all connections takes longer.
        let asked = entries.count > 4 ? guarding.snapshot(peers: Set(HostNetwork.tcpPeers().map(\.address))) : guarding
        return entries.enumerated().compactMap { index, entry in
            asked.objection(to: entry.target.network).map { .init(index: index, why: $0.why, met: $0.met) }
        }
    }

    /// The list may be longer than a message: it travels as a file without a name.
    private func list() throws -> ResponderReply {
        let entries = try backend.list().filter { $0.remaining > .zero }
        var writer = MessageWriter()
        for entry in entries { BlockCodec.write(entry, to: &writer) }
        let number = unsafe ip_memory_file("ironpost-blocks")
        guard number >= 0 else { throw Refusal("no memory for the list") }
        let file = OwnedDescriptor(number)
        var written = 0
        while written < writer.bytes.count {
            let part = unsafe writer.bytes.withUnsafeBytes { bytes in
                guard let start = bytes.baseAddress else { return -1 }
                return unsafe write(file.number, start + written, bytes.count - written)
            }
            guard part > 0 else { throw Refusal("no memory for the list") }
            written += part
        }
        return ResponderReply(descriptors: [file]) { $0.write(UInt32(entries.count)) }
    }
}
