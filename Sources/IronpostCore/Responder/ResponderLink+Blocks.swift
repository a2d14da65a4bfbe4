import Glibc

/// How blocks travel between core and responder.
package enum BlockCodec {
    /// Bytes of one entry; a block and its time.
    package static let entryBytes = 1 + 1 + 1 + 2 + 16 + 8
    /// Entries of one message.
    package static let entriesMax = 4000

    package static func write(_ entry: BlockEntry, to writer: inout MessageWriter) {
        let target = entry.target
        writer.write(UInt8(target.network.address.isIPv4 ? 4 : 6))
        writer.write(UInt8(target.network.prefix))
        writer.write(UInt8(target.transport.map { $0 == .tcp ? 6 : 17 } ?? 0))
        writer.write(target.port ?? 0)
        writer.write(target.network.address.high)
        writer.write(target.network.address.low)
        writer.write(entry.remaining.nanoseconds)
    }

    package static func read(_ reader: inout MessageReader) throws(MessageFault) -> BlockEntry {
        let family = try reader.integer(UInt8.self)
        let prefix = Int(try reader.integer(UInt8.self))
        let transport = try reader.integer(UInt8.self)
        let port = try reader.integer(UInt16.self)
        let (high, low) = (try reader.integer(UInt64.self), try reader.integer(UInt64.self))
        let nanoseconds = try reader.integer(Int64.self)
        let isIPv4 = family == 4
        guard isIPv4 || family == 6, !isIPv4 || high == 0 && low <= UInt64(UInt32.max),
            [0, 6, 17].contains(transport), nanoseconds > 0
        else { throw MessageFault("has a block that is none") }
        let address = isIPv4 ? IPAddress(ipv4: UInt32(low)) : IPAddress(high: high, low: low)
        // An IPv6 form of an IPv4 address, and bits beyond the prefix, say something else than they seem to.
        guard address.isIPv4 == isIPv4, (1...address.width).contains(prefix), address.masked(to: prefix) == address
        else { throw MessageFault("has a block that is none") }
        return BlockEntry(
            BlockTarget(
                IPNetwork(address, prefix: prefix), port: port == 0 ? nil : port,
                transport: transport == 0 ? nil : transport == 6 ? .tcp : .udp
            ),
            remaining: .nanoseconds(nanoseconds)
        )
    }
}

/// The responder's answer to blocks: what it would not do, by its place in the request.
package struct BlockReply: Sendable, Hashable {
    package struct Objection: Sendable, Hashable {
        package var index: Int
        package var why: AddressGuard.Objection
        /// What was met; empty beyond the first `textsMax`.
        package var met: String

        package init(index: Int, why: AddressGuard.Objection, met: String) {
            self.index = index
            self.why = why
            self.met = met
        }

        func withheld(_ target: BlockTarget) -> BlockReceipt.Withheld {
            let detail = "\(target) must not be blocked: \(why.rawValue)" + (met.isEmpty ? "" : " (\(met))")
            return BlockReceipt.Withheld(
                target: target, refusal: BlockRefused(guardrail: why.rawValue, detail: detail))
        }
    }

    private static let textsMax = 64

    package var generation: UInt64
    package var objections: [Objection]

    package init(generation: UInt64, objections: [Objection]) {
        self.generation = generation
        self.objections = objections
    }

    package func write(to writer: inout MessageWriter) {
        writer.write(generation)
        var texts = 0
        writer.write(objections) { writer, objection in
            writer.write(UInt16(clamping: objection.index))
            writer.write(UInt8(AddressGuard.Objection.allCases.firstIndex(of: objection.why) ?? 0))
            texts += 1
            writer.write(texts <= Self.textsMax ? objection.met : "")
        }
    }

    package init(from reader: inout MessageReader) throws(MessageFault) {
        generation = try reader.integer(UInt64.self)
        objections = try reader.list(max: BlockCodec.entriesMax) { (reader) throws(MessageFault) in
            let index = Int(try reader.integer(UInt16.self))
            let why = Int(try reader.integer(UInt8.self))
            guard AddressGuard.Objection.allCases.indices.contains(why) else {
                throw MessageFault("has a reason that is none")
            }
            return Objection(index: index, why: AddressGuard.Objection.allCases[why], met: try reader.text())
        }
    }
}

