import Hummingbird
import IronpostCore

/// Calls about what is done: actions, blocks, the allow list, silences.
extension Routes {
    static let importBytesMax = 32 << 20
    static let importEntriesMax = 1_000_000
    static let textBytesMax = 1024
    static let requestBytesMax = 64 << 10
    static let noiseDays: Int64 = 7

    var response: [Route] {
        [
            Route(.get, "/api/v1/actions", .role(.viewer), query: ["limit", "state", "alert"], answer: actions),
            Route(.get, "/api/v1/actions/{id}", .role(.viewer), answer: action),
            Route(.post, "/api/v1/actions/{id}/undo", .role(.operator)) { call in
                let (ports, id) = (try part(), try alertID(call))
                return try await acted { () async throws(ResponseRefusal) in try await ports.control.undo(action: id) }
            },
            Route(.post, "/api/v1/actions/{id}/approve", .role(.operator)) { call in
                let (ports, id) = (try part(), try alertID(call))
                return try await acted { () async throws(ResponseRefusal) in
                    try await ports.control.approve(action: id)
                }
            },
            Route(.get, "/api/v1/blocks", .role(.viewer), query: ["limit"], answer: blocks),
            Route(.post, "/api/v1/blocks", .role(.operator), bodyBytesMax: Self.requestBytesMax, answer: block),
            Route(
                .post, "/api/v1/blocks/remove", .role(.operator), bodyBytesMax: Self.requestBytesMax, answer: unblock),
            Route(
                .post, "/api/v1/blocks/import", .role(.operator), bodyBytesMax: Self.importBytesMax, answer: imported),
            Route(.post, "/api/v1/blocks/flush", .role(.operator)) { _ in
                let ports = try part()
                return try await counted { () async throws(ResponseRefusal) in try await ports.control.flushBlocks() }
            },
            Route(.get, "/api/v1/allow", .role(.viewer), answer: allowed),
            Route(.post, "/api/v1/allow", .role(.operator), bodyBytesMax: Self.requestBytesMax, answer: allow),
            Route(
                .post, "/api/v1/allow/remove", .role(.operator), bodyBytesMax: Self.requestBytesMax, answer: disallow),
            Route(.get, "/api/v1/silences", .role(.viewer)) { _ in
                JSONBody.response(
                    SilenceListDocument(silences: try part().silences.silences().map { SilenceDocument($0) }))
            },
            Route(.post, "/api/v1/silences", .role(.operator), bodyBytesMax: Self.requestBytesMax, answer: silence),
            Route(.post, "/api/v1/silences/{id}/remove", .role(.operator)) { call in
                let (ports, id) = (try part(), try alertID(call))
                guard try await blocking({ try ports.silences.remove(id) }) else {
                    throw APIError.notFound("no silence has the id \(id)")
                }
                return JSONBody.response(CountDocument(count: 1))
            },
            Route(.get, "/api/v1/noise", .role(.viewer), query: ["since", "limit"], answer: noise),
        ]
    }

    private func part() throws(APIError) -> ResponsePorts {
        guard let response = ports.response else { throw .unavailable }
        return response
    }

    /// The latest of each action that an alert led to, newest first.
    func actions(about alert: UUIDv7) async throws -> [ActionDocument] {
        guard let store = ports.response?.store else { return [] }
        return try await blocking { try store.latestActions(ActionQuery(alertID: alert)).map { ActionDocument($0) } }
    }

    private func actions(_ call: Call) async throws -> Response {
        let query = ActionQuery(
            state: try call.query.one(
                "state", allowed: "one of " + ActionRecord.State.allCases.map(\.rawValue).joined(separator: ", ")
            ) { ActionRecord.State(rawValue: $0) },
            alertID: try call.query.one("alert", allowed: "an alert's id") { UUIDv7($0) },
            limit: try limit(call, default: Self.actionsLimitDefault)
        )
        guard let store = ports.response?.store else {
            let records = try await blocking { [ports] in try ports.actions.actions(limit: query.limit) }
            return JSONBody.response(ActionListDocument(actions: records.map { ActionDocument($0) }))
        }
        let records = try await blocking { try store.latestActions(query) }
        return JSONBody.response(ActionListDocument(actions: records.map { ActionDocument($0) }))
    }

