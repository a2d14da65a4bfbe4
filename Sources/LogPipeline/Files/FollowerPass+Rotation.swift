import Glibc
import IronpostCore
import Logging

/// Finding again what rotation moved or copied away.
extension FollowerPass {
    /// A file that came and was rotated away before anybody looked is still read, under the name it was written to.
    mutating func followRenames(_ events: [DirectoryWatch.Event]) {
        for from in events where from.mask & UInt32(IN_MOVED_FROM) != 0 {
            let old = from.directory + "/" + from.name
            guard let to = events.first(where: { $0.cookie == from.cookie && $0.mask & UInt32(IN_MOVED_TO) != 0 }),
                options.include.contains(where: { PathPattern.matches(old, $0) }),
                !options.exclude.contains(where: { PathPattern.matches(old, $0) })
            else { continue }
            let new = to.directory + "/" + to.name
            guard let id = closed.identity(new), files[id] == nil, let file = openFile(new, origin: old) else {
                continue
            }
            file.isRotated = true
            follow(file)
            announce(file)
        }
    }

    /// The file of a checkpoint is no longer at a followed path: it was renamed, or was rotated already when it was
    /// first read. Finds it and reads the rest.
    /// - Returns: where it is.
    mutating func readRemainder(_ checkpoint: FileCheckpoint) -> String? {
        let wanted = FileID(device: checkpoint.device, inode: checkpoint.inode)
        for path in [checkpoint.path] + siblings(of: checkpoint.path) where closed.identity(path) == wanted {
            guard let file = openFile(path, origin: checkpoint.path), file.resume(checkpoint) else { break }
            file.isRotated = true
            follow(file)
            readToEnd(file)
            return path
        }
        forget(checkpoint.key)
        return nil
    }

    /// A log that was rotated more than once while nobody watched: between the file that was read last and the one at
    /// the path now are whole files that nobody ever saw. Reads those that still are plain text under a name that
    /// rotation gives, in the order in which they were written.
    mutating func readGenerations(after found: String, of path: String, except known: Set<FileID>) {
        guard let last = Self.modified(found) else { return }
        let later = siblings(of: path).compactMap { candidate -> (path: String, modified: Int64)? in
            guard candidate != found, Self.isGeneration(candidate, of: path), let id = closed.identity(candidate),
                !known.contains(id), files[id] == nil, let modified = Self.modified(candidate), modified >= last
            else { return nil }
            return (candidate, modified)
        }
        for candidate in later.sorted(by: { $0.modified < $1.modified }) {
            guard let file = openFile(candidate.path, origin: path) else { continue }
            logger.info("reading a rotated file that nobody followed", metadata: ["file": "\(candidate.path)"])
            file.isRotated = true
            follow(file)
            announce(file)
            readToEnd(file)
        }
    }

    /// `auth.log.1`, `auth.log-20261123`, `auth.log-20261123-1795396957` of `auth.log`: logrotate's names, uncompressed.
    private static func isGeneration(_ candidate: String, of path: String) -> Bool {
        guard candidate.hasPrefix(path) else { return false }
        let suffix = candidate.dropFirst(path.count)
        guard let first = suffix.first, first == "." || first == "-" else { return false }
        return suffix.count > 1 && suffix.allSatisfy { $0.isASCII && ($0.isNumber || $0 == "." || $0 == "-") }
    }

    /// When it was last written to, in nanoseconds.
    private static func modified(_ path: String) -> Int64? {
        var status = stat()
        guard unsafe stat(path, &status) == 0 else { return nil }
        return Int64(status.st_mtim.tv_sec) * 1_000_000_000 + Int64(status.st_mtim.tv_nsec)
    }

    /// The file was truncated after somebody copied it (logrotate's copytruncate): what it had grown since it was last
    /// read stands in the copy.
    /// - Returns: where the copy is.
    mutating func readCopy(of checkpoint: FileCheckpoint, except id: FileID) -> String? {
        guard checkpoint.prefixLength > 0 else { return nil }
        for path in siblings(of: checkpoint.path) {
            guard let other = closed.identity(path), other != id, files[other] == nil,
                let copy = openFile(path, origin: checkpoint.path), copy.resume(checkpoint)
            else { continue }
            copy.isRotated = true
            follow(copy)
            readToEnd(copy)
            return path
        }
        return nil
    }

    mutating func readToEnd(_ file: FollowedFile) {
        while !isClosed, read(file, isStopping: { false }) {}
    }

    /// Regular files beside `path` whose names begin like it: where rotation puts things.
    private func siblings(of path: String) -> [String] {
        let directory = PathPattern.directory(of: path)
        guard let listing = unsafe opendir(directory) else {
            return errno == EACCES ? closed.inDirectory(directory).filter { $0 != path } : []
        }
        defer { unsafe closedir(listing) }
        var found: [String] = []
        while let entry = unsafe readdir(listing), found.count < 10_000 {
            let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                unsafe pointer.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(cString: $0) }
            }
            let candidate = directory + "/" + name
            if candidate != path, closed.identity(candidate) != nil { found.append(candidate) }
        }
        return found.sorted()
    }
}
