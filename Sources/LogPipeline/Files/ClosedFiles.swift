import Glibc
import IronpostCore

/// Files that the configuration names and our user may not see or open: the responder lists and opens those.
///
/// Used by the following thread.
struct ClosedFiles {
    /// How often the responder is asked for its list at most.
    static let listNanoseconds: Int64 = 1_000_000_000

    let responder: any ResponderLink
    /// What is in directories that are closed to us, rotated files too.
    private(set) var files: [String: FileID] = [:]
    private var lastListed: Int64 = -listNanoseconds

    init(responder: any ResponderLink) {
        self.responder = responder
    }

    /// Asks anew if some pattern's directory is closed to us; the last list stands when no answer comes.
    mutating func look(for patterns: [String], uptime: Int64) {
        guard patterns.contains(where: { Self.isClosed(PathPattern.fixedDirectory(of: $0)) }) else {
            files = [:]
            return
        }
        guard uptime - lastListed >= Self.listNanoseconds else { return }
        lastListed = uptime
        guard let listed = try? responder.listLogFiles() else { return }
        files = Dictionary(
            listed.map { ($0.path, FileID(device: $0.device, inode: $0.inode)) }, uniquingKeysWith: { $1 })
    }

    /// The listed files that a pattern names, sorted.
    func matching(_ pattern: String) -> [String] {
        files.isEmpty ? [] : files.keys.filter { PathPattern.matches($0, pattern) }.sorted()
    }

    func inDirectory(_ directory: String) -> [String] {
        files.isEmpty ? [] : files.keys.filter { PathPattern.directory(of: $0) == directory }.sorted()
    }

    /// A file's identity, as we see it ourselves or as the responder does.
    func identity(_ path: String) -> FileID? {
        var status = stat()
        guard unsafe stat(path, &status) == 0 else { return errno == EACCES ? files[path] : nil }
        return status.st_mode & S_IFMT == S_IFREG ? FileID(status) : nil
    }

    /// Whether a directory cannot be listed or entered for want of rights.
    static func isClosed(_ directory: String) -> Bool {
        unsafe access(directory, R_OK | X_OK) != 0 && errno == EACCES
    }
}
