import CLinux
import Glibc
import IronpostCore

/// A file's identity in the kernel.
struct FileID: Hashable {
    var device: UInt64
    var inode: UInt64

    init(_ status: stat) {
        device = UInt64(status.st_dev)
        inode = UInt64(status.st_ino)
    }

    init(device: UInt64, inode: UInt64) {
        self.device = device
        self.inode = inode
    }
}

/// A file that could not be opened or read, and why.
struct FileFault: Error, CustomStringConvertible {
    var path: String
    var operation: String
    var code: Int32
    /// What else is known of it.
    var note: String?

    var description: String {
        "cannot \(operation) \(path): \(unsafe String(cString: strerror(code)))\(note.map { "; \($0)" } ?? "")"
    }
}

/// One open file that is read as it grows. Closed when let go.
///
/// Used by one thread.
final class FollowedFile {
    /// Bytes read from one file before another file's turn.
    static let turnBytes = 4 << 20
    static let readBytes = 256 << 10
    /// Largest file whose lines before the start are counted, so that evidence can name a line.
    static let countedBytesMax: UInt64 = 256 << 20

    private let descriptor: Int32
    let id: FileID
    /// Where the file is now, as far as known.
    var path: String
    let origin: UInt64
    let format: LineFormat
    private(set) var readOffset: UInt64
    private var cutter: LineCutter
    /// Of the line that starts at `readOffset - cutter.partial.count`.
    private var lineNumber: UInt64?
    private var prefix: [UInt8] = []
    private var prefixHash: UInt64 = 0
    /// When it last had something new, in uptime nanoseconds.
    private(set) var lastGrowth: Int64
    /// No followed path leads here any more: it is read until it stays quiet, then closed.
    var isRotated = false

