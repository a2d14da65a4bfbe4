internal import Glibc

/// Reads advisories from where they are published: directories and checkouts, zips, single files; besides CISA's
/// catalogue of exploited vulnerabilities and the EPSS table. A record that is faulty is named and left out.
struct AdvisoryImport {
    var collection: AdvisoryCollection
    private(set) var report = ImportReport()

    private static let recordBytesMax = 16 << 20
    private static let catalogueBytesMax = 256 << 20
    private static let probabilitiesBytesMax = 512 << 20
    private static let filesMax = 5_000_000
    private static let depthMax = 32
    /// What a zip may unpack to altogether, and how often its own size.
    private static let unpackedBytesMax = 32 << 30
    private static let ratioMax = 200

    init(_ collection: AdvisoryCollection) { self.collection = collection }

    mutating func read(_ path: String, progress: ((Int) -> Void)?) throws(ReadFault) {
        var status = stat()
        guard unsafe stat(path, &status) == 0 else { throw ReadFault(SystemError.text) }
        let stamp = FileStamp(status)
        if stamp.isDirectory { return try directory(path, progress) }
        guard stamp.isRegular else { throw ReadFault("neither a directory nor a file") }
        let slash = path.utf8.lastIndex(of: 0x2F)
        let folder = slash.map { String(path[..<$0]) } ?? "."
        let name = slash.map { String(path[path.index(after: $0)...]) } ?? path
        let root = try RootDirectory(folder.isEmpty ? "/" : folder)
        guard let (file, opened) = RootDirectory.openRegular(in: root.directory, name) else {
            throw ReadFault("not a file, or a symbolic link")
        }
        try single(root.source(name, file, opened), progress)
    }

    /// Records from one file of a mirror, already in memory.
    mutating func read(_ name: String, _ bytes: [UInt8]) throws(ReadFault) {
        try single(SourceFile(path: name, bytes: bytes), nil)
    }

    private mutating func single(_ source: SourceFile, _ progress: ((Int) -> Void)?) throws(ReadFault) {
        let before = report.usable
        let head = try source.bytes(at: 0, count: 4)
        if head.starts(with: [0x50, 0x4B]) {
            try zip(source, progress)
        } else if head.starts(with: [0x1F, 0x8B]) || source.name.hasSuffix(".csv") {
            try probabilities(source)
        } else {
            take(source.name, try source.bytes(max: Self.catalogueBytesMax))
        }
        // What is asked for by name has to hold something.
        if report.usable == before { throw ReadFault(report.faults.last ?? "no advisories in it") }
    }

    // MARK: - Directories and zips

    private mutating func directory(_ path: String, _ progress: ((Int) -> Void)?) throws(ReadFault) {
        let root = try RootDirectory(path)
        var open: [(path: String, depth: Int)] = [("", 0)]
        var files = 0
        while let (directory, depth) = open.popLast() {
            let descriptor =
                directory.isEmpty
                ? dup(root.directory.descriptor) : LinkFreeOpen.directory(root.directory.descriptor, directory)
            guard descriptor >= 0 else { continue }
            let handle = OpenFile(descriptor: descriptor)
            for entry in DirectoryListing.entries(handle) {
                let inner = directory.isEmpty ? entry.name : directory + "/" + entry.name
                if entry.isFolder {
                    if !Selection.isIgnored(directory: entry.name), depth < Self.depthMax {
                        open.append((inner, depth + 1))
                    }
                    continue
                }
                guard entry.isFile, Self.mayBeRecord(entry.name) else { continue }
                files += 1
                guard files <= Self.filesMax else { throw ReadFault("more than \(Self.filesMax) files") }
                if let progress, files % 1000 == 0 { progress(files) }
                guard let (file, stamp) = RootDirectory.openRegular(in: handle, entry.name) else { continue }
                do {
                    let source = root.source(inner, file, stamp)
                    if entry.name.hasSuffix(".zip") {
                        try zip(source, progress)
                    } else if entry.name.contains(".csv") {
                        try probabilities(source)
                    } else {
                        take(inner, try source.bytes(max: Self.catalogueBytesMax))
                    }
                } catch { report.add(fault: "\(inner): \(error)") }
            }
        }
    }

    private static func mayBeRecord(_ name: String) -> Bool {
        [".json", ".yaml", ".yml", ".zip"].contains { name.hasSuffix($0) }
            || name.hasPrefix("epss") && (name.hasSuffix(".csv") || name.hasSuffix(".csv.gz"))
    }

    private mutating func zip(_ source: SourceFile, _ progress: ((Int) -> Void)?) throws(ReadFault) {
        let archive = try ZipArchive(source)
        var made = 0
        for (index, entry) in archive.entries.enumerated()
        where Self.mayBeRecord(entry.name) && !entry.name.hasSuffix(".zip") {
            if let progress, index % 1000 == 0 { progress(index) }
            made += entry.size
            guard made <= Self.unpackedBytesMax, made / Self.ratioMax <= max(source.size, 1 << 20) else {
                throw ReadFault("\(source.name) unpacks to more than its size lets one believe")
            }
            do { take(entry.name, try archive.contents(entry, max: Self.recordBytesMax)) } catch {
                report.add(fault: "\(entry.name): \(error)")
            }
        }
    }

