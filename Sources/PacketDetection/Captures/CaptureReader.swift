/// Reads captures as tcpdump and Wireshark write them: pcap (both byte orders, microseconds and nanoseconds) and pcapng.
///
/// Fed with whatever pieces the file comes in; holds at most one block.
package struct CaptureReader: ~Copyable {
    /// A larger block or packet is no capture but an attack on who reads it.
    package static let blockBytesMax = 16 << 20
    static let packetBytesMax = 1 << 18
    static let interfacesMax = 65_536

    package struct Fault: Error, CustomStringConvertible, Hashable {
        package let description: String
    }

    /// One packet, as much of it as was captured.
    package struct Packet {
        /// Nanoseconds since 1970.
        package var time: Int64
        package var linkType: UInt32
        /// The interface's number in a pcapng file, else 0.
        package var interface: Int
        /// Its length on the wire.
        package var length: Int

        package init(time: Int64, linkType: UInt32, interface: Int, length: Int) {
            self.time = time
            self.linkType = linkType
            self.interface = interface
            self.length = length
        }
    }

    private enum Form {
        case unknown
        case pcap(isSwapped: Bool, isNanoseconds: Bool, linkType: UInt32)
        case pcapng(isSwapped: Bool)
    }

    private struct Interface {
        var linkType: UInt32
        /// Units of a second; a power of ten or of two.
        var perSecond: UInt64
        var offsetSeconds: Int64
        var snapLength: Int
    }

    private var form = Form.unknown
    private var pending: [UInt8] = []
    private var head = 0
    private var interfaces: [Interface] = []

    package init() {}

    /// Takes the next piece of the file; every packet that it completes goes to `body`.
    package mutating func push(
        _ bytes: Span<UInt8>, _ body: (Packet, Span<UInt8>) throws -> Void
    ) throws {
        if head > 0 {
            pending.removeFirst(head)
            head = 0
        }
        unsafe bytes.withUnsafeBufferPointer { unsafe pending.append(contentsOf: $0) }
        while try step(body) {}
    }

    /// Says when the file ended in the middle of something; what came before it has been handed out.
    package func finish() throws(Fault) {
        if case .unknown = form { throw Fault(description: "it is no capture: too short") }
        if head < pending.count { throw Fault(description: "it ends in the middle of a packet") }
    }

    private var left: Int { pending.count - head }

    private func word16(_ at: Int, _ isSwapped: Bool) -> UInt16 {
        let value = UInt16(pending[at]) | UInt16(pending[at + 1]) << 8
        return isSwapped ? value.byteSwapped : value
    }

    private func word32(_ at: Int, _ isSwapped: Bool) -> UInt32 {
        let value =
            UInt32(pending[at]) | UInt32(pending[at + 1]) << 8 | UInt32(pending[at + 2]) << 16
            | UInt32(pending[at + 3]) << 24
        return isSwapped ? value.byteSwapped : value
    }

    /// Handles one header, record or block; false when more bytes are needed.
    private mutating func step(_ body: (Packet, Span<UInt8>) throws -> Void) throws -> Bool {
        switch form {
        case .unknown: return try begin()
        case .pcap(let isSwapped, let isNanoseconds, let linkType):
            return try record(isSwapped, isNanoseconds, linkType, body)
        case .pcapng(let isSwapped): return try block(isSwapped, body)
        }
    }

    private mutating func begin() throws(Fault) -> Bool {
        guard left >= 12 else { return false }
        let magic = word32(head, false)
        switch magic {
        case 0xA1B2_C3D4, 0xD4C3_B2A1, 0xA1B2_3C4D, 0x4D3C_B2A1:
            guard left >= 24 else { return false }
            let isSwapped = magic == 0xD4C3_B2A1 || magic == 0x4D3C_B2A1
            let isNanoseconds = magic == 0xA1B2_3C4D || magic == 0x4D3C_B2A1
            // The upper bits say how long a frame check sequence is.
            let linkType = word32(head + 20, isSwapped) & 0x0FFF_FFFF
            form = .pcap(isSwapped: isSwapped, isNanoseconds: isNanoseconds, linkType: linkType)
            head += 24
            return true
        case 0x0A0D_0D0A:
            switch word32(head + 8, false) {
            case 0x1A2B_3C4D: form = .pcapng(isSwapped: false)
            case 0x4D3C_2B1A: form = .pcapng(isSwapped: true)
            default: throw Fault(description: "it is no capture: the byte order of its pcapng header is unknown")
            }
            return true
        default:
            throw Fault(description: "it is no capture: neither pcap nor pcapng")
        }
    }

    private mutating func record(
        _ isSwapped: Bool, _ isNanoseconds: Bool, _ linkType: UInt32, _ body: (Packet, Span<UInt8>) throws -> Void
    ) throws -> Bool {
        guard left >= 16 else { return false }
        let captured = Int(word32(head + 8, isSwapped))
        guard captured <= Self.packetBytesMax else {
            throw Fault(description: "a packet of \(captured) bytes: the file is damaged")
        }
        guard left >= 16 + captured else { return false }
        let seconds = Int64(word32(head, isSwapped))
        let fraction = Int64(word32(head + 4, isSwapped))
        let packet = Packet(
            time: seconds * 1_000_000_000 + (isNanoseconds ? fraction : fraction * 1000), linkType: linkType,
            interface: 0, length: Int(word32(head + 12, isSwapped))
        )
        let start = head + 16
        head = start + captured
        try body(packet, pending.span.extracting(start..<head))
        return true
    }

    private mutating func block(
        _ isSwapped: Bool, _ body: (Packet, Span<UInt8>) throws -> Void
    ) throws -> Bool {
        guard left >= 12 else { return false }
        var isSwapped = isSwapped
        let type = word32(head, isSwapped)
        if type == 0x0A0D_0D0A {
            // A new section may have the other byte order, and its own interfaces.
            isSwapped = word32(head + 8, false) == 0x4D3C_2B1A
            form = .pcapng(isSwapped: isSwapped)
        }
        let length = Int(word32(head + 4, isSwapped))
        guard length >= 12, length % 4 == 0, length <= Self.blockBytesMax else {
            throw Fault(description: "a block of \(length) bytes: the file is damaged")
        }
        guard left >= length else { return false }
        let start = head + 8
        let end = head + length - 4
        head += length
        switch type {
        case 0x0A0D_0D0A: interfaces = []
        case 1: try addInterface(start, end, isSwapped)
        case 2, 6: try packet(start, end, isEnhanced: type == 6, isSwapped, body)
        case 3: try simplePacket(start, end, isSwapped, body)
        default: break
        }
        return true
    }

    private mutating func addInterface(_ start: Int, _ end: Int, _ isSwapped: Bool) throws(Fault) {
        guard end - start >= 8 else { throw Fault(description: "an interface block is too short") }
        guard interfaces.count < Self.interfacesMax else { throw Fault(description: "too many interfaces") }
        var interface = Interface(
            linkType: UInt32(word16(start, isSwapped)), perSecond: 1_000_000, offsetSeconds: 0,
            snapLength: Int(word32(start + 4, isSwapped))
        )
        var at = start + 8
        while at + 4 <= end {
            let code = word16(at, isSwapped)
            let length = Int(word16(at + 2, isSwapped))
            guard code != 0, at + 4 + length <= end else { break }
            if code == 9, length == 1 {
                interface.perSecond = Self.unitsPerSecond(pending[at + 4])
            } else if code == 14, length == 8 {
                let low = UInt64(word32(at + 4, isSwapped))
                let high = UInt64(word32(at + 8, isSwapped))
                interface.offsetSeconds = Int64(bitPattern: isSwapped ? low << 32 | high : high << 32 | low)
            }
            at += 4 + (length + 3) / 4 * 4
        }
        interfaces.append(interface)
    }

    /// The option `if_tsresol`: a power of ten, or of two when its top bit is set. What no clock has counts as a
    /// microsecond.
    private static func unitsPerSecond(_ option: UInt8) -> UInt64 {
        let exponent = Int(option & 0x7F)
        if option & 0x80 != 0 { return exponent < 60 ? 1 << UInt64(exponent) : 1_000_000 }
        guard exponent <= 18 else { return 1_000_000 }
        return (0..<exponent).reduce(1) { value, _ in value * 10 }
    }

    private mutating func packet(
        _ start: Int, _ end: Int, isEnhanced: Bool, _ isSwapped: Bool, _ body: (Packet, Span<UInt8>) throws -> Void
    ) throws {
        guard end - start >= 20 else { throw Fault(description: "a packet block is too short") }
        // The old packet block numbers its interface in 16 bits, beside a count of drops.
        let number = isEnhanced ? Int(word32(start, isSwapped)) : Int(word16(start, isSwapped))
        guard number < interfaces.count else {
            throw Fault(description: "a packet of interface \(number), which is not there")
        }
        let interface = interfaces[number]
        let captured = Int(word32(start + 12, isSwapped))
        guard captured <= end - start - 20, captured <= Self.packetBytesMax else {
            throw Fault(description: "a packet of \(captured) bytes: the file is damaged")
        }
        let units = UInt64(word32(start + 4, isSwapped)) << 32 | UInt64(word32(start + 8, isSwapped))
        let packet = Packet(
            time: Self.nanoseconds(units, interface), linkType: interface.linkType, interface: number,
            length: Int(word32(start + 16, isSwapped))
        )
        try body(packet, pending.span.extracting(start + 20..<start + 20 + captured))
    }

    private static func nanoseconds(_ units: UInt64, _ interface: Interface) -> Int64 {
        let seconds = Int64(truncatingIfNeeded: units / interface.perSecond) &+ interface.offsetSeconds
        let rest = Double(units % interface.perSecond) / Double(interface.perSecond)
        return seconds &* 1_000_000_000 &+ Int64((rest * 1e9).rounded())
    }

    private mutating func simplePacket(
        _ start: Int, _ end: Int, _ isSwapped: Bool, _ body: (Packet, Span<UInt8>) throws -> Void
    ) throws {
        guard end - start >= 4, let interface = interfaces.first else {
            throw Fault(description: "a simple packet block without an interface")
        }
        let length = Int(word32(start, isSwapped))
        var captured = min(length, end - start - 4)
        if interface.snapLength > 0 { captured = min(captured, interface.snapLength) }
        let packet = Packet(time: 0, linkType: interface.linkType, interface: 0, length: length)
        try body(packet, pending.span.extracting(start + 4..<start + 4 + captured))
    }
}
