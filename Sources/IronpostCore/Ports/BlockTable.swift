/// Where addresses are really blocked: the kernel's tables, behind the responder. Every call may be repeated.
package protocol BlockTable: Sendable {
    /// Blocks each for the time that is left; one that is blocked already gets the new time. A part that fails leaves
    /// the rest as it was asked for.
    @discardableResult
    func add(_ entries: [BlockEntry]) async throws -> BlockReceipt
    /// Lifts each; one that is not blocked does no harm.
    @discardableResult
    func remove(_ targets: [BlockTarget]) async throws -> UInt64
    func list() async throws -> [BlockEntry]
    /// Lifts everything.
    func flush() async throws
    /// Changes whenever anybody changes the kernel's tables, also others than us.
    func generation() async throws -> UInt64
}

package struct BlockEntry: Sendable, Hashable {
    package var target: BlockTarget
    /// Time that is left.
    package var remaining: Duration

    package init(_ target: BlockTarget, remaining: Duration) {
        self.target = target
        self.remaining = remaining
    }
}

/// What became of entries that were to be blocked.
package struct BlockReceipt: Sendable, Hashable {
    package struct Withheld: Sendable, Hashable {
        package var target: BlockTarget
        package var refusal: BlockRefused

        package init(target: BlockTarget, refusal: BlockRefused) {
            self.target = target
            self.refusal = refusal
        }
    }

    /// The table's generation after it.
    package var generation: UInt64
    /// What a guardrail of the responder's own forbids; all others are blocked.
    package var withheld: [Withheld]

    package init(generation: UInt64, withheld: [Withheld] = []) {
        self.generation = generation
        self.withheld = withheld
    }
}

/// The responder would not do it, whoever asked.
package struct BlockRefused: Error, Hashable, CustomStringConvertible {
    package var guardrail: String
    package var detail: String

    package init(guardrail: String, detail: String) {
        self.guardrail = guardrail
        self.detail = detail
    }

    package var description: String { detail }
}
