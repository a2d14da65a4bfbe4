internal import Glibc

/// A descriptor that closes itself.
final class OpenFile: Sendable {
    let descriptor: Int32

    init(descriptor: Int32) { self.descriptor = descriptor }

    deinit { close(descriptor) }

    /// What is read at once.
    private static let pieceBytes = 8 << 20

    /// Up to `count` bytes; fewer at the end of the file.
    func read(at offset: Int, count: Int) throws(ReadFault) -> [UInt8] {
        guard offset >= 0, count > 0 else { return [] }
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0 else { throw ReadFault(SystemError.text) }
        let available = min(count, max(0, Int(status.st_size) - offset))
        guard available > 0 else { return [] }
        var failure = false
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: available) { buffer, filled in
            while filled < available {
                let wanted = min(available - filled, Self.pieceBytes)
                let got = unsafe pread(
                    descriptor, buffer.baseAddress?.advanced(by: filled), wanted, off_t(offset + filled))
                if got < 0, errno == EINTR { continue }
                if got < 0 { failure = true }
                guard got > 0 else { return }
                filled += got
            }
        }
        if failure { throw ReadFault(SystemError.text) }
        return bytes
    }
}

/// The system's last error in words.
enum SystemError {
    static var text: String { unsafe String(cString: strerror(errno)) }
}

/// What identifies a file's content without reading it.
package struct FileStamp: Hashable, Sendable {
    package var device: UInt64
    package var inode: UInt64
    package var size: Int
    /// Nanoseconds.
    package var modified: Int64
    package var changed: Int64
    var mode: UInt32

    init(_ status: stat) {
        device = UInt64(status.st_dev)
        inode = UInt64(status.st_ino)
        size = Int(status.st_size)
        modified = Int64(status.st_mtim.tv_sec) &* 1_000_000_000 &+ Int64(status.st_mtim.tv_nsec)
        changed = Int64(status.st_ctim.tv_sec) &* 1_000_000_000 &+ Int64(status.st_ctim.tv_nsec)
        mode = status.st_mode
    }

    /// What changes twice within a tick of the kernel's clock has the same time twice: only what last changed well
    /// before it was read can be known by its stamp.
    func isSettled(at time: Int64, tick: Int64 = FileStamp.tick) -> Bool { changed < time - tick }

    /// Nanoseconds; more than the longest tick that kernels are built with (10 ms).
    package static let tick: Int64 = 20_000_000

    static var now: Int64 {
        var time = timespec()
        _ = unsafe clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec) &* 1_000_000_000 &+ Int64(time.tv_nsec)
    }

    var isRegular: Bool { mode & S_IFMT == S_IFREG }
    var isDirectory: Bool { mode & S_IFMT == S_IFDIR }
}

/// A directory below which files are opened without ever following a symbolic link: nothing outside can be reached.
final class RootDirectory: Sendable {
    let directory: OpenFile
    private static let partsMax = 512

    /// - Parameter path: may itself lead over links, as `/proc/PID/root` does.
    init(_ path: String) throws(ReadFault) {
        let descriptor = unsafe Glibc.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw ReadFault(SystemError.text) }
        directory = OpenFile(descriptor: descriptor)
    }

    /// A regular file; `nil` where there is none.
    func open(_ path: String) -> (file: OpenFile, stamp: FileStamp)? {
        let parts = path.split(separator: "/")
        guard !parts.isEmpty, parts.count <= Self.partsMax, !parts.contains(".."), !path.utf8.contains(0) else {
            return nil
        }
        var parent = directory
        for part in parts.dropLast() {
            let next = unsafe openat(parent.descriptor, String(part), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
            guard next >= 0 else { return nil }
            parent = OpenFile(descriptor: next)
        }
        return Self.openRegular(in: parent, String(parts[parts.count - 1]))
    }

    /// A regular file of a directory. A pipe or a device is never waited for.
    static func openRegular(in parent: OpenFile, _ name: String) -> (file: OpenFile, stamp: FileStamp)? {
        let descriptor = unsafe openat(
            parent.descriptor, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY)
        guard descriptor >= 0 else { return nil }
        let file = OpenFile(descriptor: descriptor)
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0 else { return nil }
        let stamp = FileStamp(status)
        return stamp.isRegular ? (file, stamp) : nil
    }

    /// What a cataloger sees of an open file.
    /// - Parameter neighbours: notes what it looks for beside it.
    func source(_ path: String, _ file: OpenFile, _ stamp: FileStamp, _ neighbours: Neighbours? = nil) -> SourceFile {
        SourceFile(
            path: path, size: stamp.size,
            reader: { (offset, count) throws(ReadFault) in try file.read(at: offset, count: count) },
            neighbour: { [self] path, bytesMax in
                // Before it is opened: what comes in between is another one than was noted.
                let before = DirectoryListing.stamp(directory, path)
                let found = open(path)
                neighbours?.note(path, found?.stamp ?? before)
                guard let (file, stamp) = found, stamp.size <= bytesMax else { return nil }
                do { return try file.read(at: 0, count: stamp.size) } catch { return nil }
            }
        )
    }
}
