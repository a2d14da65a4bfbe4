/// A part of the daemon with a life of its own. The registry drives it through these calls, in this order, one at a time.
///
/// A module that throws is marked and shown; it never stops another.
package protocol Module: Sendable {
    /// The name in `status`, logs and alerts: `log-pipeline`, `control`, ….
    var name: String { get }

    /// Validates, opens, allocates. May fail, and then leaves nothing behind.
    func prepare() async throws

    /// Works until it is drained or its task is cancelled; returning earlier is a failure.
    func run() async throws

    /// Takes nothing new in, finishes what was accepted, and lets `run` return. Past `deadline` the task is cancelled.
    func drain(deadline: ContinuousClock.Instant) async

    /// What it can tell of itself now, from real progress. Called often, from any thread; must not block.
    func health() -> Health

    /// What it watches or does, what it cannot and why. Called from any thread; must not block.
    func details() -> [Field]

    /// What it counts beside the ledger, for `/metrics`. Called from any thread; must not block.
    func figures() -> [Figure]
}

extension Module {
    package func details() -> [Field] { [] }
    package func figures() -> [Figure] { [] }
}

/// A number that only grows, counted by a module since the start.
package struct Figure: Sendable {
    /// The metric's name.
    package var name: StaticString
    package var help: StaticString
    package var value: Int

    package init(name: StaticString, help: StaticString, value: Int) {
        self.name = name
        self.help = help
        self.value = value
    }
}

/// Where a module stands. Which changes are allowed is decided here and nowhere else.
package enum ModuleState: String, Sendable, CaseIterable {
    case created, prepared, running, draining, stopped, failed

    package func allows(_ next: ModuleState) -> Bool {
        switch (self, next) {
        case (.created, .prepared), (.prepared, .running), (.running, .draining), (.draining, .stopped): true
        // Anything alive can fail; a failed module can be tried again from the start, or be given up at stop.
        case (.created, .failed), (.prepared, .failed), (.running, .failed), (.draining, .failed): true
        case (.failed, .prepared), (.failed, .failed), (.failed, .stopped): true
        // Never started.
        case (.created, .stopped), (.prepared, .stopped): true
        default: false
        }
    }
}

/// An order that a module's state does not allow: a defect of the caller, reported rather than carried out.
package struct ModuleStateError: Error, CustomStringConvertible, Equatable {
    package let module: String
    package let from: ModuleState
    package let to: ModuleState

    package init(module: String, from: ModuleState, to: ModuleState) {
        self.module = module
        self.from = from
        self.to = to
    }

    package var description: String {
        "module \(module) cannot go from \(from.rawValue) to \(to.rawValue)"
    }
}
