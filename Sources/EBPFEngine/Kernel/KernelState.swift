package import CPacket
package import IronpostCore

/// How the kernel side is, as the responder tells it.
package struct KernelState: Sendable {
    package struct Watched: Sendable, Equatable {
        package var name: String
        package var index: UInt32
        package var attachment: KernelProgram.Attachment
    }

    package var mode: Configuration.EBPF.Mode
    package var watched: [Watched] = []
    /// What was asked for and is not so, and why.
    package var faults: [String] = []
    /// What is watched otherwise than it was asked for, and why.
    package var fallbacks: [String] = []
    /// Why completed handshakes cannot be seen; nil when they can.
    package var handshakeFault: String?
    package var filedRules = 0
    package var commandedRules = 0
    package var counters = KernelCounters()
    /// Counts the loads of the program: another number means another ring.
    package var epoch: UInt32 = 0

    package init(mode: Configuration.EBPF.Mode) {
        self.mode = mode
    }

    static let faultsMax = 256
    static let watchedMax = 1024

    package func write(to writer: inout MessageWriter) {
        writer.write(mode.rawValue)
        writer.write(Array(watched.prefix(Self.watchedMax))) { writer, watched in
            writer.write(watched.name)
            writer.write(watched.index)
            writer.write(watched.attachment.rawValue)
        }
        writer.write(Array(faults.prefix(Self.faultsMax))) { $0.write(String($1.prefix(400))) }
        writer.write(Array(fallbacks.prefix(Self.faultsMax))) { $0.write(String($1.prefix(400))) }
        writer.write(handshakeFault) { $0.write($1) }
        writer.write(UInt64(filedRules))
        writer.write(UInt64(commandedRules))
        writer.write(counters.words) { $0.write($1) }
        writer.write(epoch)
    }

    package init(_ reader: inout MessageReader) throws(MessageFault) {
        guard let mode = Configuration.EBPF.Mode(rawValue: try reader.text()) else {
            throw MessageFault("has a mode that there is not")
        }
        self.mode = mode
        watched = try reader.list { (reader) throws(MessageFault) in
            let (name, index) = (try reader.text(), try reader.integer(UInt32.self))
            guard let attachment = KernelProgram.Attachment(rawValue: try reader.integer(UInt32.self)) else {
                throw MessageFault("has an attachment that there is not")
            }
            return Watched(name: name, index: index, attachment: attachment)
        }
        faults = try reader.list { (reader) throws(MessageFault) in try reader.text() }
        fallbacks = try reader.list { (reader) throws(MessageFault) in try reader.text() }
        handshakeFault = try reader.optional { (reader) throws(MessageFault) in try reader.text() }
        filedRules = Int(clamping: try reader.integer(UInt64.self))
        commandedRules = Int(clamping: try reader.integer(UInt64.self))
        let words = try reader.list { (reader) throws(MessageFault) in try reader.integer(UInt64.self) }
        guard let counters = KernelCounters(words: words) else { throw MessageFault("has other counters") }
        self.counters = counters
        epoch = try reader.integer(UInt32.self)
    }
}

/// The program's counters since it was first loaded, over all CPUs.
package struct KernelCounters: Sendable, Equatable {
    package private(set) var words: [UInt64]

    static let count = MemoryLayout<ip_counters>.size / 8

    package init() {
        words = [UInt64](repeating: 0, count: Self.count)
    }

    package init?(words: [UInt64]) {
        guard words.count == Self.count else { return nil }
        self.words = words
    }

    package init(_ counters: ip_counters) {
        var counters = counters
        words = unsafe withUnsafeBytes(of: &counters) { unsafe Array($0.bindMemory(to: UInt64.self)) }
    }

    /// In the order of `ip_counters`.
    private func word(_ field: PartialKeyPath<ip_counters>, _ index: Int = 0) -> Int {
        guard let offset = MemoryLayout<ip_counters>.offset(of: field) else { return 0 }
        return Int(clamping: words[offset / 8 + index])
    }

    package static let protocols = ["tcp", "udp", "icmp", "other"]

    package func packets(ofProtocol index: Int) -> Int { word(\.packets, index) }
    package func bytes(ofProtocol index: Int) -> Int { word(\.bytes, index) }
    package var packets: Int { (0..<4).reduce(0) { $0 + packets(ofProtocol: $1) } }
    package var bytes: Int { (0..<4).reduce(0) { $0 + bytes(ofProtocol: $1) } }
    package var passed: Int { word(\.passed) }
    package var dropped: Int { word(\.dropped) }
    package var droppedBytes: Int { word(\.dropped_bytes) }
    package var wouldDrop: Int { word(\.would_drop) }
    package var monitored: Int { word(\.monitored) }
    package var allowed: Int { word(\.allowed) }
    package func malformed(_ reason: Int) -> Int { word(\.malformed, reason) }
    package var malformed: Int { (1..<Int(IP_MALFORMED_COUNT.rawValue)).reduce(0) { $0 + malformed($1) } }
    package var fragments: Int { word(\.fragments) }
    package var wanted: Int { word(\.wanted) }
    package var emitted: Int { word(\.emitted) }
    package var sampledOut: Int { word(\.sampled_out) }
    package var lost: Int { word(\.lost) }
    package var handshakes: Int { word(\.handshakes) }
}
