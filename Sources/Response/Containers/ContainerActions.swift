internal import FoundationEssentials
package import IronpostCore
package import Logging
internal import Synchronization

/// Isolates containers: aims at the one that the kernel proved, keeps to protection and budget, and lets the responder,
/// which checks all of it again, do it.
package final class ContainerActions: ImmediateBackend {
    package static let types = Set(ContainerOrder.Kind.allCases.map(\.actionType))
    package let actionTypes = ContainerActions.types

    private struct State {
        var configuration: Configuration.Response
        /// When policies isolated which container, within the budget's time.
        var isolated: [(id: ContainerID, at: Int64)] = []
        /// Of policies that name some.
        var networks: [String: [String]] = [:]
        var standing: [UUIDv7: ContainerID] = [:]
        /// Alerts for the evidence, of actions that are about to be carried out.
        var alerts: [UUIDv7: [UInt8]] = [:]
        /// Until this uptime decisions do not wait for the responder, which was slow.
        var slowUntil: Int64 = 0
        /// What was done otherwise than asked: the latest, by action.
        var notes: [(action: UUIDv7, text: String)] = []
    }

    static let notesMax = 8
    /// The longest that a decision waits for what its action takes.
    static let quickPatience = Duration.milliseconds(50)
    /// After it waited that long in vain, none does for a while.
    static let slowNanoseconds: Int64 = 5_000_000_000
    static let protectLabel = "ironpost.protect"

    private let link: any ResponderLink
    let directory: any ContainerDirectory
    private let alerts: any AlertStore
    private let time: any TimeSource
    private let logger: Logger
    private let state: Mutex<State>

    package init(
        link: any ResponderLink, directory: any ContainerDirectory, alerts: any AlertStore,
        configuration: Configuration.Response, time: any TimeSource, logger: Logger
    ) {
        self.link = link
        self.directory = directory
        self.alerts = alerts
        self.time = time
        self.logger = logger
        state = Mutex(State(configuration: configuration))
    }

    // MARK: - Deciding

    package func aim(_ policy: Policy, at alert: Alert) async throws(Withheld) -> ActionTarget {
        guard let reference = alert.container, let id = ContainerID(reference.id) else {
            throw Withheld(.unattributed, alert.labels[Alert.attributionLabel])
        }
        let record = find(id)
        let labels = (record?.labels ?? [:]).map { "\($0.key)=\($0.value)" }
        let filter = policy.targetFilter
        guard !filter.isEmpty,
            filter.matches(
                name: record?.name ?? reference.name, image: record?.image ?? reference.image, labels: labels)
        else { throw Withheld(.notTargeted, reference.name) }
        guard let record, record.state.isAlive else {
            throw Withheld(.unavailable, "container \(reference.name) does not run")
        }
        state.withLock { $0.networks[policy.id] = policy.networks }
        return ActionTarget(target: Self.target(record), reason: "\(alert.title) (\(reference.proof))")
    }

    /// Name and id: the name for people, the id because a name can be given to another one.
    package static func target(_ record: ContainerRecord) -> String { "\(record.shownName)/\(record.id)" }

    private static func id(of target: String) -> ContainerID? { ContainerID(target.suffix(ContainerID.digits)) }

    private func find(_ id: ContainerID) -> ContainerRecord? { try? directory.resolve(id.text) }

    package func admit(_ action: StandingAction, isAutomatic: Bool) async throws(Withheld) {
        guard let id = Self.id(of: action.target), let record = find(id) else {
            throw Withheld(.unavailable, "the container is gone")
        }
        let running = directory.containers().containers.count { $0.state.isAlive }
        let now = time.uptime()
        let held: Withheld? = state.withLock { state in
            if let value = record.labels[Self.protectLabel], value != "false" {
                return Withheld(.protected, "label \(Self.protectLabel)=\(value)")
            }
            if state.configuration.protect.contains(where: { Glob.matches($0, record.name) || $0 == id.text }) {
                return Withheld(.protected, "response.protect names \(record.name)")
            }
            if state.standing.values.contains(id) { return Withheld(.alreadyInForce, record.shownName) }
            guard isAutomatic else { return nil }
            let budget = state.configuration.budget
            state.isolated.removeAll { now - $0.at > budget.per.nanoseconds }
            if state.isolated.contains(where: { $0.id == id }) { return nil }
            let allowed = budget.allowed(of: running)
            guard Set(state.isolated.map(\.id)).count < allowed else {
                return Withheld(.budget, "\(allowed) of \(running) running containers")
            }
            state.isolated.append((id, now))
            return nil
        }
        if let held { throw held }
    }

    // MARK: - Acting

    private func order(_ action: StandingAction, alert: [UInt8] = []) throws -> ContainerOrder {
        guard let kind = ContainerOrder.Kind(actionType: action.actionType), let id = Self.id(of: action.target) else {
            throw ContainerActionFault(
                description: "\(action.actionType) of \(action.target) is no action on a container")
        }
        return ContainerOrder(
            kind: kind, container: id, action: action.id, isAutomatic: action.origin == .policy,
            networks: state.withLock { $0.networks[action.policyID ?? ""] ?? [] },
            detail: action.detail, alert: alert)
    }

    package func prepare(_ action: StandingAction) async throws -> ActionPreparation {
        Self.preparation(try await link.prepareContainer(try order(action)))
    }

    private static func preparation(_ outcome: ContainerOutcome) -> ActionPreparation {
        ActionPreparation(
            detail: outcome.detail, evidencePath: outcome.evidencePath.isEmpty ? nil : outcome.evidencePath)
    }

    package func prepareAtOnce(_ action: StandingAction) async -> ActionPreparation? {
        let begun = time.uptime()
        // Which networks it is on, only the engine knows, and that may take its time.
        guard action.actionType != ContainerOrder.Kind.networkDisconnect.actionType,
            state.withLock({ $0.slowUntil <= begun })
        else { return nil }
        async let alert = evidence(of: action)
        do {
            let outcome = try await link.prepareContainer(try order(action), timeout: Self.quickPatience)
            let json = await alert
            state.withLock { $0.alerts[action.id] = json }
            return Self.preparation(outcome)
        } catch {
            // Whatever it is, `prepare` will meet it again and say so.
            if case ResponderError.timedOut = error {
                state.withLock { $0.slowUntil = begun + Self.slowNanoseconds }
            }
            return nil
        }
    }

    package func apply(_ action: StandingAction) async throws {
        let known = state.withLock { $0.alerts.removeValue(forKey: action.id) }
        let order = try order(action, alert: known ?? evidence(of: action))
        state.withLock { $0.standing[action.id] = order.container }
        note(action, try await link.isolateContainer(order).note)
    }

    /// The alert as it is shown, if it fits.
    private func evidence(of action: StandingAction) -> [UInt8] {
        guard let id = action.alertID, let alert = try? alerts.alert(id: id) else { return [] }
        guard let json = try? JSONEncoder().encode(AlertDocument(alert)) else { return [] }
        return json.count <= ContainerOrder.alertBytesMax ? Array(json) : []
    }

    package func verify(_ action: StandingAction) async throws -> Bool {
        try await link.verifyContainer(try order(action)).isSettled
    }

    package func undo(_ action: StandingAction) async throws {
        // Nothing was looked up, so nothing was done.
        guard !action.detail.isEmpty else { return }
        note(action, try await link.releaseContainer(try order(action)).note)
        state.withLock { $0.standing[action.id] = nil }
    }

    package func forget(_ action: StandingAction) async {
        state.withLock { state in
            state.standing[action.id] = nil
            state.alerts[action.id] = nil
        }
    }

    package func restore(_ actions: [StandingAction]) async throws {
        state.withLock { state in
            for action in actions where action.phase != .proposed {
                state.standing[action.id] = Self.id(of: action.target)
                if action.origin == .policy, let id = Self.id(of: action.target) {
                    state.isolated.append((id, time.uptime()))
                }
            }
        }
    }

    package func update(_ configuration: Configuration.Response, allowed: [AllowEntry]) async {
        state.withLock { $0.configuration = configuration }
    }

    package func tend() async {}

    private func note(_ action: StandingAction, _ note: String) {
        guard !note.isEmpty else { return }
        logger.notice(
            "\(action.actionType): \(note)", metadata: ["target": "\(action.target)", "action": "\(action.id)"])
        state.withLock { state in
            state.notes.append((action.id, "\(action.target.prefix { $0 != "/" }): \(note)"))
            if state.notes.count > Self.notesMax { state.notes.removeFirst() }
        }
    }

    /// What was done otherwise than asked, for people; empty when all went as asked.
    func note(of action: UUIDv7) -> String {
        state.withLock { $0.notes.filter { $0.action == action }.map(\.text).joined(separator: "; ") }
    }

    /// Everything up to the deed.
    func rehearse(_ action: StandingAction) async throws(ResponseRefusal) -> String {
        do {
            try await admit(action, isAutomatic: false)
            _ = try await prepare(action)
            return "dry run: nothing was done"
        } catch let withheld as Withheld {
            throw ResponseRefusal(.withheld, "\(withheld)", guardrail: withheld.guardrail.rawValue)
        } catch {
            throw ResponseRefusal(.failed, "\(error)")
        }
    }

    // MARK: - What it tells

    package func obstacle() -> String? { nil }

    package func details() -> [Field] {
        let (standing, notes) = state.withLock { (Set($0.standing.values).count, $0.notes) }
        return [Field("containers isolated", "\(standing)")] + notes.map { Field("container", $0.text) }
    }
}

struct ContainerActionFault: Error, CustomStringConvertible {
    var description: String
}
