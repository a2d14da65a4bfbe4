import Glibc
import Synchronization

/// Where the time comes from: the system in a daemon, a hand in tests.
package protocol TimeSource: Sendable {
    /// Wall clock; may jump.
    func now() -> Timestamp
    /// Nanoseconds of a clock that never goes back and goes on during suspend (`CLOCK_BOOTTIME`).
    func uptime() -> Int64
}

package struct SystemTime: TimeSource {
    package init() {}

    package func now() -> Timestamp { Timestamp(nanoseconds: Self.read(CLOCK_REALTIME)) }

    package func uptime() -> Int64 { Self.read(CLOCK_BOOTTIME) }

    private static func read(_ clock: clockid_t) -> Int64 {
        var value = timespec()
        unsafe clock_gettime(clock, &value)
        return Int64(value.tv_sec) * 1_000_000_000 + Int64(value.tv_nsec)
    }
}

/// A clock that moves only when told to.
package final class ManualTime: TimeSource {
    private let state: Mutex<(now: Timestamp, uptime: Int64)>

    package init(now: Timestamp = Timestamp(seconds: 1_700_000_000)) {
        state = Mutex((now, 0))
    }

    package func now() -> Timestamp { state.withLock { $0.now } }

    package func uptime() -> Int64 { state.withLock { $0.uptime } }

    package func advance(by duration: Duration) {
        state.withLock {
            $0.now = $0.now.advanced(by: duration)
            $0.uptime += duration.nanoseconds
        }
    }

    /// Sets the wall clock alone, as an operator or NTP would.
    package func jump(to now: Timestamp) {
        state.withLock { $0.now = now }
    }
}