    /// Opens a regular file for reading from its beginning.
    /// - Parameter responder: opens what is closed to our user.
    init(
        path: String, origin: (FileID) -> UInt64, format: LineFormat, lineBytesMax: Int, uptime: Int64,
        responder: any ResponderLink
    ) throws(FileFault) {
        let descriptor = try Self.open(path, responder)
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            close(descriptor)
            throw FileFault(path: path, operation: "follow (not a regular file)", code: EINVAL)
        }
        self.descriptor = descriptor
        id = FileID(status)
        self.path = path
        self.origin = origin(id)
        self.format = format
        readOffset = 0
        lineNumber = 1
        cutter = LineCutter(lineBytesMax: lineBytesMax)
        lastGrowth = uptime
    }

    deinit {
        close(descriptor)
    }

    private static func open(_ path: String, _ responder: any ResponderLink) throws(FileFault) -> Int32 {
        let descriptor = unsafe Glibc.open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
        if descriptor >= 0 { return descriptor }
        let code = errno
        guard code == EACCES else { throw FileFault(path: path, operation: "open", code: code) }
        do throws(ResponderError) {
            if let opened = try responder.openLogFile(path).duplicate() { return opened }
            throw .failed("no descriptors left")
        } catch {
            // That there is none is said once, by the status.
            var note: String?
            if case .absent = error {} else { note = error.description }
            throw FileFault(path: path, operation: "open", code: code, note: note)
        }
    }

    var size: UInt64 {
        var status = stat()
        return unsafe fstat(descriptor, &status) == 0 ? UInt64(status.st_size) : 0
    }

    /// Accounts below this are the system's (Debian policy 9.2; useradd's UID_MIN).
    private static let systemUsersEnd: UInt32 = 1000

    /// Looked up for each read: an owner or mode that changes counts at once.
    private var writer: LineWriter {
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0, status.st_mode & 0o002 == 0,
            status.st_uid < Self.systemUsersEnd || status.st_uid == geteuid(),
            status.st_mode & 0o020 == 0 || status.st_gid < Self.systemUsersEnd || status.st_gid == getegid()
        else { return .anybody }
        return .system
    }

    /// No name leads to it any more.
    var isDeleted: Bool {
        var status = stat()
        return unsafe fstat(descriptor, &status) == 0 && status.st_nlink == 0
    }

    var linesCut: Int { cutter.linesCut }

    /// Continues where a checkpoint ends. False: the file is not the one that the checkpoint means.
    func resume(_ checkpoint: FileCheckpoint) -> Bool {
        guard size >= checkpoint.offset, hasPrefix(of: checkpoint) else { return false }
        readOffset = checkpoint.offset
        lineNumber = checkpoint.line
        cutter = LineCutter(lineBytesMax: cutter.lineBytesMax, isSkipping: checkpoint.isSkipping ?? false)
        return true
    }

    func hasPrefix(of checkpoint: FileCheckpoint) -> Bool {
        guard (0...FileCheckpoint.prefixMax).contains(checkpoint.prefixLength) else { return false }
        let head = readHead(checkpoint.prefixLength)
        return head.count == checkpoint.prefixLength && FileCheckpoint.hash(head.span) == checkpoint.prefixHash
    }

    /// Starts after the last whole line there is.
    func startAtEnd() {
        let end = size
        var counted: UInt64 = 0
        var afterLast: UInt64 = 0
        // Small files are counted through; of large ones only the tail is searched for the last line feed.
        var position = end <= Self.countedBytesMax ? 0 : end - UInt64(Self.readBytes)
        let isCounting = position == 0
        while position < end {
            let chunk = readAt(position, bytes: Int(min(UInt64(Self.readBytes), end - position)))
            if chunk.isEmpty { break }
            if isCounting {
                counted += unsafe chunk.withUnsafeBufferPointer {
                    UInt64(unsafe ip_count_lines($0.baseAddress, $0.count))
                }
            }
            if let last = LineCutter.lastLineFeed(in: chunk.span, from: 0) { afterLast = position + UInt64(last) + 1 }
            position += UInt64(chunk.count)
        }
        readOffset = isCounting || afterLast > 0 ? afterLast : end
        lineNumber = isCounting ? counted + 1 : nil
    }

    /// Whether the file was truncated, or replaced in place, since it was last read; its beginning tells.
    func wasRewritten() -> Bool {
        let head = readHead(FileCheckpoint.prefixMax)
        if size < readOffset || head.count < prefix.count || !head.starts(with: prefix) { return true }
        if head.count > prefix.count {
            prefix = head
            prefixHash = FileCheckpoint.hash(head.span)
        }
        return false
    }

    /// Starts again from the first byte, as after a truncation.
    func rewind() {
        readOffset = 0
        lineNumber = 1
        prefix = []
        prefixHash = FileCheckpoint.hash([UInt8]().span)
        cutter = LineCutter(lineBytesMax: cutter.lineBytesMax)
    }

    enum Reading {
        case batch(RawBatch)
        /// Something was read, but no line ended in it.
        case partial
        case end
        case failed(FileFault)
    }

    /// Reads once. The caller has made sure by `wasRewritten` that the file is still the same.
    func read(buffer: inout [UInt8], received: Timestamp, uptime: Int64) -> Reading {
        let count = unsafe buffer.withUnsafeMutableBytes {
            unsafe pread(descriptor, $0.baseAddress, $0.count, off_t(readOffset))
        }
        guard count >= 0 else {
            return .failed(FileFault(path: path, operation: "read", code: errno))
        }
        guard count > 0 else { return .end }
        lastGrowth = uptime
        let start = readOffset - UInt64(cutter.partial.count)
        let cut = cutter.push(buffer.span.extracting(0..<count))
        readOffset += UInt64(count)
        guard cut.count > 0 else { return .partial }
        defer { lineNumber = lineNumber.map { $0 + UInt64(cut.count) } }
        return .batch(
            RawBatch(
                origin: origin, format: format, framing: .lines, bytes: cut.lines,
                position: start + UInt64(cut.skipped), lineNumber: lineNumber, count: cut.count, received: received,
                checkpoints: [checkpoint(linesAfter: cut.count).encoded()], place: nil, writer: writer
            )
        )
    }

    /// The line without an end that is left when nothing more will come.
    func finish(received: Timestamp) -> RawBatch? {
        let position = readOffset - UInt64(cutter.partial.count)
        let rest = cutter.finish()
        guard !rest.isEmpty else { return nil }
        return RawBatch(
            origin: origin, format: format, framing: .lines, bytes: rest, position: position, lineNumber: lineNumber,
            count: 1, received: received, checkpoints: [Checkpoint(key: checkpoint().key, value: nil)], place: nil,
            writer: writer
        )
    }

    /// Where the file stands now, once everything handed out is evaluated.
    func checkpoint(linesAfter count: Int = 0) -> FileCheckpoint {
        FileCheckpoint(
            path: path, device: id.device, inode: id.inode, offset: readOffset - UInt64(cutter.partial.count),
            line: lineNumber.map { $0 + UInt64(count) }, prefixHash: prefixHash, prefixLength: prefix.count,
            isSkipping: cutter.isSkipping ? true : nil
        )
    }

    private func readHead(_ bytes: Int) -> [UInt8] { readAt(0, bytes: bytes) }

    private func readAt(_ offset: UInt64, bytes: Int) -> [UInt8] {
        unsafe [UInt8](unsafeUninitializedCapacity: bytes) { buffer, count in
            unsafe count = max(0, pread(descriptor, buffer.baseAddress, bytes, off_t(offset)))
        }
    }
}
