/// What of an address is blocked: everything, or only what goes to a port or belongs to a protocol.
package struct BlockTarget: Hashable, Comparable, Sendable, CustomStringConvertible {
    package enum Transport: String, Sendable, CaseIterable {
        case tcp, udp
    }

    package var network: IPNetwork
    /// Without a protocol: of TCP and of UDP.
    package var port: UInt16?
    package var transport: Transport?

    package init(_ network: IPNetwork, port: UInt16? = nil, transport: Transport? = nil) {
        self.network = network
        self.port = port
        self.transport = transport
    }

    /// Reads what `description` writes.
    package init?(_ text: String) {
        let words = text.split(separator: " ")
        guard let first = words.first, let network = IPNetwork(first) else { return nil }
        self.init(network)
        var rest = words.dropFirst()
        if let word = rest.first, let transport = Transport(rawValue: String(word)) {
            self.transport = transport
            rest = rest.dropFirst()
        }
        if rest.first == "port", rest.count == 2, let last = rest.last, let port = UInt16(last), port > 0 {
            self.port = port
            rest = []
        }
        guard rest.isEmpty else { return nil }
    }

    /// `203.0.113.7`, `203.0.113.0/24 tcp port 22`.
    package var description: String {
        "\(network)" + (transport.map { " \($0.rawValue)" } ?? "") + (port.map { " port \($0)" } ?? "")
    }

    package static func < (left: BlockTarget, right: BlockTarget) -> Bool {
        (left.network, left.transport?.rawValue ?? "", left.port ?? 0)
            < (right.network, right.transport?.rawValue ?? "", right.port ?? 0)
    }
}

/// One blocked address, and why.
package struct Block: Sendable, Hashable {
    package enum Origin: String, Sendable, CaseIterable {
        /// A person, on the command line or through the API.
        case `operator`
        /// A policy, because of an alert.
        case policy
        /// A list that a person imported.
        case list
    }

    package var target: BlockTarget
    /// The action that put it there; undoing that lifts it.
    package var actionID: UUIDv7
    package var origin: Origin
    package var reason: String
    package var created: Timestamp
    package var deadline: Deadline
    /// Whether it is to be carried out. One that is not waits for the mode `enforce`.
    package var isInForce: Bool

    package init(
        target: BlockTarget, actionID: UUIDv7, origin: Origin, reason: String, created: Timestamp, deadline: Deadline,
        isInForce: Bool
    ) {
        self.target = target
        self.actionID = actionID
        self.origin = origin
        self.reason = reason
        self.created = created
        self.deadline = deadline
        self.isInForce = isInForce
    }
}

/// A point in time that a change of the wall clock does not move: it is kept by the clock that counts since boot, and
/// only after another boot by the wall clock.
package struct Deadline: Sendable, Hashable {
    /// For people, and for the next boot.
    package var time: Timestamp
    /// Names the boot that `uptime` counts from.
    package var boot: String
    /// Nanoseconds of `TimeSource.uptime`.
    package var uptime: Int64

    package init(time: Timestamp, boot: String, uptime: Int64) {
        self.time = time
        self.boot = boot
        self.uptime = uptime
    }

    package init(after duration: Duration, clock: any TimeSource, boot: String) {
        self.init(
            time: clock.now().advanced(by: duration), boot: boot, uptime: clock.uptime() &+ duration.nanoseconds
        )
    }

    /// Negative once it has passed.
    package func remaining(clock: any TimeSource, boot: String) -> Duration {
        self.boot == boot ? .nanoseconds(uptime &- clock.uptime()) : time.since(clock.now())
    }
}
