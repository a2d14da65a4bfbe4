/// The daemon's state as JSON: `ironpost status -o json`, `GET /health` and `GET /api/v1/status` (contract, section 2).
package struct StatusDocument: Codable, Sendable, Equatable {
    package var daemonRunning: Bool
    package var pid: Int
    package var version: String
    package var uptimeSecs: Int
    package var generation: Int
    /// `healthy`, `degraded` or `unhealthy`.
    package var status: String
    package var reason: String?
    package var ready: Bool
    package var modules: [Module]
    package var ledger: [String: Hop]
    package var processes: [Process]?

    enum CodingKeys: String, CodingKey {
        case daemonRunning = "daemon_running"
        case pid, version
        case uptimeSecs = "uptime_secs"
        case generation, status, reason, ready, modules, ledger, processes
    }

    package struct Module: Codable, Sendable, Equatable {
        package var name: String
        package var enabled: Bool
        package var state: String
        package var health: String
        package var reason: String?
        package var details: FieldMap
    }

    /// A process of the daemon's, and what it has used since its start.
    package struct Process: Codable, Sendable, Equatable {
        package var name: String
        package var pid: Int
        package var cpuSecs: Double
        package var residentBytes: UInt64

        enum CodingKeys: String, CodingKey {
            case name, pid
            case cpuSecs = "cpu_secs"
            case residentBytes = "resident_bytes"
        }
    }

    package struct Hop: Codable, Sendable, Equatable {
        package var accepted: Int
        package var stored: Int
        package var dropped: [String: Int]

        /// What is under way or, at rest, missing.
        package var imbalance: Int { accepted - stored - dropped.values.reduce(0, +) }
    }

    package init(_ status: DaemonStatus) {
        daemonRunning = true
        pid = status.pid
        version = status.version
        uptimeSecs = Int(status.uptime.components.seconds)
        generation = status.generation
        self.status = status.health.word
        reason = status.health.reason
        ready = status.isReady
        modules = status.modules.map {
            Module(
                name: $0.name, enabled: $0.isEnabled, state: $0.state.rawValue, health: $0.health.word,
                reason: $0.health.reason, details: FieldMap($0.details)
            )
        }
        ledger = Dictionary(
            status.ledger.map { ($0.hop, Hop(accepted: $0.accepted, stored: $0.stored, dropped: $0.dropped)) },
            uniquingKeysWith: { first, _ in first }
        )
        processes = status.processes.map {
            Process(
                name: $0.name, pid: $0.pid, cpuSecs: Double($0.usage.cpuMilliseconds) / 1000,
                residentBytes: $0.usage.residentBytes
            )
        }
    }
}