    private func action(_ call: Call) async throws -> Response {
        let (store, id) = (try part().store, try alertID(call))
        let transitions = try await blocking { try store.transitions(of: id) }
        guard let last = transitions.last else { throw APIError.notFound("no action has the id \(id)") }
        return JSONBody.response(
            ActionDetailDocument(action: ActionDocument(last), transitions: transitions.map { ActionDocument($0) })
        )
    }

    // MARK: - Blocks

    private func blocks(_ call: Call) async throws -> Response {
        let (ports, limit) = (try part(), try limit(call, default: AlertQuery.limitMax))
        let blocks = try await blocking { try ports.store.blocks() }
        let shown = blocks.reversed().prefix(limit).map { block in
            BlockDocument(block, remaining: block.deadline.remaining(clock: time, boot: ports.boot))
        }
        return JSONBody.response(BlockListDocument(blocks: shown, total: blocks.count))
    }

    private func block(_ call: Call) async throws -> Response {
        let (ports, document) = (try part(), try call.document(BlockRequestDocument.self))
        let request = BlockRequest(
            target: try target(document), duration: try duration(document.ttl), reason: try text(document.reason)
        )
        do throws(ResponseRefusal) {
            return JSONBody.response(BlockOutcomeDocument(try await ports.control.block(request)))
        } catch {
            throw APIError(error)
        }
    }

    private func unblock(_ call: Call) async throws -> Response {
        let ports = try part()
        let target = try target(try call.document(BlockRequestDocument.self))
        return try await counted { () async throws(ResponseRefusal) in try await ports.control.unblock(target) }
    }

    private func imported(_ call: Call) async throws -> Response {
        let (ports, document) = (try part(), try call.document(BlockImportDocument.self))
        guard document.entries.count <= Self.importEntriesMax else {
            throw APIError.badRequest("more than \(Self.importEntriesMax) entries")
        }
        var entries: [BlockImport.Entry] = []
        entries.reserveCapacity(document.entries.count)
        for entry in document.entries {
            let target = try target(BlockRequestDocument(cidr: entry.cidr))
            entries.append(BlockImport.Entry(target: target, duration: try duration(entry.ttl)))
        }
        let request = BlockImport(
            name: try text(document.name), entries: entries, duration: try duration(document.ttl),
            reason: try text(document.reason)
        )
        do throws(ResponseRefusal) {
            return JSONBody.response(BlockOutcomeDocument(try await ports.control.importBlocks(request)))
        } catch {
            throw APIError(error)
        }
    }

    private func target(_ document: BlockRequestDocument) throws(APIError) -> BlockTarget {
        let network = try network(document.cidr)
        if document.port == 0 { throw .badRequest("port is 1 to 65535") }
        guard let name = document.protocol else { return BlockTarget(network, port: document.port) }
        guard let transport = BlockTarget.Transport(rawValue: name.lowercased()) else {
            throw .badRequest("protocol is tcp or udp")
        }
        return BlockTarget(network, port: document.port, transport: transport)
    }

    private func network(_ text: String) throws(APIError) -> IPNetwork {
        guard let network = IPNetwork(text) else {
            throw .badRequest(
                "\"\(String(text.prefix(64)))\" is no address or network, as 203.0.113.7 or 2001:db8::/32")
        }
        return network
    }

    private func duration(_ text: String?) throws(APIError) -> Duration? {
        guard let text else { return nil }
        guard let duration = DurationText.parse(text), duration >= .seconds(1), duration <= .seconds(365 * 86_400)
        else {
            throw .badRequest("a time is written as 90s, 10m, 4h or 30d, and is 1s to 365d long")
        }
        return duration
    }

    private func text(_ text: String?) throws(APIError) -> String {
        guard let text else { return "" }
        guard text.utf8.count <= Self.textBytesMax else {
            throw .badRequest("a text is longer than \(Self.textBytesMax) bytes")
        }
        return text
    }

