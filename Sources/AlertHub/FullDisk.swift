internal import IronpostCore
internal import Synchronization

/// What `health` tells of a full disk, from any thread.
final class FullDisk: Sendable {
    private struct State {
        var since: Int64?
        var error = ""
        /// Alerts in memory, and high ones among them that even the reserve has no room for.
        var held = 0
        var urgent = 0
        var shed = 0
    }

    private let state = Mutex(State())
    private let reserve: any StorageReserve
    private let time: any TimeSource

    init(reserve: any StorageReserve, time: any TimeSource) {
        self.reserve = reserve
        self.time = time
    }

    /// Returns whether this is the beginning.
    func begin(_ error: any Error) -> Bool {
        let uptime = time.uptime()
        return state.withLock { state in
            state.error = "\(error)"
            guard state.since == nil else { return false }
            state.since = uptime
            state.shed = 0
            return true
        }
    }

    func shed(_ events: Int) {
        state.withLock { $0.shed += events }
    }

    func update(held: Int, urgent: Int) {
        state.withLock {
            $0.held = held
            $0.urgent = urgent
        }
    }

    /// Returns how many events were shed and for how long it lasted, in seconds; `nil` when the disk was not full.
    func end() -> (shed: Int, seconds: Int64)? {
        let uptime = time.uptime()
        return state.withLock { state in
            guard let since = state.since else { return nil }
            defer { state = State() }
            return (state.shed, (uptime - since) / 1_000_000_000)
        }
    }

    func health() -> Health {
        let level = reserve.level
        let uptime = time.uptime()
        return state.withLock { state in
            if let since = state.since {
                let text =
                    "the disk is full (for \((uptime - since) / 1_000_000_000) s): \(state.error); "
                    + "\(state.held) alerts wait in memory, \(state.shed) events below high were shed; "
                if state.urgent > 0 {
                    return .unhealthy(text + "the reserve is used up and \(state.urgent) high or critical alerts wait")
                }
                return .degraded(
                    text + "high and critical alerts are still stored, \(level.text) are left; detection goes on"
                )
            }
            guard !level.isWhole else { return .healthy }
            return .degraded(
                "the disk has no room for the whole reserve for high alerts: \(level.text) are there; make room"
            )
        }
    }
}

extension ReserveLevel {
    /// As in `3 of 16 MiB of reserve`.
    var text: String { "\(bytesHeld >> 20) of \(bytesWanted >> 20) MiB of reserve" }
}
