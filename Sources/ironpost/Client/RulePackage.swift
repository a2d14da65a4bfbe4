import Glibc
import IronpostCore
import LogPipeline
import SBOMScanner
import Sigma

/// Rule files that somebody hands us: a directory, an archive of one, or a single file.
struct RulePackage {
    struct File {
        /// Below the package.
        var path: String
        /// As faults name it.
        var place: String
        var bytes: [UInt8]
    }

    private(set) var files: [File] = []
    private(set) var leftOut: [RuleFault] = []
    private(set) var ruleCount = 0
    /// What the package is called when nobody says otherwise.
    let name: String

    private static let archiveSuffixes = [".tar.gz", ".tgz", ".tar", ".zip"]

    init(_ source: String) throws(CommandFailure) {
        var status = stat()
        guard unsafe stat(source, &status) == 0 else {
            throw CommandFailure(.usage, "\(source): \(unsafe String(cString: strerror(errno)))")
        }
        var base = source
        while base.count > 1, base.hasSuffix("/") { base.removeLast() }
        var last = base.split(separator: "/").last.map(String.init) ?? ""
        if let suffix = (Self.archiveSuffixes + [".yml", ".yaml"]).first(where: { last.lowercased().hasSuffix($0) }) {
            last.removeLast(suffix.count)
        }
        name = last
        if status.st_mode & S_IFMT == S_IFDIR {
            readFiles(of: base, prefix: base + "/")
        } else if Self.isRule(source) {
            readFiles(of: source, prefix: source.lastIndex(of: "/").map { String(source[...$0]) } ?? "")
        } else {
            try readArchive(source)
        }
    }

    private static func isRule(_ path: String) -> Bool {
        [".yml", ".yaml"].contains { path.lowercased().hasSuffix($0) }
    }

    private static func isTest(_ path: String) -> Bool {
        [".test.yml", ".test.yaml"].contains { path.hasSuffix($0) }
    }

    /// As the daemon would look for them; a rule's test comes along.
    private mutating func readFiles(of path: String, prefix: String) {
        let load = RuleLoader.load(paths: [path])
        // Faults of documents are found again, with those of compiling.
        leftOut = load.faults.filter { $0.line == 0 && !load.files.contains($0.file) }
        for file in load.files {
            take(file, prefix)
            let stem = file.lastIndex(of: ".").map { String(file[..<$0]) } ?? file
            let test = stem + ".test.yml"
            if unsafe access(test, R_OK) == 0 { take(test, prefix) }
        }
    }

    private mutating func take(_ file: String, _ prefix: String) {
        do throws(InputBytes.Fault) {
            let bytes = try InputBytes.read(file, max: RuleLoader.fileBytesMax)
            files.append(File(path: String(file.dropFirst(prefix.count)), place: file, bytes: bytes))
        } catch {
            leftOut.append(RuleFault(file: file, line: 0, message: error.description))
        }
    }

    private mutating func readArchive(_ path: String) throws(CommandFailure) {
        do throws(ReadFault) {
            let archive = try ArchiveFiles(path) { name in
                Self.isRule(name) && !name.split(separator: "/").contains { $0.hasPrefix(".") }
            }
            for file in archive.files.sorted(by: { $0.path < $1.path }) {
                files.append(File(path: file.path, place: file.path, bytes: file.bytes))
            }
            leftOut += archive.tooLarge.map {
                RuleFault(file: $0, line: 0, message: "larger than \(RuleLoader.fileBytesMax) bytes")
            }
            leftOut += archive.links.map { RuleFault(file: $0, line: 0, message: "a link, which is not followed") }
        } catch {
            throw CommandFailure(.failure, "\(path): \(error)")
        }
    }

    /// Leaves out every file with a rule that could not be used beside the rules that are there.
    mutating func validate(beside others: RuleLoad, adaptation: RuleAdaptation) {
        let pipelines = PipelineSet.load(paths: adaptation.pipelines)
        var seen: Set<String> = []
        // The same name twice in an archive: which of them it would be is nobody's guess.
        files = files.filter { file in
            if seen.insert(file.path).inserted { return true }
            leftOut.append(RuleFault(file: file.place, line: 0, message: "twice in the archive"))
            return false
        }
        // A correlation fails when a rule that it counts is left out.
        while !files.isEmpty {
            var load = others
            load.faults = []
            var faults: [RuleFault] = []
            for file in files where !Self.isTest(file.path) {
                guard let text = String(validating: file.bytes, as: UTF8.self) else {
                    faults.append(RuleFault(file: file.place, line: 0, message: "not UTF-8"))
                    continue
                }
                let own = RuleLoader.load(text: text, file: file.place)
                if own.documents.isEmpty, own.faults.isEmpty {
                    faults.append(RuleFault(file: file.place, line: 0, message: "there is no rule in it"))
                }
                load.documents += own.documents
                faults += own.faults
            }
            let set = RuleSet.compile(
                pipelines.apply(to: load, placeholders: adaptation.placeholders), classes: EventClasses.all,
                wellKnownFields: Fields.names, placeholders: adaptation.placeholders)
            let places = Set(files.map(\.place))
            faults += set.faults.filter { !$0.isWarning && places.contains($0.file) }
            ruleCount = set.rules.count { places.contains($0.document.file) }
            let bad = Set(faults.map(\.file))
            guard !bad.isEmpty else { break }
            leftOut += faults
            files.removeAll { bad.contains($0.place) }
        }
        // A test without its rule is of no use.
        let stems = Set(files.filter { !Self.isTest($0.path) }.map { Self.stem($0.path) })
        files.removeAll { Self.isTest($0.path) && !stems.contains(Self.stem(Self.stem($0.path))) }
        if files.isEmpty { ruleCount = 0 }
    }

    private static func stem(_ path: String) -> String {
        path.lastIndex(of: ".").map { String(path[..<$0]) } ?? path
    }
}
