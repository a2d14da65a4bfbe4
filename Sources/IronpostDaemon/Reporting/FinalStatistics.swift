import IronpostCore
import Logging

/// The last lines before exit: every hop of the ledger.
enum FinalStatistics {
    static func log(_ entries: [LedgerEntry], to logger: Logger) {
        for entry in entries {
            var metadata: Logger.Metadata = [
                "hop": "\(entry.hop)", "accepted": "\(entry.accepted)", "stored": "\(entry.stored)",
            ]
            for (cause, count) in entry.dropped { metadata["dropped.\(cause)"] = "\(count)" }
            if entry.imbalance != 0 { metadata["imbalance"] = "\(entry.imbalance)" }
            logger.log(level: entry.imbalance == 0 ? .notice : .error, "final statistics", metadata: metadata)
        }
    }
}
