package import IronpostCore
internal import Logging
internal import Synchronization

/// Keeping the kernel's table to what is wanted.
extension NetworkBlocks {
    package func restore(_ actions: [StandingAction]) async throws {
        let standing = Set(actions.map(\.id))
        let blocks = try store.blocks().filter { standing.contains($0.actionID) }
        state.withLock { state in
            state.blocks = Dictionary(blocks.map { ($0.target, $0) }, uniquingKeysWith: { first, _ in first })
        }
        do {
            try await reconcile(
                lifting: Set(actions.filter { $0.phase != .applied && $0.phase != .applying }.map(\.id)))
        } catch {
            // The table is not to be had yet; `tend` goes on trying.
            note(obstacle: error)
        }
    }

    /// Makes the table hold exactly the blocks in force, each with the time that it has left.
    private func reconcile(lifting: Set<UUIDv7> = []) async throws {
        let actual = Dictionary(
            try await table.list().map { ($0.target, $0.remaining) }, uniquingKeysWith: { first, _ in first }
        )
        let wanted = state.withLock { state in
            state.blocks.values.filter { $0.isInForce && !lifting.contains($0.actionID) }.compactMap(entry)
        }
        let wantedTargets = Set(wanted.map(\.target))
        let surplus = actual.keys.filter { !wantedTargets.contains($0) }
        let missing = wanted.filter { entry in
            guard let there = actual[entry.target] else { return true }
            return abs((there - entry.remaining).nanoseconds) > Self.tolerance.nanoseconds
        }
        var generation: UInt64?
        if !surplus.isEmpty { generation = try await table.remove(surplus) }
        var withheld: [BlockReceipt.Withheld] = []
        if !missing.isEmpty {
            let receipt = try await table.add(missing)
            (generation, withheld) = (receipt.generation, receipt.withheld)
        }
        if generation == nil { generation = try await table.generation() }
        let current = generation
        let now = time.uptime()
        let known = state.withLock { state in
            defer { state.withheld = withheld }
            state.generation = current
            state.lastReconciled = now
            state.obstacle = nil
            return Set(state.withheld.map(\.target))
        }
        for entry in withheld where !known.contains(entry.target) {
            logger.warning("a block is not in force: \(entry.refusal.detail)")
        }
        let added = missing.count - withheld.count
        guard !surplus.isEmpty || added > 0 else { return }
        logger.notice(
            "the kernel's blocks were brought in line",
            metadata: ["added": "\(added)", "removed": "\(surplus.count)"]
        )
        state.withLock { $0.repairs += added + surplus.count }
    }

    package func tend() async {
        let now = time.uptime()
        let (known, last, hasObstacle, isEmpty, isChanging, isOverdue) = state.withLock { state in
            (
                state.generation, state.lastReconciled, state.obstacle != nil, state.blocks.isEmpty,
                state.changes > 0,
                // Whoever was logged in from there may have left.
                !state.withheld.isEmpty && now - state.lastReconciled >= Self.withheldInterval
            )
        }
        dropExpired()
        if isEmpty && !hasObstacle || isChanging { return }
        do {
            let generation = try await table.generation()
            guard generation != known || hasObstacle || isOverdue else { return }
            // One of our own that began or ended meanwhile looks like somebody else's.
            guard state.withLock({ $0.changes == 0 && $0.generation == known }) else { return }
            guard time.uptime() - last >= (hasObstacle ? 0 : Self.reconcileInterval) || known == nil else {
                // Another look is due later: the generation stays unknown to us until then.
                return
            }
            // Somebody may have lifted blocks without us, by `block flush --detach`.
            let stored = try store.blocks()
            state.withLock { state in
                let targets = Set(stored.map(\.target))
                for target in state.blocks.keys where !targets.contains(target) { state.blocks[target] = nil }
            }
            try await reconcile()
        } catch {
            note(obstacle: error)
        }
    }

    private func note(obstacle error: any Error) {
        let isNew = state.withLock { state in
            defer { state.obstacle = "\(error)" }
            return state.obstacle == nil
        }
        if isNew { logger.error("blocks cannot be carried out: \(error)") }
    }

    /// Entries of lists end one by one; the kernel has let go of them by itself.
    private func dropExpired() {
        let now = time.uptime()
        let expired: [Block] = state.withLock { state in
            guard now >= state.nextExpiry else { return [] }
            var expired: [Block] = []
            var next = Self.expiryInterval
            for block in state.blocks.values where block.origin == .list {
                let remaining = block.deadline.remaining(clock: time, boot: boot)
                if remaining <= .zero { expired.append(block) } else { next = min(next, remaining) }
            }
            // What could not be stored is tried again at the next turn.
            if expired.isEmpty { state.nextExpiry = now + next.nanoseconds }
            return expired
        }
        guard !expired.isEmpty else { return }
        var change = DecisionChange()
        change.blocksRemoved = expired.map(\.target)
        do {
            try store.commit(change, from: reserve)
            state.withLock { state in for block in expired { state.blocks[block.target] = nil } }
        } catch {
            logger.error("\(error)")
        }
    }

    // MARK: - Commands

    /// All targets blocked because of one action are that action's.
    func action(blocking target: BlockTarget) -> UUIDv7? { state.withLock { $0.blocks[target]?.actionID } }

    func count(of action: UUIDv7) -> Int { state.withLock { $0.targets(of: action).count } }

    var actionIDs: Set<UUIDv7> { state.withLock { Set($0.blocks.values.map(\.actionID)) } }

    var count: Int { state.withLock { $0.blocks.count } }

    /// Takes one target out of its action, which goes on with the others.
    func lift(_ target: BlockTarget) async throws {
        var change = DecisionChange()
        change.blocksRemoved = [target]
        try store.commit(change, from: reserve)
        let generation = try await table.remove([target])
        state.withLock { state in
            state.blocks[target] = nil
            state.generation = generation
        }
    }

    /// Sorts a list into what may be blocked and what may not, and keeps the former for its action.
    func stage(_ entries: [BlockImport.Entry], for action: StandingAction) -> (kept: Int, skipped: [String]) {
        let guarding = state.withLock { $0.guarding }.snapshot(peers: [])
        var skipped: [String] = []
        var blocks: [Block] = []
        blocks.reserveCapacity(entries.count)
        for entry in entries {
            if let objection = guarding.objection(to: entry.target.network) {
                skipped.append("\(entry.target): \(Withheld(objection))")
                continue
            }
            let deadline = Deadline(after: entry.duration ?? action.duration, clock: time, boot: boot)
            blocks.append(
                Block(
                    target: entry.target, actionID: action.id, origin: .list, reason: action.reason,
                    created: action.created, deadline: deadline, isInForce: false
                )
            )
        }
        state.withLock { $0.pendingLists[action.id] = blocks }
        return (blocks.count, skipped)
    }

    func unstage(_ action: UUIDv7) { state.withLock { $0.pendingLists[action] = nil } }
}
