internal import Glibc

/// The wanted files of a zip or of a tar archive (plain or packed with gzip), read into memory: nothing is written
/// anywhere.
package struct ArchiveFiles {
    package struct Limits: Sendable {
        /// Of the archive itself.
        package var archiveBytesMax = 256 << 20
        /// Of everything in it, wanted or not.
        package var unpackedBytesMax = 1 << 30
        package var entriesMax = 200_000
        package var fileBytesMax = 1 << 20
        package var filesMax = 20_000
        package var keptBytesMax = 256 << 20

        package init() {}
    }

    package private(set) var files: [(path: String, bytes: [UInt8])] = []
    /// Wanted files that are too large.
    package private(set) var tooLarge: [String] = []
    /// Wanted names that are no regular files.
    package private(set) var links: [String] = []

    private let limits: Limits
    private var keptBytes = 0

    /// - Parameter wants: asked of each path, which is relative and stays inside.
    /// - Throws: what is no archive, what is damaged, what exceeds a limit, and what has a name that leads out of it.
    package init(
        _ path: String, limits: Limits = Limits(), wants: @escaping (String) -> Bool
    ) throws(ReadFault) {
        self.limits = limits
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
        guard descriptor >= 0 else { throw ReadFault(SystemError.text) }
        let file = OpenFile(descriptor: descriptor)
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0, FileStamp(status).isRegular else { throw ReadFault("not a file") }
        let size = Int(status.st_size)
        guard size <= limits.archiveBytesMax else { throw ReadFault("larger than \(limits.archiveBytesMax) bytes") }
        var bytes: [UInt8] = []
        while bytes.count < size {
            let piece = try file.read(at: bytes.count, count: size - bytes.count)
            guard !piece.isEmpty else { throw ReadFault("it became shorter while it was read") }
            bytes += piece
        }
        if bytes.starts(with: [0x50, 0x4B]) {
            try readZip(bytes, wants)
        } else {
            try readTar(bytes, wants)
        }
    }

    private mutating func keep(_ path: String, _ bytes: [UInt8]) throws(ReadFault) {
        keptBytes += bytes.count
        guard files.count < limits.filesMax else { throw ReadFault("more than \(limits.filesMax) files") }
        guard keptBytes <= limits.keptBytesMax else {
            throw ReadFault("files of more than \(limits.keptBytesMax) bytes")
        }
        files.append((path, bytes))
    }

    /// A name that leads out of the archive is no accident.
    private static func plain(_ name: String) throws(ReadFault) -> String {
        guard !name.hasPrefix("/"), !name.contains("\0"), !name.contains("\\"), let path = TarReader.plain(name) else {
            throw ReadFault("the name '\(name)' in it leads out of it")
        }
        return path
    }

    private mutating func readZip(_ bytes: [UInt8], _ wants: (String) -> Bool) throws(ReadFault) {
        let archive = try ZipArchive(bytes)
        guard archive.entries.count <= limits.entriesMax else {
            throw ReadFault("more than \(limits.entriesMax) entries")
        }
        for entry in archive.entries {
            let path = try Self.plain(entry.name)
            guard !entry.name.hasSuffix("/"), wants(path) else { continue }
            guard entry.size <= limits.fileBytesMax else {
                tooLarge.append(path)
                continue
            }
            try keep(path, archive.contents(entry, max: limits.fileBytesMax))
        }
    }

    private mutating func readTar(_ bytes: [UInt8], _ wants: @escaping (String) -> Bool) throws(ReadFault) {
        let fileBytesMax = limits.fileBytesMax
        final class Found {
            var files: [(String, [UInt8])] = []
            var tooLarge: [String] = []
            var links: [String] = []
            var keptBytes = 0
        }
        let found = Found()
        let keptBytesMax = limits.keptBytesMax
        var tar = TarReader(
            entriesMax: limits.entriesMax,
            wants: { entry in
                guard wants(entry.path) else { return false }
                if entry.size > fileBytesMax { found.tooLarge.append(entry.path) }
                return entry.size <= fileBytesMax
            },
            take: { (entry, content) throws(ReadFault) in
                found.keptBytes += content.count
                guard found.keptBytes <= keptBytesMax else {
                    throw ReadFault("files of more than \(keptBytesMax) bytes")
                }
                found.files.append((entry.path, content))
            },
            link: { entry in if wants(entry.path) { found.links.append(entry.path) } }
        )
        var unpacked = 0
        let limit = limits.unpackedBytesMax
        func feed(_ piece: ArraySlice<UInt8>) throws(ReadFault) {
            unpacked += piece.count
            guard unpacked <= limit else { throw ReadFault("it unpacks to more than \(limit) bytes") }
            try tar.feed(piece)
            guard tar.refused == 0 else { throw ReadFault("a name in it leads out of it") }
        }
        if bytes.starts(with: [0x1F, 0x8B]) {
            var stream = InflateStream(.automatic)
            try stream.feed(bytes[...], feed)
            guard stream.isFinished else { throw ReadFault("its end is missing") }
        } else {
            guard TarReader.isHeader(bytes) else { throw ReadFault("neither a zip nor a tar archive") }
            try feed(bytes[...])
        }
        guard !tar.isInsideEntry, tar.entries > 0 else { throw ReadFault("not a tar archive, or its end is missing") }
        for (path, content) in found.files { try keep(path, content) }
        (tooLarge, links) = (found.tooLarge, found.links)
    }
}
