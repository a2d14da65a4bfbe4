/// One blocked address as JSON.
package struct BlockDocument: Codable, Sendable, Equatable {
    package var cidr: String
    package var port: UInt16?
    package var `protocol`: String?
    package var origin: String
    package var reason: String
    package var created: String
    package var expiresAt: String
    package var ttlSecs: Int
    package var inForce: Bool
    package var actionID: String

    enum CodingKeys: String, CodingKey {
        case cidr, port, `protocol`, origin, reason, created
        case expiresAt = "expires_at"
        case ttlSecs = "ttl_secs"
        case inForce = "in_force"
        case actionID = "action_id"
    }

    /// - Parameter remaining: by the clock that the block ends by.
    package init(_ block: Block, remaining: Duration) {
        cidr = block.target.network.description
        port = block.target.port
        `protocol` = block.target.transport?.rawValue
        origin = block.origin.rawValue
        reason = block.reason
        created = block.created.rfc3339
        expiresAt = block.deadline.time.rfc3339
        ttlSecs = Int(max(0, remaining.components.seconds))
        inForce = block.isInForce
        actionID = block.actionID.description
    }
}

/// `{"blocks": […], "total": n}`, newest first.
package struct BlockListDocument: Codable, Sendable {
    package var blocks: [BlockDocument]
    package var total: Int

    package init(blocks: [BlockDocument], total: Int) {
        self.blocks = blocks
        self.total = total
    }
}

/// What `block add` and `block import` ask for.
package struct BlockRequestDocument: Codable, Sendable {
    package var cidr: String
    package var port: UInt16?
    package var `protocol`: String?
    package var ttl: String?
    package var reason: String?

    package init(cidr: String, port: UInt16? = nil, protocol: String? = nil, ttl: String? = nil, reason: String? = nil)
    {
        self.cidr = cidr
        self.port = port
        self.protocol = `protocol`
        self.ttl = ttl
        self.reason = reason
    }
}

package struct BlockImportDocument: Codable, Sendable {
    package struct Entry: Codable, Sendable {
        package var cidr: String
        package var ttl: String?

        package init(cidr: String, ttl: String?) {
            self.cidr = cidr
            self.ttl = ttl
        }
    }

    package var name: String
    package var entries: [Entry]
    package var ttl: String?
    package var reason: String?

    package init(name: String, entries: [Entry], ttl: String?, reason: String?) {
        self.name = name
        self.entries = entries
        self.ttl = ttl
        self.reason = reason
    }
}

package struct BlockOutcomeDocument: Codable, Sendable {
    package var action: ActionDocument
    package var count: Int
    package var skipped: [String]
    package var skippedTotal: Int
    package var warning: String?

    enum CodingKeys: String, CodingKey {
        case action, count, skipped
        case skippedTotal = "skipped_total"
        case warning
    }

    package init(_ outcome: BlockOutcome) {
        action = ActionDocument(outcome.action)
        count = outcome.count
        skipped = outcome.skipped
        skippedTotal = outcome.skippedCount
        warning = outcome.warning
    }
}

/// How many were lifted, removed or the like.
package struct CountDocument: Codable, Sendable {
    package var count: Int

    package init(count: Int) {
        self.count = count
    }
}

/// An action with all that became of it, oldest first.
package struct ActionDetailDocument: Codable, Sendable {
    package var action: ActionDocument
    package var transitions: [ActionDocument]

    package init(action: ActionDocument, transitions: [ActionDocument]) {
        self.action = action
        self.transitions = transitions
    }
}

package struct AllowDocument: Codable, Sendable, Equatable {
    package var cidr: String
    package var reason: String
    package var created: String?
    /// `configuration` or `command`.
    package var origin: String

    package init(cidr: String, reason: String, created: String?, origin: String) {
        self.cidr = cidr
        self.reason = reason
        self.created = created
        self.origin = origin
    }
}

package struct AllowListDocument: Codable, Sendable {
    package var allowed: [AllowDocument]
    package var total: Int

    package init(allowed: [AllowDocument]) {
        self.allowed = allowed
        total = allowed.count
    }
}

package struct SilenceDocument: Codable, Sendable, Equatable {
    package var id: String
    package var rule: String?
    package var fields: [String: String]
    package var reason: String
    package var created: String
    package var ends: String
    package var suppressed: Int

    package init(_ silence: Silence) {
        id = silence.id.description
        rule = silence.rule
        fields = Dictionary(silence.fields.map { ($0.name, $0.value) }, uniquingKeysWith: { first, _ in first })
        reason = silence.reason
        created = silence.created.rfc3339
        ends = silence.ends.rfc3339
        suppressed = silence.suppressed
    }
}

package struct SilenceListDocument: Codable, Sendable {
    package var silences: [SilenceDocument]
    package var total: Int

    package init(silences: [SilenceDocument]) {
        self.silences = silences
        total = silences.count
    }
}

package struct SilenceRequestDocument: Codable, Sendable {
    package var rule: String?
    package var fields: [String: String]?
    /// How long, as in `8h`.
    package var duration: String
    package var reason: String?

    package init(rule: String?, fields: [String: String]?, duration: String, reason: String?) {
        self.rule = rule
        self.fields = fields
        self.duration = duration
        self.reason = reason
    }
}

package struct NoisyRuleDocument: Codable, Sendable, Equatable {
    package var rule: String
    package var title: String
    package var severity: String
    package var alerts: Int
    package var events: Int
    package var settled: Int
    package var topSource: String?
    package var topSourceEvents: Int
    package var silence: String

    enum CodingKeys: String, CodingKey {
        case rule, title, severity, alerts, events, settled
        case topSource = "top_source"
        case topSourceEvents = "top_source_events"
        case silence
    }

    package init(_ rule: NoisyRule) {
        self.rule = rule.rule
        title = rule.title
        severity = rule.severity.rawValue
        alerts = rule.alerts
        events = rule.events
        settled = rule.settled
        topSource = rule.topSource
        topSourceEvents = rule.topSourceEvents
        silence = rule.command
    }
}

package struct NoiseDocument: Codable, Sendable {
    package var rules: [NoisyRuleDocument]
    package var total: Int

    package init(rules: [NoisyRuleDocument]) {
        self.rules = rules
        total = rules.count
    }
}
