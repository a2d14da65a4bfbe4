package import IronpostCore

extension ResponseEngine: ContainerIsolationControl {
    private var containers: ContainerActions? { backends.lazy.compactMap { $0 as? ContainerActions }.first }

    private static let absent = ResponseRefusal(
        .failed, Guardrail.unavailable.meaning, guardrail: Guardrail.unavailable.rawValue)

    package func isolate(_ request: IsolationRequest) async throws(ResponseRefusal) -> IsolationOutcome {
        guard let containers else { throw Self.absent }
        let record: ContainerRecord
        do throws(ContainerNameFault) {
            record = try containers.directory.resolve(request.name)
        } catch {
            throw ResponseRefusal(.unknown, "\(error)")
        }
        let configuration = await desk.settings.configuration
        let duration = request.duration ?? configuration.defaultTTL
        let now = time.now()
        // What a person orders is done in every mode; guardrails hold all the same.
        let action = StandingAction(
            id: .make(at: now), actionType: request.kind.actionType, target: ContainerActions.target(record),
            mode: configuration.mode.rawValue, phase: .proposed, origin: .operator, reason: request.reason,
            created: now, duration: duration, deadline: Deadline(after: duration, clock: time, boot: boot))
        if request.isDryRun {
            return IsolationOutcome(container: record, action: nil, note: try await containers.rehearse(action))
        }
        let done = try await desk.request(action, waits: false)
        return IsolationOutcome(container: record, action: done, note: containers.note(of: done.id))
    }

    package func release(_ name: String) async throws(ResponseRefusal) -> [ActionRecord] {
        guard let containers else { throw Self.absent }
        let resolved = try? containers.directory.resolve(name)
        let standing = await desk.actions.values.filter { action in
            guard ContainerActions.types.contains(action.actionType) else { return false }
            if let resolved { return action.target.hasSuffix("/\(resolved.id)") }
            return action.target == name || action.target.hasPrefix("\(name)/")
        }
        guard !standing.isEmpty else {
            throw resolved == nil
                ? ResponseRefusal(.unknown, ContainerNameFault.unknown(name).description)
                : ResponseRefusal(.conflict, "container \(name) is not isolated: there is nothing to release")
        }
        var records: [ActionRecord] = []
        // The newest first: what it found before it, the older one left.
        for action in standing.sorted(by: { $1.id < $0.id }) {
            records.append(try await desk.undo(action.id, because: "release"))
        }
        return records
    }
}
