internal import ContainerEngine
import Crypto
import FoundationEssentials
import Glibc
import IronpostCore
import Synchronization

/// Keeps what is known about a container when it was acted on: what the engine and the kernel say of it, its last output,
/// its connections, the alert, and a manifest with the SHA-256 of each.
///
/// Bounded in size, time and number. What cannot be had is named in the manifest, and never keeps an action waiting longer
/// than `patience`. The directory belongs to a user that is trusted less than we are, so nothing is reached by a name that
/// he could have replaced by a link.
struct EvidenceCollector: Sendable {
    static let fileBytesMax = 4 << 20
    static let logLinesMax = 1000
    static let logBytesMax = 1 << 20
    static let connectionBytesMax = 256 << 10
    /// For one question to the engine.
    static let callTimeout = Duration.seconds(1)
    static let patience = Duration.seconds(3)
    /// Actions whose evidence is kept; the oldest go first.
    static let bundlesMax = 200
    private static let names = [
        "inspect.json", "processes.json", "changes.json", "log.txt", "connections.txt", "alert.json", "manifest.json",
        partial,
    ]
    /// A file that is being written, under this name until it is whole: who sees the manifest may read everything.
    private static let partial = "partial"

    /// Collected beside the actions at once; beyond it the action waits for its own.
    static let besideMax = 4

    private final class Running: Sendable {
        let count = Mutex(0)
    }

    private let directory: String
    private let table: ProcessTable
    private let running = Running()

    init(directory: String, table: ProcessTable) {
        self.directory = directory
        self.table = table
    }

    func path(of action: UUIDv7) -> String { "\(directory)/\(action)" }

    private struct Manifest: Encodable {
        struct File: Encodable {
            var name: String
            var bytes: Int
            var sha256: String
            /// There was more than is kept.
            var cut: Bool
        }

        var action: String
        var kind: String
        var container: String
        var name: String
        var image: String
        var imageDigest: String
        var collected: String
        var files: [File] = []
        /// What could not be had, and why.
        var missing: [String: String] = [:]
    }

    /// As `collect`, without making the caller wait: of what stands still nothing is lost meanwhile.
    func collectBeside(_ order: ContainerOrder, _ record: ContainerRecord, _ client: EngineClient?) {
        let isFree = running.count.withLock { count in
            guard count < Self.besideMax else { return false }
            count += 1
            return true
        }
        guard isFree else {
            collect(order, record, client)
            return
        }
        _ = PlainThread(name: "evidence") { [self] in
            collect(order, record, client)
            running.count.withLock { $0 -= 1 }
        }
    }

    /// Once for each action. Never fails: the manifest says what is missing, and without a place to write there is none.
    /// - Returns: why nothing was kept.
    @discardableResult
    func collect(_ order: ContainerOrder, _ record: ContainerRecord, _ client: EngineClient?) -> String? {
        do {
            let bundle = try open(order.action)
            guard !bundle.exists("manifest.json") else { return nil }
            var manifest = Manifest(
                action: order.action.description, kind: "\(order.kind)", container: record.id.text, name: record.name,
                image: record.image, imageDigest: record.imageDigest, collected: SystemTime().now().rfc3339)
            let end = ContinuousClock.now + Self.patience
            func keep(_ name: String, _ body: () throws -> (bytes: [UInt8], isCut: Bool)) {
                do {
                    guard ContinuousClock.now < end else { throw EngineFault.timedOut("evidence") }
                    let (bytes, isCut) = try body()
                    let kept = Array(bytes.prefix(Self.fileBytesMax))
                    try bundle.write(kept, to: name)
                    manifest.files.append(
                        Manifest.File(
                            name: name, bytes: kept.count, sha256: Self.hexadecimal(SHA256.hash(data: kept)),
                            cut: isCut || kept.count < bytes.count))
                } catch {
                    manifest.missing[name] = "\(error)"
                }
            }
            // An engine that did not answer once is not asked again: what it would tell is missing either way.
            var outage: EngineFault? = client == nil ? .absent("it is not connected") : nil
            func ask(_ body: (EngineClient) throws -> (bytes: [UInt8], isCut: Bool)) throws -> (
                bytes: [UInt8], isCut: Bool
            ) {
                guard let client, outage == nil else { throw outage ?? .absent("it is not connected") }
                do {
                    return try body(client)
                } catch let fault as EngineFault {
                    if fault.isOutage { outage = fault }
                    throw fault
                }
            }
            keep("connections.txt") { try connections(of: record) }
            if !order.alert.isEmpty { keep("alert.json") { (order.alert, false) } }
            keep("inspect.json") {
                try ask { (try $0.inspectDocument(record.id, timeout: Self.callTimeout), false) }
            }
            keep("processes.json") { try ask { (try $0.processes(record.id, timeout: Self.callTimeout), false) } }
            keep("log.txt") {
                try ask {
                    try $0.logTail(
                        record.id, lines: Self.logLinesMax, bytesMax: Self.logBytesMax, timeout: Self.callTimeout)
                }
            }
            keep("changes.json") {
                try ask { try $0.changes(record.id, bytesMax: Self.logBytesMax, timeout: Self.callTimeout) }
            }
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
            try bundle.write(Array(try encoder.encode(manifest)), to: "manifest.json")
            return nil
        } catch {
            return "\(error)"
        }
    }

