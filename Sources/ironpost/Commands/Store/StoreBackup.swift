import ArgumentParser
import EventStore
import IronpostCore

struct StoreBackup: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "backup", abstract: "Write a whole, consistent copy of the database, also while the daemon runs.",
        discussion: """
            The copy is readable by its owner only; a file that exists is never overwritten. To restore it: stop the
            daemon, move the database and its -wal and -shm files away, put the copy in its place.

            Example: ironpost store backup /backup/ironpost-2026-11-23.db
            """
    )

    @Argument(help: ArgumentHelp("The file to write; it must not exist.", valueName: "dest"))
    var destination: String

    @OptionGroup var store: StoreOptions
    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let opened = try store.open(global)
        do {
            try opened.backup(to: destination)
        } catch let error as StoreError {
            throw StoreOptions.failure(error)
        }
        Output.complain("written: \(Escaping.line(destination))")
    }
}
