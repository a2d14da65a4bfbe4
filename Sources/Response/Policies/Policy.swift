package import IronpostCore

/// What to do about which alerts: a policy as it runs.
package struct Policy: Sendable, Equatable {
    package enum ActionType: String, Sendable, CaseIterable {
        case freeze, pause, stop, kill
        case networkDisconnect = "network_disconnect"
        case throttle, block

        /// As in `ActionRecord.actionType`.
        package var recordName: String { self == .block ? "network_block" : "container_\(rawValue)" }
        package var isForContainers: Bool { self != .block }
    }

    package struct Match: Sendable, Equatable {
        /// Rules by id or title; `nil` is any.
        package var ruleIDs: [String]?
        /// `nil` is any; `attack.t1110` also means `attack.t1110.001`.
        package var tags: [String]?
        /// Modules that decided; `nil` is any.
        package var sources: [String]?
        /// The least that a source address has to be proven by; `file` unless the policy asks for more.
        package var confidence = AddressProof.Confidence.file

        package init() {}
    }

    /// Which containers; globs. A list that is absent is ignored.
    package struct TargetFilter: Sendable, Equatable {
        package var containerNames: [String]?
        package var imagePatterns: [String]?
        package var labels: [String]?

        package init() {}

        package var isEmpty: Bool { containerNames == nil && imagePatterns == nil && labels == nil }

        /// - Parameter labels: the container's own, as `name=value`.
        package func matches(name: String, image: String, labels: [String]) -> Bool {
            func fits(_ patterns: [String]?, _ values: [String]) -> Bool {
                patterns.map { patterns in patterns.contains { Glob.matches($0, anyOf: values) } } ?? true
            }
            return fits(containerNames, [name]) && fits(imagePatterns, [image]) && fits(self.labels, labels)
        }
    }

    package var id: String
    package var name: String
    package var description: String
    package var isEnabled: Bool
    package var severityThreshold: Severity
    /// Lower comes first.
    package var priority: Int
    package var match: Match
    package var targetFilter: TargetFilter
    package var action: ActionType
    /// `nil` takes `response.default_ttl`.
    package var ttl: Duration?
    /// For `network_disconnect`: only these networks; `nil` is all.
    package var networks: [String]?
    /// The furthest that this policy goes, whatever `response.mode` allows.
    package var modeMax: Configuration.Response.Mode
    /// Where it stands, for messages; empty for the built-in one.
    package var file: String

    /// Whether the policy is for alerts like this; says nothing of targets.
    package func covers(_ alert: Alert) -> Bool {
        guard isEnabled, alert.severity >= severityThreshold else { return false }
        if let ids = match.ruleIDs, !ids.contains(where: { $0 == alert.rule.id || $0 == alert.rule.title }) {
            return false
        }
        if let tags = match.tags {
            let carried = alert.rule.tags.map { $0.lowercased() }
            guard tags.contains(where: { tag in carried.contains { $0 == tag || $0.hasPrefix(tag + ".") } }) else {
                return false
            }
        }
        if let sources = match.sources, !sources.contains(alert.source) { return false }
        return true
    }

    /// What there is while nobody wrote a policy: addresses that guess passwords are blocked.
    package static let builtIn: Policy = {
        var match = Match()
        match.tags = ["attack.t1110"]
        return Policy(
            id: "built-in-password-guessing", name: "Password guessing",
            description:
                "Blocks an address from which passwords are guessed. Built in; used while there are no policies.",
            isEnabled: true, severityThreshold: .medium, priority: 1000, match: match, targetFilter: TargetFilter(),
            action: .block, ttl: nil, networks: nil, modeMax: .enforce, file: ""
        )
    }()
}

/// The policies in force, in the order in which they are tried.
package struct PolicySet: Sendable, Equatable {
    package let policies: [Policy]

    package init(_ policies: [Policy]) {
        self.policies = policies.sorted { ($0.priority, $0.id) < ($1.priority, $1.id) }
    }

    /// The first that is for alerts like this.
    package func first(for alert: Alert) -> Policy? {
        policies.first { $0.covers(alert) }
    }

    package var isBuiltIn: Bool { policies.allSatisfy { $0.file.isEmpty } }
}

/// `*` is any text, `?` one character; everything else is itself. Linear in the text, whatever the pattern.
package enum Glob {
    package static func matches(_ pattern: String, anyOf values: [String]) -> Bool {
        values.contains { matches(pattern, $0) }
    }

    package static func matches(_ pattern: String, _ text: String) -> Bool {
        let (pattern, text) = (Array(pattern.unicodeScalars), Array(text.unicodeScalars))
        var (p, t) = (0, 0)
        var star: (pattern: Int, text: Int)?
        while t < text.count {
            if p < pattern.count, pattern[p] == "*" {
                star = (p, t)
                p += 1
            } else if p < pattern.count, pattern[p] == "?" || pattern[p] == text[t] {
                p += 1
                t += 1
            } else if let last = star {
                star = (last.pattern, last.text + 1)
                p = last.pattern + 1
                t = last.text + 1
            } else {
                return false
            }
        }
        return pattern[p...].allSatisfy { $0 == "*" }
    }
}
