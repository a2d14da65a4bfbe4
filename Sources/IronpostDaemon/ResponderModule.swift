import IronpostCore

/// The responder as `status` shows it. The process has a life of its own; this tells how it is.
final class ResponderModule: Module {
    let name = "responder"
    private let client: ResponderClient?
    private let fault: String
    private let stopped = Latch()

    init(_ client: ResponderClient) {
        self.client = client
        fault = ""
    }

    /// There should be one, and there is none.
    init(fault: String) {
        client = nil
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
}
