import CLinux
import Glibc
import IronpostCore
import LogPipeline
import Sigma

/// Puts rule files below a directory of rules, all of them at once.
struct RuleInstallation {
    /// Tells a directory that an installation made from one that somebody made by hand, which it does not touch.
    static let markName = ".installed-by-ironpost"

    struct Failure: Error {
        var message: String
    }

    /// The directory that rules are read from.
    let base: String
    let name: String

    var directory: String { base + "/" + name }

    init(base: String, name: String) throws(CommandFailure) {
        var trimmed = base
        while trimmed.count > 1, trimmed.hasSuffix("/") { trimmed.removeLast() }
        self.base = trimmed
        self.name = name
        let isPlain = name.utf8.allSatisfy { byte in
            "._-".utf8.contains(byte) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
                || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
        }
        guard isPlain, !name.isEmpty, !name.hasPrefix("."), name.utf8.count <= 100 else {
            throw CommandFailure(
                .usage, "'\(name)' is no name for a directory of rules: use letters, digits, -, _ and .; see --name")
        }
    }

    /// Writes the files beside what is there, and then puts them in its place in one step.
    func install(_ files: [(path: String, bytes: [UInt8])], source: String) throws(Failure) {
        try makeBase()
        try check()
        let staging = "\(base)/.\(name).\(getpid())"
        remove(staging)
        do throws(Failure) {
            try makeDirectory(staging)
            var made: Set<String> = [""]
            for file in files {
                let parts = file.path.split(separator: "/").map(String.init)
                var directory = ""
                for part in parts.dropLast() {
                    directory += "/" + part
                    if made.insert(directory).inserted { try makeDirectory(staging + directory) }
                }
                try write(file.bytes, staging + "/" + parts.joined(separator: "/"))
            }
            try write(Array("\(source)\n".utf8), staging + "/" + Self.markName)
            try flush(staging)
            try exchange(staging)
        } catch {
            remove(staging)
            throw error
        }
    }

    private func makeBase() throws(Failure) {
        guard unsafe access(base, F_OK) != 0 else { return }
        try makeDirectory(base)
    }

    /// Whether what is in the way may be replaced.
    private func check() throws(Failure) {
        if let fault = FileTrust.fault(ofDirectory: base) { throw Failure(message: "\(fault)") }
        var status = stat()
        guard unsafe lstat(directory, &status) == 0 else { return }
        let isMarked = unsafe access("\(directory)/\(Self.markName)", F_OK) == 0
        guard status.st_mode & S_IFMT == S_IFDIR, isMarked else {
            throw Failure(
                message:
                    "\(directory) is there, and was not made by 'rules install': choose another --name, or move it away"
            )
        }
    }

    private func fail(_ what: String) -> Failure {
        let reason = unsafe String(cString: strerror(errno))
        return Failure(message: "\(what): \(reason)")
    }

    private func makeDirectory(_ path: String) throws(Failure) {
        guard unsafe mkdir(path, 0o755) == 0, unsafe chmod(path, 0o755) == 0 else { throw fail(path) }
    }

    private func write(_ bytes: [UInt8], _ path: String) throws(Failure) {
        let descriptor = unsafe open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw fail(path) }
        defer { close(descriptor) }
        // Whatever the mask of the shell is, the daemon's user must be able to read them, and nobody else write.
        guard fchmod(descriptor, 0o644) == 0 else { throw fail(path) }
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = unsafe rest.withUnsafeBytes { unsafe Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw fail(path) }
            rest = rest.dropFirst(count)
        }
    }

    /// On the disk before they are in place: a crash leaves the old files or the new ones.
    private func flush(_ path: String) throws(Failure) {
        let descriptor = unsafe open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw fail(path) }
        defer { close(descriptor) }
        guard ip_flush_file_system(descriptor) == 0 else { throw fail(path) }
    }

    private func exchange(_ staging: String) throws(Failure) {
        if unsafe access(directory, F_OK) != 0 {
            guard unsafe rename(staging, directory) == 0 else { throw fail(directory) }
            return
        }
        // Exchanged in one step, where the file system can; else the old ones are gone for a moment.
        if unsafe ip_exchange(staging, directory) == 0 {
            remove(staging)
            return
        }
        let old = staging + ".old"
        guard unsafe rename(directory, old) == 0 else { throw fail(directory) }
        guard unsafe rename(staging, directory) == 0 else {
            let failure = fail(directory)
            _ = unsafe rename(old, directory)
            throw failure
        }
        remove(old)
    }

    /// Below our own names only; follows no link.
    private func remove(_ path: String) {
        var status = stat()
        guard unsafe lstat(path, &status) == 0 else { return }
        guard status.st_mode & S_IFMT == S_IFDIR else {
            _ = unsafe unlink(path)
            return
        }
        if let stream = unsafe opendir(path) {
            var names: [String] = []
            while let entry = unsafe readdir(stream) {
                let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                    unsafe pointer.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(cString: $0) }
                }
                if name != ".", name != ".." { names.append(name) }
            }
            unsafe closedir(stream)
            for name in names { remove("\(path)/\(name)") }
        }
        _ = unsafe rmdir(path)
    }
}
