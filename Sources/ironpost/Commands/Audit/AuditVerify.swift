import ArgumentParser
import EventStore
import IronpostCore

struct AuditVerify: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify", abstract: "Recompute the chain of audit records and name the first that was changed.",
        discussion: """
            Reads only, with or without a running daemon. Exit status 1 when a record is edited, missing or out of place.

            Example: ironpost audit verify
            """
    )

    @OptionGroup var store: StoreOptions
    @OptionGroup var global: GlobalOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let opened = try store.open(global)
        let summary: (records: Int, removed: Int64, firstBad: Int64?)
        do {
            summary = try opened.auditSummary()
        } catch let error as StoreError {
            throw StoreOptions.failure(error)
        }
        switch output.format {
        case .json:
            try Output.json(
                AuditDocument(
                    sound: summary.firstBad == nil, records: summary.records, removed: summary.removed,
                    firstBad: summary.firstBad
                )
            )
        case .table:
            let removed = summary.removed > 0 ? ", after \(summary.removed) that retention removed" : ""
            Output.write("\(summary.records) audit records\(removed)")
            if summary.firstBad == nil { Output.write("each is as it was written") }
        }
        if let bad = summary.firstBad {
            throw CommandFailure(.failure, "audit record \(bad) is the first that is not as it was written")
        }
    }
}

/// `{"sound", "records", "removed", "first_bad"}`.
struct AuditDocument: Codable, Equatable {
    var sound: Bool
    var records: Int
    var removed: Int64
    var firstBad: Int64?

    enum CodingKeys: String, CodingKey {
        case sound, records, removed
        case firstBad = "first_bad"
    }
}
