internal import IronpostCore

/// What goes into one transaction, and who is told.
struct Delivery {
    var events: [AlertEvent]
    var checkpoints: [Checkpoint]
    var correlation: [CorrelationState]
    var replies: [@Sendable (Bool) -> Void]

    init(events: [AlertEvent] = []) {
        self.events = events
        checkpoints = []
        correlation = []
        replies = []
    }

    init(_ batch: CommitBatch) {
        events = batch.alerts
        checkpoints = batch.checkpoints
        correlation = batch.correlation
        replies = batch.reply.map { [$0] } ?? []
    }

    init(merging parts: [Delivery]) {
        self.init(events: parts.flatMap(\.events))
        for part in parts { addPlaces(of: part) }
    }

    /// How many events its alerts bring along.
    var count: Int { events.reduce(0) { $0 + max($1.alert.count, 1) } }

    var isEmpty: Bool { events.isEmpty && checkpoints.isEmpty && correlation.isEmpty && replies.isEmpty }

    /// Takes over everything of another one but its events; of several values of one key, the last one stands.
    mutating func addPlaces(of other: Delivery) {
        checkpoints = Self.latest(checkpoints + other.checkpoints, by: \.key)
        correlation = Self.latest(correlation + other.correlation, by: \.key)
        replies += other.replies
    }

    private static func latest<Value>(_ values: [Value], by key: (Value) -> String) -> [Value] {
        var places: [String: Int] = [:]
        var kept: [Value] = []
        for value in values {
            if let place = places[key(value)] {
                kept[place] = value
            } else {
                places[key(value)] = kept.count
                kept.append(value)
            }
        }
        return kept
    }
}

extension AlertEvent {
    /// From this severity on an alert is stored from the reserve when the disk is full.
    static let urgentSeverity = Severity.high
    /// Sources that keep what they were read from, and can be read again from a checkpoint.
    private static let replayableSources: Set<String> = ["file", "journald", "docker"]

    var isUrgent: Bool { alert.severity >= Self.urgentSeverity }
    var isReplayable: Bool { Self.replayableSources.contains(alert.evidence.source) }

    /// About what it takes in memory.
    var bytes: Int {
        let fields = (alert.event.fields + alert.group).reduce(0) { $0 + $1.name.utf8.count + $1.value.utf8.count + 64 }
        let texts = alert.title.utf8.count + alert.description.utf8.count + alert.evidence.raw.utf8.count
        return 1024 + fields + texts + alert.members.count * 64
    }
}
