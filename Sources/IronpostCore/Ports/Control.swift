/// What the control side shows of the running daemon: one protocol a resource.
package protocol StatusSource: Sendable {
    func status() -> DaemonStatus
}

package struct DaemonStatus: Sendable {
    package var pid: Int
    package var version: String
    package var uptime: Duration
    package var generation: Int
    package var health: Health
    package var modules: [ModuleStatus]
    package var ledger: [LedgerEntry]
    /// True once every enabled module runs.
    package var isReady: Bool
    /// What the daemon's processes have used; one that says nothing is not among them.
    package var processes: [ProcessStatus]

    package init(
        pid: Int, version: String, uptime: Duration, generation: Int, health: Health, modules: [ModuleStatus],
        ledger: [LedgerEntry], isReady: Bool, processes: [ProcessStatus] = []
    ) {
        self.processes = processes
        self.pid = pid
        self.version = version
        self.uptime = uptime
        self.generation = generation
        self.health = health
        self.modules = modules
        self.ledger = ledger
        self.isReady = isReady
    }
}

package struct ModuleStatus: Sendable {
    package var name: String
    package var isEnabled: Bool
    package var state: ModuleState
    package var health: Health
    /// What it watches or does, and what it cannot and why; shown by `status -v` and at start.
    package var details: [Field]
    package var figures: [Figure]

    package init(
        name: String, isEnabled: Bool, state: ModuleState, health: Health, details: [Field], figures: [Figure] = []
    ) {
        self.figures = figures
        self.name = name
        self.isEnabled = isEnabled
        self.state = state
        self.health = health
        self.details = details
    }
}

/// The rules in force.
package protocol RuleCatalog: Sendable {
    func rules() -> RuleListing
}

package struct RuleListing: Sendable {
    package struct Entry: Sendable {
        package var reference: RuleReference
        package var kind: String
        package var logsource: String
        package var file: String
        /// Matches since start.
        package var matches: Int

        package init(reference: RuleReference, kind: String, logsource: String, file: String, matches: Int) {
            self.reference = reference
            self.kind = kind
            self.logsource = logsource
            self.file = file
            self.matches = matches
        }
    }

    package struct Fault: Sendable {
        package var file: String
        package var line: Int
        package var message: String

        package init(file: String, line: Int, message: String) {
            self.file = file
            self.line = line
            self.message = message
        }
    }

    package var entries: [Entry]
    package var faults: [Fault]

    package init(entries: [Entry], faults: [Fault]) {
        self.entries = entries
        self.faults = faults
    }
}

/// Harmless attacks through an ordinary source.
package protocol Demonstration: Sendable {
    /// Starts one; the attacks' lines are written when this returns. Their alerts carry the label `demo=true` and
    /// appear in the store like any other.
    func start() throws -> DemoRun
}

package struct DemoRun: Sendable, Hashable {
    package var started: Timestamp
    /// The ids of the rules that have to fire.
    package var expectedRules: [String]
    /// The address that attacks, of a documentation range (RFC 5737).
    package var sourceIP: String
    package var file: String

    package init(started: Timestamp, expectedRules: [String], sourceIP: String, file: String) {
        self.started = started
        self.expectedRules = expectedRules
        self.sourceIP = sourceIP
        self.file = file
    }
}

/// Asks the daemon to end.
package protocol DaemonControl: Sendable {
    func requestStop()
    /// Reads the configuration again and puts it in force, all of it or nothing.
    /// - Parameter dryRun: only says what would change, and what is wrong.
    func reload(dryRun: Bool) async -> ReloadOutcome
}
