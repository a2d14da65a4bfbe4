import CLinux
import Glibc
import IronpostCore

/// What a source read, on its way to be parsed: whole lines or records, and where they stand.
struct RawBatch: Sendable {
    enum Framing: Sendable {
        /// Separated by line feeds; the last may lack one when nothing more will come.
        case lines
        /// Each after its length, 32 bits little-endian.
        case records
    }

    var origin: UInt64
    var format: LineFormat
    var framing: Framing
    var bytes: [UInt8]
    /// Of the first byte in its file; a running number for sources that have no offsets.
    var position: UInt64
    /// The first line's number, from 1, where it is known.
    var lineNumber: UInt64?
    /// Lines or records inside, as the source counted them.
    var count: Int
    var received: Timestamp
    /// How far the source has come once all of this is evaluated.
    var checkpoints: [Checkpoint]
    /// The network peer, for evidence.
    var place: String?
    /// The network peer of each record, where they come from many.
    var senders: [ip_peer] = []
    /// Who can have written this; anybody, as long as nothing better is known.
    var writer = LineWriter.anybody
    var sender = LineSender.unknown
    /// Of each record, where they have places of their own; otherwise they count on from `position`.
    var positions: [UInt64] = []
}

/// Who can have written a line, as far as the kernel tells.
package enum LineWriter: Sendable, Hashable {
    /// The network, an ordinary user, a file that others can write.
    case anybody
    /// The system: a file that root or a system account owns and nobody else can write.
    case system
    /// A process of root's, by its executable; `nil` when that could not be seen any more.
    case rootProcess(executable: String?)
    /// A process of root's whose executable we may not see, by the name that the kernel has for it.
    case rootNamed(String)
}

/// Which process the kernel says wrote all of a batch.
enum LineSender: Sendable, Equatable {
    /// Nobody says.
    case unknown
    /// It was gone, or its number another one's, when it was looked up.
    case lost
    case process(ProcessIdentity)
}

/// Appends one record in the framing `RawBatch.Framing.records`.
func appendRecord(_ bytes: Span<UInt8>, to buffer: inout [UInt8]) {
    let length = UInt32(truncatingIfNeeded: bytes.count)
    buffer.append(UInt8(truncatingIfNeeded: length))
    buffer.append(UInt8(truncatingIfNeeded: length >> 8))
    buffer.append(UInt8(truncatingIfNeeded: length >> 16))
    buffer.append(UInt8(truncatingIfNeeded: length >> 24))
    unsafe bytes.withUnsafeBufferPointer { unsafe buffer.append(contentsOf: $0) }
}

/// The address of a network peer, as people read it.
enum PeerAddress {
    /// - Returns: `nil` when there is none.
    static func text(_ peer: ip_peer) -> String? {
        guard peer.high != 0 || peer.low != 0 else { return nil }
        var buffer = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        guard unsafe ip_peer_text(peer, &buffer, buffer.count) == 0 else { return nil }
        return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
