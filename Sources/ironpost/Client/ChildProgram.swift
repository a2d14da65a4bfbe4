import Glibc

/// Another program, run to its end, and what it said.
enum ChildProgram {
    struct Result {
        /// The exit status; 128 and the signal's number when it was killed.
        let exit: Int32
        let output: [UInt8]
        /// Whether it said more than was kept.
        let isCut: Bool

        var text: String { String(decoding: output, as: UTF8.self) }
    }

    /// - Parameters:
    ///   - arguments: the program's name, looked for on the PATH, and its arguments.
    ///   - outputBytesMax: of what it writes to stdout so much is kept; the rest is read and dropped.
    ///   - isQuiet: its stderr goes nowhere.
    static func run(
        _ arguments: [String], outputBytesMax: Int = 64 << 10, isQuiet: Bool = false
    ) throws(CommandFailure) -> Result {
        let name = arguments.first ?? ""
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
        if isQuiet { unsafe posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0) }
        var pid: pid_t = 0
        var pointers = unsafe arguments.map { unsafe strdup($0) }
        unsafe pointers.append(nil)
        defer { unsafe pointers.forEach { unsafe free($0) } }
        let result = unsafe pointers.withUnsafeBufferPointer { buffer -> Int32 in
            guard let base = buffer.baseAddress else { return EINVAL }
            return unsafe posix_spawnp(&pid, name, &actions, nil, base, environ)
        }
        close(ends[1])
        guard result == 0 else {
            throw CommandFailure(
                .failure, "cannot start \(name): \(DaemonProgram.systemError(result)); install the package \(name)")
        }
        var output: [UInt8] = []
        var isCut = false
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = unsafe read(ends[0], &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { break }
            let room = outputBytesMax - output.count
            output.append(contentsOf: buffer[..<min(count, room)])
            if count > room { isCut = true }
        }
        var status: Int32 = 0
        while unsafe waitpid(pid, &status, 0) < 0, errno == EINTR {}
        let exit = status & 0x7F == 0 ? (status >> 8) & 0xFF : 128 + (status & 0x7F)
        return Result(exit: exit, output: output, isCut: isCut)
    }
}
