package import IronpostCore
internal import Nftables
internal import Synchronization

/// What really refuses packets: nf_tables, or an XDP program's maps. Calls block for milliseconds and may be repeated.
package protocol BlockBackend: Sendable {
    /// Blocks each for the time that is left; one that is there gets the new time.
    /// - Returns: the generation after it.
    func add(_ entries: [BlockEntry]) throws -> UInt64
    /// Lifts each; one that is not there does no harm.
    func remove(_ targets: [BlockTarget]) throws -> UInt64
    func list() throws -> [BlockEntry]
    func flush() throws
    /// Changes whenever anybody may have changed what is there.
    func generation() throws -> UInt64
}

/// nf_tables, opened when it is first needed, so that a host without it can say so instead of failing at the start.
package struct NftablesBackend: BlockBackend {
    package init() {}

    private static let opened = Opened()

    private final class Opened: Sendable {
        private let held = Mutex<NftablesTable?>(nil)

        func table() throws -> NftablesTable {
            try held.withLock { held in
                if let held { return held }
                let new = try NftablesTable()
                held = new
                return new
            }
        }
    }

    package func add(_ entries: [BlockEntry]) throws -> UInt64 { try Self.opened.table().add(entries) }
    package func remove(_ targets: [BlockTarget]) throws -> UInt64 { try Self.opened.table().remove(targets) }
    package func list() throws -> [BlockEntry] { try Self.opened.table().list() }
    package func flush() throws { try Self.opened.table().flush() }
    package func generation() throws -> UInt64 { try Self.opened.table().generation() }
}
