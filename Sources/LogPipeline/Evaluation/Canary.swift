import IronpostCore
import Sigma
import Synchronization

/// A harmless event that goes the whole way every few seconds, from a source through the rule engine into the store, so
/// that "healthy" means: an attack now would be seen and kept.
///
/// It makes no alert and is in no count. Its rule is compiled into every rule set, in a class of events that only what
/// comes from here has: what a log says is never taken for it, and no other rule is tried on it. Its arrival is durable
/// when the checkpoint that it brings along is.
final class Canary: Sendable {
    static let lane = "canary"
    /// Of its batches; no source has it.
    static let origin: UInt64 = .max
    static let checkpointKey = "canary"
    static let file = "built-in"
    static let ruleID = "69726f6e-706f-7374-8000-63616e617279"
    static let interval = Duration.seconds(3)
    /// Without an arrival for this long the path is dead. Twice the interval would be late: the promise is 5 s.
    static let lateNanoseconds: Int64 = 4_500_000_000

    static let rule = """
        title: Canary
        id: \(ruleID)
        level: informational
        logsource:
            product: ironpost
            service: canary
        detection:
            canary:
                program: ironpost-canary
                message|startswith: 'beat '
            condition: canary
        """

    struct State: Sendable {
        var sent = 0
        var sentAt: Int64 = 0
        /// The highest number that the rule matched, and that is durable.
        var detected = 0
        var durable = 0
        /// When the last one became durable; when the first was sent, before any did.
        var lastArrival: Int64 = 0
    }

    private let state = Mutex(State())
    private let time: any TimeSource

    init(time: any TimeSource) {
        self.time = time
    }

    var current: State { state.withLock { $0 } }

    /// The next one to send.
    func next() -> RawBatch {
        let now = time.uptime()
        let number = state.withLock { state in
            state.sent += 1
            state.sentAt = now
            if state.lastArrival == 0 { state.lastArrival = now }
            return state.sent
        }
        return RawBatch(
            origin: Self.origin, format: .syslog, framing: .lines,
            bytes: Array("ironpost-canary[1]: beat \(number)\n".utf8),
            position: UInt64(number), lineNumber: nil, count: 1, received: time.now(), checkpoints: [], place: nil
        )
    }

    func detected(_ number: Int) {
        state.withLock { $0.detected = max($0.detected, number) }
    }

    func durable(_ number: Int) {
        let now = time.uptime()
        state.withLock { state in
            state.durable = max(state.durable, number)
            state.lastArrival = now
        }
    }

    /// Where the way ends, when it does not lead to the store.
    func health() -> Health {
        let state = current
        guard state.sent > 0 else { return .healthy }
        let silence = time.uptime() - state.lastArrival
        guard silence > Self.lateNanoseconds else { return .healthy }
        let place =
            state.detected > state.durable
            ? "detected but not stored" : "not detected"
        return .unhealthy("no test event arrived for \(silence / 1_000_000_000) s: the last one was \(place)")
    }
}
