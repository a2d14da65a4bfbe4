internal import Synchronization

/// Reads those files of a walk that are not known as they are, on as many threads as are asked for.
final class CandidateReading: Sendable {
    struct Candidate: Sendable {
        var name: String
        /// Empty for one that may be a program.
        var catalogers: [Int]
    }

    private let root: RootDirectory
    private let selection: Selection
    private let known: [String: KnownFile]
    private let waiting: [(path: String, candidate: Candidate)]
    private let packagesMax: Int
    private let reads = Atomic(0)
    private let packages = Atomic(0)
    /// Held while a large file is read: however many threads there are, one such file is in memory.
    private let large = Mutex(())

    /// What several threads may hold at the same time, each.
    private static let largeBytes = 16 << 20

    init(
        _ root: RootDirectory, _ selection: Selection, known: [String: KnownFile],
        waiting: [(path: String, candidate: Candidate)], packagesMax: Int
    ) {
        self.root = root
        self.selection = selection
        self.known = known
        self.waiting = waiting
        self.packagesMax = packagesMax
    }

    /// Files whose content was looked at.
    var filesRead: Int { reads.load(ordering: .relaxed) }

    /// In the order of the walk; without what is there no more.
    /// - Returns: also how many files are left out because those before them name as many packages as are kept.
    func run(threads: Int) -> (files: [(path: String, known: KnownFile)], leftOut: Int) {
        let found = Mutex([KnownFile?](repeating: nil, count: waiting.count))
        Workers.each(waiting.count, threads: threads) { [self] place in
            // Files are taken in order: all that were counted come before this one.
            guard packages.load(ordering: .relaxed) <= packagesMax else { return }
            guard let one = file(waiting[place].path, waiting[place].candidate) else { return }
            packages.add(one.packageCount, ordering: .relaxed)
            found.withLock { $0[place] = one }
        }
        var kept: [(path: String, known: KnownFile)] = []
        var count = 0
        for (place, known) in found.withLock({ $0 }).enumerated() {
            count += known?.packageCount ?? 0
            guard count <= packagesMax else { return (kept, waiting.count - place) }
            if let known { kept.append((waiting[place].path, known)) }
        }
        return (kept, 0)
    }

    private func file(_ path: String, _ candidate: Candidate) -> KnownFile? {
        guard let stamp = DirectoryListing.stamp(root.directory, path), stamp.isRegular else { return nil }
        if let known = known[path], known.isAsBefore(stamp, below: root) { return known }
        guard let (file, opened) = root.open(path) else {
            let fault = SystemError.text
            let catalogers = candidate.catalogers.map { selection.catalogers[$0].name }
            return KnownFile(
                stamp: stamp,
                files: catalogers.map {
                    ScannedFile(path: path, cataloger: $0, catalog: Catalog(), fault: fault, modified: stamp.modified)
                }
            )
        }
        reads.add(1, ordering: .relaxed)
        // Of a program only pieces are read.
        guard !candidate.catalogers.isEmpty else {
            return KnownFile.read(path, file, opened, below: root, nil, selection)
        }
        guard opened.size > Self.largeBytes else {
            return KnownFile.read(path, file, opened, below: root, candidate.catalogers, selection)
        }
        return large.withLock { _ in
            KnownFile.read(path, file, opened, below: root, candidate.catalogers, selection)
        }
    }
}
