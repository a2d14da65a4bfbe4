/// What people ask of the response: by the command line or the API.
package protocol ResponseControl: Sendable {
    /// Blocks an address, or stores that it is to be blocked once the mode is `enforce`.
    func block(_ request: BlockRequest) async throws(ResponseRefusal) -> BlockOutcome
    /// Lifts the blocks of exactly this target.
    /// - Returns: how many there were.
    func unblock(_ target: BlockTarget) async throws(ResponseRefusal) -> Int
    func importBlocks(_ request: BlockImport) async throws(ResponseRefusal) -> BlockOutcome
    /// Lifts everything.
    func flushBlocks() async throws(ResponseRefusal) -> Int
    func undo(action: UUIDv7) async throws(ResponseRefusal) -> ActionRecord
    func approve(action: UUIDv7) async throws(ResponseRefusal) -> ActionRecord
    func allow(_ network: IPNetwork, reason: String) async throws(ResponseRefusal)
    /// - Returns: whether it was there.
    func disallow(_ network: IPNetwork) async throws(ResponseRefusal) -> Bool
}

package struct BlockRequest: Sendable {
    package var target: BlockTarget
    /// `nil` takes the configured time.
    package var duration: Duration?
    package var reason: String

    package init(target: BlockTarget, duration: Duration?, reason: String) {
        self.target = target
        self.duration = duration
        self.reason = reason
    }
}

package struct BlockImport: Sendable {
    package struct Entry: Sendable, Hashable {
        package var target: BlockTarget
        /// `nil` takes that of the whole list.
        package var duration: Duration?

        package init(target: BlockTarget, duration: Duration? = nil) {
            self.target = target
            self.duration = duration
        }
    }

    /// For people: where the list comes from.
    package var name: String
    package var entries: [Entry]
    package var duration: Duration?
    package var reason: String

    package init(name: String, entries: [Entry], duration: Duration?, reason: String) {
        self.name = name
        self.entries = entries
        self.duration = duration
        self.reason = reason
    }
}

/// What became of a request to block.
package struct BlockOutcome: Sendable {
    package var action: ActionRecord
    /// Addresses that it is about.
    package var count: Int
    /// Entries of a list that a guardrail kept out, each with its reason; at most `skippedShownMax`.
    package var skipped: [String]
    package var skippedCount: Int
    /// Why it is not in force, although it was taken.
    package var warning: String?

    package static let skippedShownMax = 100

    package init(
        action: ActionRecord, count: Int, skipped: [String] = [], skippedCount: Int = 0, warning: String? = nil
    ) {
        self.action = action
        self.count = count
        self.skipped = skipped
        self.skippedCount = skippedCount
        self.warning = warning
    }
}

/// Why something was not done.
package struct ResponseRefusal: Error, Sendable, CustomStringConvertible {
    package enum Reason: Sendable, Hashable {
        /// There is no such action.
        case unknown
        /// Its state does not allow it.
        case conflict
        /// A guardrail holds.
        case withheld
        /// It was tried and failed, or cannot be tried now.
        case failed
    }

    package var reason: Reason
    package var guardrail: String?
    package var description: String

    package init(_ reason: Reason, _ description: String, guardrail: String? = nil) {
        self.reason = reason
        self.guardrail = guardrail
        self.description = description
    }
}
