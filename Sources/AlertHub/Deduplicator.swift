internal import IronpostCore

/// Decides which events become alerts of their own and which are counted into one that exists.
///
/// Planning changes nothing: a plan takes effect here (`confirm`) only after its transaction is durable, so a failed
/// commit is simply planned again.
struct Deduplicator {
    static let recentAlertsMax = 100_000
    /// Groups with longer values are looked up in the store each time, so that hostile values cannot fill the memory.
    static let rememberedKeyBytesMax = 256
    /// Rules under a rate limit that are followed at once; more than a rule set holds.
    static let rateWindowsMax = 20_000

    typealias LookUp = (
        _ rule: String, _ group: [Field], _ labels: [String: String], _ since: Timestamp, _ until: Timestamp
    ) throws -> AlertKey?

    var limits: AlertLimits
    private(set) var recent: RecentAlerts
    private var rates: [String: RateWindow] = [:]

    init(limits: AlertLimits, capacity: Int = Deduplicator.recentAlertsMax) {
        self.limits = limits
        recent = RecentAlerts(capacity: capacity)
    }

    /// What to commit, and what to remember once that is done.
    struct Plan {
        var inserts: [Alert] = []
        var updates: [AlertUpdate] = []
        /// Events that the rate limit kept out.
        var limited = 0
        /// Ended minutes in which a rule was limited.
        var suppressed: [SuppressedAlerts] = []

        fileprivate var drafts: [RecentAlerts.Key: [Draft]] = [:]
        fileprivate var order: [RecentAlerts.Key] = []
        fileprivate var updateIndex: [UUIDv7: Int] = [:]
        fileprivate var rates: [String: RateWindow] = [:]
        fileprivate var endedRates: [String] = []

        /// Events that the transaction stores.
        var events: Int { inserts.reduce(0) { $0 + $1.count } + updates.reduce(0) { $0 + $1.count } }
    }

    /// An alert of the plan: its place among the inserts or updates, and the span of its events.
    fileprivate struct Draft {
        var isInsert: Bool
        var place: Int
        var key: AlertKey
    }

    /// - Parameters:
    ///   - now: becomes `time` and the moment of the `id` of new alerts.
    ///   - uptime: nanoseconds of the clock by which minutes are counted.
    ///   - lookUp: finds an alert that was stored before, as after a restart.
    func plan(_ events: [AlertEvent], now: Timestamp, uptime: Int64, lookUp: LookUp) rethrows -> Plan {
        var plan = Plan()
        for (rule, window) in rates where window.isOver(at: uptime) {
            plan.endedRates.append(rule)
            if window.suppressed > 0 { plan.suppressed.append(SuppressedAlerts(rule: rule, events: window.suppressed)) }
        }
        for event in events {
            var alert = event.alert
            alert.count = max(alert.count, 1)
            alert.group = Self.group(of: alert)
            let key = Self.key(of: alert)
            if try limits.dedupWindow > .zero && fold(alert, key, into: &plan, lookUp) { continue }
            guard admits(alert, &plan, uptime) else { continue }
            alert.time = now
            alert.id = UUIDv7.make(at: now)
            plan.inserts.append(alert)
            let span = AlertKey(id: alert.id, firstSeen: alert.firstSeen, lastSeen: alert.lastSeen)
            plan.add(Draft(isInsert: true, place: plan.inserts.count - 1, key: span), for: key)
        }
        return plan
    }

    /// The plan's transaction is durable.
    mutating func confirm(_ plan: Plan) {
        for rule in plan.endedRates { rates[rule] = nil }
        for (rule, window) in plan.rates where rates[rule] != nil || rates.count < Self.rateWindowsMax {
            rates[rule] = window
        }
        guard limits.dedupWindow > .zero else { return }
        for key in plan.order where Self.isRemembered(key) {
            if let draft = plan.drafts[key]?.last { recent.remember(draft.key, for: key) }
        }
    }

    /// These alerts cannot be counted up any more; the plan that tried is lost.
    mutating func forget(_ gone: [UUIDv7], of plan: Plan) {
        let ids = Set(gone)
        for (key, drafts) in plan.drafts where drafts.contains(where: { ids.contains($0.key.id) }) {
            recent.forget(key)
        }
    }

    /// Everything the rate limit kept out in minutes that were not reported yet; at the end.
    mutating func takeSuppressed() -> [SuppressedAlerts] {
        defer { rates = [:] }
        return rates.filter { $0.value.suppressed > 0 }.map {
            SuppressedAlerts(rule: $0.key, events: $0.value.suppressed)
        }
    }

    // MARK: - Folding

