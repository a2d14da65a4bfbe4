import Glibc

/// Downloads by `curl`, in a process of its own: TLS and HTTP parsing stay out of this one, and cost its start nothing.
enum CurlProgram {
    struct Answer {
        /// curl's own exit status.
        let exit: Int32
        /// The last HTTP status; 0 when there was none.
        let status: Int
        let message: String
    }

    /// curl's words for "the server cannot resume".
    static let cannotResume: Int32 = 33
    private static let outputBytesMax = 64 << 10
    private static let bytesMax = 8 << 30
    /// Slower than this many bytes a second for so many seconds is over.
    private static let speedMin = 1000
    private static let speedSeconds = 30

    static func isAllowed(_ url: String) -> Bool {
        url.hasPrefix("https://") || isLoopback(url)
    }

    /// Plain HTTP is for mirrors on this host only.
    static func isLoopback(_ url: String) -> Bool {
        guard url.hasPrefix("http://") else { return false }
        let host = url.dropFirst(7).prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        guard !host.contains("@") else { return false }
        let name = host.hasPrefix("[") ? host.prefix { $0 != "]" } + "]" : host.prefix { $0 != ":" }
        return name == "127.0.0.1" || name == "localhost" || name == "[::1]"
    }

    static func get(
        _ url: String, to file: String, options: [String], authority: String?
    ) throws(CommandFailure) -> Answer {
        guard isAllowed(url) else {
            throw CommandFailure(.usage, "\(url): only https is used, but for a mirror on this host")
        }
        let protocols = isLoopback(url) ? "=http,https" : "=https"
        var arguments = [
            "curl", "--disable", "--silent", "--show-error", "--stderr", "-", "--fail", "--location", "--max-redirs",
            "5",
            "--proto", protocols, "--proto-redir", protocols, "--connect-timeout", "15", "--speed-limit", "\(speedMin)",
            "--speed-time", "\(speedSeconds)", "--max-filesize", "\(bytesMax)", "--write-out", "\n%{http_code}",
            "--output", file,
        ]
        if let authority { arguments += ["--cacert", authority] }
        arguments += options + ["--", url]
        let (exit, output) = try run(arguments)
        let lines = output.split(separator: "\n").map(String.init)
        return Answer(
            exit: exit, status: lines.last.flatMap { Int($0) } ?? 0, message: lines.dropLast().joined(separator: "; ")
        )
    }

    private static func run(_ arguments: [String]) throws(CommandFailure) -> (Int32, String) {
        var ends: [Int32] = [-1, -1]
        guard unsafe pipe(&ends) == 0 else {
            throw CommandFailure(.failure, "cannot make a pipe: \(DaemonProgram.systemError(errno))")
        }
        defer { close(ends[0]) }
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        unsafe posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
        unsafe posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO)
        unsafe posix_spawn_file_actions_addclose(&actions, ends[0])
        var pid: pid_t = 0
        var pointers = unsafe arguments.map { unsafe strdup($0) }
        unsafe pointers.append(nil)
        defer { unsafe pointers.forEach { unsafe free($0) } }
        let result = unsafe pointers.withUnsafeBufferPointer { buffer -> Int32 in
            guard let base = buffer.baseAddress else { return EINVAL }
            return unsafe posix_spawnp(&pid, "curl", &actions, nil, base, environ)
        }
        close(ends[1])
        guard result == 0 else {
            throw CommandFailure(
                .failure, "cannot start curl: \(DaemonProgram.systemError(result)); install the package curl")
        }
        var output: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = unsafe read(ends[0], &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { break }
            if output.count < outputBytesMax { output.append(contentsOf: buffer[..<count]) }
        }
        var status: Int32 = 0
        while unsafe waitpid(pid, &status, 0) < 0, errno == EINTR {}
        let exit = status & 0x7F == 0 ? (status >> 8) & 0xFF : 128 + (status & 0x7F)
        return (exit, String(decoding: output, as: UTF8.self))
    }
}
