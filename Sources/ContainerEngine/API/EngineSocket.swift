import Glibc

/// A stream connection to the engine's unix socket. Every wait has a deadline; nothing blocks beyond it.
struct EngineSocket: ~Copyable {
    private let descriptor: Int32
    private let what: String

    /// - Parameter what: names the call in errors.
    init(path: String, what: String, deadline: ContinuousClock.Instant) throws(EngineFault) {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        guard !bytes.isEmpty, bytes.count < MemoryLayout.size(ofValue: address.sun_path) else {
            throw .absent("\(path) is no path of a socket")
        }
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: bytes) }
        let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
        let descriptor = socket(AF_UNIX, type, 0)
        guard descriptor >= 0 else { throw .absent("cannot make a socket: \(Self.text(errno))") }
        while true {
            let result = unsafe withUnsafePointer(to: &address) { pointer in
                unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    unsafe connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
                }
            }
            if result == 0 { break }
            let code = errno
            // A listener whose backlog is full says EAGAIN, and there is nothing to poll for.
            guard code == EAGAIN || code == EINTR else {
                close(descriptor)
                throw .absent("\(path): \(Self.text(code))")
            }
            guard ContinuousClock.now < deadline else {
                close(descriptor)
                throw .timedOut("connecting to \(path)")
            }
            usleep(2000)
        }
        self.descriptor = descriptor
        self.what = what
    }

    deinit { close(descriptor) }

    func write(_ bytes: [UInt8], deadline: ContinuousClock.Instant) throws(EngineFault) {
        var start = 0
        while start < bytes.count {
            let sent = unsafe bytes.withUnsafeBytes { buffer in
                unsafe send(
                    descriptor, buffer.baseAddress.map { unsafe $0 + start }, buffer.count - start,
                    Int32(MSG_NOSIGNAL))
            }
            if sent > 0 {
                start += sent
            } else if sent < 0, errno == EAGAIN {
                try wait(for: POLLOUT, deadline: deadline)
            } else if sent < 0, errno == EINTR {
                continue
            } else {
                throw .truncated("\(what): cannot send: \(Self.text(errno))")
            }
        }
    }

    /// Appends what has come, at most `count` bytes. False: the other side has ended.
    func read(into buffer: inout [UInt8], count: Int, deadline: ContinuousClock.Instant) throws(EngineFault) -> Bool {
        while true {
            let before = buffer.count
            var received = 0
            var code: Int32 = 0
            let chunk = unsafe [UInt8](unsafeUninitializedCapacity: count) { pointer, filled in
                unsafe received = recv(descriptor, pointer.baseAddress, count, 0)
                code = errno
                filled = max(0, received)
            }
            if received > 0 {
                buffer.append(contentsOf: chunk)
                return buffer.count > before
            }
            if received == 0 { return false }
            if code == EINTR { continue }
            guard code == EAGAIN else { throw .truncated("\(what): \(Self.text(code))") }
            try wait(for: POLLIN, deadline: deadline)
        }
    }

    private func wait(for events: Int32, deadline: ContinuousClock.Instant) throws(EngineFault) {
        let left = deadline - ContinuousClock.now
        guard left > .zero else { throw .timedOut(what) }
        var polled = pollfd(fd: descriptor, events: Int16(events), revents: 0)
        let milliseconds = min(
            Int64(60_000), left.components.seconds * 1000 + left.components.attoseconds / 1_000_000_000_000_000 + 1)
        _ = unsafe poll(&polled, 1, Int32(milliseconds))
    }

    private static func text(_ code: Int32) -> String { unsafe String(cString: strerror(code)) }
}
