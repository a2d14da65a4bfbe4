import CZlib
import Glibc

/// A tar archive packed by gzip that is there as a whole or not at all: written beside its place, for its owner only, and
/// renamed when every byte of it is on the disk.
enum BundleFile {
    struct Entry {
        var name: String
        var bytes: [UInt8]
    }

    private static let block = 512
    /// Longest name of an entry in a tar header.
    static let nameBytesMax = 99

    /// - Parameter time: of all entries, seconds since 1970.
    static func write(_ entries: [Entry], to path: String, time: Int64) throws(CommandFailure) {
        guard unsafe access(path, F_OK) != 0 else {
            throw CommandFailure(.inputOutput, "cannot write \(path): there is a file of this name already")
        }
        let temporary = "\(path).\(getpid()).tmp"
        let descriptor = unsafe open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw failure(path) }
        defer { close(descriptor) }
        var isDone = false
        defer { if !isDone { unsafe unlink(temporary) } }
        // The umask may only have taken rights away: they are these, whatever it was.
        guard fchmod(descriptor, 0o600) == 0, pack(tar(entries, time: time), into: descriptor), fsync(descriptor) == 0
        else { throw failure(path) }
        guard unsafe rename(temporary, path) == 0 else { throw failure(path) }
        isDone = true
    }

    private static func failure(_ path: String) -> CommandFailure {
        CommandFailure(.inputOutput, "cannot write \(path): \(DaemonProgram.systemError(errno))")
    }

    private static func pack(_ bytes: [UInt8], into descriptor: Int32) -> Bool {
        let own = dup(descriptor)
        guard own >= 0 else { return false }
        guard let stream = unsafe gzdopen(own, "wb") else {
            close(own)
            return false
        }
        let written = unsafe gzwrite(stream, bytes, UInt32(clamping: bytes.count))
        return unsafe gzclose(stream) == Z_OK && Int(written) == bytes.count
    }

    /// POSIX.1-1988 (ustar): readable everywhere.
    static func tar(_ entries: [Entry], time: Int64) -> [UInt8] {
        var archive: [UInt8] = []
        for entry in entries {
            archive += header(entry, time: time) + entry.bytes
            archive += [UInt8](repeating: 0, count: (block - entry.bytes.count % block) % block)
        }
        return archive + [UInt8](repeating: 0, count: 2 * block)
    }

    private static func header(_ entry: Entry, time: Int64) -> [UInt8] {
        var header = [UInt8](repeating: 0, count: block)
        func put(_ text: String, at place: Int) {
            for (index, byte) in text.utf8.enumerated() { header[place + index] = byte }
        }
        func octal(_ number: Int64, digits: Int) -> String {
            let text = String(number, radix: 8)
            return String(repeating: "0", count: max(0, digits - text.count)) + text
        }
        put(String(decoding: entry.name.utf8.prefix(nameBytesMax), as: UTF8.self), at: 0)
        put("0000600", at: 100)
        put("0000000", at: 108)
        put("0000000", at: 116)
        put(octal(Int64(entry.bytes.count), digits: 11), at: 124)
        put(octal(time, digits: 11), at: 136)
        put("        ", at: 148)
        put("0", at: 156)
        put("ustar", at: 257)
        put("00", at: 263)
        put("root", at: 265)
        put("root", at: 297)
        let sum = header.reduce(0) { $0 + Int64($1) }
        put(octal(sum, digits: 6) + "\0 ", at: 148)
        return header
    }
}
