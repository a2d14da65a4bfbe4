internal import IronpostCore

/// Matches an inventory with an index.
package enum Matcher {
    /// Sorted by severity (unknown among them as medium), then by package and id. Suppressed ones are among them.
    package static func findings(
        _ inventory: Inventory, _ index: VulnerabilityIndex, exceptions: Exceptions = Exceptions()
    ) -> [Finding] {
        var inventory = inventory
        var found: [(place: Int, advisory: Int, fixed: String?)] = []
        for (place, component) in inventory.components.enumerated() {
            for match in matches(component.package, index) { found.append((place, match.advisory, match.fixedVersion)) }
        }
        guard !found.isEmpty else { return [] }
        inventory.prepareUsers()
        var advisories: [Int: Advisory] = [:]
        var paths: [Int: [String]] = [:]
        var findings: [Finding] = []
        for match in found {
            let component = inventory.components[match.place]
            let advisory = advisories[match.advisory] ?? index.advisory(match.advisory)
            advisories[match.advisory] = advisory
            let path =
                paths[match.place] ?? inventory.path(to: match.place).map { inventory.components[$0].package.purl }
            paths[match.place] = path
            findings.append(
                Finding(
                    advisory: advisory, package: component.package, fixedVersion: match.fixed, files: component.files,
                    path: path, suppression: exceptions.suppression(of: advisory, in: component.package)
                )
            )
        }
        return findings.sorted { left, right in
            let ranks = (left.advisory.severity?.rank ?? 2, right.advisory.severity?.rank ?? 2)
            if ranks.0 != ranks.1 { return ranks.0 > ranks.1 }
            return (left.package.purl, left.advisory.id) < (right.package.purl, right.advisory.id)
        }
    }

    /// The advisories of one package: by its source where a distribution's go by that.
    package static func matches(
        _ package: Package, _ index: VulnerabilityIndex
    ) -> [(advisory: Int, fixedVersion: String?)] {
        // What lies in a project's own folders has its name by accident.
        guard !package.isLocal || package.ecosystem == .golang else { return [] }
        let name = package.source?.name ?? package.name
        let version = package.source?.version ?? package.version
        if let ecosystem = package.ecosystem.osvName {
            // Nearly all packages are in no record: a look into the table, and no more.
            guard let found = index.find(ecosystem, package.comparableName) else { return [] }
            return index.matches(package: found, package.ecosystem.scheme, version: version)
        }
        for ecosystem in package.osvEcosystems {
            guard let found = index.find(ecosystem, name) else { continue }
            return index.matches(package: found, package.ecosystem.scheme, version: version)
        }
        return []
    }

    /// Why each record that names the package does or does not apply: `--explain`.
    package static func explanation(_ package: Package, _ index: VulnerabilityIndex) -> [String] {
        var lines = ["\(package.purl)"]
        if package.isLocal, package.ecosystem != .golang {
            return lines + ["  is part of the project itself, and is not matched with a registry's packages"]
        }
        let name = package.source?.name ?? package.name
        let version = package.source?.version ?? package.version
        if package.osvEcosystems.isEmpty { return lines + ["  is of a distribution that no advisories are known for"] }
        if let source = package.source, source.name != package.name || source.version != package.version {
            lines.append("  advisories go by its source \(source.name) \(source.version)")
        }
        var hasRecords = false
        for ecosystem in package.osvEcosystems {
            for verdict in index.verdicts(ecosystem: ecosystem, name: name, version: version) {
                hasRecords = true
                let id = index.advisory(verdict.advisory).id
                let word = verdict.isAffected ? "affects" : "does not affect"
                let fixed = verdict.fixedVersion.map { "; fixed in \($0)" } ?? ""
                lines.append("  \(id) \(word) \(version) (\(ecosystem)): \(verdict.reason)\(fixed)")
            }
        }
        if !hasRecords {
            lines.append("  no advisory names \(name) in \(package.osvEcosystems.joined(separator: ", "))")
        }
        return lines
    }
}
