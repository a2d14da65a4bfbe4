import FoundationEssentials
package import IronpostCore

/// The engine's API over its unix socket (Docker Engine, and Podman's compatible service): only what watching and isolating
/// needs. It never runs a command in a container, and never creates or builds one.
///
/// Calls block until their deadline; each has a connection of its own, so that one that hangs holds up no other. Who uses
/// it must own the socket, which is as good as being root: this runs in the responder alone.
package struct EngineClient: Sendable {
    /// Bounds of answers. What is longer is refused, named, and harms nothing else.
    package struct Bounds: Sendable {
        package var listBytesMax = 32 << 20
        package var inspectBytesMax = 4 << 20
        package var eventBytesMax = 256 << 10
        package var smallBytesMax = 256 << 10

        package init() {}
    }

    package let socketPath: String
    package let version: EngineVersion
    package let bounds: Bounds

    /// Asks the engine for its version and settles on one that both speak.
    package init(socketPath: String, bounds: Bounds = Bounds(), timeout: Duration) throws(EngineFault) {
        self.socketPath = socketPath
        self.bounds = bounds
        let deadline = ContinuousClock.now + timeout
        var answer = try HTTPExchange.open(path: socketPath, method: "GET", target: "/_ping", deadline: deadline)
        _ = try answer.wholeBody(bytesMax: bounds.smallBytesMax, deadline: deadline)
        guard (200..<300).contains(answer.status) else {
            throw .refused(status: answer.status, message: "GET /_ping")
        }
        guard let text = answer.headers["api-version"], let offered = EngineVersion(text) else {
            throw .versionUnsupported("GET /_ping does not tell a version")
        }
        version = try EngineVersion.negotiated(offered: offered)
    }

    // MARK: - Looking

    func list(timeout: Duration) throws(EngineFault) -> [ListedContainer] {
        try decode([ListedContainer].self, "/containers/json?all=1", bytesMax: bounds.listBytesMax, timeout)
    }

    func inspect(_ id: ContainerID, timeout: Duration) throws(EngineFault) -> InspectedContainer {
        try decode(
            InspectedContainer.self, "/containers/\(id)/json", bytesMax: bounds.inspectBytesMax, timeout)
    }

    /// The engine's own words about a container, for evidence.
    package func inspectDocument(_ id: ContainerID, timeout: Duration) throws(EngineFault) -> [UInt8] {
        try get("/containers/\(id)/json", bytesMax: bounds.inspectBytesMax, timeout)
    }

    package func processes(_ id: ContainerID, timeout: Duration) throws(EngineFault) -> [UInt8] {
        try get("/containers/\(id)/top", bytesMax: bounds.inspectBytesMax, timeout)
    }

    package func changes(_ id: ContainerID, bytesMax: Int, timeout: Duration) throws(EngineFault) -> (
        bytes: [UInt8], isCut: Bool
    ) {
        try beginning("/containers/\(id)/changes", bytesMax: bytesMax, timeout)
    }

    /// The last `lines` lines of the container's output, in the engine's framing.
    package func logTail(
        _ id: ContainerID, lines: Int, bytesMax: Int, timeout: Duration
    ) throws(EngineFault) -> (bytes: [UInt8], isCut: Bool) {
        try beginning(
            "/containers/\(id)/logs?stdout=1&stderr=1&timestamps=1&tail=\(lines)", bytesMax: bytesMax, timeout)
    }

    func network(_ id: String, timeout: Duration) throws(EngineFault) -> NetworkDocument {
        try decode(NetworkDocument.self, "/networks/\(id)", bytesMax: bounds.inspectBytesMax, timeout)
    }

    // MARK: - Acting

    package func pause(_ id: ContainerID, timeout: Duration) throws(EngineFault) {
        try post("/containers/\(id)/pause", timeout)
    }
    package func unpause(_ id: ContainerID, timeout: Duration) throws(EngineFault) {
        try post("/containers/\(id)/unpause", timeout)
    }
    package func start(_ id: ContainerID, timeout: Duration) throws(EngineFault) {
        try post("/containers/\(id)/start", timeout)
    }
    package func kill(_ id: ContainerID, timeout: Duration) throws(EngineFault) {
        try post("/containers/\(id)/kill?signal=SIGKILL", timeout)
    }
    /// - Parameter grace: seconds between SIGTERM and SIGKILL.
    package func stop(_ id: ContainerID, grace: Int, timeout: Duration) throws(EngineFault) {
        try post("/containers/\(id)/stop?t=\(grace)", timeout)
    }

    /// - Parameter network: its id, in hexadecimal.
    func disconnect(_ id: ContainerID, network: String, timeout: Duration) throws(EngineFault) {
        try post("/networks/\(network)/disconnect", json: DisconnectDocument(container: id.text, force: true), timeout)
    }

    func connect(
        _ id: ContainerID, network: String, endpoint: ConnectDocument.Endpoint, timeout: Duration
    ) throws(EngineFault) {
        try post(
            "/networks/\(network)/connect", json: ConnectDocument(container: id.text, endpointConfig: endpoint), timeout
        )
    }

    package func limitCPU(_ id: ContainerID, quota: Int64, period: Int64, timeout: Duration) throws(EngineFault) {
        try post("/containers/\(id)/update", json: CPUDocument(cpuPeriod: period, cpuQuota: quota), timeout)
    }

    // MARK: - Exchanges

    private func target(_ path: String) -> String { "/v\(version)\(path)" }

    private func get(_ path: String, bytesMax: Int, _ timeout: Duration) throws(EngineFault) -> [UInt8] {
        let deadline = ContinuousClock.now + timeout
        var answer = try HTTPExchange.open(path: socketPath, method: "GET", target: target(path), deadline: deadline)
        try Self.check(&answer, bounds, deadline)
        return try answer.wholeBody(bytesMax: bytesMax, deadline: deadline)
    }

    private func beginning(
        _ path: String, bytesMax: Int, _ timeout: Duration
    ) throws(EngineFault) -> (bytes: [UInt8], isCut: Bool) {
        let deadline = ContinuousClock.now + timeout
        var answer = try HTTPExchange.open(path: socketPath, method: "GET", target: target(path), deadline: deadline)
        try Self.check(&answer, bounds, deadline)
        return try answer.beginning(bytesMax: bytesMax, deadline: deadline)
    }

    private func decode<Document: Decodable>(
        _ type: Document.Type, _ path: String, bytesMax: Int, _ timeout: Duration
    ) throws(EngineFault) -> Document {
        let bytes = try get(path, bytesMax: bytesMax, timeout)
        do {
            return try EngineNames.decoder().decode(type, from: Data(bytes))
        } catch {
            throw .malformed("GET \(path): no JSON of the expected shape")
        }
    }

    private func post(_ path: String, _ timeout: Duration) throws(EngineFault) {
        try post(path, body: nil, timeout)
    }

    private func post(_ path: String, json: some Encodable, _ timeout: Duration) throws(EngineFault) {
        let body: [UInt8]
        do {
            body = Array(try EngineNames.encoder().encode(json))
        } catch {
            throw .malformed("POST \(path): \(error)")
        }
        try post(path, body: body, timeout)
    }

    private func post(_ path: String, body: [UInt8]?, _ timeout: Duration) throws(EngineFault) {
        let deadline = ContinuousClock.now + timeout
        var answer = try HTTPExchange.open(
            path: socketPath, method: "POST", target: target(path), json: body, deadline: deadline)
        // 304: it is so already.
        if answer.status == 304 { return }
        try Self.check(&answer, bounds, deadline)
        _ = try answer.beginning(bytesMax: bounds.smallBytesMax, deadline: deadline)
    }

    static let messageBytesMax = 512

    static func check(
        _ answer: inout HTTPExchange, _ bounds: Bounds, _ deadline: ContinuousClock.Instant
    ) throws(EngineFault) {
        guard !(200..<300).contains(answer.status) else { return }
        let (bytes, _) = try answer.beginning(bytesMax: bounds.smallBytesMax, deadline: deadline)
        let document = try? EngineNames.decoder().decode(ErrorDocument.self, from: Data(bytes))
        let text = document?.message ?? document?.cause ?? String(decoding: bytes, as: UTF8.self)
        throw .refused(status: answer.status, message: text.bounded(bytes: messageBytesMax))
    }

    /// Follows what happens from now on. Events queue in the connection while the caller looks at the list.
    func events(timeout: Duration) throws(EngineFault) -> EngineEvents {
        // One kind of object, so that a storm of image pulls does not fill the connection.
        let filter = "%7B%22type%22%3A%5B%22container%22%2C%22network%22%5D%7D"
        let deadline = ContinuousClock.now + timeout
        var answer = try HTTPExchange.open(
            path: socketPath, method: "GET", target: target("/events?filters=\(filter)"), deadline: deadline)
        try Self.check(&answer, bounds, deadline)
        return EngineEvents(answer, bounds: bounds)
    }
}
