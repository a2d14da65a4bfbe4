package import IronpostCore
internal import Synchronization

/// The silences in force, and how many events each kept out. Their numbers reach the store every few seconds.
package final class SilenceBook: Silencing {
    static let writeInterval: Int64 = 10_000_000_000

    private struct State {
        var silences: [UUIDv7: Silence] = [:]
        /// Numbers that the store does not have yet.
        var changed: Set<UUIDv7> = []
        var lastWrite: Int64 = 0
    }

    private let store: any DecisionStore
    private let time: any TimeSource
    private let state = Mutex(State())

    package struct Full: Error, CustomStringConvertible {
        package var description: String { "there are \(Silence.countMax) silences already; remove some" }
    }

    /// Throws when the store cannot be read.
    package init(store: any DecisionStore, time: any TimeSource) throws {
        self.store = store
        self.time = time
        let silences = try store.silences()
        state.withLock { state in
            state.silences = Dictionary(silences.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
        }
    }

    package func silences() -> [Silence] {
        let now = time.now()
        return state.withLock { $0.silences.values.filter { $0.ends > now } }.sorted { $0.id > $1.id }
    }

    package func add(_ silence: Silence) throws {
        guard state.withLock({ $0.silences.count }) < Silence.countMax else { throw Full() }
        var change = DecisionChange()
        change.silences = [silence]
        try store.commit(change)
        state.withLock { $0.silences[silence.id] = silence }
    }

    package func remove(_ id: UUIDv7) throws -> Bool {
        var change = DecisionChange()
        change.silencesRemoved = [id]
        try store.commit(change)
        return state.withLock { $0.silences.removeValue(forKey: id) != nil }
    }

    /// Whether an alert is to be left out; counts it if so.
    func suppresses(_ alert: Alert) -> Bool {
        state.withLock { state in
            guard !state.silences.isEmpty, alert.labels["demo"] == nil else { return false }
            let now = time.now()
            guard let match = state.silences.values.first(where: { $0.ends > now && Self.fits($0, alert) }) else {
                return false
            }
            state.silences[match.id]?.suppressed += max(alert.count, 1)
            state.changed.insert(match.id)
            return true
        }
    }

    private static func fits(_ silence: Silence, _ alert: Alert) -> Bool {
        if let rule = silence.rule, rule != alert.rule.id, rule != alert.rule.title { return false }
        return silence.fields.allSatisfy { wanted in
            values(of: wanted.name, in: alert).contains { value in
                wanted.value.hasSuffix("*") ? value.hasPrefix(wanted.value.dropLast()) : value == wanted.value
            }
        }
    }

    private static func values(of name: String, in alert: Alert) -> [String] {
        var values = (alert.group + alert.event.fields).filter { $0.name == name }.map(\.value)
        switch name {
        case "src_ip": if let address = alert.srcIP { values.append(address) }
        case "dst_ip": if let address = alert.dstIP { values.append(address) }
        case "container": if let container = alert.container { values.append(container.name) }
        default: break
        }
        return values
    }

    /// Writes numbers that changed, and forgets what has ended.
    /// - Parameter isLast: at the end, whatever the interval.
    func write(isLast: Bool = false) throws {
        let (now, uptime) = (time.now(), time.uptime())
        let change: DecisionChange? = state.withLock { state in
            guard isLast || uptime - state.lastWrite >= Self.writeInterval else { return nil }
            state.lastWrite = uptime
            var change = DecisionChange()
            change.silencesRemoved = state.silences.values.filter { $0.ends <= now }.map(\.id)
            for id in change.silencesRemoved { state.silences[id] = nil }
            change.silences = state.changed.compactMap { state.silences[$0] }
            state.changed = []
            return change.silences.isEmpty && change.silencesRemoved.isEmpty ? nil : change
        }
        if let change { try store.commit(change) }
    }
}
