/// One transition of the audit record as JSON (contract, section 5).
package struct ActionDocument: Codable, Sendable, Equatable {
    package var id: String
    package var time: String
    package var alertID: String?
    package var policyID: String?
    package var actionType: String
    package var target: String
    package var mode: String
    package var state: String
    package var guardrail: String?
    package var expiresAt: String?
    package var evidencePath: String?
    package var error: String?

    enum CodingKeys: String, CodingKey {
        case id, time
        case alertID = "alert_id"
        case policyID = "policy_id"
        case actionType = "action_type"
        case target, mode, state, guardrail
        case expiresAt = "expires_at"
        case evidencePath = "evidence_path"
        case error
    }

    package init(_ record: ActionRecord) {
        id = record.id.description
        time = record.time.rfc3339
        alertID = record.alertID?.description
        policyID = record.policyID
        actionType = record.actionType
        target = record.target
        mode = record.mode
        state = record.state.rawValue
        guardrail = record.guardrail
        expiresAt = record.expiresAt?.rfc3339
        evidencePath = record.evidencePath
        error = record.error
    }
}

/// `{"actions": […], "total": n}`, newest first.
package struct ActionListDocument: Codable, Sendable {
    package var actions: [ActionDocument]
    package var total: Int

    package init(actions: [ActionDocument]) {
        self.actions = actions
        total = actions.count
    }
}

/// The rules in force and those that were refused: `{"rules": […], "faults": […], "total": n}`.
package struct RuleListDocument: Codable, Sendable, Equatable {
    package struct Rule: Codable, Sendable, Equatable {
        package var id: String
        package var title: String
        package var author: String?
        package var level: String
        package var tags: [String]
        package var references: [String]
        package var license: String?
        package var kind: String
        package var logsource: String
        package var file: String
        package var matches: Int
    }

    package struct Fault: Codable, Sendable, Equatable {
        package var file: String
        package var line: Int
        package var message: String
    }

    package var rules: [Rule]
    package var faults: [Fault]
    package var total: Int

    package init(_ listing: RuleListing) {
        rules = listing.entries.map {
            Rule(
                id: $0.reference.id, title: $0.reference.title, author: $0.reference.author,
                level: $0.reference.level, tags: $0.reference.tags, references: $0.reference.references,
                license: $0.reference.license, kind: $0.kind, logsource: $0.logsource, file: $0.file,
                matches: $0.matches
            )
        }
        faults = listing.faults.map { Fault(file: $0.file, line: $0.line, message: $0.message) }
        total = rules.count
    }
}

/// A normalised event on its way past: one message of `GET /api/v1/events`, one line of `ironpost events tail`.
package struct TappedEventDocument: Codable, Sendable, Equatable {
    package var time: String
    package var source: String
    package var file: String?
    package var fields: FieldMap

    package init(_ event: TappedEvent) {
        time = event.record.time.rfc3339
        source = event.source
        file = event.file
        fields = FieldMap(event.record.fields)
    }
}

/// What `POST /api/v1/demo` started.
package struct DemoDocument: Codable, Sendable, Equatable {
    package var started: String
    package var expectedRules: [String]
    package var sourceIP: String
    package var file: String

    enum CodingKeys: String, CodingKey {
        case started
        case expectedRules = "expected_rules"
        case sourceIP = "src_ip"
        case file
    }

    package init(_ run: DemoRun) {
        started = run.started.rfc3339
        expectedRules = run.expectedRules
        sourceIP = run.sourceIP
        file = run.file
    }
}

/// `{"stopping": true}`: the daemon was asked to end and will.
package struct StopDocument: Codable, Sendable, Equatable {
    package var stopping: Bool

    package init(stopping: Bool) {
        self.stopping = stopping
    }
}

/// How many messages a watcher was too slow for: the data of a stream's `lost` message.
package struct LostDocument: Codable, Sendable, Equatable {
    package var count: Int

    package init(count: Int) {
        self.count = count
    }
}

/// Every refusal of the API: `{"error": {"code": "…", "message": "…"}}`.
package struct ErrorDocument: Codable, Sendable, Equatable {
    package struct Body: Codable, Sendable, Equatable {
        /// For programs: one of a fixed set of words.
        package var code: String
        /// For people.
        package var message: String
    }

    package var error: Body

    package init(code: String, message: String) {
        error = Body(code: code, message: message)
    }
}
