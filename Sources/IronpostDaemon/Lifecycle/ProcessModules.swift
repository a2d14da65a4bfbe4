import IronpostCore
import Logging

/// The responder as `status` shows it. The process has a life of its own; this tells how it is.
final class ResponderModule: Reloadable {
    let name = "responder"
    private let client: ResponderClient?
    private let fault: String
    private let logger: Logger
    private let stopped = Latch()

    init(_ client: ResponderClient, logger: Logger) {
        self.client = client
        self.logger = logger
        fault = ""
    }

    /// There should be one, and there is none.
    init(fault: String, logger: Logger) {
        client = nil
        self.logger = logger
        self.fault = fault
    }

    func prepare() async throws {
        client?.start()
    }

    func run() async throws {
        await stopped.wait()
    }

    func drain(deadline: ContinuousClock.Instant) async {
        stopped.open()
    }

    func health() -> Health {
        client?.health() ?? .degraded(fault)
    }

    func details() -> [Field] {
        client?.details() ?? []
    }

    // MARK: - Reload

    private struct Change: StagedChange {
        let client: ResponderClient?
        let logger: Logger

        /// Before the sources, which start later: they will ask for files that only the new configuration names.
        func commit() async {
            do {
                try await client?.reload()
            } catch {
                logger.warning("the responder keeps its configuration: \(error)")
            }
        }

        func discard() async {}
    }

    /// What the responder refuses (it trusts only root's files) is refused; one that does not answer stops no reload.
    func stage(_ configuration: Configuration, generation: Int) async throws -> any StagedChange {
        do {
            try await client?.reload(isDryRun: true)
        } catch let error as ResponderError {
            if case .refused = error { throw error }
        }
        return Change(client: client, logger: logger)
    }
}

/// The sandbox as `status` shows it: decided before the first thread, and the same until the end.
final class SandboxModule: Module {
    let name = "sandbox"
    private let report: Sandbox.Report
    private let stopped = Latch()

    init(_ report: Sandbox.Report) {
        self.report = report
    }

    func prepare() async throws {}

    func run() async throws {
        await stopped.wait()
    }

    func drain(deadline: ContinuousClock.Instant) async {
        stopped.open()
    }

    /// What this kernel or host lacks is named in the details; it makes nothing work worse than it does.
    func health() -> Health { .healthy }

    func details() -> [Field] { report.fields }
}
