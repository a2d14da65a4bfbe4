import CLinux
import Glibc
import IronpostCore

/// Where the core writes, and what it must be able to read.
struct Places {
    struct Closed: Equatable {
        var path: String
        var reason: String
    }

    let data: String
    /// Directories below which it writes.
    let writable: [String]
    /// Directories in which it only makes its sockets.
    let sockets: [String]
    /// Files of its own outside the data directory that root may have made before.
    private let files: [String]
    private let readable: [String]

    init(_ configuration: Configuration) {
        data = configuration.general.dataDirectory
        let writable = Self.unique([data] + configuration.writableDirectories)
        self.writable = writable
        let syslog = configuration.logPipeline.syslog.unix
        sockets = Self.unique(
            ([configuration.controlSocket] + (syslog.isEmpty ? [] : [syslog])).map(Self.directory)
        ).filter { !Self.isInside($0, writable: writable) }
        let database = configuration.databasePath
        files =
            [configuration.pidFile, configuration.controlSocket, configuration.tokenFile]
            + ["", "-wal", "-shm"].map { database + $0 }
        let rules = configuration.detection.rules
        readable =
            (rules.isEmpty ? [ShippedRules.directory()].compactMap { $0 } : rules) + configuration.detection.pipelines
    }

    /// A rule can only name what exists. One that cannot be made shows when it is used.
    func make() {
        for directory in writable + sockets { LockFile.makeDirectories(for: directory + "/") }
    }

    /// The first place that the account could not get at, however the files themselves were given to it.
    func unreachable(for account: Account) -> Closed? {
        for path in writable + sockets {
            if let closed = Self.closed(path, for: account, last: nil) { return closed }
        }
        for path in readable {
            if let closed = Self.closed(path, for: account, last: 0o4) { return closed }
        }
        return nil
    }

    /// - Parameter last: what the account needs on the path itself; nil when that will be given to it.
    private static func closed(_ path: String, for account: Account, last: UInt32?) -> Closed? {
        guard path.hasPrefix("/") else { return nil }
        var at = ""
        let parts = path.split(separator: "/")
        for (index, part) in parts.enumerated() {
            at += "/" + part
            var found = ip_ownership()
            guard unsafe ip_look_at(at, &found) == 0 else { return nil }
            let isLast = index == parts.count - 1
            guard let needed = isLast ? last : 0o1 else { continue }
            if !account.may(needed, found) { return Closed(path: path, reason: "\(at) is closed to it") }
        }
        return nil
    }

    func give(to account: Account) {
        // What cannot be given shows where it is used, with its path and the reason.
        _ = unsafe ip_give_directory(data, account.user, account.group)
        for directory in [Configuration.runtimeDirectory] where (writable + sockets).contains(directory) {
            _ = unsafe ip_give_directory(directory, account.user, account.group)
        }
        for file in files { _ = unsafe ip_give_file(file, account.user, account.group) }
    }

    func restrict(ports: [UInt16]) -> Int32 {
        // systemd's own socket is a file; others give an abstract name.
        let isAbstract = unsafe getenv("NOTIFY_SOCKET").map { unsafe $0.pointee == 0x40 } ?? false
        return unsafe Self.withPointers(writable) { writable in
            unsafe Self.withPointers(sockets) { sockets in
                unsafe ports.withUnsafeBufferPointer { ports in
                    var rules = unsafe ip_landlock_rules(
                        writable: writable.baseAddress, writable_count: writable.count,
                        sockets: sockets.baseAddress, socket_count: sockets.count,
                        ports: ports.baseAddress, port_count: ports.count, keeps_abstract_sockets: isAbstract ? 1 : 0
                    )
                    return unsafe ip_landlock_restrict(&rules)
                }
            }
        }
    }

    private static func withPointers(
        _ strings: [String], _ body: (UnsafeBufferPointer<UnsafePointer<CChar>?>) -> Int32
    ) -> Int32 {
        let copies = unsafe strings.map { unsafe strdup($0) }
        defer { unsafe copies.forEach { unsafe free($0) } }
        let pointers = unsafe copies.map { unsafe UnsafePointer<CChar>($0) }
        return unsafe pointers.withUnsafeBufferPointer { unsafe body($0) }
    }

    private static func isInside(_ path: String, writable: [String]) -> Bool {
        writable.contains { path == $0 || path.hasPrefix($0 + "/") }
    }

    private static func unique(_ paths: [String]) -> [String] {
        var seen = Set<String>()
        return paths.filter { seen.insert($0).inserted }
    }

    private static func directory(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }
}
