internal import IronpostCore
internal import Logging

/// What people ask for.
extension ResponseDesk {
    /// An action that a person asked for: admitted, prepared, stored, carried out and verified, or the reason why not.
    /// - Parameter waits: whether it only takes effect in the mode `enforce`.
    func request(
        _ action: StandingAction, waits: Bool, replacing old: [UUIDv7] = []
    ) async throws(ResponseRefusal) -> ActionRecord {
        guard let backend = backends[action.actionType] else {
            throw ResponseRefusal(.failed, Guardrail.unavailable.meaning, guardrail: Guardrail.unavailable.rawValue)
        }
        do {
            try await backend.admit(action, isAutomatic: false)
        } catch {
            await storing { store in
                var change = DecisionChange()
                change.records = [
                    self.record(of: action, .withheld, guardrail: error.guardrail.rawValue, error: error.detail)
                ]
                try store.commit(change, from: reserve)
            }
            throw ResponseRefusal(.withheld, "\(action.target): \(error)", guardrail: error.guardrail.rawValue)
        }
        do {
            let preparation = try await backend.prepare(action)
            var change = DecisionChange()
            change.records = [record(of: action, .proposed)]
            change.blocks = preparation.blocks
            // The intent goes with the proposal: a list of many blocks is written once.
            let standing = waits ? action : try started(action, preparation, into: &change)
            change.standing = [standing]
            try store.commit(change, from: reserve)
            insert(standing)
            if !waits { run(standing, .apply) }
        } catch {
            await backend.forget(action)
            throw ResponseRefusal(.failed, "\(error)")
        }
        await settled(action.id)
        return try outcome(of: action.id)
    }

    private func storing(_ body: (any DecisionStore) throws -> Void) async {
        do {
            try body(store)
        } catch {
            logger.error("\(error)")
        }
    }

    /// How an action stands now, after somebody waited for it.
    func outcome(of id: UUIDv7) throws(ResponseRefusal) -> ActionRecord {
        let last: ActionRecord?
        do {
            last = try store.transitions(of: id).last
        } catch {
            throw ResponseRefusal(.failed, "\(error)")
        }
        guard let last else { throw ResponseRefusal(.unknown, "no action has the id \(id)") }
        if last.state == .withheld {
            throw ResponseRefusal(.withheld, last.error ?? "it was withheld", guardrail: last.guardrail)
        }
        if last.state == .running || last.state == .approved {
            throw ResponseRefusal(
                .failed, "it could not be carried out yet; the daemon goes on trying, its log says why")
        }
        if last.state == .failed { throw ResponseRefusal(.failed, last.error ?? "it failed") }
        return last
    }

    func undo(_ id: UUIDv7, because why: String) async throws(ResponseRefusal) -> ActionRecord {
        await settled(id)
        guard let action = actions[id] else {
            let last = try outcome(of: id)
            throw ResponseRefusal(.conflict, "the action is \(last.state.rawValue): there is nothing to undo")
        }
        do {
            try take(action, .undo(why))
        } catch {
            throw ResponseRefusal(.conflict, "\(error)")
        }
        await settled(id)
        guard actions[id] == nil else {
            throw ResponseRefusal(
                .failed, "it could not be taken back yet; the daemon goes on trying, its log says why")
        }
        return try outcome(of: id)
    }

    func approve(_ id: UUIDv7) async throws(ResponseRefusal) -> ActionRecord {
        await settled(id)
        guard let action = actions[id], action.phase == .proposed else {
            let last = try outcome(of: id)
            throw ResponseRefusal(
                .conflict, "the action is \(last.state.rawValue): only a proposed one can be approved")
        }
        guard let backend = backends[action.actionType] else {
            throw ResponseRefusal(.failed, Guardrail.unavailable.meaning, guardrail: Guardrail.unavailable.rawValue)
        }
        do {
            try await backend.admit(action, isAutomatic: false)
        } catch {
            throw ResponseRefusal(.withheld, "\(action.target): \(error)", guardrail: error.guardrail.rawValue)
        }
        // Somebody else may have been quicker.
        guard actions[id]?.phase == .proposed else { throw ResponseRefusal(.conflict, "it is under way already") }
        prepareAndStart(action, on: .approve)
        await settled(id)
        return try outcome(of: id)
    }

    func store(allowed entry: AllowEntry) async throws(ResponseRefusal) {
        do {
            var change = DecisionChange()
            change.allowed = [entry]
            try store.commit(change, from: reserve)
            await put(try store.allowed())
        } catch {
            throw ResponseRefusal(.failed, "\(error)")
        }
        // What is in force against it now goes.
        for action in actions.values where action.phase == .applied && action.actionType == NetworkBlocks.actionType {
            guard let target = BlockTarget(action.target), entry.network.overlaps(target.network) else { continue }
            _ = try await undo(action.id, because: "the address was put on the allow list")
        }
    }

    func remove(allowed network: IPNetwork) async throws(ResponseRefusal) -> Bool {
        do {
            let isThere = allowed.contains { $0.network == network }
            var change = DecisionChange()
            change.allowedRemoved = [network]
            try store.commit(change, from: reserve)
            await put(try store.allowed())
            return isThere
        } catch {
            throw ResponseRefusal(.failed, "\(error)")
        }
    }
}
