#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Why a file's contents cannot be relied upon, and the command that mends it.
package struct FileTrustFault: Error, Equatable, CustomStringConvertible {
    package var path: String
    package var problem: String
    /// A shell command; nil when none helps.
    package var remedy: String?

    package var description: String {
        "\(problem)\(remedy.map { "; run: \($0)" } ?? "")"
    }
}

/// Decides whether a file that tells the daemon what to do could have been written by somebody who may not.
///
/// A file and its directory must belong to root or to our user, and be writable for nobody else; a group may write if
/// it is the owner's private one. In a directory that everybody can write, the sticky bit is enough: it keeps others
/// from replacing a file that is not theirs.
package enum FileTrust {
    /// What the decision needs of a file's status.
    package struct Ownership: Equatable, Sendable {
        package var user: UInt32
        package var group: UInt32
        package var mode: UInt32
        package var isDirectory: Bool

        package init(user: UInt32, group: UInt32, mode: UInt32, isDirectory: Bool) {
            self.user = user
            self.group = group
            self.mode = mode
            self.isDirectory = isDirectory
        }
    }

    /// A buffer for one entry of the user or group database; larger entries count as "not private".
    private static let entryBytesMax = 65536
    private static let groupWritable: UInt32 = 0o020
    private static let othersWritable: UInt32 = 0o002
    private static let sticky: UInt32 = 0o1000

    /// Checks a regular file, the directory it is named in, and the directory it is really in.
    /// - Parameter descriptor: the open file; without one the path is looked up.
    /// - Returns: the first fault, or nil.
    package static func fault(ofFile path: String, descriptor: CInt? = nil) -> FileTrustFault? {
        var status = stat()
        let result = unsafe descriptor.map { unsafe fstat($0, &status) } ?? stat(path, &status)
        guard result == 0 else {
            return FileTrustFault(path: path, problem: "cannot be looked at: \(message(errno))", remedy: nil)
        }
        guard status.st_mode & S_IFMT == S_IFREG else {
            return FileTrustFault(path: path, problem: "is not a regular file", remedy: nil)
        }
        if let fault = fault(ownership(status), path: path) { return fault }
        var directories = [directory(of: path)]
        if let real = realPath(path), !directories.contains(directory(of: real)) {
            directories.append(directory(of: real))
        }
        for directory in directories {
            if let fault = fault(ofDirectory: directory) { return fault }
        }
        return nil
    }

    /// Checks a directory whose files are to be trusted.
    package static func fault(ofDirectory path: String) -> FileTrustFault? {
        var status = stat()
        guard unsafe stat(path, &status) == 0 else {
            return FileTrustFault(path: path, problem: "\(path) cannot be looked at: \(message(errno))", remedy: nil)
        }
        return fault(ownership(status), path: path)
    }

    /// The decision itself.
    /// - Parameters:
    ///   - ourUser: the user id we run under.
    ///   - isPrivate: whether a group holds nobody but a user.
    package static func fault(
        _ file: Ownership,
        path: String,
        ourUser: UInt32 = geteuid(),
        isPrivate: (_ group: UInt32, _ user: UInt32) -> Bool = isPrivateGroup
    ) -> FileTrustFault? {
        let what = file.isDirectory ? "its directory \(path)" : "the file"
        guard file.user == 0 || file.user == ourUser else {
            return FileTrustFault(
                path: path, problem: "\(what) is owned by user \(file.user), neither root nor us",
                remedy: "chown \(ourUser == 0 ? "root" : String(ourUser)) \(shellQuoted(path))"
            )
        }
        if file.isDirectory, file.mode & sticky != 0 { return nil }
        if file.mode & othersWritable != 0 {
            return FileTrustFault(
                path: path, problem: "\(what) is writable for everybody", remedy: "chmod go-w \(shellQuoted(path))"
            )
        }
        if file.mode & groupWritable != 0, !isPrivate(file.group, file.user) {
            return FileTrustFault(
                path: path, problem: "\(what) is writable for group \(file.group)",
                remedy: "chmod g-w \(shellQuoted(path))"
            )
        }
        return nil
    }

    /// Whether a group is the one that a user got for himself: it is his primary one, has his name, and no other
    /// member.
    package static func isPrivateGroup(_ group: UInt32, _ user: UInt32) -> Bool {
        guard let owner = userEntry(user), owner.primaryGroup == group else { return false }
        var buffer = [CChar](repeating: 0, count: entryBytesMax)
        return unsafe buffer.withUnsafeMutableBufferPointer { buffer in
            // The entry points into the buffer.
            var entry = unsafe GroupEntry()
            var found: UnsafeMutablePointer<GroupEntry>?
            guard let bytes = buffer.baseAddress,
                unsafe getgrgid_r(group, &entry, bytes, buffer.count, &found) == 0, unsafe found != nil,
                let name = unsafe entry.gr_name, unsafe String(cString: name) == owner.name
            else { return false }
            guard var member = unsafe entry.gr_mem else { return true }
            while let name = unsafe member.pointee {
                guard unsafe String(cString: name) == owner.name else { return false }
                unsafe member += 1
            }
            return true
        }
    }

    private static func userEntry(_ user: UInt32) -> (name: String, primaryGroup: UInt32)? {
        var buffer = [CChar](repeating: 0, count: entryBytesMax)
        return unsafe buffer.withUnsafeMutableBufferPointer { buffer in
            // The entry points into the buffer.
            var entry = unsafe passwd()
            var found: UnsafeMutablePointer<passwd>?
            guard let bytes = buffer.baseAddress,
                unsafe getpwuid_r(user, &entry, bytes, buffer.count, &found) == 0, unsafe found != nil,
                let name = unsafe entry.pw_name
            else { return nil }
            return unsafe (String(cString: name), entry.pw_gid)
        }
    }

    private static func ownership(_ status: stat) -> Ownership {
        Ownership(
            user: status.st_uid, group: status.st_gid, mode: UInt32(status.st_mode & 0o7777),
            isDirectory: status.st_mode & S_IFMT == S_IFDIR
        )
    }

    private static func directory(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    private static func realPath(_ path: String) -> String? {
        guard let real = unsafe realpath(path, nil) else { return nil }
        defer { unsafe free(real) }
        return unsafe String(cString: real)
    }

    /// The system's words for an error number.
    static func message(_ code: CInt) -> String {
        guard let text = unsafe strerror(code) else { return "error \(code)" }
        return unsafe String(cString: text)
    }

    /// Unchanged when the shell takes it literally anyway.
    private static func shellQuoted(_ path: String) -> String {
        let plain = path.utf8.allSatisfy { byte in
            byte > 0x7F || "/._-+:@%".utf8.contains(byte)
                || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
                || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
        }
        return plain
            ? path : "'" + path.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''") + "'"
    }
}

private typealias GroupEntry = group
