/// Keeps alerts away that somebody does not want to see for a while.
package protocol Silencing: Sendable {
    /// Those that have not ended, newest first, each with what it kept out so far.
    func silences() -> [Silence]
    func add(_ silence: Silence) throws
    /// - Returns: whether it was there.
    func remove(_ id: UUIDv7) throws -> Bool
}

/// Which rules make the most noise.
package protocol NoiseReport: Sendable {
    /// Rules with the most events since then, most first.
    func noisiest(since: Timestamp, limit: Int) throws -> [NoisyRule]
}

package struct NoisyRule: Sendable, Hashable {
    package var rule: String
    package var title: String
    package var alerts: Int
    package var events: Int
    package var severity: Severity
    /// Of them closed or acknowledged without anything else: nobody minded.
    package var settled: Int
    /// The address that most of the events came from, and how many.
    package var topSource: String?
    package var topSourceEvents: Int

    package init(
        rule: String, title: String, alerts: Int, events: Int, severity: Severity, settled: Int, topSource: String?,
        topSourceEvents: Int
    ) {
        self.rule = rule
        self.title = title
        self.alerts = alerts
        self.events = events
        self.severity = severity
        self.settled = settled
        self.topSource = topSource
        self.topSourceEvents = topSourceEvents
    }

    /// The source that a silence would have to name to end most of the noise, when one does.
    package var silenceSource: String? { events > 0 && topSourceEvents * 10 >= events * 8 ? topSource : nil }

    /// The command that would end it.
    package var command: String {
        let field = silenceSource.map { " --field src_ip=\($0)" } ?? ""
        return "ironpost silence add --rule \(rule)\(field) --for 7d --reason \"known noise\""
    }
}
