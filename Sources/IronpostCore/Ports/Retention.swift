/// Removes what is older than it has to be kept, a little at a time.
package protocol Retention: Sendable {
    /// One short transaction that looks at `rowsMax` rows at most of alerts, and of the audit record.
    ///
    /// An alert goes when `time` is before `limit`, unless it was still counted up after that: `lastSeen` from `limit`
    /// to `horizon`. What claims to be later than `horizon` is not believed. Of the audit record only the beginning
    /// goes, up to the first row that is young or belongs to an action that is young or in force; an anchor stays.
    func removeExpired(before limit: Timestamp, horizon: Timestamp, rowsMax: Int) throws -> RetentionStep
}

/// What one step of retention did.
package struct RetentionStep: Sendable, Hashable {
    package var alerts: Int
    package var actions: Int
    /// Nothing more to do for now.
    package var isFinished: Bool

    package init(alerts: Int, actions: Int, isFinished: Bool) {
        self.alerts = alerts
        self.actions = actions
        self.isFinished = isFinished
    }
}
