import CLinux
import Glibc
package import IronpostCore
import Synchronization

/// Opens for the core what its user may not read: log files and journals, and of them only those that the configuration
/// names.
///
/// No symbolic link is followed in any part of a path: whoever may write into a log directory could point one anywhere.
/// For the same reason a file with a second name (a hard link) is refused.
package struct LogFileArea: ResponderArea {
    /// Files that are listed at most.
    static let filesMax = 1024
    /// Journal files that are opened at most.
    static let journalFilesMax = 256
    private static let listBytesMax = MessageBounds.bytesMax - 16 * 1024
    private static let systemJournals = ["/var/log/journal", "/run/log/journal"]

    package let name = "log files"
    package let verbs: [ResponderVerb] = [.openLogFile, .listLogFiles, .openJournal]

    /// What may be opened.
    private struct Named: Sendable {
        var include: [String] = []
        var exclude: [String] = []
        var journals: [String] = []

        init(_ configuration: Configuration) {
            let log = configuration.logPipeline
            guard log.isEnabled else { return }
            include = log.followed
            exclude = log.file.exclude
            if log.sources.contains(.journald) {
                journals = log.journald.directory.isEmpty ? LogFileArea.systemJournals : [log.journald.directory]
            }
        }

        /// Whether the configuration names the file, or the one from which rotation made it: `auth.log.1`,
        /// `auth.log-20261123` of `auth.log`.
        func contains(_ path: String) -> Bool {
            isIncluded(path) || path.withoutRotation.map(isIncluded) ?? false
        }

        private func isIncluded(_ path: String) -> Bool {
            include.contains { Self.matches(path, $0) } && !exclude.contains { Self.matches(path, $0) }
        }

        private static func matches(_ path: String, _ pattern: String) -> Bool {
            unsafe fnmatch(pattern, path, FNM_PATHNAME | FNM_PERIOD) == 0
        }
    }

    private final class Held: Sendable {
        let named: Mutex<Named>
        init(_ named: Named) { self.named = Mutex(named) }
    }

    private let held: Held

    package init(_ configuration: Configuration) {
        held = Held(Named(configuration))
    }

    package func take(_ configuration: Configuration) {
        held.named.withLock { $0 = Named(configuration) }
    }

    package func selfTest() -> String? {
        ip_effective_capabilities() & (1 << UInt64(CAP_DAC_READ_SEARCH)) != 0
            ? nil : "the capability DAC_READ_SEARCH is missing: files of others cannot be opened"
    }

    package func answer(
        _ verb: ResponderVerb, _ reader: inout MessageReader, descriptors: [OwnedDescriptor]
    ) throws -> ResponderReply {
        let named = held.named.withLock { $0 }
        switch verb {
        case .openLogFile:
            let path = try reader.text()
            try reader.finish()
            guard named.contains(path) else {
                throw Refusal("\(path) is not named by log_pipeline.file.include or log_pipeline.sources")
            }
            return ResponderReply(descriptors: [try Self.open(path)])
        case .listLogFiles:
            try reader.finish()
            return Self.list(named)
        default:
            let first = Int(try reader.integer(UInt32.self))
            try reader.finish()
            return Self.openJournals(named.journals, from: first)
        }
    }

    // MARK: - Opening

    struct OpenFault: Error, CustomStringConvertible {
        var path: String
        var code: Int32

        var description: String {
            let why = code == ELOOP ? "a part of it is a symbolic link" : unsafe String(cString: strerror(code))
            return "cannot open \(path): \(why)"
        }
    }

    static func open(_ path: String) throws -> OwnedDescriptor {
        let parts = path.split(separator: "/", omittingEmptySubsequences: true)
        guard path.hasPrefix("/"), !parts.contains(where: { $0 == ".." || $0 == "." }) else {
            throw Refusal("\(path) is not a plain absolute path")
        }
        let number = unsafe ip_open_without_links(path)
        guard number >= 0 else { throw OpenFault(path: path, code: -number) }
        let descriptor = OwnedDescriptor(number)
        var status = stat()
        guard unsafe fstat(number, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            throw Refusal("\(path) is not a regular file")
        }
        guard status.st_nlink <= 1 else { throw Refusal("\(path) has a second name (a hard link)") }
        return descriptor
    }

    // MARK: - Listing

    private static func list(_ named: Named) -> ResponderReply {
        var seen = Set<String>()
        var bytes = 0
        var files: [NamedLogFile] = []
        // Rotated files too: whoever was away finds the rest of its lines there.
        for path in named.include.flatMap({ expand($0) + expand($0 + "[.-]*") })
        where named.contains(path) && seen.insert(path).inserted {
            var status = stat()
            guard unsafe lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { continue }
            bytes += path.utf8.count + 24
            guard files.count < filesMax, bytes < listBytesMax else { break }
            files.append(
                NamedLogFile(path: path, device: UInt64(status.st_dev), inode: UInt64(status.st_ino)))
        }
        return ResponderReply { writer in
            writer.write(files) { writer, file in
                writer.write(file.path)
                writer.write(file.device)
                writer.write(file.inode)
            }
        }
    }

    /// The paths that exist now for a shell pattern, sorted.
    private static func expand(_ pattern: String) -> [String] {
        var found = unsafe glob_t()
        defer { unsafe globfree(&found) }
        guard unsafe glob(pattern, 0, nil, &found) == 0, let paths = unsafe found.gl_pathv else { return [] }
        return unsafe (0..<min(Int(found.gl_pathc), filesMax)).compactMap { index in
            guard let path = unsafe paths[index] else { return nil }
            return unsafe String(cString: path)
        }
    }

    // MARK: - Journals

    /// The journal's own layout: files in the directory, or in directories named by machine below it.
    private static func openJournals(_ directories: [String], from first: Int) -> ResponderReply {
        let paths = directories.flatMap { expand($0 + "/*.journal") + expand($0 + "/*/*.journal") }
        let files = paths.prefix(journalFilesMax).dropFirst(first).prefix(MessageBounds.descriptorsMax)
        // One that cannot be opened (rotated away just now) is left out; the count goes on over it.
        let opened = files.compactMap { try? open($0) }
        let isLast = first + files.count >= min(paths.count, journalFilesMax)
        return ResponderReply(descriptors: opened) { writer in
            writer.write(UInt32(isLast ? first + opened.count : min(paths.count, journalFilesMax)))
        }
    }
}

extension String {
    /// The name from which logrotate made this one, uncompressed; nil when it does not look like that.
    fileprivate var withoutRotation: String? {
        guard let at = firstRotationIndex else { return nil }
        return String(self[..<at])
    }

    private var firstRotationIndex: String.Index? {
        var at = endIndex
        var found: String.Index?
        while at > startIndex {
            let before = index(before: at)
            let character = self[before]
            guard character.isASCII, character.isNumber || character == "." || character == "-" else { break }
            if character == "." || character == "-" { found = before }
            at = before
        }
        return found.flatMap { index(after: $0) < endIndex ? $0 : nil }
    }
}
