import ArgumentParser
import EventStore
import IronpostCore

struct StoreCheckCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check", abstract: "Read every record of the database and name the first that is bad.",
        discussion: """
            Reads only, with or without a running daemon. Exit status 1 when anything is bad.

            Example: ironpost store check --data-dir /var/lib/ironpost
            """
    )

    @OptionGroup var store: StoreOptions
    @OptionGroup var global: GlobalOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let opened: EventStore
        do {
            opened = try store.open(global)
        } catch let failure as CommandFailure where failure.status == .failure {
            // Too damaged to be opened at all: then that is what is to be named.
            let fault = failure.message ?? "it cannot be opened"
            switch output.format {
            case .json: try Output.json(StoreCheckDocument(try store.path(global), fault: fault))
            case .table: Output.write("bad: \(Escaping.line(fault))")
            }
            throw CommandFailure(.failure)
        }
        let found: StoreCheck
        do {
            found = try opened.check()
        } catch let error as StoreError {
            throw StoreOptions.failure(error)
        }
        switch output.format {
        case .json:
            try Output.json(StoreCheckDocument(opened.path, found))
        case .table:
            for fault in found.faults { Output.write("bad: \(Escaping.line(fault))") }
            let removed =
                found.actionsRemoved > 0 ? " (\(found.actionsRemoved) older ones were removed by retention)" : ""
            Output.write("\(found.alerts) alerts, \(found.actions) audit records\(removed) in \(opened.path)")
            if found.faults.isEmpty { Output.write("sound") }
        }
        guard found.faults.isEmpty else {
            throw CommandFailure(
                .failure, "the database is damaged: stop the daemon, keep a copy, restore a backup or move it away"
            )
        }
    }
}

/// `{"path", "sound", "alerts", "actions", "actions_removed", "faults": […]}`.
struct StoreCheckDocument: Codable, Equatable {
    var path: String
    var sound: Bool
    var alerts: Int
    var actions: Int
    var actionsRemoved: Int64
    var faults: [String]

    enum CodingKeys: String, CodingKey {
        case path, sound, alerts, actions, faults
        case actionsRemoved = "actions_removed"
    }

    init(_ path: String, fault: String) {
        self.path = path
        sound = false
        alerts = 0
        actions = 0
        actionsRemoved = 0
        faults = [fault]
    }

    init(_ path: String, _ check: StoreCheck) {
        self.path = path
        sound = check.faults.isEmpty
        alerts = check.alerts
        actions = check.actions
        actionsRemoved = check.actionsRemoved
        faults = check.faults
    }
}
