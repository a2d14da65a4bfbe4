/// What loading gave: documents as written, what is wrong with the others, and the files that were read.
public struct RuleLoad: Sendable {
    public var documents: [RuleDocument] = []
    public var faults: [RuleFault] = []
    public var files: [String] = []

    public init() {}
}

/// Reads rule files. Whatever is wrong with one document becomes a fault and never touches another document.
public enum RuleLoader {
    /// Larger files are refused.
    public static let fileBytesMax = 1 << 20
    /// Files beyond this many are refused, in order of path.
    public static let filesMax = 20_000
    /// Directories nested deeper below a given path are not entered.
    public static let directoryDepthMax = 32

    /// Loads files, and directories recursively: `.yml` and `.yaml` in order of path, but no `.test.yml`, no hidden
    /// files, and no symbolic links below a given path.
    /// - Parameter refusal: asked of every directory before it is entered and of every file before it is read; what it
    ///   says is the fault with which that path is left out.
    public static func load(
        paths: [String], refusal: (_ path: String, _ isDirectory: Bool) -> String? = { _, _ in nil }
    ) -> RuleLoad {
        var load = RuleLoad()
        for file in findFiles(paths, faults: &load.faults, refusal: refusal, where: isRuleFile) {
            if let reason = refusal(file, false) {
                load.faults.append(RuleFault(file: file, line: 0, message: reason))
                continue
            }
            guard let text = read(file, faults: &load.faults) else { continue }
            load.files.append(file)
            append(text, file: file, to: &load)
        }
        return load
    }

    /// Loads documents from text, as if it were the content of `file`.
    public static func load(text: String, file: String) -> RuleLoad {
        var load = RuleLoad()
        load.files = [file]
        append(text, file: file, to: &load)
        return load
    }

    private static func append(_ text: String, file: String, to load: inout RuleLoad) {
        for part in split(text) {
            do throws(DocumentFault) {
                guard let yaml = try YAMLNode.parse(part.text, firstLine: part.line) else { continue }
                do throws(DocumentFault) {
                    load.documents.append(try RuleDocument(file: file, line: yaml.line, yaml: yaml))
                } catch {
                    let rule = yaml["title"]?.scalar ?? yaml["name"]?.scalar ?? yaml["id"]?.scalar ?? ""
                    let line = error.line > 0 ? error.line : yaml.line
                    load.faults.append(RuleFault(file: file, line: line, rule: rule, message: error.message))
                }
            } catch {
                load.faults.append(RuleFault(file: file, line: error.line, message: error.message))
            }
        }
    }

    /// Cuts a file at its `---` lines, so that a document which is not YAML spoils no other.
    static func split(_ text: String) -> [(text: String, line: Int)] {
        var parts: [(text: String, line: Int)] = []
        var start = text.utf8.startIndex
        var startLine = 1
        var line = 1
        var index = start
        let utf8 = text.utf8
        while index != utf8.endIndex {
            let end = utf8[index...].firstIndex(of: UInt8(ascii: "\n")) ?? utf8.endIndex
            let content = utf8[index..<end]
            if content.starts(with: "---".utf8), content.dropFirst(3).first.map({ $0 <= 0x20 }) ?? true {
                parts.append((String(decoding: utf8[start..<index], as: UTF8.self), startLine))
                // What follows the marker on its line belongs to the document; keep it, without the marker.
                start = utf8.index(index, offsetBy: 3)
                startLine = line
            }
            index = end == utf8.endIndex ? end : utf8.index(after: end)
            line += 1
        }
        parts.append((String(decoding: utf8[start...], as: UTF8.self), startLine))
        return parts.filter { !$0.text.utf8.allSatisfy { $0 <= 0x20 } }
    }

    static func isRuleFile(_ name: String) -> Bool {
        (name.hasSuffix(".yml") || name.hasSuffix(".yaml")) && !isTestFile(name) && !name.hasPrefix(".")
    }

    static func isTestFile(_ name: String) -> Bool {
        (name.hasSuffix(".test.yml") || name.hasSuffix(".test.yaml")) && !name.hasPrefix(".")
    }

    static func findFiles(
        _ paths: [String], faults: inout [RuleFault],
        refusal: (_ path: String, _ isDirectory: Bool) -> String? = { _, _ in nil }, where isWanted: (String) -> Bool
    ) -> [String] {
        var found: [String] = []
        for path in paths {
            switch FileAccess.kind(of: path, followingLink: true) {
            case .directory:
                descend(path, depth: 0, found: &found, faults: &faults, refusal: refusal, where: isWanted)
            case .file: found.append(path)
            case .other: faults.append(RuleFault(file: path, line: 0, message: "neither a file nor a directory"))
            case nil:
                faults.append(RuleFault(file: path, line: 0, message: "no such file or directory, or no permission"))
            }
        }
        if found.count > filesMax {
            let message = "more than \(filesMax) rule files; this one and those after it are left out"
            faults.append(RuleFault(file: found[filesMax], line: 0, message: message))
            found.removeSubrange(filesMax...)
        }
        return found
    }

    private static func descend(
        _ directory: String, depth: Int, found: inout [String], faults: inout [RuleFault],
        refusal: (_ path: String, _ isDirectory: Bool) -> String?, where isWanted: (String) -> Bool
    ) {
        if let reason = refusal(directory, true) {
            faults.append(RuleFault(file: directory, line: 0, message: reason))
            return
        }
        guard depth < directoryDepthMax, found.count <= filesMax else {
            faults.append(RuleFault(file: directory, line: 0, message: "too deep, or too many files: not entered"))
            return
        }
        guard let names = FileAccess.names(in: directory) else {
            faults.append(RuleFault(file: directory, line: 0, message: "cannot list the directory"))
            return
        }
        for name in names.sorted() where !name.hasPrefix(".") {
            let path = directory.hasSuffix("/") ? directory + name : directory + "/" + name
            switch FileAccess.kind(of: path, followingLink: false) {
            case .directory:
                descend(path, depth: depth + 1, found: &found, faults: &faults, refusal: refusal, where: isWanted)
            case .file: if isWanted(name) { found.append(path) }
            default:
                if isWanted(name) {
                    let message = "neither a file nor a directory (symbolic links are not followed)"
                    faults.append(RuleFault(file: path, line: 0, message: message, isWarning: true))
                }
            }
        }
    }

    static func read(_ path: String, faults: inout [RuleFault]) -> String? {
        func refuse(_ message: String) -> String? {
            faults.append(RuleFault(file: path, line: 0, message: message))
            return nil
        }
        switch FileAccess.read(path, bytesMax: fileBytesMax) {
        case .unreadable: return refuse("cannot read the file")
        case .tooLarge: return refuse("larger than \(fileBytesMax) bytes")
        case .bytes(let bytes):
            guard let text = String(validating: bytes, as: UTF8.self) else { return refuse("not UTF-8") }
            return text
        }
    }
}
