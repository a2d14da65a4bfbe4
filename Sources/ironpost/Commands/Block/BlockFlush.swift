import ArgumentParser
import EBPFEngine
import EventStore
import IronpostCore
import Nftables

struct BlockFlush: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "flush", abstract: "Lift every block.",
        discussion: """
            --detach needs no daemon: it removes the table from the kernel itself and has the record say so, for when the
            daemon is gone or does not answer. It needs root.

            Example: ironpost block flush --detach
            """
    )

    @Flag(help: "Without the daemon.")
    var detach = false

    @OptionGroup var store: StoreOptions
    @OptionGroup var global: GlobalOptions

    func run() async throws {
        guard detach else {
            let done = try await ControlClient(global).post("/api/v1/blocks/flush", as: CountDocument.self)
            return Output.complain("lifted: \(done.count)")
        }
        // First the record, so that a daemon that starts meanwhile does not bring anything back.
        let lifted = try forget()
        do throws(NftablesTable.Fault) {
            try NftablesTable().flush()
        } catch {
            throw CommandFailure(.failure, "\(error); this needs root")
        }
        // The kernel program of this data directory, on whatever interface it is.
        do {
            let directory = try store.dataDirectory(global)
            let count = try KernelHost.detachAll(dataDirectory: directory)
            if count > 0 { Output.complain("detached from \(count) interfaces") }
        } catch let error as KernelProgram.Fault {
            throw CommandFailure(.failure, "\(error); this needs root")
        }
        Output.complain("lifted: everything\(lifted.map { ", \($0) of it known to the daemon" } ?? "")")
    }

    /// - Returns: nil when there is no database to write to.
    private func forget() throws -> Int? {
        let path = try store.path(global)
        guard EventStore.exists(path) else { return nil }
        do {
            let opened = try EventStore(path: path, options: EventStore.Options(checkAtOpenBytesMax: 0))
            defer { try? opened.close() }
            let now = SystemTime().now()
            let actions = try opened.standingActions().filter { $0.actionType == "network_block" }
            let blocks = try opened.blocks().count
            var change = DecisionChange()
            change.ended = actions.map(\.id)
            change.blocksRemovedOf = actions.map(\.id)
            change.records = actions.map { action in
                ActionRecord(
                    id: action.id, time: now, alertID: action.alertID, policyID: action.policyID,
                    actionType: action.actionType, target: action.target, mode: action.mode, state: .undone,
                    guardrail: action.guardrail, expiresAt: action.deadline.time, error: "block flush --detach"
                )
            }
            try opened.commit(change)
            return blocks
        } catch let error as StoreError {
            // The kernel comes first: whoever asks for this is locked out, maybe.
            Output.complain("warning: the record was not changed, a daemon will block again: \(error)")
            return nil
        }
    }
}