    // MARK: - Records

    private mutating func take(_ name: String, _ bytes: [UInt8]) {
        do {
            let isYAML = name.hasSuffix(".yaml") || name.hasSuffix(".yml")
            guard bytes.count <= Self.recordBytesMax || !isYAML else {
                throw ReadFault("larger than \(Self.recordBytesMax >> 20) MiB")
            }
            let root = try isYAML ? YAMLReader.read(bytes).root : JSONReader.read(bytes).root
            if let list = root["vulnerabilities"], list.isArray, root["catalogVersion"] != nil {
                return catalogue(list)
            }
            if root.isArray {
                for entry in root.children { try add(entry) }
            } else if root["id"] != nil, root["modified"] != nil {
                try add(root)
            } else {
                // A checkout has other files too: only what claims to be a record and is none is a fault.
                report.ignored += 1
            }
        } catch { report.add(fault: "\(name): \(error)") }
    }

    private mutating func add(_ root: Tree.Value) throws(ReadFault) {
        let record = try OSVRecord(root)
        let id = record.advisory.id
        for ecosystem in record.unknownEcosystems { report.unknownEcosystems[ecosystem, default: 0] += 1 }
        if let known = collection.records[id] {
            // The newer one holds; of the same age the one that comes last, in case a mirror does not date them.
            guard known.advisory.modified <= record.advisory.modified else {
                report.unchanged += 1
                return
            }
            if known.isSame(as: record) {
                report.unchanged += 1
                return
            }
        }
        report.records += 1
        if record.advisory.isWithdrawn { report.withdrawn += 1 }
        collection.records[id] = record
        report.changed.insert(id)
    }

    private mutating func catalogue(_ list: Tree.Value) {
        collection.exploited = [:]
        for entry in list.children {
            guard let cve = entry["cveID"]?.string, IndexLayout.number(cve: cve) != nil else { continue }
            collection.exploited[cve] = entry["dateAdded"]?.string ?? "unknown"
        }
        report.exploited += collection.exploited.count
    }

    /// `cve,epss,percentile`, behind a comment with the model.
    private mutating func probabilities(_ source: SourceFile) throws(ReadFault) {
        var bytes = try source.bytes(max: Self.probabilitiesBytesMax)
        if bytes.starts(with: [0x1F, 0x8B]) {
            bytes = try Inflater.inflate(bytes[...], form: .automatic, max: Self.probabilitiesBytesMax)
        }
        var found: [UInt64: (probability: Float, percentile: Float)] = [:]
        var isTable = false
        for line in Lines(bytes) {
            if line.first == 0x23 { continue }
            let fields = line.text.split(separator: ",")
            guard fields.count >= 3 else { continue }
            if fields[0] == "cve" {
                isTable = true
                continue
            }
            guard isTable, let number = IndexLayout.number(cve: fields[0]), let probability = Float(fields[1]),
                let percentile = Float(fields[2]), (0...1).contains(probability), (0...1).contains(percentile)
            else { continue }
            found[number] = (probability, percentile)
        }
        guard !found.isEmpty else { throw ReadFault("no EPSS table") }
        collection.probabilities = found
        report.probabilities += found.count
    }
}

extension OSVRecord {
    /// Whether matching and showing it would be the same; what is joined from other sources does not count.
    fileprivate func isSame(as other: OSVRecord) -> Bool {
        var left = advisory
        var right = other.advisory
        for keyPath in [\Advisory.epss, \Advisory.epssPercentile] {
            left[keyPath: keyPath] = nil
            right[keyPath: keyPath] = nil
        }
        (left.exploitedSince, right.exploitedSince) = (nil, nil)
        return left == right && Set(affected.map(\.sorted)) == Set(other.affected.map(\.sorted))
    }
}

extension OSVRecord.Affected {
    /// With its events and versions in an order that does not depend on who wrote them.
    fileprivate var sorted: OSVRecord.Affected {
        var copy = self
        copy.ranges = ranges.map { range in
            range.sorted { ($0.kind.rawValue, $0.version) < ($1.kind.rawValue, $1.version) }
        }
        copy.versions = Array(Set(versions)).sorted { VersionKey.compare($0, $1) < 0 }
        return copy
    }
}

/// What an import did.
package struct ImportReport: Sendable {
    /// New or changed.
    package internal(set) var records = 0
    package internal(set) var unchanged = 0
    package internal(set) var withdrawn = 0
    package internal(set) var exploited = 0
    package internal(set) var probabilities = 0
    /// Files that are no records and do not claim to be.
    package internal(set) var ignored = 0
    package private(set) var faultCount = 0
    /// The first of them.
    package private(set) var faults: [String] = []
    package internal(set) var unknownEcosystems: [String: Int] = [:]
    /// Ids of what is new or changed.
    package internal(set) var changed: Set<String> = []

    package static let faultsMax = 100

    /// Whatever was understood.
    var usable: Int { records + unchanged + exploited + probabilities }

    mutating func add(fault: String) {
        faultCount += 1
        if faults.count < Self.faultsMax { faults.append(fault) }
    }
}
