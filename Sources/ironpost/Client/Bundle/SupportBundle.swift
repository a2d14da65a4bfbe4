import EventStore
import FoundationEssentials
import Glibc
import IronpostCore

/// What a maintainer needs to help: everything that this program knows of the daemon and the host, without secrets, and
/// without names and addresses unless they are asked for. Each part that cannot be had is named, and does no harm.
struct SupportBundle {
    struct File: Codable, Equatable {
        var name: String
        var bytes: Int
        var holds: String
    }

    struct Absence: Codable, Equatable {
        var name: String
        var reason: String
    }

    /// What was packed: the manifest inside of the archive, and what the command prints.
    struct Manifest: Codable, Equatable {
        var created: String
        var version: String
        /// Whether names of users, hosts and addresses were kept.
        var keepsNames: Bool
        var files: [File]
        var missing: [Absence]

        enum CodingKeys: String, CodingKey {
            case created, version, files, missing
            case keepsNames = "keeps_names"
        }
    }

    static let tokenBytesMax = 4096

    private var redaction: Redaction
    private(set) var entries: [BundleFile.Entry] = []
    private(set) var manifest: Manifest
    private let folder: String
    private let time: Timestamp

    init(secrets: [String], keepsNames: Bool, time: Timestamp) {
        redaction = Redaction(secrets: secrets, keepsNames: keepsNames)
        self.time = time
        folder = "ironpost-bundle-" + time.rfc3339.prefix(19).filter { $0 != "-" && $0 != ":" } + "Z"
        manifest = Manifest(
            created: time.rfc3339, version: IronpostVersion.current, keepsNames: keepsNames, files: [], missing: [])
    }

    /// The secrets of a configuration, and the token of its HTTP interface.
    static func secrets(of configuration: Configuration) -> [String] {
        let token = (try? InputBytes.read(configuration.tokenFile, max: tokenBytesMax)).map {
            String(decoding: $0, as: UTF8.self).split(whereSeparator: \.isWhitespace).map(String.init)
        }
        return configuration.secretTexts + (token ?? [])
    }

    /// - Parameter isOwn: the operator's own text, of which hosts and addresses are kept.
    mutating func add(_ name: String, _ holds: String, text: String, isOwn: Bool = false) {
        let bytes = Array(redaction.text(text, keepsHosts: isOwn).utf8)
        entries.append(BundleFile.Entry(name: "\(folder)/\(name)", bytes: bytes))
        manifest.files.append(File(name: name, bytes: bytes.count, holds: holds))
    }

    mutating func add(_ name: String, _ holds: String, json value: some Encodable) throws {
        add(name, holds, text: try Self.json(value) + "\n")
    }

    mutating func miss(_ name: String, _ reason: String) {
        manifest.missing.append(Absence(name: name, reason: redaction.text(reason)))
    }

    /// Writes the archive, the manifest first.
    func write(to path: String) throws {
        let own = BundleFile.Entry(name: "\(folder)/manifest.json", bytes: Array((try Self.json(manifest) + "\n").utf8))
        try BundleFile.write([own] + entries, to: path, time: time.nanoseconds / 1_000_000_000)
    }

    private static func json(_ value: some Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes, .prettyPrinted]
        return String(decoding: try encoder.encode(value), as: UTF8.self)
    }
}

/// The parts.
extension SupportBundle {
    struct Versions: Encodable {
        var ironpost: String
        var kernel: String
        var machine: String
        var distribution: [String: String]
    }

    mutating func addVersions() throws {
        var name = utsname()
        unsafe uname(&name)
        func text(_ field: UnsafeRawBufferPointer) -> String {
            unsafe String(decoding: field.prefix { $0 != 0 }, as: UTF8.self)
        }
        let release = unsafe withUnsafeBytes(of: &name.release) { unsafe text($0) }
        let version = unsafe withUnsafeBytes(of: &name.version) { unsafe text($0) }
        let machine = unsafe withUnsafeBytes(of: &name.machine) { unsafe text($0) }
        var distribution: [String: String] = [:]
        for line in (SmallFile.read("/etc/os-release") ?? "").split(separator: "\n") {
            let parts = line.split(separator: "=", maxSplits: 1).map(String.init)
            guard parts.count == 2, ["ID", "VERSION_ID", "PRETTY_NAME"].contains(parts[0]) else { continue }
            distribution[parts[0].lowercased()] = parts[1].filter { $0 != "\"" }
        }
        if distribution.isEmpty { miss("distribution", "/etc/os-release cannot be read") }
        try add(
            "versions.json", "of the program, the kernel and the distribution",
            json: Versions(
                ironpost: IronpostVersion.current, kernel: "\(release) \(version)", machine: machine,
                distribution: distribution)
        )
    }

    private struct Store: Encodable {
        var schemaVersion: Int
        var check: StoreCheckDocument

        enum CodingKeys: String, CodingKey {
            case schemaVersion = "schema_version"
            case check
        }
    }

    mutating func addStore(_ path: String) throws {
        do {
            guard EventStore.exists(path) else { return miss("store.json", "there is no database at \(path)") }
            let store = try EventStore(
                path: path, options: EventStore.Options(isReadOnly: true, checkAtOpenBytesMax: 0))
            try add(
                "store.json", "the database's schema version, and what a look at every record found",
                json: Store(
                    schemaVersion: try store.schemaVersion(), check: StoreCheckDocument(path, try store.check()))
            )
        } catch let error as StoreError {
            miss("store.json", "\(error)")
        }
    }

    private struct Rules: Encodable {
        var rules: [String]
        var faults: [RuleListDocument.Fault]
    }

    /// What only the daemon knows.
    mutating func addDaemon(_ client: ControlClient) async throws -> StatusDocument? {
        let status: StatusDocument
        do {
            status = try await client.get("/api/v1/status", as: StatusDocument.self)
        } catch let failure as CommandFailure {
            for name in ["status.json", "rules.json"] { miss(name, failure.message ?? "the daemon does not answer") }
            return nil
        }
        try add("status.json", "the daemon's modules, their state, and the ledger", json: status)
        do {
            let list = try await client.get("/api/v1/rules", as: RuleListDocument.self)
            try add(
                "rules.json", "ids of the rules in force, and what is wrong with others",
                json: Rules(rules: list.rules.map(\.id), faults: list.faults))
        } catch let failure as CommandFailure {
            miss("rules.json", failure.message ?? "the daemon does not say")
        }
        return status
    }

    mutating func addLog(pid: Int?) {
        guard let lines = DaemonLog.lastLines(pid: pid) else {
            return miss(
                "log.txt", "no log of the daemon is in the journal (\(DaemonLog.unit)) or in a file that it has open")
        }
        // Also with names: what somebody else wrote there is none of it.
        let kept = lines.compactMap { line in
            DaemonLog.redacted(line).map { manifest.keepsNames ? line : $0 }
        }
        let left = lines.count - kept.count
        let note = left > 0 ? "; \(left) that are not its own were left out" : ""
        add("log.txt", "the last \(kept.count) lines of the daemon's log\(note)", text: kept.map { $0 + "\n" }.joined())
    }
}
