import Hummingbird
import IronpostCore
import NIOPosix

/// Every call there is; `openapi.json` describes exactly these.
struct Routes: Sendable {
    let options: ControlOptions
    let ports: ControlPorts
    let time: any TimeSource
    let isStopping: @Sendable () -> Bool

    static let labelsMax = 16
    static let actionsLimitDefault = 100

    var all: [Route] { general + response + containers }

    private var general: [Route] {
        [
            Route(.get, "/", .open) { _ in ConsolePage.response() },
            Route(.get, "/health", .open) { _ in health() },
            Route(.get, "/ready", .open) { _ in ready() },
            Route(.get, "/metrics", .open) { _ in metrics() },
            Route(.get, "/api/v1/openapi.json", .open) { _ in JSONBody.response(bytes: ConsolePage.openAPI) },
            Route(.get, "/api/v1/status", .role(.viewer)) { _ in
                JSONBody.response(StatusDocument(ports.status.status()))
            },
            Route(
                .get, "/api/v1/alerts", .role(.viewer),
                query: ["since", "severity", "rule", "status", "label", "limit"], answer: alerts
            ),
            Route(.get, "/api/v1/alerts/{id}", .role(.viewer), answer: alert),
            Route(.post, "/api/v1/alerts/{id}/ack", .role(.operator)) { try await triage($0, .acknowledged) },
            Route(.post, "/api/v1/alerts/{id}/close", .role(.operator)) { try await triage($0, .closed) },
            Route(.get, "/api/v1/rules", .role(.viewer)) { _ in
                JSONBody.response(RuleListDocument(ports.rules.rules()))
            },
            Route(.get, "/api/v1/sboms", .role(.viewer)) { _ in
                JSONBody.response(InventoryListDocument(ports.inventories?.inventories() ?? []))
            },
            Route(.get, "/api/v1/findings", .role(.viewer), query: ["state", "severity", "limit"], answer: findings),
            Route(.get, "/api/v1/events", .role(.viewer), query: ["source", "where"], answer: events),
            Route(.get, "/api/v1/stream", .role(.viewer), answer: stream),
            Route(.post, "/api/v1/demo", .role(.operator), answer: demo),
            Route(.post, "/api/v1/reload", .role(.admin), query: ["dry_run"]) { call in
                let dryRun = try call.query.one("dry_run", allowed: "true or false") { Bool($0) } ?? false
                return JSONBody.response(ReloadDocument(await ports.daemon.reload(dryRun: dryRun), dryRun: dryRun))
            },
            Route(.post, "/api/v1/stop", .role(.admin)) { _ in
                ports.daemon.requestStop()
                return JSONBody.response(StopDocument(stopping: true), status: .accepted)
            },
        ]
    }

    private func health() -> Response {
        let status = ports.status.status()
        let isUnhealthy = if case .unhealthy = status.health { true } else { false }
        return JSONBody.response(StatusDocument(status), status: isUnhealthy ? .serviceUnavailable : .ok)
    }

    private func ready() -> Response {
        let isReady = ports.status.status().isReady && !isStopping()
        return JSONBody.response(ReadyDocument(ready: isReady), status: isReady ? .ok : .serviceUnavailable)
    }

    private func metrics() -> Response {
        let page = MetricsPage(
            status: ports.status.status(), rules: ports.rules.rules(), process: ProcessFigures.current(),
            modules: ports.metrics.flatMap { $0.metrics() }
        )
        return Response(
            status: .ok, headers: [.contentType: "text/plain; version=0.0.4; charset=utf-8"],
            body: ResponseBody(byteBuffer: ByteBuffer(string: page.text))
        )
    }

