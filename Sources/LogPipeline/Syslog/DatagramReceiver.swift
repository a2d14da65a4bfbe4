import CLinux
import Glibc
import IronpostCore
import Logging
import Synchronization

/// Receives syslog datagrams on one UDP or unix socket, on a thread of its own.
///
/// While the pipeline is behind, nothing is read: the kernel then drops what does not fit its buffer, and says how many,
/// so that every loss is counted (cause `kernel_buffer`).
final class DatagramReceiver: Receiver {
    /// Datagrams taken in one system call.
    static let datagramsMax: Int32 = 64
    /// Asked of the kernel (SO_RCVBUF), which grants at most net.core.rmem_max.
    static let receiveBufferBytes: Int32 = 4 << 20
    /// System calls after the stop: more than a full buffer takes, and an end under a flood that does not end.
    static let lastCallsMax = 1024

    private let descriptor: Int32
    private let origin: UInt64
    /// What it listens on, for people.
    let description: String
    private let queue: SourceQueue
    private let lane: Int
    private let hop: LedgerHop
    private let time: any TimeSource
    private let lineBytesMax: Int
    private let wake: WakePipe
    private let processes = ProcessTable()
    private let isStopping = Atomic<Bool>(false)
    private let unixPath: String?
    private let threads = Mutex<[PlainThread]>([])
    /// The port that was bound, for UDP.
    let port: UInt16?

    /// - Parameter descriptor: a bound datagram socket; closed with this.
    init(
        descriptor: Int32, source: String, description: String, unixPath: String?, port: UInt16?, origins: OriginTable,
        queue: SourceQueue, lane: Int, hop: LedgerHop, time: any TimeSource, lineBytesMax: Int
    ) throws {
        self.descriptor = descriptor
        self.description = description
        self.unixPath = unixPath
        self.port = port
        self.queue = queue
        self.lane = lane
        self.hop = hop
        self.time = time
        self.lineBytesMax = lineBytesMax
        origin = origins.insert(Origin(source: source, file: nil, inode: nil))
        do {
            wake = try WakePipe()
        } catch {
            close(descriptor)
            throw error
        }
        // Without it senders are nobody in particular, and prove nothing.
        if unixPath != nil { _ = ip_pass_credentials(descriptor) }
        var size = Self.receiveBufferBytes
        unsafe setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &size, socklen_t(MemoryLayout<Int32>.size))
    }

    deinit {
        close(descriptor)
        if let unixPath { unsafe unlink(unixPath) }
    }

    var isReady: Bool { true }

    func start() {
        let thread = PlainThread(name: "datagrams") { [self] in receive() }
        threads.withLock { $0.append(thread) }
    }

    func finished() async {
        for thread in threads.withLock({ $0 }) { await thread.join() }
    }

    func stop() {
        isStopping.store(true, ordering: .releasing)
        wake.signal()
    }

    /// Receives until stopped. Takes what is in the kernel's buffer at that moment along.
    func receive() {
        let stride = min(65_536, lineBytesMax)
        var buffer = [UInt8](repeating: 0, count: stride * Int(Self.datagramsMax))
        var lengths = [UInt32](repeating: 0, count: Int(Self.datagramsMax))
        var senders = [ip_sender](repeating: ip_sender(pid: 0, uid: .max, time: 0), count: Int(Self.datagramsMax))
        var peers = [ip_peer](repeating: ip_peer(), count: Int(Self.datagramsMax))
        var sequence: UInt64 = 0
        var knownDrops: Int64 = 0
        while true {
            let isLast = isStopping.load(ordering: .acquiring)
            if !isLast { waitForData() }
            var calls = 0
            while !isLast || calls < Self.lastCallsMax {
                calls += 1
                let received =
                    unixPath == nil
                    ? unsafe ip_receive_datagrams(descriptor, &buffer, stride, &lengths, &peers, Self.datagramsMax)
                    : unsafe ip_receive_credentials(
                        descriptor, &buffer, stride, &lengths, &senders, Self.datagramsMax)
                if received <= 0 { break }
                // Cut where the writer changes: a batch has one.
                var run = Run()
                var isOpen = true
                for index in 0..<Int(received) where isOpen {
                    let writer = unixPath == nil ? .anybody : Self.writer(senders[index])
                    let pid = unixPath == nil ? 0 : senders[index].pid
                    if writer != run.writer || pid != run.pid {
                        isOpen = push(run, &sequence)
                        run = Run(writer: writer, pid: pid, sender: pid == 0 ? .unknown : sender(senders[index]))
                    }
                    let start = index * stride
                    var end = start + min(stride, Int(lengths[index]))
                    while end > start, buffer[end - 1] == 0x0A || buffer[end - 1] == 0 { end -= 1 }
                    if end == start { continue }
                    appendRecord(buffer.span.extracting(start..<end), to: &run.records)
                    if unixPath == nil { run.senders.append(peers[index]) }
                    run.count += 1
                }
                guard isOpen, push(run, &sequence) else { return }
                countDrops(&knownDrops)
            }
            countDrops(&knownDrops)
            if isLast { return }
        }
    }

    /// Datagrams in a row that the same writer can have sent.
    private struct Run {
        var records: [UInt8] = []
        var count = 0
        var senders: [ip_peer] = []
        var writer = LineWriter.anybody
        var pid: UInt32 = 0
        var sender = LineSender.unknown
    }

    /// The process, looked up at once: what is gone cannot be looked up later.
    private func sender(_ sender: ip_sender) -> LineSender {
        let sent = sender.time > 0 ? Timestamp(nanoseconds: sender.time) : time.now()
        guard let pid = Int32(exactly: sender.pid), let found = processes.identity(of: pid, at: sent, clock: time)
        else {
            return .lost
        }
        return .process(found)
    }

    /// - Returns: false when the queue takes nothing more.
    private func push(_ run: Run, _ sequence: inout UInt64) -> Bool {
        guard run.count > 0 else { return true }
        hop.accept(run.count)
        let batch = RawBatch(
            origin: origin, format: .syslog, framing: .records, bytes: run.records, position: sequence,
            lineNumber: nil, count: run.count, received: time.now(), checkpoints: [], place: nil, senders: run.senders,
            writer: run.writer, sender: run.sender
        )
        sequence += UInt64(run.count)
        guard queue.pushBlocking(batch, lane: lane) else {
            hop.drop(run.count, cause: "shutdown")
            return false
        }
        return true
    }

    /// Only root's word counts, and not that of a container's root, who has a process id of his own. A daemon without
    /// rights sees no other's executable, but its name, which only root can have given a process of root's.
    private static func writer(_ sender: ip_sender) -> LineWriter {
        guard sender.uid == 0, sender.pid > 0, isInOurSpace(sender.pid) else { return .anybody }
        if let executable = link("/proc/\(sender.pid)/exe") { return .rootProcess(executable: executable) }
        guard let name = text("/proc/\(sender.pid)/comm") else { return .rootProcess(executable: nil) }
        return .rootNamed(String(name.prefix { $0 != "\n" }))
    }

    /// Whether a process has one id only: further ones are those of namespaces inside ours.
    private static func isInOurSpace(_ pid: UInt32) -> Bool {
        let lines = text("/proc/\(pid)/status")?.split(separator: "\n") ?? []
        guard let ids = lines.first(where: { $0.hasPrefix("NSpid:") }) else { return false }
        return ids.split(whereSeparator: { $0 == "\t" || $0 == " " }).count == 2
    }

    private static func text(_ path: String) -> String? {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = unsafe read(descriptor, &bytes, bytes.count)
        return count > 0 ? String(decoding: bytes[..<count], as: UTF8.self) : nil
    }

    private static func link(_ path: String) -> String? {
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
        let length = unsafe readlink(path, &buffer, buffer.count - 1)
        guard length > 0 else { return nil }
        return String(decoding: buffer[..<length].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    private func waitForData() {
        var polled = [
            pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0),
            pollfd(fd: wake.reader, events: Int16(POLLIN), revents: 0),
        ]
        _ = unsafe polled.withUnsafeMutableBufferPointer { unsafe poll($0.baseAddress, 2, 1000) }
    }

    private func countDrops(_ known: inout Int64) {
        let drops = ip_socket_drops(descriptor)
        guard drops > known else { return }
        hop.accept(Int(drops - known))
        hop.drop(Int(drops - known), cause: "kernel_buffer")
        known = drops
    }
}

