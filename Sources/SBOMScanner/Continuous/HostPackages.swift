internal import Glibc

/// The package databases of a system, found where they always are: no walk over the file system.
final class HostPackages {
    private let root: String
    private let selection = Selection()
    private var remembered: [String: KnownFile] = [:]

    private static let databases = [
        "var/lib/dpkg/status", "lib/apk/db/installed", "usr/lib/apk/db/installed", "var/lib/rpm/rpmdb.sqlite",
        "usr/lib/sysimage/rpm/rpmdb.sqlite", "usr/share/rpm/rpmdb.sqlite",
    ]
    private static let pieces = "var/lib/dpkg/status.d"

    init(_ root: String) { self.root = root }

    /// Directories in which a change would show.
    var directories: [String] {
        let folders = Set(Self.databases.map { String($0[..<($0.lastIndex(of: "/") ?? $0.endIndex)]) } + [Self.pieces])
        return folders.sorted().map { (root.hasSuffix("/") ? root : root + "/") + $0 }
    }

    func run() throws(ReadFault) -> RootScan {
        let directory = try RootDirectory(root)
        var paths = Self.databases
        let pieces = LinkFreeOpen.directory(directory.directory.descriptor, Self.pieces)
        if pieces >= 0 {
            let handle = OpenFile(descriptor: pieces)
            paths += DirectoryListing.entries(handle).filter(\.isFile).map { Self.pieces + "/" + $0.name }.sorted()
        }
        let began = FileStamp.now
        var result = RootScan(root: root)
        var seen: [String: KnownFile] = [:]
        for path in paths {
            guard let (file, stamp) = directory.open(path) else { continue }
            result.entriesSeen += 1
            if let known = remembered[path], known.isAsBefore(stamp, below: directory) {
                seen[path] = known
                result.files += known.files
            } else {
                let slash = path.lastIndex(of: "/") ?? path.startIndex
                let name = String(path[path.index(after: slash)...])
                let chosen = selection.catalogers(directory: String(path[..<slash]), name: name)
                let read = KnownFile.read(path, file, stamp, below: directory, chosen, selection)
                if read.isSettled(at: began) { seen[path] = read }
                result.files += read.files
            }
        }
        remembered = seen
        return result
    }
}