    // MARK: - Allow list

    private func allowed(_ call: Call) async throws -> Response {
        let ports = try part()
        let stored = try await blocking { try ports.store.allowed() }
        let configured = ports.configured().map {
            AllowDocument(cidr: $0.description, reason: "response.allow", created: nil, origin: "configuration")
        }
        let commanded = stored.map {
            AllowDocument(
                cidr: $0.network.description, reason: $0.reason, created: $0.created.rfc3339, origin: "command")
        }
        return JSONBody.response(AllowListDocument(allowed: configured + commanded))
    }

    private func allow(_ call: Call) async throws -> Response {
        let (ports, document) = (try part(), try call.document(BlockRequestDocument.self))
        let (network, reason) = (try network(document.cidr), try text(document.reason))
        return try await counted { () async throws(ResponseRefusal) in
            try await ports.control.allow(network, reason: reason)
            return 1
        }
    }

    private func disallow(_ call: Call) async throws -> Response {
        let (ports, document) = (try part(), try call.document(BlockRequestDocument.self))
        let network = try network(document.cidr)
        return try await counted { () async throws(ResponseRefusal) in
            try await ports.control.disallow(network) ? 1 : 0
        }
    }

    // MARK: - Silences

    private func silence(_ call: Call) async throws -> Response {
        let (ports, document) = (try part(), try call.document(SilenceRequestDocument.self))
        let fields = (document.fields ?? [:]).sorted { $0.key < $1.key }.map { Field($0.key, $0.value) }
        guard document.rule?.isEmpty == false || !fields.isEmpty else {
            throw APIError.badRequest(
                "a silence names a rule or at least one field: one for everything is not to be had")
        }
        guard fields.count <= Silence.fieldsMax, fields.allSatisfy({ !$0.name.isEmpty && !$0.value.isEmpty }),
            fields.allSatisfy({ $0.value != "*" || document.rule != nil })
        else { throw APIError.badRequest("fields need a name and a value each, at most \(Silence.fieldsMax)") }
        guard let length = try duration(document.duration) else { throw APIError.badRequest("a silence has an end") }
        let now = time.now()
        let silence = Silence(
            id: .make(at: now), rule: document.rule, fields: fields, reason: try text(document.reason), created: now,
            ends: now.advanced(by: length)
        )
        try await blocking { try ports.silences.add(silence) }
        return JSONBody.response(SilenceDocument(silence))
    }

    private func noise(_ call: Call) async throws -> Response {
        let (ports, now) = (try part(), time.now())
        let since =
            try call.query.one("since", allowed: TimeExpression.allowed) { TimeExpression.point($0, now: now) }
            ?? now.advanced(by: .seconds(-Self.noiseDays * 86_400))
        let limit = try limit(call, default: 20)
        let rules = try await blocking { try ports.noise.noisiest(since: since, limit: limit) }
        return JSONBody.response(NoiseDocument(rules: rules.map { NoisyRuleDocument($0) }))
    }

    // MARK: - Answers

    private func acted(_ body: () async throws(ResponseRefusal) -> ActionRecord) async throws -> Response {
        do throws(ResponseRefusal) {
            return JSONBody.response(ActionDocument(try await body()))
        } catch {
            throw APIError(error)
        }
    }

    private func counted(_ body: () async throws(ResponseRefusal) -> Int) async throws -> Response {
        do throws(ResponseRefusal) {
            return JSONBody.response(CountDocument(count: try await body()))
        } catch {
            throw APIError(error)
        }
    }
}

extension APIError {
    init(_ refusal: ResponseRefusal) {
        switch refusal.reason {
        case .unknown: self.init(status: .notFound, code: "not_found", message: refusal.description)
        case .conflict: self.init(status: .conflict, code: "conflict", message: refusal.description)
        case .withheld:
            self.init(status: .conflict, code: refusal.guardrail ?? "withheld", message: refusal.description)
        case .failed: self.init(status: .badGateway, code: "failed", message: refusal.description)
        }
    }
}
