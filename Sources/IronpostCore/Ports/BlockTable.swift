/// Where addresses are really blocked: the kernel's tables, behind the responder. Every call may be repeated.
package protocol BlockTable: Sendable {
    /// Blocks each for the time that is left; one that is blocked already gets the new time. A part that fails leaves
    /// the rest as it was asked for.
    /// - Returns: the table's generation after it.
    /// - Throws: `BlockRefused` when a guardrail of the responder's own forbids one.
    @discardableResult
    func add(_ entries: [BlockEntry]) async throws -> UInt64
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
