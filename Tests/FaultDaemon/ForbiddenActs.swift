import CForbiddenActs
import Foundation
import IronpostCore
import IronpostDaemon

/// Tries, from inside the core, what it must not be able to do, and writes into `<data>/acts` what came of each: a line
/// `act errno`, 0 for done.
///
/// `FAULT_ACTS` names what to act on: the data directory, an engine's socket, a port, a process, a closed file and a
/// directory that is not the core's, separated by commas.
final class ForbiddenActs: Module {
    let name = "forbidden-acts"
    private let done = BoundedChannel<Void>(name: "done", capacity: 1)

    func prepare() async throws {
        let given = (ProcessInfo.processInfo.environment["FAULT_ACTS"] ?? "").split(separator: ",").map(String.init)
        guard given.count == 6, let port = UInt16(given[2]), let pid = Int32(given[3]) else { return }
        let (data, socket, closed, directory) = (given[0], given[1], given[4], given[5])
        let acts: [(String, Int32)] = unsafe [
            ("engine-socket", act_connect_unix(socket)),
            ("connect-out", act_connect_tcp(port)),
            ("load-bpf", act_load_bpf()),
            ("ptrace", act_ptrace(pid)),
            ("read-memory", act_read_memory(pid)),
            ("signal", act_signal(pid)),
            ("write-outside", act_write_file(directory + "/act")),
            ("write-etc", act_write_file("/etc/ironpost-act-\(getpid())")),
            ("read-others-file", act_read_file(closed)),
            ("run-shell", act_run_shell()),
            ("mount", act_mount(directory)),
            ("load-module", act_load_module()),
            ("measure", act_measure()),
            ("io-uring", act_io_uring()),
            ("raw-socket", act_raw_socket()),
            ("netlink", act_netlink()),
            ("write-and-execute", act_write_and_execute()),
            ("keyring", act_keyring()),
            ("become-root", act_become_root()),
            ("change-owner", act_change_owner(data + "/ironpost.db")),
            // Last: without a sandbox this thread is in another network namespace afterwards.
            ("new-namespace", act_new_namespace()),
        ]
        let text = acts.map { "\($0.0) \(-$0.1)\n" }.joined()
        try Data(text.utf8).write(to: URL(fileURLWithPath: data + "/acts"))
    }

    func run() async throws { _ = await done.receive() }

    func drain(deadline: ContinuousClock.Instant) async { done.close() }

    func health() -> Health { .healthy }
}