    /// The kernel's tables of the container's sockets, as they are.
    private func connections(of record: ContainerRecord) throws -> (bytes: [UInt8], isCut: Bool) {
        guard record.pid > 0, table.start(of: record.pid) == record.pidStart else { throw Refusal("it has no process") }
        var all: [UInt8] = []
        var isCut = false
        for name in ["tcp", "tcp6", "udp", "udp6"] {
            let bytes = ProcessTable.read("\(table.proc)/\(record.pid)/net/\(name)") ?? []
            all += Array("# \(name)\n".utf8) + bytes
            // Longer tables are cut by the reader.
            if bytes.count >= ProcessTable.fileBytesMax { isCut = true }
        }
        return (Array(all.prefix(Self.connectionBytesMax)), isCut || all.count > Self.connectionBytesMax)
    }

    private static func hexadecimal(_ digest: SHA256.Digest) -> String {
        digest.reduce(into: "") { text, byte in
            if byte < 16 { text += "0" }
            text += String(byte, radix: 16)
        }
    }

    // MARK: - The directory

    private struct Bundle {
        let descriptor: OwnedDescriptor
        let owner: uid_t
        let group: gid_t

        func exists(_ name: String) -> Bool {
            var status = stat()
            return unsafe fstatat(descriptor.number, name, &status, AT_SYMLINK_NOFOLLOW) == 0
        }

        func write(_ bytes: [UInt8], to name: String) throws {
            let flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC
            // What a crash left behind is begun anew.
            unsafe unlinkat(descriptor.number, EvidenceCollector.partial, 0)
            let number = unsafe openat(descriptor.number, EvidenceCollector.partial, flags, 0o640)
            guard number >= 0 else { throw EvidenceCollector.fault("create \(name)") }
            let file = OwnedDescriptor(number)
            var start = 0
            while start < bytes.count {
                let written = unsafe bytes.withUnsafeBytes { buffer in
                    unsafe Glibc.write(file.number, buffer.baseAddress.map { unsafe $0 + start }, buffer.count - start)
                }
                guard written > 0 else { throw EvidenceCollector.fault("write \(name)") }
                start += written
            }
            _ = fchown(file.number, owner, group)
            guard unsafe renameat(descriptor.number, EvidenceCollector.partial, descriptor.number, name) == 0 else {
                throw EvidenceCollector.fault("name \(name)")
            }
        }
    }

    private static func fault(_ what: String) -> Refusal {
        Refusal("evidence: cannot \(what): \(unsafe String(cString: strerror(errno)))")
    }

    private static let directoryFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC

    private func open(_ action: UUIDv7) throws -> Bundle {
        let parent = directory.lastIndex(of: "/").map { String(directory[..<$0]) } ?? "."
        let name = directory.lastIndex(of: "/").map { String(directory[directory.index(after: $0)...]) } ?? directory
        let base = unsafe Glibc.open(parent.isEmpty ? "/" : parent, Self.directoryFlags)
        guard base >= 0 else { throw Self.fault("open \(parent)") }
        let data = OwnedDescriptor(base)
        var status = stat()
        guard unsafe fstat(base, &status) == 0 else { throw Self.fault("look at \(parent)") }
        let all = try Self.directory(name, in: data, status)
        removeOldest(in: all)
        let one = try Self.directory(action.description, in: all, status)
        return Bundle(descriptor: one, owner: status.st_uid, group: status.st_gid)
    }

    private static func directory(_ name: String, in parent: OwnedDescriptor, _ owner: stat) throws -> OwnedDescriptor {
        if unsafe mkdirat(parent.number, name, 0o750) != 0, errno != EEXIST { throw fault("create \(name)") }
        let number = unsafe openat(parent.number, name, directoryFlags)
        guard number >= 0 else { throw fault("open \(name)") }
        _ = fchown(number, owner.st_uid, owner.st_gid)
        return OwnedDescriptor(number)
    }

    /// Ids of actions sort by time.
    private func removeOldest(in all: OwnedDescriptor) {
        guard let copy = all.duplicate(), let stream = unsafe fdopendir(copy) else { return }
        defer { unsafe closedir(stream) }
        unsafe rewinddir(stream)
        var found: [String] = []
        while let entry = unsafe readdir(stream), found.count < 100_000 {
            let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                unsafe pointer.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(cString: $0) }
            }
            if UUIDv7(name) != nil { found.append(name) }
        }
        for name in found.sorted().dropLast(Self.bundlesMax - 1) {
            let number = unsafe openat(all.number, name, Self.directoryFlags)
            guard number >= 0 else { continue }
            let bundle = OwnedDescriptor(number)
            for file in Self.names { unsafe unlinkat(bundle.number, file, 0) }
            unsafe unlinkat(all.number, name, AT_REMOVEDIR)
        }
    }
}
