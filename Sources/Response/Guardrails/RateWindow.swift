internal import IronpostCore

/// How many happened within a sliding time; remembers no more than its limit.
package struct RateWindow: Sendable {
    package var limit: Int
    package let nanoseconds: Int64
    private var moments: [Int64] = []
    private var head = 0

    package init(limit: Int, per duration: Duration) {
        self.limit = limit
        nanoseconds = duration.nanoseconds
    }

    /// Counts one at `now` (nanoseconds of uptime), unless that would be one too many.
    package mutating func take(at now: Int64) -> Bool {
        guard hasRoom(at: now) else { return false }
        moments.append(now)
        return true
    }

    /// Whether one more would be allowed.
    package mutating func hasRoom(at now: Int64) -> Bool {
        while head < moments.count, moments[head] <= now - nanoseconds { head += 1 }
        if head > 1024, head * 2 > moments.count {
            moments.removeFirst(head)
            head = 0
        }
        return moments.count - head < limit
    }

    /// One that was counted did not happen.
    package mutating func giveBack() {
        if moments.count > head { moments.removeLast() }
    }
}