    private func fold(
        _ alert: Alert, _ key: RecentAlerts.Key, into plan: inout Plan, _ lookUp: LookUp
    ) rethrows -> Bool {
        if let drafts = plan.drafts[key],
            let match = drafts.indices.reversed().first(where: { isNear(alert, drafts[$0].key) })
        {
            plan.count(alert, into: match, of: key)
            return true
        }
        var found = recent[key]
        if let known = found, !isNear(alert, known) { found = nil }
        if found == nil {
            found = try lookUp(
                alert.rule.id, alert.foldingGroup, alert.labels,
                alert.firstSeen.clamped(by: -limits.dedupWindow.nanoseconds),
                alert.lastSeen.clamped(by: limits.dedupWindow.nanoseconds)
            )
        }
        guard let found else { return false }
        plan.count(alert, intoStored: found, of: key)
        return true
    }

    /// Whether an event's span and an alert's are at most the window apart, whichever came first.
    private func isNear(_ alert: Alert, _ stored: AlertKey) -> Bool {
        let window = limits.dedupWindow.nanoseconds
        return alert.firstSeen.clamped(by: -window) <= stored.lastSeen
            && stored.firstSeen <= alert.lastSeen.clamped(by: window)
    }

    /// What an alert is grouped by: what its rule said, else the source address, else the host and the user, as far as
    /// the event names them: one user's doings must not hide behind another's.
    static func group(of alert: Alert) -> [Field] {
        if !alert.group.isEmpty { return alert.group }
        if let address = alert.srcIP { return [Field("src_ip", address)] }
        return ["host", "user"].compactMap { name in alert.event[name].map { Field(name, $0) } }
    }

    static func key(of alert: Alert) -> RecentAlerts.Key { key(of: alert, group: alert.foldingGroup) }

    static func key(of alert: Alert, group: [Field]) -> RecentAlerts.Key {
        var text = ""
        for field in group.sorted(by: { ($0.name, $0.value) < ($1.name, $1.value) }) {
            text += "\(field.name.utf8.count):\(field.name)=\(field.value.utf8.count):\(field.value) "
        }
        return RecentAlerts.Key(rule: alert.rule.id, group: text, demo: alert.labels["demo"])
    }

    private static func isRemembered(_ key: RecentAlerts.Key) -> Bool {
        key.rule.utf8.count + key.group.utf8.count + (key.demo?.utf8.count ?? 0) <= rememberedKeyBytesMax
    }

    // MARK: - Rate

    private func admits(_ alert: Alert, _ plan: inout Plan, _ uptime: Int64) -> Bool {
        guard limits.rateLimitPerRule > 0 else { return true }
        let rule = alert.rule.id
        var window = plan.rates[rule] ?? rates[rule] ?? RateWindow(start: uptime)
        if window.isOver(at: uptime) { window = RateWindow(start: uptime) }
        let isAdmitted = window.made < limits.rateLimitPerRule
        if isAdmitted {
            window.made += 1
        } else {
            window.suppressed += alert.count
            plan.limited += alert.count
        }
        plan.rates[rule] = window
        return isAdmitted
    }
}

extension Deduplicator.Plan {
    fileprivate mutating func add(_ draft: Deduplicator.Draft, for key: RecentAlerts.Key) {
        if drafts[key] == nil { order.append(key) }
        drafts[key, default: []].append(draft)
    }

    fileprivate mutating func count(_ alert: Alert, intoStored stored: AlertKey, of key: RecentAlerts.Key) {
        if updateIndex[stored.id] == nil {
            updateIndex[stored.id] = updates.count
            updates.append(
                AlertUpdate(id: stored.id, count: 0, firstSeen: alert.firstSeen, lastSeen: alert.lastSeen)
            )
            add(Deduplicator.Draft(isInsert: false, place: updates.count - 1, key: stored), for: key)
        }
        if let match = drafts[key]?.lastIndex(where: { $0.key.id == stored.id }) { count(alert, into: match, of: key) }
    }

    fileprivate mutating func count(_ alert: Alert, into match: Int, of key: RecentAlerts.Key) {
        guard var draft = drafts[key]?[match] else { return }
        draft.key.firstSeen = min(draft.key.firstSeen, alert.firstSeen)
        draft.key.lastSeen = max(draft.key.lastSeen, alert.lastSeen)
        drafts[key]?[match] = draft
        if draft.isInsert {
            inserts[draft.place].count += alert.count
            inserts[draft.place].firstSeen = draft.key.firstSeen
            inserts[draft.place].lastSeen = draft.key.lastSeen
        } else {
            updates[draft.place].count += alert.count
            updates[draft.place].firstSeen = min(updates[draft.place].firstSeen, alert.firstSeen)
            updates[draft.place].lastSeen = max(updates[draft.place].lastSeen, alert.lastSeen)
        }
    }
}

extension Timestamp {
    /// Moved by nanoseconds; stops at the ends of what can be written, whatever time an event claimed.
    func clamped(by offset: Int64) -> Timestamp {
        let (sum, overflow) = nanoseconds.addingReportingOverflow(offset)
        return Timestamp(nanoseconds: overflow ? (offset < 0 ? .min : .max) : sum)
    }
}
