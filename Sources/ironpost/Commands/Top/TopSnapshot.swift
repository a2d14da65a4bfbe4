import IronpostCore

/// What the daemon's control API says at one moment.
struct TopSample {
    /// Of `alerts`, `noise`.
    static let rulesMax = 20
    /// Of each list of actions, and of blocks.
    static let listMax = 100

    var uptime: Int64
    var time: Timestamp
    var status: StatusDocument
    /// Alerts of the window, by the severity that they have at least, the highest first.
    var alertsAtLeast: [(severity: Severity, count: Int)]
    var rules: [NoisyRuleDocument]
    /// Proposed, approved and running actions, and done ones that are still in force.
    var actions: [ActionDocument]
    var blocks: BlockListDocument

    /// - Parameter window: how far back alerts count.
    static func take(_ client: ControlClient, window: Duration) async throws -> TopSample {
        let clock = SystemTime()
        let status = try await client.get("/api/v1/status", as: StatusDocument.self)
        let now = clock.now()
        let uptime = clock.uptime()
        let since = Field("since", now.advanced(by: .zero - window).rfc3339)
        var alerts: [(severity: Severity, count: Int)] = []
        for severity in Severity.allCases.sorted().reversed() {
            let query = [since, Field("severity", severity.rawValue), Field("limit", "1")]
            let page = try await client.get("/api/v1/alerts", query: query, as: AlertTotal.self)
            alerts.append((severity, page.total))
        }
        let noise = try await client.get(
            "/api/v1/noise", query: [since, Field("limit", String(rulesMax))], as: NoiseDocument.self)
        var actions: [ActionDocument] = []
        for state in [ActionRecord.State.proposed, .approved, .running, .done] {
            let query = [Field("state", state.rawValue), Field("limit", String(listMax))]
            let page = try await client.get("/api/v1/actions", query: query, as: ActionListDocument.self)
            actions += page.actions.filter { action in
                state != .done || action.expiresAt.flatMap(Timestamp.init(rfc3339:)).map { $0 > now } ?? false
            }
        }
        let blocks = try await client.get(
            "/api/v1/blocks", query: [Field("limit", String(listMax))], as: BlockListDocument.self)
        return TopSample(
            uptime: uptime, time: now, status: status, alertsAtLeast: alerts, rules: noise.rules, actions: actions,
            blocks: blocks
        )
    }

    private struct AlertTotal: Decodable {
        var total: Int
    }
}

/// What `top` shows: a sample, and what changed since the one before; without one, since the daemon's start.
struct TopSnapshot: Encodable {
    struct Process: Encodable, Equatable {
        var name: String
        var pid: Int
        /// Of one core.
        var cpuPercent: Double
        var residentBytes: UInt64

        enum CodingKeys: String, CodingKey {
            case name, pid
            case cpuPercent = "cpu_percent"
            case residentBytes = "resident_bytes"
        }
    }

    struct Hop: Encodable, Equatable {
        var hop: String
        var eventsPerSecond: Double
        var droppedPerSecond: Double
        var accepted: Int
        var stored: Int
        var dropped: [String: Int]
        /// Taken in, and neither handed on nor dropped yet.
        var underWay: Int

        var droppedTotal: Int { dropped.values.reduce(0, +) }

        enum CodingKeys: String, CodingKey {
            case hop, accepted, stored, dropped
            case eventsPerSecond = "events_per_second"
            case droppedPerSecond = "dropped_per_second"
            case underWay = "under_way"
        }
    }

    struct Alerts: Encodable, Equatable {
        var windowSecs: Int
        var total: Int
        var bySeverity: [String: Int]

        enum CodingKeys: String, CodingKey {
            case windowSecs = "window_secs"
            case total
            case bySeverity = "by_severity"
        }
    }

    struct Rule: Encodable, Equatable {
        var rule: String
        var title: String
        var severity: String
        var alerts: Int
        var events: Int
    }

    struct Blocks: Encodable, Equatable {
        var total: Int
        var newest: [BlockDocument]
    }

    var time: String
    /// Of the rates.
    var intervalSecs: Double
    var pid: Int
    var version: String
    var status: String
    var uptimeSecs: Int
    var generation: Int
    var processes: [Process]
    var hops: [Hop]
    var alerts: Alerts
    var rules: [Rule]
    var actions: [ActionDocument]
    var blocks: Blocks

    enum CodingKeys: String, CodingKey {
        case time, pid, version, status, generation, processes, hops, alerts, rules, actions, blocks
        case intervalSecs = "interval_secs"
        case uptimeSecs = "uptime_secs"
    }

    /// - Parameter before: the sample before; one of another run of the daemon counts for nothing.
    init(_ sample: TopSample, since before: TopSample?, window: Duration) {
        let status = sample.status
        let known = before.flatMap { Self.isSameRun($0, sample) ? $0 : nil }
        let seconds = known.map { Double(sample.uptime - $0.uptime) / 1e9 } ?? Double(max(1, status.uptimeSecs))
        func rate(_ now: Double, _ before: Double) -> Double {
            seconds > 0 ? max(0, now - before) / seconds : 0
        }
        time = sample.time.rfc3339
        intervalSecs = seconds
        (pid, version, self.status) = (status.pid, status.version, status.status)
        (uptimeSecs, generation) = (status.uptimeSecs, status.generation)
        processes = (status.processes ?? []).map { process in
            let last = known?.status.processes?.first { $0.name == process.name && $0.pid == process.pid }
            return Process(
                name: process.name, pid: process.pid, cpuPercent: 100 * rate(process.cpuSecs, last?.cpuSecs ?? 0),
                residentBytes: process.residentBytes
            )
        }
        hops = status.ledger.map { name, hop in
            let last = known?.status.ledger[name]
            let lost = hop.dropped.values.reduce(0, +)
            return Hop(
                hop: name, eventsPerSecond: rate(Double(hop.accepted), Double(last?.accepted ?? 0)),
                droppedPerSecond: rate(Double(lost), Double(last?.dropped.values.reduce(0, +) ?? 0)),
                accepted: hop.accepted, stored: hop.stored, dropped: hop.dropped, underWay: hop.imbalance
            )
        }.sorted { Self.place(of: $0.hop) < Self.place(of: $1.hop) }
        var bySeverity: [String: Int] = [:]
        var above = 0
        // Asked one after the other, so that an alert that comes in between may be in one count and not in the next.
        for (severity, count) in sample.alertsAtLeast {
            bySeverity[severity.rawValue] = max(0, count - above)
            above = max(above, count)
        }
        alerts = Alerts(windowSecs: Int(window.components.seconds), total: above, bySeverity: bySeverity)
        rules = sample.rules.map {
            Rule(rule: $0.rule, title: $0.title, severity: $0.severity, alerts: $0.alerts, events: $0.events)
        }
        actions = sample.actions
        blocks = Blocks(total: sample.blocks.total, newest: sample.blocks.blocks)
    }

    private static func isSameRun(_ before: TopSample, _ now: TopSample) -> Bool {
        before.status.pid == now.status.pid && before.status.uptimeSecs <= now.status.uptimeSecs
            && before.uptime < now.uptime
    }

    /// The order in which events pass.
    private static func place(of hop: String) -> String {
        let order = ["source:", "packets", "parse", "detect", "alert", "store", "output:", "response"]
        let index = order.firstIndex { $0.hasSuffix(":") ? hop.hasPrefix($0) : hop == $0 } ?? order.count
        return "\(index) \(hop)"
    }
}
