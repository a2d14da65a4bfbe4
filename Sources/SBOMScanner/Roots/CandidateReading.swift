internal import Synchronization

/// Reads those files of a walk that are not known as they are, on as many threads as are asked for.
final class CandidateReading: Sendable {
    struct Candidate: Sendable {
        var name: String
        /// Empty for one that may be a program.
        var catalogers: [Int]
    }

    /// What a file said when it had these times.
    struct Known: Sendable {
        var stamp: FileStamp
        var files: [ScannedFile]
    }

    private let root: RootDirectory
    private let selection: Selection
    private let known: [String: Known]
    private let waiting: [(path: String, candidate: Candidate)]
    private let reads = Atomic(0)

    init(
        _ root: RootDirectory, _ selection: Selection, known: [String: Known],
        waiting: [(path: String, candidate: Candidate)]
    ) {
        self.root = root
        self.selection = selection
        self.known = known
        self.waiting = waiting
    }

    /// Files whose content was looked at.
    var filesRead: Int { reads.load(ordering: .relaxed) }

    /// In the order of the walk; without what is there no more.
    func run(threads: Int) -> [(path: String, known: Known)] {
        let found = Mutex([Known?](repeating: nil, count: waiting.count))
        Workers.each(waiting.count, threads: threads) { [self] place in
            if let one = file(waiting[place].path, waiting[place].candidate) { found.withLock { $0[place] = one } }
        }
        return zip(waiting, found.withLock { $0 }).compactMap { one, known in known.map { (one.path, $0) } }
    }

    private func file(_ path: String, _ candidate: Candidate) -> Known? {
        guard let stamp = DirectoryListing.stamp(root.directory, path), stamp.isRegular else { return nil }
        if let known = known[path], known.stamp == stamp { return known }
        guard let (file, opened) = root.open(path) else {
            let fault = SystemError.text
            let catalogers = candidate.catalogers.map { selection.catalogers[$0].name }
            return Known(
                stamp: stamp,
                files: catalogers.map {
                    ScannedFile(path: path, cataloger: $0, catalog: Catalog(), fault: fault, modified: stamp.modified)
                }
            )
        }
        reads.add(1, ordering: .relaxed)
        let source = root.source(path, file, opened)
        let files = Cataloging.run(
            source, candidate.catalogers.isEmpty ? nil : candidate.catalogers, selection, modified: opened.modified
        )
        return Known(stamp: opened, files: files)
    }
}
