internal import Glibc

/// A process that has a file of a package mapped: what runs now, whatever lies on disk.
package struct RunningUse: Sendable, Hashable, CustomStringConvertible {
    package var pid: Int
    package var name: String
    /// The file that it has mapped was replaced or removed since: it runs the old one.
    package var isReplaced: Bool

    package var description: String { "\(name)[\(pid)]" + (isReplaced ? " with a file that was replaced since" : "") }

    private static let processesMax = 65_536
    private static let mapsBytesMax = 16 << 20
    private static let listBytesMax = 16 << 20
    private static let shownMax = 20

    /// Which processes use files of these Debian packages (name to key); by key.
    static func processes(of packages: [String: String], root: String) -> [String: [RunningUse]] {
        guard !packages.isEmpty else { return [:] }
        let owners = files(of: packages, root: root)
        guard !owners.isEmpty, let proc = unsafe opendir("/proc") else { return [:] }
        defer { unsafe closedir(proc) }
        var found: [String: [RunningUse]] = [:]
        var seen = 0
        while let entry = unsafe readdir(proc), seen < processesMax {
            let text = unsafe withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                unsafe pointer.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(cString: $0) }
            }
            guard let pid = Int(text) else { continue }
            seen += 1
            var used: [String: Bool] = [:]
            for line in Lines(read("/proc/\(pid)/maps", max: mapsBytesMax)) {
                guard let slash = line.firstIndex(of: 0x2F) else { continue }
                var path = line[slash...].text
                let isReplaced = path.hasSuffix(" (deleted)")
                if isReplaced { path.removeLast(10) }
                guard let owner = owners[path] else { continue }
                used[owner] = (used[owner] ?? false) || isReplaced
            }
            guard !used.isEmpty else { continue }
            let name = ArraySlice(read("/proc/\(pid)/comm", max: 64)).prefix { $0 != 0x0A }.text
            for (owner, isReplaced) in used where found[owner, default: []].count < shownMax {
                found[owner, default: []].append(RunningUse(pid: pid, name: name, isReplaced: isReplaced))
            }
        }
        return found.mapValues { $0.sorted { $0.pid < $1.pid } }
    }

    /// Paths of the packages' files, as processes see them, to the packages' keys.
    private static func files(of packages: [String: String], root: String) -> [String: String] {
        let directory = (root.hasSuffix("/") ? root : root + "/") + "var/lib/dpkg/info"
        guard let handle = unsafe opendir(directory) else { return [:] }
        defer { unsafe closedir(handle) }
        var owners: [String: String] = [:]
        while let entry = unsafe readdir(handle) {
            let file = unsafe withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                unsafe pointer.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(cString: $0) }
            }
            guard file.hasSuffix(".list") else { continue }
            // `libssl3:amd64.list`
            let name = file.dropLast(5).prefix { $0 != ":" }
            guard let key = packages[String(name)] else { continue }
            for line in Lines(read(directory + "/" + file, max: listBytesMax))
            where line.contains(0x2E) || line.contains(0x2F) {
                let path = line.text
                owners[path] = key
                // On merged systems packages still say /lib, and the kernel /usr/lib.
                if path.hasPrefix("/lib") || path.hasPrefix("/bin/") || path.hasPrefix("/sbin/") {
                    owners["/usr" + path] = key
                }
            }
        }
        return owners
    }

    private static func read(_ path: String, max: Int) -> [UInt8] {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
        guard descriptor >= 0 else { return [] }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        while bytes.count < max {
            let count = unsafe buffer.withUnsafeMutableBytes { unsafe Glibc.read(descriptor, $0.baseAddress, $0.count) }
            guard count > 0 else { break }
            bytes.append(contentsOf: buffer[..<count])
        }
        return bytes
    }
}
