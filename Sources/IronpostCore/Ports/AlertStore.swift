/// Which alerts, newest first.
package struct AlertQuery: Sendable, Hashable {
    package var since: Timestamp?
    package var minimumSeverity: Severity?
    package var rule: String?
    package var status: Alert.Status?
    package var labels: [String: String]
    /// At most this many; 1 to `limitMax`.
    package var limit: Int

    package static let limitMax = 10_000

    package init(
        since: Timestamp? = nil, minimumSeverity: Severity? = nil, rule: String? = nil,
        status: Alert.Status? = nil, labels: [String: String] = [:], limit: Int = 100
    ) {
        self.since = since
        self.minimumSeverity = minimumSeverity
        self.rule = rule
        self.status = status
        self.labels = labels
        self.limit = limit
    }
}

package struct AlertPage: Sendable {
    package var alerts: [Alert]
    /// How many match, whatever the limit.
    package var total: Int

    package init(alerts: [Alert], total: Int) {
        self.alerts = alerts
        self.total = total
    }
}

/// Reads alerts. May block on disk; callers on the concurrency pool go through their own thread or accept that.
package protocol AlertStore: Sendable {
    func alerts(_ query: AlertQuery) throws -> AlertPage
    func alert(id: UUIDv7) throws -> Alert?
}

/// What an operator decides about an alert.
package protocol AlertTriage: Sendable {
    /// Acknowledges, closes or reopens an alert; durable on return. `false` when there is none with this id.
    func setStatus(_ status: Alert.Status, of id: UUIDv7) throws -> Bool
}

/// The append-only record of action transitions.
package protocol ActionLog: Sendable {
    /// Durable on return, in order.
    func append(_ records: [ActionRecord]) throws
    /// Transitions, newest first.
    func actions(limit: Int) throws -> [ActionRecord]
}

/// The audit record, seen by action instead of by transition.
package protocol ActionView: Sendable {
    /// Each action as it stands: its last transition, newest first.
    func latestActions(_ query: ActionQuery) throws -> [ActionRecord]
    /// All transitions of one action, oldest first; none when there is no such action.
    func transitions(of id: UUIDv7) throws -> [ActionRecord]
}

/// Which actions.
package struct ActionQuery: Sendable, Hashable {
    package var state: ActionRecord.State?
    package var alertID: UUIDv7?
    /// At most this many; 1 to `AlertQuery.limitMax`.
    package var limit: Int

    package init(state: ActionRecord.State? = nil, alertID: UUIDv7? = nil, limit: Int = 100) {
        self.state = state
        self.alertID = alertID
        self.limit = limit
    }
}
