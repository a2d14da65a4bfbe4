internal import IronpostCore

/// How far events are folded into alerts, and how many alerts a rule may make; can change while running.
package struct AlertLimits: Sendable, Hashable {
    /// An event this close to an alert of its rule and group, by event time, is counted there; zero makes every event an
    /// alert of its own. The window slides: an attack that goes on is one alert, whose `last_seen` moves.
    package var dedupWindow: Duration
    /// New alerts of one rule in a minute; 0 means any number. Holds for every severity.
    package var rateLimitPerRule: Int

    package init(dedupWindow: Duration = .seconds(60), rateLimitPerRule: Int = 0) {
        self.dedupWindow = dedupWindow
        self.rateLimitPerRule = rateLimitPerRule
    }
}

/// How many new alerts one rule made in its running minute.
struct RateWindow: Equatable {
    static let length = Duration.seconds(60).nanoseconds

    /// On the clock that never goes back (`TimeSource.uptime`).
    var start: Int64
    var made = 0
    /// Events that were not stored because the limit was reached.
    var suppressed = 0

    func isOver(at uptime: Int64) -> Bool { uptime - start >= Self.length }
}

/// Events of one rule that were not stored in a minute that is over.
struct SuppressedAlerts: Equatable {
    var rule: String
    var events: Int
}
