import CLinux
import Glibc
package import IronpostCore

/// Starts `ironpost-responder`, which keeps the rights that the core gives up. To be called while the process has one
/// thread and still has its rights.
package enum ResponderProcess {
    package enum Start: Sendable {
        /// The core's end of the socket; the program runs as long as it is open.
        case started(OwnedDescriptor)
        /// This host or this user has none, and why. As it should be.
        case absent(String)
        /// There should be one.
        case failed(String)
    }

    static let program = "ironpost-responder"
    /// Where the responder expects its end.
    private static let socketNumber: Int32 = 3
    /// POSIX_SPAWN_SETSID of glibc's spawn.h: signals for the terminal's process group are not for it.
    private static let newSession: Int16 = 0x80
    /// Of the environment, besides our own variables, only these are passed on.
    private static let variables = ["PATH", "LANG", "TZ", "NO_COLOR"]

    package static func start(_ sources: ConfigurationSources) -> Start {
        guard geteuid() == 0 else {
            return .absent(
                "the daemon runs without root: nothing can be blocked or isolated, and log files that its user may not "
                    + "read stay closed"
            )
        }
        guard let path = executable() else {
            return .failed("\(program) is not beside ironpost-daemon: nothing can be blocked or isolated")
        }
        var ends: [Int32] = [-1, -1]
        let made = unsafe ip_message_pair(&ends)
        guard made == 0 else { return .failed("cannot make its socket: \(message(-made))") }
        let core = OwnedDescriptor(ends[0])
        let theirs = OwnedDescriptor(ends[1])
        // Never number 3 itself: a descriptor that is duplicated onto itself would stay close-on-exec.
        guard let source = theirs.duplicate(from: socketNumber + 1) else {
            return .failed("cannot start \(path): no descriptors left")
        }
        let result = spawn(path, [path] + arguments(sources), socket: source)
        close(source)
        return result == 0 ? .started(core) : .failed("cannot start \(path): \(message(result))")
    }

    /// Waits until the keeper has ended, so that nothing of this daemon is left when it exits.
    static func awaitEnd(within limit: Duration) async {
        let end = ContinuousClock.now + limit
        // SIGCHLD is ignored: a child that ends leaves nothing, and at last there is none.
        while waitpid(-1, nil, WNOHANG) == 0, ContinuousClock.now < end {
            try? await Task.sleep(for: .milliseconds(10))
        }
    }

    private static func executable() -> String? {
        var bytes = [CChar](repeating: 0, count: Int(PATH_MAX))
        let count = unsafe readlink("/proc/self/exe", &bytes, bytes.count - 1)
        guard count > 0 else { return nil }
        let own = String(decoding: bytes.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
        guard let slash = own.lastIndex(of: "/") else { return nil }
        let path = own[...slash] + program
        return unsafe access(String(path), X_OK) == 0 ? String(path) : nil
    }

    /// The responder reads the configuration by itself, from the same sources.
    private static func arguments(_ sources: ConfigurationSources) -> [String] {
        var arguments = ["--core-socket", "\(socketNumber)"]
        if let file = sources.file {
            // The default file may be missing; naming it would demand it.
            if sources.fileIsExplicit { arguments += ["-c", file] }
        } else {
            arguments += ["-c", "/dev/null"]
        }
        for setting in sources.settings {
            guard let value = setting.value else { continue }
            arguments += ["--set", "\(setting.key)=\(value)"]
        }
        return arguments
    }

    private static func spawn(_ path: String, _ arguments: [String], socket: Int32) -> Int32 {
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        unsafe posix_spawn_file_actions_adddup2(&actions, socket, socketNumber)
        var attributes = posix_spawnattr_t()
        unsafe posix_spawnattr_init(&attributes)
        defer { unsafe posix_spawnattr_destroy(&attributes) }
        unsafe posix_spawnattr_setflags(&attributes, newSession)
        let environment = variables.compactMap { name in
            unsafe getenv(name).map { unsafe "\(name)=\(String(cString: $0))" }
        }
        var pid: pid_t = 0
        return unsafe withPointers(arguments) { arguments in
            unsafe withPointers(environment + ownVariables()) { environment in
                unsafe posix_spawn(&pid, path, &actions, &attributes, arguments, environment)
            }
        }
    }

    private static func ownVariables() -> [String] {
        var found: [String] = []
        var entry = unsafe environ
        while let text = unsafe entry.pointee {
            let variable = unsafe String(cString: text)
            if variable.hasPrefix("IRONPOST_") { found.append(variable) }
            unsafe entry += 1
        }
        return found
    }

    private static func message(_ code: Int32) -> String { unsafe String(cString: strerror(code)) }

    private static func withPointers(
        _ strings: [String], _ body: (UnsafePointer<UnsafeMutablePointer<CChar>?>) -> Int32
    ) -> Int32 {
        var pointers = unsafe strings.map { unsafe strdup($0) }
        unsafe pointers.append(nil)
        defer { unsafe pointers.forEach { unsafe free($0) } }
        return unsafe pointers.withUnsafeBufferPointer { buffer in
            guard let base = buffer.baseAddress else { return EINVAL }
            return unsafe body(base)
        }
    }
}