/// Opens datagram sockets.
enum DatagramSocket {
    /// A socket bound to an IPv4 or IPv6 address and port; port 0 takes any free one.
    static func udp(host: String, port: UInt16) throws(FileFault) -> (descriptor: Int32, port: UInt16) {
        let place = "udp \(host):\(port)"
        var hints = unsafe addrinfo()
        unsafe hints.ai_socktype = Int32(SOCK_DGRAM.rawValue)
        unsafe hints.ai_flags = AI_NUMERICHOST | AI_PASSIVE
        var list: UnsafeMutablePointer<addrinfo>?
        guard unsafe getaddrinfo(host, "\(port)", &hints, &list) == 0, let found = unsafe list else {
            throw FileFault(path: place, operation: "resolve", code: EINVAL)
        }
        defer { unsafe freeaddrinfo(found) }
        let descriptor = unsafe socket(
            found.pointee.ai_family, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw FileFault(path: place, operation: "open", code: errno) }
        guard unsafe bind(descriptor, found.pointee.ai_addr, found.pointee.ai_addrlen) == 0 else {
            let code = errno
            close(descriptor)
            throw FileFault(path: place, operation: "bind", code: code)
        }
        var address = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let bound: UInt16 = unsafe withUnsafeMutablePointer(to: &address) { pointer in
            _ = unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe getsockname(descriptor, $0, &length)
            }
            // The port stands at the same place in sockaddr_in and sockaddr_in6.
            return unsafe pointer.withMemoryRebound(to: sockaddr_in.self, capacity: 1) {
                unsafe UInt16(bigEndian: $0.pointee.sin_port)
            }
        }
        return (descriptor, bound)
    }

    /// A socket at a path, as syslog(3) writes to; a stale one is replaced. Readable and writable for all, like /dev/log.
    static func unix(path: String) throws(FileFault) -> Int32 {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        guard bytes.count < MemoryLayout.size(ofValue: address.sun_path) else {
            throw FileFault(path: path, operation: "bind (path too long for a socket)", code: ENAMETOOLONG)
        }
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: bytes) }
        let descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw FileFault(path: path, operation: "open", code: errno) }
        var status = stat()
        if unsafe lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFSOCK { unsafe unlink(path) }
        let result = unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard result == 0 else {
            let code = errno
            close(descriptor)
            throw FileFault(path: path, operation: "bind", code: code)
        }
        unsafe chmod(path, 0o666)
        return descriptor
    }
}
