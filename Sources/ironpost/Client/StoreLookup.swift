import ArgumentParser
import EventStore
import IronpostCore

/// Which database, for commands that read it themselves: with or without a running daemon.
struct StoreOptions: ParsableArguments {
    @Option(help: ArgumentHelp("The daemon's data directory, instead of the configuration's.", valueName: "directory"))
    var dataDir: String?

    /// Opens it for reading only. What cannot be opened at all is no finding: exit status 10, or 1 when it is damaged.
    func open(_ global: GlobalOptions) throws -> EventStore {
        let path = try path(global)
        do {
            return try EventStore(path: path, options: EventStore.Options(isReadOnly: true, checkAtOpenBytesMax: 0))
        } catch let error as StoreError {
            throw Self.failure(error)
        }
    }

    func path(_ global: GlobalOptions) throws -> String {
        let settings = dataDir.map { ["general.data_dir=\($0)"] } ?? []
        return try ConfigurationLookup.load(global, settings: settings).configuration.databasePath
    }

    func dataDirectory(_ global: GlobalOptions) throws -> String {
        let settings = dataDir.map { ["general.data_dir=\($0)"] } ?? []
        return try ConfigurationLookup.load(global, settings: settings).configuration.general.dataDirectory
    }

    static func failure(_ error: StoreError) -> CommandFailure {
        switch error.reason {
        case .corrupt, .foreign, .newer: CommandFailure(.failure, "\(error)")
        default: CommandFailure(.inputOutput, "\(error)")
        }
    }
}
