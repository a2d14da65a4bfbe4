import Glibc

/// Tells when something happens in directories (inotify(7)); a pipe wakes the waiting thread from outside.
struct DirectoryWatch: ~Copyable {
    struct Event {
        var directory: String
        var name: String
        var mask: UInt32
        /// Joins the two halves of a rename.
        var cookie: UInt32
    }

    private let descriptor: Int32
    private var directories: [Int32: String] = [:]

    static let mask = UInt32(
        IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF
    )

    init() throws(FileFault) {
        descriptor = inotify_init1(Int32(IN_NONBLOCK | IN_CLOEXEC))
        guard descriptor >= 0 else { throw FileFault(path: "inotify", operation: "open", code: errno) }
    }

    deinit {
        close(descriptor)
    }

    /// Watches a directory; again for one that is watched already does nothing.
    mutating func watch(_ directory: String) throws(FileFault) {
        let number = unsafe inotify_add_watch(descriptor, directory, Self.mask)
        guard number >= 0 else { throw FileFault(path: directory, operation: "watch", code: errno) }
        directories[number] = directory
    }

    /// Waits for events, for `wake` to become readable, or for the time to pass.
    /// - Returns: what happened, and whether events were lost because the kernel's queue was full.
    mutating func wait(milliseconds: Int32, wake: Int32) -> (events: [Event], overflowed: Bool) {
        var polled = [
            pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0),
            pollfd(fd: wake, events: Int16(POLLIN), revents: 0),
        ]
        _ = unsafe polled.withUnsafeMutableBufferPointer { unsafe poll($0.baseAddress, 2, milliseconds) }
        guard polled[0].revents & Int16(POLLIN) != 0 else { return ([], false) }
        return drain()
    }

    private mutating func drain() -> (events: [Event], overflowed: Bool) {
        var events: [Event] = []
        var overflowed = false
        let buffer = unsafe [UInt8](unsafeUninitializedCapacity: 64 << 10) { buffer, count in
            unsafe count = max(0, read(descriptor, buffer.baseAddress, buffer.count))
        }
        // struct inotify_event: wd, mask, cookie, len, then len bytes of name with zeros after it.
        var at = 0
        while at + 16 <= buffer.count {
            func word(_ offset: Int) -> UInt32 {
                (0..<4).reduce(0) { $0 | UInt32(buffer[at + offset + $1]) << UInt32(8 * $1) }
            }
            let number = Int32(bitPattern: word(0))
            let mask = word(4)
            let cookie = word(8)
            let length = Int(word(12))
            let end = min(buffer.count, at + 16 + length)
            let name = String(decoding: buffer[at + 16..<end].prefix { $0 != 0 }, as: UTF8.self)
            at += 16 + length
            if mask & UInt32(IN_Q_OVERFLOW) != 0 { overflowed = true }
            if mask & UInt32(IN_IGNORED) != 0 {
                // The directory is gone; a directory of the same name is watched again by the next scan.
                directories[number] = nil
                continue
            }
            guard let directory = directories[number] else { continue }
            events.append(Event(directory: directory, name: name, mask: mask, cookie: cookie))
        }
        return (events, overflowed)
    }
}

/// Paths by shell patterns (glob(7)).
package enum PathPattern {
    /// The paths that exist now, sorted; a path without pattern characters is itself, if it exists.
    package static func expand(_ pattern: String, onlyDirectories: Bool = false) -> [String] {
        var found = unsafe glob_t()
        defer { unsafe globfree(&found) }
        let flags = GLOB_NOSORT | (onlyDirectories ? GLOB_ONLYDIR : 0)
        guard unsafe glob(pattern, flags, nil, &found) == 0, let paths = unsafe found.gl_pathv else { return [] }
        return unsafe (0..<Int(found.gl_pathc)).compactMap { index in
            guard let path = unsafe paths[index] else { return nil }
            return unsafe String(cString: path)
        }.sorted()
    }

    static func matches(_ path: String, _ pattern: String) -> Bool {
        unsafe fnmatch(pattern, path, FNM_PATHNAME | FNM_PERIOD) == 0
    }

    /// The directory above the first part with pattern characters.
    static func fixedDirectory(of pattern: String) -> String {
        let end = pattern.firstIndex { "*?[\\".contains($0) } ?? pattern.endIndex
        return directory(of: String(pattern[..<end]))
    }

    static func directory(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }
}
