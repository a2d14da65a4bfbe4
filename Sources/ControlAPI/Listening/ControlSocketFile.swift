import Glibc

/// A listening unix socket in the file system, made so that nobody else can reach it for a moment.
struct ControlSocketFile: Sendable {
    let path: String
    let descriptor: Int32
    let gid: UInt32
    private let identity: Identity

    /// Tells this file from another at the same path; inode numbers alone are used again at once.
    private struct Identity: Sendable, Equatable {
        let device: UInt64
        let inode: UInt64
        let changeSeconds: Int
        let changeNanoseconds: Int

        init(_ status: stat) {
            device = UInt64(status.st_dev)
            inode = UInt64(status.st_ino)
            changeSeconds = status.st_ctim.tv_sec
            changeNanoseconds = status.st_ctim.tv_nsec
        }
    }

    /// `sun_path` of `sockaddr_un`, less the zero that ends it.
    static let pathBytesMax = 107
    private static let backlog: Int32 = 128
    private static let mode: mode_t = 0o660

    init(path: String, group: String?) throws(ControlSocketError) {
        guard !path.isEmpty, path.utf8.count <= Self.pathBytesMax else {
            throw ControlSocketError(
                path: path,
                reason: "is \(path.utf8.count) bytes long; the system takes 1 to \(Self.pathBytesMax): "
                    + "choose a shorter general.control_socket"
            )
        }
        let groupID: gid_t? = if let group { try Self.groupID(named: group, path: path) } else { nil }
        do {
            try makeDirectory(parent(of: path), mode: 0o750)
        } catch {
            throw ControlSocketError(path: path, reason: "has no directory: \(error)")
        }
        try Self.clear(path)

        let descriptor = socket(
            AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
        guard descriptor >= 0 else {
            throw ControlSocketError(path: path, reason: "cannot be made: \(systemError(errno))")
        }
        do {
            // On Linux the file takes its mode from the socket's, so it is never wider than it should be.
            try Self.check(fchmod(descriptor, Self.mode), path: path, "cannot be protected")
            try Self.check(
                unsafe Self.withAddress(path) { unsafe bind(descriptor, $0, $1) }, path: path, "cannot be bound")
            if let groupID {
                try Self.check(
                    unsafe chown(path, uid_t.max, groupID), path: path, "cannot be given to group \(group ?? "")"
                )
            }
            try Self.check(unsafe chmod(path, Self.mode), path: path, "cannot be protected")
            try Self.check(listen(descriptor, Self.backlog), path: path, "cannot be listened on")
            var status = stat()
            try Self.check(unsafe lstat(path, &status), path: path, "cannot be examined")
            gid = status.st_gid
            identity = Identity(status)
        } catch {
            close(descriptor)
            throw error
        }
        self.path = path
        self.descriptor = descriptor
    }

    /// Takes the file away, unless another daemon has put its own there. The descriptor belongs to whoever serves it.
    func remove() {
        var status = stat()
        guard unsafe lstat(path, &status) == 0, Identity(status) == identity else { return }
        unsafe unlink(path)
    }

    /// Removes what a dead daemon left; refuses what lives, and what is no socket.
    private static func clear(_ path: String) throws(ControlSocketError) {
        var status = stat()
        guard unsafe lstat(path, &status) == 0 else {
            if errno == ENOENT { return }
            throw ControlSocketError(path: path, reason: "cannot be examined: \(systemError(errno))")
        }
        guard status.st_mode & S_IFMT == S_IFSOCK else {
            throw ControlSocketError(path: path, reason: "exists and is no socket; it is left alone")
        }
        switch UnixSockets.isListening(at: path) {
        case true: throw ControlSocketError(path: path, reason: "is served by another daemon that is running")
        case nil: throw ControlSocketError(path: path, reason: "cannot be probed: /proc/net/unix cannot be read")
        default:
            guard unsafe unlink(path) == 0 || errno == ENOENT else {
                throw ControlSocketError(path: path, reason: "is stale and cannot be removed: \(systemError(errno))")
            }
        }
    }

    private static func check(_ result: Int32, path: String, _ what: String) throws(ControlSocketError) {
        guard result == 0 else { throw ControlSocketError(path: path, reason: "\(what): \(systemError(errno))") }
    }

    private static func groupID(named name: String, path: String) throws(ControlSocketError) -> gid_t {
        guard let entry = unsafe getgrnam(name) else {
            throw ControlSocketError(path: path, reason: "is for group \(name), which does not exist")
        }
        return unsafe entry.pointee.gr_gid
    }

    private static func withAddress(_ path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32) -> Int32 {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { room in
            unsafe room.copyBytes(from: path.utf8.prefix(pathBytesMax))
        }
        return unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                unsafe body(pointer, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
    }
}

/// The control socket cannot be opened.
package struct ControlSocketError: Error, CustomStringConvertible, Equatable {
    package let path: String
    package let reason: String

    package var description: String { "control socket \(path) \(reason)" }
}
