import CLinux
import Glibc

/// A file that one living process holds: the PID file, and the data directory's lock.
///
/// The lock is the kernel's (flock(2)) and ends with the process however it ends, so a stale file never stands in the
/// way of a start. The file itself is never removed while it may be held: removing would let two processes hold two
/// files of one name.
package final class LockFile: Sendable {
    package enum Fault: Error, CustomStringConvertible, Equatable {
        case held(path: String, pid: Int?)
        case failed(path: String, operation: String, code: Int32)

        package var description: String {
            switch self {
            case .held(let path, let pid?):
                "another ironpost-daemon runs already with pid \(pid) (it holds \(path)); stop it first, or give this "
                    + "one its own --data-dir and --pid-file"
            case .held(let path, nil):
                "another process holds \(path)"
            case .failed(let path, let operation, let code):
                "cannot \(operation) \(path): \(unsafe String(cString: strerror(code)))"
            }
        }
    }

    private let descriptor: Int32
    package let path: String

    /// Takes the lock and writes this process's pid. Directories that are missing are made (mode 0755).
    package init(path: String) throws(Fault) {
        Self.makeDirectories(for: path)
        let descriptor = unsafe open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o644)
        guard descriptor >= 0 else { throw .failed(path: path, operation: "open", code: errno) }
        guard ip_lock_file(descriptor) == 0 else {
            let pid = Self.readPID(descriptor)
            close(descriptor)
            throw .held(path: path, pid: pid)
        }
        let text = Array("\(getpid())\n".utf8)
        guard ftruncate(descriptor, 0) == 0, unsafe pwrite(descriptor, text, text.count, 0) == text.count else {
            let code = errno
            close(descriptor)
            throw .failed(path: path, operation: "write", code: code)
        }
        self.descriptor = descriptor
        self.path = path
    }

    deinit {
        close(descriptor)
    }

    /// Empties the file on a clean stop: nobody reads a pid that is gone. The lock itself ends with this object or the
    /// process.
    package func release() {
        ftruncate(descriptor, 0)
    }

    private static func readPID(_ descriptor: Int32) -> Int? {
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: 32) { buffer, count in
            unsafe count = max(0, pread(descriptor, buffer.baseAddress, buffer.count, 0))
        }
        return Int(String(decoding: bytes, as: UTF8.self).prefix { $0.isNumber })
    }

    static func makeDirectories(for path: String) {
        var at = path.startIndex
        while let slash = path[at...].dropFirst().firstIndex(of: "/") {
            // One that exists is fine; one that cannot be made shows when the file is opened.
            unsafe mkdir(String(path[..<slash]), 0o755)
            at = slash
        }
    }
}
