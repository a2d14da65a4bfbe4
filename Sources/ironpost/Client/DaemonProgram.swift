import Glibc

/// The daemon's executable: where it is, and how it is started.
enum DaemonProgram {
    static let name = "ironpost-daemon"

    /// Beside this program, else on the PATH.
    static func find() throws -> String {
        var candidates: [String] = []
        if let own = ownDirectory() { candidates.append(own + "/" + name) }
        if let path = unsafe getenv("PATH") {
            candidates += unsafe String(cString: path).split(separator: ":").map { "\($0)/\(name)" }
        }
        for candidate in candidates where unsafe access(candidate, X_OK) == 0 { return candidate }
        throw CommandFailure(.failure, "\(name) is neither beside this program nor on the PATH")
    }

    /// Becomes the daemon; returns only when that fails.
    static func replace(_ program: String, _ arguments: [String]) -> CommandFailure {
        unsafe withPointers(arguments) { pointers in
            unsafe execv(program, pointers)
        }
        return CommandFailure(.failure, "cannot start \(program): \(systemError(errno))")
    }

    /// Starts it in a session of its own, its output appended to `log`.
    static func spawn(_ program: String, _ arguments: [String], log: String) throws -> pid_t {
        makeDirectories(of: log)
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        unsafe posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
        unsafe posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, log, O_WRONLY | O_CREAT | O_APPEND, 0o640)
        unsafe posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO)
        var attributes = posix_spawnattr_t()
        unsafe posix_spawnattr_init(&attributes)
        defer { unsafe posix_spawnattr_destroy(&attributes) }
        // POSIX_SPAWN_SETSID of glibc's spawn.h.
        unsafe posix_spawnattr_setflags(&attributes, 0x80)
        var pid: pid_t = 0
        let result = unsafe withPointers(arguments) { pointers in
            unsafe posix_spawn(&pid, program, &actions, &attributes, pointers, environ)
        }
        guard result == 0 else {
            throw CommandFailure(.failure, "cannot start \(program) with its log in \(log): \(systemError(result))")
        }
        return pid
    }

    /// How our child ended; `nil` while it runs.
    static func exitStatus(_ pid: pid_t) -> Int32? {
        var status: Int32 = 0
        guard unsafe waitpid(pid, &status, WNOHANG) == pid else { return nil }
        return status & 0x7F == 0 ? (status >> 8) & 0xFF : 128 + (status & 0x7F)
    }

    static var defaultLogFile: String {
        if geteuid() == 0 { return "/var/log/ironpost-daemon.log" }
        let home = unsafe getenv("HOME").map { unsafe String(cString: $0) } ?? "/tmp"
        return home + "/.local/state/ironpost/daemon.log"
    }

    static func systemError(_ number: Int32) -> String {
        guard let text = unsafe strerror(number) else { return "error \(number)" }
        return unsafe String(cString: text)
    }

    private static func ownDirectory() -> String? {
        var bytes = [CChar](repeating: 0, count: Int(PATH_MAX))
        let count = unsafe readlink("/proc/self/exe", &bytes, bytes.count - 1)
        guard count > 0 else { return nil }
        let path = String(decoding: bytes.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return path.lastIndex(of: "/").map { String(path[..<$0]) }
    }

    private static func makeDirectories(of file: String) {
        var path = ""
        for part in file.split(separator: "/").dropLast() {
            path += "/" + part
            unsafe mkdir(path, 0o750)
        }
    }

    @discardableResult
    private static func withPointers(
        _ arguments: [String], _ body: (UnsafePointer<UnsafeMutablePointer<CChar>?>) -> Int32
    ) -> Int32 {
        var pointers = unsafe arguments.map { unsafe strdup($0) }
        unsafe pointers.append(nil)
        defer { unsafe pointers.forEach { unsafe free($0) } }
        return unsafe pointers.withUnsafeBufferPointer { buffer in
            guard let base = buffer.baseAddress else { return EINVAL }
            return unsafe body(base)
        }
    }
}
