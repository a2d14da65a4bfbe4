internal import Crypto
package import IronpostCore

/// Shapes alerts of findings: one a package, or, when there are very many at once, one a root and severity.
package struct FindingAlerts: Sendable {
    package var node: String
    package var generation: Int
    /// Tells this run's alerts from those of another.
    package var run: UInt64

    package static let ruleID = "sbom_vuln_scan"
    /// More packages than this at once are told together.
    package static let packagesMax = 20
    private static let namedMax = 20

    package init(node: String, generation: Int, run: UInt64) {
        self.node = node
        self.generation = generation
        self.run = run
    }

    package struct Group: Sendable {
        package var alert: Alert
        package var findings: [FindingRecord.Key]
    }

    /// - Parameter users: processes that have a file of the package mapped, by purl.
    package func alerts(of findings: [FindingRecord], users: [String: [RunningUse]], now: Timestamp) -> [Group] {
        var packages: [(key: String, findings: [FindingRecord])] = []
        var places: [String: Int] = [:]
        for finding in findings {
            let key = finding.root + "\u{0}" + finding.purl
            if let place = places[key] {
                packages[place].findings.append(finding)
            } else {
                places[key] = packages.count
                packages.append((key, [finding]))
            }
        }
        if packages.count <= Self.packagesMax {
            return packages.enumerated().map { index, group in
                package(group.findings, users[group.findings[0].purl] ?? [], index, now)
            }
        }
        var summaries: [Group] = []
        let roots = Set(findings.map(\.root)).sorted()
        for root in roots {
            for severity in [Severity?.some(.critical), .high, .medium, .low, .info, nil] {
                let group = findings.filter { $0.root == root && $0.severity == severity }
                if !group.isEmpty { summaries.append(summary(group, root, severity, summaries.count, now)) }
            }
        }
        return summaries
    }

    private func package(_ findings: [FindingRecord], _ users: [RunningUse], _ index: Int, _ now: Timestamp) -> Group {
        let first = findings[0]
        let worst = findings.compactMap(\.severity).max()
        let ids = findings.map(\.advisory)
        let isExploited = findings.contains { $0.isExploited }
        var fields = [
            Field("package", first.package), Field("version", first.version), Field("purl", first.purl),
            Field("ecosystem", first.ecosystem), Field("advisories", ids.joined(separator: ", ")),
        ]
        let aliases = findings.flatMap(\.aliases)
        if !aliases.isEmpty { fields.append(Field("aliases", aliases.joined(separator: ", "))) }
        if let fixed = findings.compactMap(\.fixedVersion).last { fields.append(Field("fixed_version", fixed)) }
        if isExploited { fields.append(Field("kev", "true")) }
        if let epss = findings.compactMap(\.epss).max() { fields.append(Field("epss", "\(epss)")) }
        fields.append(Field("source_file", first.file))
        if !users.isEmpty { fields.append(Field("processes", users.map(\.description).joined(separator: ", "))) }
        let count = findings.count == 1 ? ids[0] : "\(findings.count) known vulnerabilities"
        let alert = alert(
            severity: isExploited ? max(worst ?? .high, .high) : worst ?? .medium,
            title: "\(first.package) \(first.version) has \(count)",
            description: findings.map { "\($0.advisory): \($0.summary)" }.joined(separator: "\n"), fields: fields,
            group: [
                Field("package", first.package), Field("version", first.version), Field("root", first.root),
                Field("advisories", Self.digest(ids)),
            ],
            file: first.file, raw: first.purl, index: index, now: now
        )
        return Group(alert: alert, findings: findings.map(\.key))
    }

    private func summary(
        _ findings: [FindingRecord], _ root: String, _ severity: Severity?, _ index: Int, _ now: Timestamp
    ) -> Group {
        let packages = Set(findings.map(\.purl))
        let word = severity?.rawValue ?? "unrated"
        let named = findings.prefix(Self.namedMax).map { "\($0.advisory) in \($0.package) \($0.version)" }
        let more = findings.count > named.count ? "\nand \(findings.count - named.count) more" : ""
        let isExploited = findings.contains { $0.isExploited }
        let alert = alert(
            severity: isExploited ? max(severity ?? .high, .high) : severity ?? .medium,
            title: "\(packages.count) packages below \(root) have \(word) vulnerabilities",
            description: named.joined(separator: "\n") + more,
            fields: [
                Field("root", root), Field("packages", String(packages.count)),
                Field("findings", String(findings.count)),
                Field("kev", String(isExploited)),
            ],
            group: [
                Field("root", root), Field("severity", word),
                Field("advisories", Self.digest(findings.map { $0.purl + $0.advisory })),
            ],
            file: findings[0].file, raw: "\(findings.count) findings", index: index, now: now
        )
        return Group(alert: alert, findings: findings.map(\.key))
    }

    private func alert(
        severity: Severity, title: String, description: String, fields: [Field], group: [Field], file: String,
        raw: String,
        index: Int, now: Timestamp
    ) -> Alert {
        Alert(
            id: UUIDv7.make(at: now), time: now, severity: severity, title: title, description: description,
            source: SBOMModule.moduleName,
            rule: RuleReference(id: Self.ruleID, title: "Vulnerable package", level: severity.rawValue),
            node: node, event: EventRecord(time: now, fields: fields),
            evidence: Evidence(
                source: "sbom", file: file, raw: raw, sha256: Hexadecimal.encode(SHA256.hash(data: Array(raw.utf8)))
            ),
            group: group, firstSeen: now, lastSeen: now,
            traceID: TraceID(run: run, sequence: UInt64(bitPattern: now.nanoseconds) &+ UInt64(index)).description,
            generation: generation
        )
    }

    private static func digest(_ ids: [String]) -> String {
        Hexadecimal.encode(SHA256.hash(data: Array(ids.sorted().joined(separator: "\n").utf8)).prefix(8))
    }
}
