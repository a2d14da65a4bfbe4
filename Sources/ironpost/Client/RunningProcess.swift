import Glibc

/// A process and when it started, so that another one with its number is not taken for it.
struct RunningProcess: Sendable {
    let pid: Int
    private let startTime: String?

    init(pid: Int) {
        self.pid = pid
        startTime = Self.startTime(of: pid)
    }

    var isAlive: Bool {
        guard let startTime else { return false }
        return Self.startTime(of: pid) == startTime
    }

    /// Field 22 of /proc/PID/stat; `nil` for a process that is gone or a zombie.
    private static func startTime(of pid: Int) -> String? {
        guard let text = SmallFile.read("/proc/\(pid)/stat"), let name = text.lastIndex(of: ")") else { return nil }
        let fields = text[text.index(after: name)...].split(separator: " ")
        guard fields.count > 19, fields[0] != "Z" else { return nil }
        return String(fields[19])
    }
}

/// How the running daemon was started, read before it is stopped.
struct RunningDaemon: Sendable {
    /// Its program and options.
    let arguments: [String]
    /// The file that its log goes to; nil where that is a terminal, a pipe or the journal.
    let log: String?

    /// - Returns: nil when this user may not look, or the process is none of ours.
    init?(pid: Int) {
        guard let text = SmallFile.read("/proc/\(pid)/cmdline"), let program = Self.target("/proc/\(pid)/exe") else {
            return nil
        }
        let words = text.split(separator: "\0", omittingEmptySubsequences: false).dropLast().map(String.init)
        guard !words.isEmpty else { return nil }
        // A program that was replaced by its next version is marked so.
        arguments = [program.replacingSuffix(" (deleted)", with: "")] + words.dropFirst()
        let output = Self.target("/proc/\(pid)/fd/\(STDERR_FILENO)") ?? ""
        var kind = stat()
        log =
            unsafe output.hasPrefix("/") && lstat(output, &kind) == 0 && kind.st_mode & S_IFMT == S_IFREG ? output : nil
    }

    private static func target(_ link: String) -> String? {
        var bytes = [CChar](repeating: 0, count: Int(PATH_MAX))
        let count = unsafe readlink(link, &bytes, bytes.count - 1)
        return count > 0 ? String(decoding: bytes.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self) : nil
    }
}

extension String {
    fileprivate func replacingSuffix(_ suffix: String, with other: String) -> String {
        hasSuffix(suffix) ? dropLast(suffix.count) + other : self
    }
}

/// Files of /proc and /sys, and the ends of logs.
enum SmallFile {
    static let bytesMax = 64 << 10

    /// The first bytes of a file.
    static func read(_ path: String) -> String? {
        read(path, fromEnd: false)
    }

    /// The last lines of a file.
    static func lastLines(_ path: String, count: Int) -> [String] {
        guard let text = read(path, fromEnd: true) else { return [] }
        return text.split(separator: "\n").suffix(count).map(String.init)
    }

    private static func read(_ path: String, fromEnd: Bool) -> String? {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        if fromEnd {
            let end = lseek(descriptor, 0, SEEK_END)
            lseek(descriptor, max(0, end - off_t(bytesMax)), SEEK_SET)
        }
        var bytes = [UInt8](repeating: 0, count: bytesMax)
        let count = unsafe Glibc.read(descriptor, &bytes, bytes.count)
        guard count >= 0 else { return nil }
        return String(decoding: bytes.prefix(count), as: UTF8.self)
    }
}
