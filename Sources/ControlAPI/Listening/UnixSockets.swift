import Glibc

/// The unix sockets of this host as the kernel lists them: who listens, without connecting to anybody. The daemon's
/// sandbox makes no connections.
enum UnixSockets {
    private static let table = "/proc/net/unix"
    /// A table that is longer is read this far; a hundred thousand sockets fit.
    private static let bytesMax = 16 << 20
    /// `__SO_ACCEPTCON`, in the table's fourth column.
    private static let listening: UInt32 = 0x10000

    /// Whether some process listens at this path; nil when the table cannot be read.
    static func isListening(at path: String) -> Bool? {
        guard let bytes = read() else { return nil }
        for line in bytes.split(separator: UInt8(ascii: "\n")) {
            // Num: RefCount Protocol Flags Type St Inode Path; the path may contain blanks.
            let fields = line.split(separator: UInt8(ascii: " "), maxSplits: 7, omittingEmptySubsequences: true)
            guard fields.count == 8, fields[7].elementsEqual(path.utf8),
                let flags = UInt32(String(decoding: fields[3], as: UTF8.self), radix: 16)
            else { continue }
            if flags & listening != 0 { return true }
        }
        return false
    }

    private static func read() -> [UInt8]? {
        let descriptor = unsafe open(table, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65536)
        while bytes.count < bytesMax {
            let count = unsafe Glibc.read(descriptor, &chunk, chunk.count)
            guard count >= 0 else { return nil }
            if count == 0 { break }
            bytes += chunk[..<count]
        }
        return bytes
    }
}
