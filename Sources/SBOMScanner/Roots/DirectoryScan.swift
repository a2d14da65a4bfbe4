internal import Glibc

/// Walks a tree once and catalogs what is in it. Remembers what it saw, so that the next walk reads only what changed:
/// a directory whose time stands still has the entries it had.
package final class DirectoryScan {
    private struct Directory {
        var stamp: FileStamp
        var folders: [String]
        /// Files that a cataloger reads, or that may be programs.
        var candidates: [CandidateReading.Candidate]
        var entries: Int
        var isSettled = false
    }

    /// Of the last walk, from the root; the root itself is empty.
    var directoryPaths: [String] { Array(directories.keys) }

    private let path: String
    private let selection: Selection
    private let limits: ScanLimits
    private let threads: Int
    private let tick: Int64
    private var directories: [String: Directory] = [:]
    private var remembered: [String: KnownFile] = [:]
    /// What the last walk found, and how everything was then; `nil` when something was still changing.
    private var last: (stamps: StampList, result: RootScan)?
    /// Called now and then with the number of entries seen.
    package var progress: ((Int) -> Void)?
    /// Files that were read in the last walk.
    package private(set) var filesRead = 0

    /// Below the root of a host these hold no files of packages, or not its own.
    private static let kernelFolders: Set<String> = ["proc", "sys", "dev", "run"]
    private static let progressInterval = 2000

    /// - Parameters:
    ///   - threads: that read files at the same time.
    ///   - tick: nanoseconds in which something may change twice under the same times.
    package init(
        _ path: String, catalogers: [any Cataloger] = Catalogers.all, limits: ScanLimits = ScanLimits(),
        threads: Int = 1, tick: Int64 = FileStamp.tick
    ) {
        self.tick = tick
        self.path = path
        self.threads = threads
        selection = Selection(catalogers)
        self.limits = limits
    }

    /// - Throws: when the root itself cannot be opened.
    package func run() throws(ReadFault) -> RootScan {
        let root = try RootDirectory(path)
        filesRead = 0
        if let last, last.stamps.isAsBefore(below: root.directory) { return last.result }
        let began = FileStamp.now
        var stamps = StampList()
        var isSettled = true
        var result = RootScan(root: path)
        var seenDirectories: [String: Directory] = [:]
        var waiting: [(path: String, candidate: CandidateReading.Candidate)] = []
        var open: [(path: String, depth: Int)] = [("", 0)]
        var isHost = false
        while let (directory, depth) = open.popLast() {
            var listing: Directory
            if let known = directories[directory], known.isSettled, isAsBefore(root, directory, known) {
                listing = known
            } else {
                guard let handle = self.handle(root, directory) else {
                    result.leftOut["cannot be opened", default: 0] += 1
                    continue
                }
                var status = stat()
                guard unsafe fstat(handle.descriptor, &status) == 0 else { continue }
                listing = list(handle, directory, FileStamp(status))
            }
            listing.isSettled = listing.stamp.isSettled(at: began, tick: tick)
            isSettled = isSettled && listing.isSettled
            seenDirectories[directory] = listing
            stamps.add(directory, listing.stamp)
            result.entriesSeen += listing.entries
            guard result.entriesSeen <= limits.entriesMax else {
                result.leftOut["beyond \(limits.entriesMax) entries", default: 0] += 1
                break
            }
            if let progress, result.entriesSeen % Self.progressInterval < listing.entries {
                progress(result.entriesSeen)
            }
            if directory.isEmpty { isHost = listing.folders.contains("proc") && listing.folders.contains("etc") }
            for candidate in listing.candidates {
                let path = directory.isEmpty ? candidate.name : directory + "/" + candidate.name
                waiting.append((path, candidate))
            }
            for folder in listing.folders {
                if isHost, directory.isEmpty, Self.kernelFolders.contains(folder) { continue }
                guard depth < limits.depthMax else {
                    result.leftOut["deeper than \(limits.depthMax) folders", default: 0] += 1
                    continue
                }
                open.append((directory.isEmpty ? folder : directory + "/" + folder, depth + 1))
            }
        }
        let reading = CandidateReading(
            root, selection, known: remembered, waiting: waiting, packagesMax: limits.packagesMax)
        var seenFiles: [String: KnownFile] = [:]
        let read = reading.run(threads: threads)
        if read.leftOut > 0 {
            result.leftOut["files behind those that name \(limits.packagesMax) packages", default: 0] += read.leftOut
        }
        for (path, found) in read.files {
            if found.isSettled(at: began, tick: tick) { seenFiles[path] = found } else { isSettled = false }
            stamps.add(path, found.stamp)
            for neighbour in found.neighbours { stamps.add(neighbour.path, neighbour.stamp) }
            result.files += found.files
        }
        filesRead = reading.filesRead
        directories = seenDirectories
        remembered = seenFiles
        result.files.sort { ($0.path, $0.cataloger) < ($1.path, $1.cataloger) }
        // What was left out may have become readable without a trace in what was read.
        last = isSettled && result.leftOut.isEmpty ? (stamps, result) : nil
        last?.result.isUnchanged = true
        return result
    }

    private func handle(_ root: RootDirectory, _ directory: String) -> OpenFile? {
        guard !directory.isEmpty else { return root.directory }
        // Opened part by part only when a part could be a link; the kernel does that in one call.
        let descriptor = LinkFreeOpen.directory(root.directory.descriptor, directory)
        return descriptor >= 0 ? OpenFile(descriptor: descriptor) : nil
    }

    private func list(_ handle: OpenFile, _ directory: String, _ stamp: FileStamp) -> Directory {
        var listing = Directory(
            stamp: stamp, folders: [], candidates: [], entries: 0)
        for entry in DirectoryListing.entries(handle) {
            let name = entry.name
            let isFile = entry.isFile
            listing.entries += 1
            if entry.isFolder, !Selection.isIgnored(directory: name) { listing.folders.append(name) }
            guard isFile, !Selection.isForeign(directory: directory, name: name) else { continue }
            let catalogers = selection.catalogers(directory: directory, name: name)
            if !catalogers.isEmpty {
                listing.candidates.append(CandidateReading.Candidate(name: name, catalogers: catalogers))
            } else if Selection.mayBeProgram(name, mode: 0o111), let stamp = DirectoryListing.stamp(handle, name),
                Selection.mayBeProgram(name, mode: stamp.mode)
            {
                listing.candidates.append(CandidateReading.Candidate(name: name, catalogers: []))
            }
        }
        listing.folders.sort(by: >)
        listing.candidates.sort { $0.name < $1.name }
        return listing
    }

    /// The same directory with the same times; whatever was put in its path would be another one.
    private func isAsBefore(_ root: RootDirectory, _ directory: String, _ known: Directory) -> Bool {
        DirectoryListing.stamp(root.directory, directory.isEmpty ? "." : directory) == known.stamp
    }
}

