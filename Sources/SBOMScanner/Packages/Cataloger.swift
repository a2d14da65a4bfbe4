/// Reads one kind of file. A new kind is one type, one line in `Cataloger.all` and a folder of tests:
/// docs/adding-a-cataloger.md.
package protocol Cataloger: Sendable {
    /// As in `npm-lockfile`.
    var name: String { get }
    /// Which files it reads.
    var selectors: [FileSelector] { get }
    /// Names of files beside it that it also reads.
    var companions: [String] { get }
    /// Adds what the file names. Throws when the file as a whole cannot be understood; what can be passed over is noted.
    func catalog(_ file: SourceFile, into catalog: inout Catalog) throws(ReadFault)
}

/// How a file is recognised, from its path and mode alone.
package enum FileSelector: Sendable {
    /// The last part of its path.
    case name(String)
    /// The last parts of its path: `var/lib/dpkg/status`.
    case path(String)
    /// How its name begins and ends: `requirements`, `.txt`.
    case affixes(String, String)
    /// The last parts of its directory: `var/lib/dpkg/status.d`.
    case directory(String)
    /// Any file that may be executed and is an ELF program.
    case program
}

/// A file that a cataloger reads, and its neighbours.
package struct SourceFile: Sendable {
    /// From the root that is scanned, without a slash at its start.
    package let path: String
    package let size: Int
    private let reader: @Sendable (_ offset: Int, _ count: Int) throws(ReadFault) -> [UInt8]
    private let neighbour: @Sendable (_ path: String, _ bytesMax: Int) -> [UInt8]?

    /// Larger files are named and left out, where a cataloger needs all of them.
    package static let bytesMax = 256 << 20

    package init(
        path: String, size: Int, reader: @escaping @Sendable (Int, Int) throws(ReadFault) -> [UInt8],
        neighbour: @escaping @Sendable (String, Int) -> [UInt8]?
    ) {
        self.path = path
        self.size = size
        self.reader = reader
        self.neighbour = neighbour
    }

    /// A file in memory, without neighbours unless given.
    package init(path: String, bytes: [UInt8], neighbours: [String: [UInt8]] = [:]) {
        self.init(
            path: path, size: bytes.count,
            reader: { offset, count in
                let start = min(max(offset, 0), bytes.count)
                return Array(bytes[start..<min(start + max(count, 0), bytes.count)])
            },
            neighbour: { path, bytesMax in neighbours[path].flatMap { $0.count <= bytesMax ? $0 : nil } }
        )
    }

    package var name: String { path.split(separator: "/").last.map(String.init) ?? path }

    /// All of it.
    package func bytes(max: Int = SourceFile.bytesMax) throws(ReadFault) -> [UInt8] {
        guard size <= max else { throw ReadFault("larger than \(max >> 20) MiB") }
        return try reader(0, size)
    }

    /// A piece of it; shorter at its end.
    package func bytes(at offset: Int, count: Int) throws(ReadFault) -> [UInt8] {
        try reader(offset, count)
    }

    /// A file beside this one; `nil` where there is none, or it is larger than `bytesMax`.
    package func sibling(_ name: String, bytesMax: Int = SourceFile.bytesMax) -> [UInt8]? {
        let directory = path.lastIndex(of: "/").map { String(path[...$0]) } ?? ""
        return neighbour(directory + name, bytesMax)
    }

    /// A file by its path from the root.
    package func rooted(_ path: String, bytesMax: Int = 1 << 20) -> [UInt8]? {
        neighbour(path, bytesMax)
    }
}

extension SourceFile {
    /// What stands before `known` in the path: the root of the system that the file belongs to.
    package func root(before known: String) -> String {
        path.hasSuffix(known) ? String(path.dropLast(known.count)) : ""
    }
}

/// Every cataloger there is.
package enum Catalogers {
    package static let all: [any Cataloger] = [
        NpmLockfile(), YarnLockfile(), PnpmLockfile(), CargoLockfile(), GoModule(), GoProgram(), PythonRequirements(),
        PipfileLock(), PoetryLock(), UvLock(), PyLock(), PythonInstalled(), GemfileLock(), ComposerLock(),
        NuGetLock(), NuGetDeps(), MavenPom(), JavaArchive(), GradleLockfile(), SwiftResolved(), DpkgStatus(),
        ApkInstalled(), RpmDatabase(),
    ]
}

extension Cataloger {
    package var companions: [String] { [] }

    /// Whether it reads a file of this path, programs apart.
    package func reads(_ path: String) -> Bool {
        let slash = path.utf8.lastIndex(of: 0x2F)
        let directory = slash.map { String(path[..<$0]) } ?? ""
        let name = slash.map { String(path[path.index(after: $0)...]) } ?? path
        return !Selection([self]).catalogers(directory: directory, name: name).isEmpty
    }
}
