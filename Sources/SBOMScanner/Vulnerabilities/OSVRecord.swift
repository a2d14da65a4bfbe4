internal import IronpostCore

/// An OSV record (schema 1.7): an advisory, and the packages that it tells of.
struct OSVRecord: Sendable {
    struct Event: Sendable, Hashable {
        enum Kind: UInt8, Sendable {
            case introduced, fixed, lastAffected, limit
        }

        var kind: Kind
        /// As written; `0` is before everything, `*` behind.
        var version: String
    }

    struct Affected: Sendable, Hashable {
        var ecosystem: String
        /// As names of its ecosystem are compared.
        var name: String
        var ranges: [[Event]]
        /// Listed versions, as `IndexLayout.identity` makes them.
        var versions: [[UInt8]]
    }

    var advisory: Advisory
    var affected: [Affected]
    /// Packages of ecosystems whose versions cannot be ordered here.
    var unknownEcosystems: [String] = []

    private static let summaryBytesMax = 500
    private static let idBytesMax = 200
    private static let namesMax = 64

    /// Throws what a record has to have and does not.
    init(_ root: Tree.Value) throws(ReadFault) {
        guard let id = root["id"]?.string, !id.isEmpty, id.utf8.count <= Self.idBytesMax else {
            throw ReadFault("no id")
        }
        guard let modified = root["modified"]?.scalar else { throw ReadFault("\(id) has no \"modified\"") }
        let none = Tree.Children(tree: root.tree, next: 0)
        var advisory = Advisory(id: id)
        // Some databases leave the year 1.
        advisory.modified = (Timestamp(rfc3339: modified)?.nanoseconds ?? 0) / 1_000_000_000
        advisory.isWithdrawn = root["withdrawn"]?.string != nil
        advisory.aliases = (root["aliases"]?.children ?? none).prefix(Self.namesMax).compactMap(\.string)
        advisory.upstream = (root["upstream"]?.children ?? none).prefix(Self.namesMax).compactMap(\.string)
        let text = root["summary"]?.string ?? root["details"]?.string ?? ""
        let line = text.split(separator: "\n", maxSplits: 1).first.map(String.init) ?? ""
        advisory.summary = String(decoding: line.utf8.prefix(Self.summaryBytesMax), as: UTF8.self)
        var vectors = Self.vectors(root["severity"])
        affected = []
        for entry in root["affected"]?.children ?? none {
            vectors += Self.vectors(entry["severity"])
            guard let ecosystem = entry["package"]?["ecosystem"]?.string, let name = entry["package"]?["name"]?.string
            else {
                continue
            }
            guard let scheme = Ecosystem.scheme(osv: ecosystem) else {
                unknownEcosystems.append(ecosystem)
                continue
            }
            var ranges: [[Event]] = []
            for range in entry["ranges"]?.children ?? none where range["type"]?.string != "GIT" {
                ranges.append(Self.events(range["events"]?.children ?? none))
            }
            affected.append(
                Affected(
                    ecosystem: ecosystem, name: Ecosystem.comparableName(name, osv: ecosystem), ranges: ranges,
                    versions: (entry["versions"]?.children ?? none).compactMap { version in
                        version.scalar.map { IndexLayout.identity($0, scheme) }
                    }
                )
            )
            if advisory.word == nil {
                advisory.word = Self.word(entry["ecosystem_specific"]) ?? Self.word(entry["database_specific"])
            }
        }
        advisory.word = Self.word(root["database_specific"]) ?? advisory.word
        // The newest version of CVSS that the record has.
        for vector in vectors.sorted(by: { Self.rank($0) > Self.rank($1) }) {
            guard let score = CVSS.score(vector) else { continue }
            (advisory.vector, advisory.score) = (vector, score)
            break
        }
        self.advisory = advisory
    }

    init(advisory: Advisory, affected: [Affected]) {
        self.advisory = advisory
        self.affected = affected
    }

    private static func events(_ list: Tree.Children) -> [Event] {
        var events: [Event] = []
        for entry in list {
            for (name, kind) in [
                ("introduced", .introduced), ("fixed", .fixed), ("last_affected", .lastAffected), ("limit", .limit),
            ] as [(String, Event.Kind)] {
                if let version = entry[name]?.scalar { events.append(Event(kind: kind, version: version)) }
            }
        }
        return events
    }

    private static func vectors(_ list: Tree.Value?) -> [String] {
        guard let list, list.isArray else { return [] }
        return list.children.compactMap { $0["type"]?.string?.hasPrefix("CVSS") == true ? $0["score"]?.string : nil }
    }

    private static func rank(_ vector: String) -> Int {
        vector.hasPrefix("CVSS:4") ? 3 : vector.hasPrefix("CVSS:3.1") ? 2 : vector.hasPrefix("CVSS:3") ? 1 : 0
    }

    /// A rating in words: GitHub's `severity`, Ubuntu's `priority`, Debian's `urgency`.
    private static func word(_ specific: Tree.Value?) -> Severity? {
        guard let specific, specific.isObject else { return nil }
        for name in ["severity", "priority", "urgency"] {
            guard let word = specific[name]?.string?.lowercased() else { continue }
            switch word {
            case "critical": return .critical
            case "high", "important": return .high
            case "medium", "moderate": return .medium
            case "low": return .low
            case "negligible", "unimportant", "none": return .info
            default: continue
            }
        }
        return nil
    }
}
