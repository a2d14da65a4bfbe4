package import IronpostCore

/// What became of findings from one look to the next: pure, so that it can be tested alone.
package struct FindingLedger: Sendable {
    /// Standing findings, as the store has them.
    package private(set) var standing: [FindingRecord.Key: FindingRecord]

    package init(_ stored: [FindingRecord]) {
        standing = Dictionary(stored.map { ($0.key, $0) }) { _, last in last }
    }

    package struct Change: Sendable {
        /// To be stored.
        package var records: [FindingRecord] = []
        /// Of those, what an alert has to tell.
        package var fresh: [FindingRecord] = []
    }

    /// What changes when these are the findings of these roots now. Roots that are not named stay as they were.
    package mutating func update(_ current: [FindingRecord], roots: Set<String>, now: Timestamp) -> Change {
        var change = Change()
        var present: Set<FindingRecord.Key> = []
        for var finding in current {
            present.insert(finding.key)
            if let known = standing[finding.key] {
                finding.firstSeen = known.firstSeen
                finding.lastSeen = known.lastSeen
                // What was ruled out and is no more is new again.
                let isRevived = known.state == .suppressed && finding.state != .suppressed
                if finding.state != .suppressed { finding.state = isRevived ? .new : known.state }
                guard finding != known else { continue }
            }
            finding.lastSeen = now
            standing[finding.key] = finding
            change.records.append(finding)
            if finding.state == .new { change.fresh.append(finding) }
        }
        for (key, known) in standing where roots.contains(key.root) && !present.contains(key) {
            var over = known
            over.state = .fixed
            over.lastSeen = now
            standing[key] = nil
            change.records.append(over)
        }
        change.records.sort { ($0.root, $0.purl, $0.advisory) < ($1.root, $1.purl, $1.advisory) }
        change.fresh.sort { ($0.root, $0.purl, $0.advisory) < ($1.root, $1.purl, $1.advisory) }
        return change
    }

    /// Their alert is stored.
    /// - Returns: the records to store.
    package mutating func markSeen(_ keys: [FindingRecord.Key]) -> [FindingRecord] {
        keys.compactMap { key in
            guard var finding = standing[key], finding.state == .new else { return nil }
            finding.state = .seen
            standing[key] = finding
            return finding
        }
    }

    /// Stored, but their alert was not.
    package var untold: [FindingRecord] {
        standing.values.filter { $0.state == .new }.sorted {
            ($0.root, $0.purl, $0.advisory) < ($1.root, $1.purl, $1.advisory)
        }
    }
}