/// The blocks behind the responder.
package struct ResponderBlockTable: BlockTable {
    private let link: any ResponderLink
    /// Of thousands of entries each is looked at.
    private static let timeout = Duration.seconds(20)
    /// A list of many thousands is read from the kernel.
    private static let listTimeout = Duration.seconds(30)
    private static let listBytesMax = 64 << 20

    package init(_ link: any ResponderLink) {
        self.link = link
    }

    @discardableResult
    package func add(_ entries: [BlockEntry]) async throws -> BlockReceipt {
        guard !entries.isEmpty else { return BlockReceipt(generation: try await generation()) }
        var receipt = BlockReceipt(generation: 0)
        try await send(.addBlocks, entries) { part, reply in
            let answer = try reply.read { (reader) throws(MessageFault) in try BlockReply(from: &reader) }
            receipt.generation = answer.generation
            for objection in answer.objections where objection.index < part.count {
                receipt.withheld.append(objection.withheld(part[objection.index].target))
            }
        }
        return receipt
    }

    @discardableResult
    package func remove(_ targets: [BlockTarget]) async throws -> UInt64 {
        guard !targets.isEmpty else { return try await generation() }
        var generation: UInt64 = 0
        try await send(.removeBlocks, targets.map { BlockEntry($0, remaining: .seconds(1)) }) { _, reply in
            generation = try Self.generation(reply)
        }
        return generation
    }

    /// In messages of their own; each is one transaction.
    private func send(
        _ verb: ResponderVerb, _ entries: [BlockEntry], _ take: ([BlockEntry], ResponderReply) throws -> Void
    ) async throws {
        for start in stride(from: 0, to: entries.count, by: BlockCodec.entriesMax) {
            let part = Array(entries[start..<min(start + BlockCodec.entriesMax, entries.count)])
            let request = ResponderRequest(verb) { writer in
                writer.write(part) { writer, entry in BlockCodec.write(entry, to: &writer) }
            }
            try take(part, try await link.call(request, timeout: Self.timeout))
        }
    }

    package func list() async throws -> [BlockEntry] {
        let reply = try await link.call(ResponderRequest(.listBlocks), timeout: Self.listTimeout)
        let count = Int(try reply.read { (reader) throws(MessageFault) in try reader.integer(UInt32.self) })
        guard reply.descriptors.count == 1, count * BlockCodec.entryBytes <= Self.listBytesMax else {
            throw ResponderError.failed("the responder's list has no descriptor, or is too long")
        }
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: count * BlockCodec.entryBytes) { buffer, filled in
            while filled < buffer.count {
                let part = unsafe pread(
                    reply.descriptors[0].number, buffer.baseAddress.map { unsafe $0 + filled }, buffer.count - filled,
                    off_t(filled))
                guard part > 0 else { break }
                filled += part
            }
        }
        var reader = MessageReader(bytes)
        var entries: [BlockEntry] = []
        entries.reserveCapacity(count)
        do throws(MessageFault) {
            for _ in 0..<count { entries.append(try BlockCodec.read(&reader)) }
        } catch {
            throw ResponderError.failed("the responder's list \(error)")
        }
        return entries
    }

    package func flush() async throws {
        _ = try await link.call(ResponderRequest(.flushBlocks), timeout: Self.timeout)
    }

    package func generation() async throws -> UInt64 {
        try Self.generation(try await link.call(ResponderRequest(.blockGeneration), timeout: Self.timeout))
    }

    private static func generation(_ reply: ResponderReply) throws -> UInt64 {
        try reply.read { (reader) throws(MessageFault) in try reader.integer(UInt64.self) }
    }
}