    private func alerts(_ call: Call) async throws -> Response {
        let labels = try call.query.assignments("label")
        guard labels.count <= Self.labelsMax else { throw APIError.badRequest("more than \(Self.labelsMax) labels") }
        let now = time.now()
        let query = AlertQuery(
            since: try call.query.one("since", allowed: TimeExpression.allowed) {
                TimeExpression.point($0, now: now)
            },
            minimumSeverity: try call.query.one(
                "severity", allowed: "one of " + Severity.allCases.map(\.rawValue).joined(separator: ", ")
            ) { Severity(loose: $0) },
            rule: try call.query.one("rule"),
            status: try call.query.one(
                "status", allowed: "one of " + Alert.Status.allCases.map(\.rawValue).joined(separator: ", ")
            ) { Alert.Status(rawValue: $0) },
            labels: Dictionary(labels.map { ($0.name, $0.value) }, uniquingKeysWith: { _, last in last }),
            limit: try limit(call, default: 100)
        )
        let page = try await blocking { [ports] in try ports.alerts.alerts(query) }
        return JSONBody.response(
            AlertListDocument(alerts: page.alerts.map { AlertDocument($0) }, total: page.total)
        )
    }

    private func alert(_ call: Call) async throws -> Response {
        let id = try alertID(call)
        guard let alert = try await blocking({ [ports] in try ports.alerts.alert(id: id) }) else {
            throw APIError.notFound("no alert has the id \(id)")
        }
        return JSONBody.response(AlertDetailDocument(AlertDocument(alert), actions: try await actions(about: id)))
    }

    /// Answers with the alert as it is now.
    private func triage(_ call: Call, _ status: Alert.Status) async throws -> Response {
        let id = try alertID(call)
        let changed = try await blocking { [ports] in
            try ports.triage.setStatus(status, of: id) ? try ports.alerts.alert(id: id) : nil
        }
        guard let changed else { throw APIError.notFound("no alert has the id \(id)") }
        return JSONBody.response(AlertDetailDocument(AlertDocument(changed), actions: try await actions(about: id)))
    }

    func alertID(_ call: Call) throws(APIError) -> UUIDv7 {
        guard let text = call.path.get("id"), let id = UUIDv7(text) else {
            throw APIError.badRequest("an id is a UUID of version 7")
        }
        return id
    }

    private func events(_ call: Call) async throws -> Response {
        let filter = EventFilter(source: try call.query.one("source"), fields: try call.query.assignments("where"))
        guard !isStopping() else { throw APIError.stopping }
        guard let subscription = ports.eventFeed.subscribe() else { throw APIError.tooManyWatchers }
        return EventStream.response(subscription, heartbeat: options.bounds.heartbeat) { event in
            guard filter.matches(event) else { return nil }
            return EventStream.message(
                event: "event", id: nil, json: try JSONBody.encode(TappedEventDocument(event))
            )
        }
    }

    private func stream(_ call: Call) async throws -> Response {
        guard !isStopping() else { throw APIError.stopping }
        guard let subscription = ports.alertFeed.subscribe() else { throw APIError.tooManyWatchers }
        return EventStream.response(subscription, heartbeat: options.bounds.heartbeat) { alert in
            EventStream.message(
                event: "alert", id: alert.id.description, json: try JSONBody.encode(AlertDocument(alert))
            )
        }
    }

    private func demo(_ call: Call) async throws -> Response {
        let run = try await blocking { [ports] in try ports.demonstration.start() }
        return JSONBody.response(DemoDocument(run), status: .accepted)
    }

    func limit(_ call: Call, default: Int) throws(APIError) -> Int {
        try call.query.one("limit", allowed: "a number from 1 to \(AlertQuery.limitMax)") { text in
            Int(text).flatMap { (1...AlertQuery.limitMax).contains($0) ? $0 : nil }
        } ?? `default`
    }

    /// Runs what waits for a disk away from the concurrency pool.
    func blocking<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
        try await NIOThreadPool.singleton.runIfActive(body)
    }
}

/// `{"ready": true}` once every enabled module runs.
private struct ReadyDocument: Codable, Sendable {
    var ready: Bool
}

/// Which events a watcher asked for: all of a source, and those whose fields have these values.
struct EventFilter: Sendable {
    let source: String?
    let fields: [Field]

    func matches(_ event: TappedEvent) -> Bool {
        if let source, event.source != source { return false }
        return fields.allSatisfy { wanted in
            event.record.fields.contains { $0.name == wanted.name && $0.value == wanted.value }
        }
    }
}