/// Runs catalogers over one file.
enum Cataloging {
    private static let magicBytes = 4

    /// - Parameter chosen: by name; `nil` for a file that may be a program.
    static func run(_ source: SourceFile, _ chosen: [Int]?, _ selection: Selection, modified: Int64) -> [ScannedFile] {
        var catalogers = chosen ?? []
        let isProgram = chosen == nil
        if isProgram {
            do {
                let magic = try source.bytes(at: 0, count: magicBytes)
                guard magic.elementsEqual([0x7F, 0x45, 0x4C, 0x46]) else { return [] }
            } catch { return [] }
            catalogers = selection.programCatalogers
        }
        return catalogers.compactMap { index in
            let cataloger = selection.catalogers[index]
            var catalog = Catalog()
            var fault: String?
            do { try cataloger.catalog(source, into: &catalog) } catch { fault = "\(error)" }
            if catalog.isOverfull {
                catalog = Catalog()
                fault = "more than \(Catalog.packagesMax) packages, or \(Catalog.edgesMax) dependencies"
            }
            // A program without modules, a METADATA of something else: nothing to tell.
            let isNothing = catalog.packages.isEmpty && catalog.notes.isEmpty
            if isProgram, isNothing { return nil }
            if isNothing, fault == nil, cataloger is PythonInstalled { return nil }
            return ScannedFile(
                path: source.path, cataloger: cataloger.name, catalog: catalog, fault: fault, modified: modified)
        }
    }
}
