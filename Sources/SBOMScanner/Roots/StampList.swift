internal import Glibc

/// How the directories and files of a tree were, in the order of a walk: whether anything changed is asked by one call
/// to the system for each, and nothing else.
struct StampList {
    /// Paths from the root, each ended by a zero.
    private var paths: [CChar] = []
    private var entries: [(path: Int, stamp: FileStamp?)] = []

    /// - Parameter stamp: `nil` where there is nothing.
    mutating func add(_ path: String, _ stamp: FileStamp?) {
        entries.append((paths.count, stamp))
        for byte in (path.isEmpty ? "." : path).utf8 { paths.append(CChar(bitPattern: byte)) }
        paths.append(0)
    }

    /// Whatever was put in the place of one of them is another one.
    func isAsBefore(below root: OpenFile) -> Bool {
        unsafe paths.withUnsafeBufferPointer { paths in
            guard let base = paths.baseAddress else { return false }
            var status = stat()
            for entry in entries {
                let isThere = unsafe fstatat(root.descriptor, base + entry.path, &status, AT_SYMLINK_NOFOLLOW) == 0
                guard (isThere ? FileStamp(status) : nil) == entry.stamp else { return false }
            }
            return true
        }
    }
}
