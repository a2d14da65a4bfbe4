internal import Synchronization

/// What a file said, and how it was then: it and what its cataloger looked for beside it.
struct KnownFile: Sendable {
    /// A file that was looked for; without a stamp there was none.
    struct Neighbour: Sendable {
        var path: String
        var stamp: FileStamp?
    }

    var stamp: FileStamp
    var files: [ScannedFile]
    var neighbours: [Neighbour] = []

    var packageCount: Int { files.reduce(0) { $0 + $1.catalog.packages.count } }

    func isAsBefore(_ stamp: FileStamp, below root: RootDirectory) -> Bool {
        self.stamp == stamp
            && neighbours.allSatisfy { DirectoryListing.stamp(root.directory, $0.path) == $0.stamp }
    }

    /// Whether all of it can be known by its times.
    func isSettled(at time: Int64, tick: Int64 = FileStamp.tick) -> Bool {
        stamp.isSettled(at: time, tick: tick)
            && neighbours.allSatisfy { $0.stamp?.isSettled(at: time, tick: tick) ?? true }
    }

    /// - Parameter chosen: catalogers by name; `nil` for a file that may be a program.
    static func read(
        _ path: String, _ file: OpenFile, _ stamp: FileStamp, below root: RootDirectory, _ chosen: [Int]?,
        _ selection: Selection
    ) -> KnownFile {
        let neighbours = Neighbours()
        let source = root.source(path, file, stamp, neighbours)
        let files = Cataloging.run(source, chosen, selection, modified: stamp.modified)
        return KnownFile(stamp: stamp, files: files, neighbours: neighbours.all)
    }
}

/// What a cataloger looks for beside its file, noted while it does.
final class Neighbours: Sendable {
    private let seen = Mutex<[KnownFile.Neighbour]>([])

    var all: [KnownFile.Neighbour] { seen.withLock { $0 } }

    func note(_ path: String, _ stamp: FileStamp?) {
        seen.withLock { $0.append(KnownFile.Neighbour(path: path, stamp: stamp)) }
    }
}
