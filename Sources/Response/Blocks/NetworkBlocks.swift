package import IronpostCore
package import Logging
internal import Synchronization

/// Blocks addresses: the guardrails of addresses, what is wanted, and a table in the kernel that is kept to it.
package final class NetworkBlocks: ImmediateBackend {
    package static let actionType = "network_block"
    /// How far back an address's earlier blocks make the next one longer.
    static let memory = Duration.seconds(30 * 86_400)
    /// Entries that differ by less are left alone: times are read one after the other.
    static let tolerance = Duration.milliseconds(900)
    /// The kernel's table is read whole at most this often, however often others change theirs.
    static let reconcileInterval: Int64 = 5_000_000_000
    /// Entries of lists are looked through at least this often: the clock may have been set.
    static let expiryInterval = Duration.seconds(60)
    static let withheldShownMax = 8
    /// What the responder would not block is asked for again after this.
    static let withheldInterval: Int64 = 60_000_000_000
    /// Blocked neighbours count for a day.
    static let aggregateWindow = Duration.seconds(86_400)

    struct State {
        var configuration = Configuration.Response()
        var guarding = AddressGuard(allowed: [])
        var blocks: [BlockTarget: Block] = [:]
        /// Entries of lists that are not stored yet.
        var pendingLists: [UUIDv7: [Block]] = [:]
        var perMinute = RateWindow(limit: 60, per: .seconds(60))
        var perHour = RateWindow(limit: 1000, per: .seconds(3600))
        /// Of lists that were just carried out: what the responder would not block.
        var leftOut: [UUIDv7: [String]] = [:]
        /// What the responder would not block when the table was brought in line: in force for us, and not in the kernel.
        var withheld: [BlockReceipt.Withheld] = []
        /// The table's generation after our own last change.
        var generation: UInt64?
        var lastReconciled: Int64 = .min / 2
        /// No entry of a list ends before this uptime.
        var nextExpiry: Int64 = .min
        /// Of the table, by us, under way: what is seen meanwhile is neither the one nor the other.
        var changes = 0
        var repairs = 0
        var obstacle: String?
    }

    package let actionTypes: Set<String> = [actionType]
    let table: any BlockTable
    let store: any DecisionStore
    let reserve: any StorageReserve
    let time: any TimeSource
    let boot: String
    let logger: Logger
    private let host: AddressGuard.Host
    let state = Mutex(State())

    package init(
        table: any BlockTable, store: any DecisionStore, reserve: any StorageReserve = NoReserve(),
        time: any TimeSource, boot: String, logger: Logger, host: AddressGuard.Host = .withoutSessions
    ) {
        self.table = table
        self.store = store
        self.reserve = reserve
        self.time = time
        self.boot = boot
        self.logger = logger
        self.host = host
    }

    package func update(_ configuration: Configuration.Response, allowed: [AllowEntry]) async {
        state.withLock { state in
            state.configuration = configuration
            state.guarding = AddressGuard(allowed: configuration.allow + allowed.map(\.network), host: host)
            state.perMinute.limit = configuration.blocksPerMinute
            state.perHour.limit = configuration.blocksPerHour
        }
    }

    // MARK: - Deciding

    package func aim(_ policy: Policy, at alert: Alert) async throws(Withheld) -> ActionTarget {
        if !policy.targetFilter.isEmpty {
            guard let container = alert.container,
                policy.targetFilter.matches(name: container.name, image: container.image, labels: [])
            else { throw Withheld(.unattributed) }
        }
        guard let text = alert.srcIP, let address = IPAddress(text) else { throw Withheld(.proof, "no address") }
        guard let proof = alert.srcIPProof else { throw Withheld(.proof) }
        guard proof.confidence >= policy.match.confidence else {
            throw Withheld(
                .proof, "\(proof.confidence.rawValue), the policy asks for \(policy.match.confidence.rawValue)")
        }
        let network = aggregate(address)
        let target = BlockTarget(network).description
        let configuration = state.withLock { $0.configuration }
        let earlier: Int
        do {
            let history = try store.history(
                actionType: Self.actionType, target: target, since: time.now().advanced(by: .zero - Self.memory)
            )
            if let undone = history.lastUndone, time.now().since(undone) < configuration.cooldown {
                throw Withheld(.cooldown)
            }
            earlier = history.count
        } catch let error as Withheld {
            throw error
        } catch {
            throw Withheld(.unavailable, "\(error)")
        }
        let base = policy.ttl ?? configuration.defaultTTL
        var duration = base
        for _ in 0..<min(earlier, 32) where duration < configuration.ttlMax { duration = duration * 2 }
        return ActionTarget(
            target: target, reason: alert.title, duration: max(base, min(duration, configuration.ttlMax))
        )
    }

    /// The address, or its network once so many of its neighbours are blocked that it is one attacker's.
    private func aggregate(_ address: IPAddress) -> IPNetwork {
        let now = time.now()
        return state.withLock { state in
            let needed = address.isIPv4 ? state.configuration.aggregateIPv4 : state.configuration.aggregateIPv6
            guard needed > 0 else { return IPNetwork(address) }
            let network = IPNetwork(address, prefix: address.isIPv4 ? 24 : 64)
            let neighbours = state.blocks.values.count {
                $0.isInForce && $0.origin == .policy && $0.target.network.isHost && network.contains($0.target.network)
                    && now.since($0.created) < Self.aggregateWindow
            }
            guard neighbours >= needed, state.guarding.objection(to: network) == nil else {
                return IPNetwork(address)
            }
            return network
        }
    }

    package func admit(_ action: StandingAction, isAutomatic: Bool) async throws(Withheld) {
        let pending = state.withLock { $0.pendingLists[action.id]?.count }
        let target = BlockTarget(action.target)
        if pending == nil, target == nil { throw Withheld(.proof, "not an address") }
        let now = time.uptime()
        let (guarding, refusal): (AddressGuard, Withheld?) = state.withLock { state in
            (state.guarding, Self.refusal(target, action, isAutomatic, pending ?? 1, now, &state))
        }
        if let refusal { throw refusal }
        if let target, let objection = guarding.objection(to: target.network) { throw Withheld(objection) }
        guard isAutomatic else { return }
        let isFull = state.withLock { state in
            guard state.perHour.take(at: now) else { return true }
            _ = state.perMinute.take(at: now)
            return false
        }
        if isFull { throw Withheld(.budget) }
    }

    /// What can be told without asking the system.
    private static func refusal(
        _ target: BlockTarget?, _ action: StandingAction, _ isAutomatic: Bool, _ count: Int, _ now: Int64,
        _ state: inout State
    ) -> Withheld? {
        if state.blocks.count + count > state.configuration.blocksMax { return Withheld(.tooManyBlocks) }
        guard let target, action.origin == .policy else { return nil }
        if let covering = state.covering(target), covering.actionID != action.id {
            return Withheld(.alreadyInForce, covering.target == target ? nil : "\(covering.target)")
        }
        if isAutomatic, !state.perMinute.hasRoom(at: now) { return Withheld(.rateCap) }
        return nil
    }

    // MARK: - Carrying out

    package func prepare(_ action: StandingAction) async throws -> ActionPreparation { preparation(action) }

    package func prepareAtOnce(_ action: StandingAction) async -> ActionPreparation? { preparation(action) }

    private func preparation(_ action: StandingAction) -> ActionPreparation {
        let isInForce =
            action.origin == .policy || state.withLock { $0.configuration.mode == .enforce }
            || action.mode != Configuration.Response.Mode.observe.rawValue && action.alertID != nil
        let blocks: [Block] = state.withLock { state in
            var blocks = state.pendingLists.removeValue(forKey: action.id) ?? []
            if blocks.isEmpty { blocks = state.blocks.values.filter { $0.actionID == action.id } }
            if blocks.isEmpty, let target = BlockTarget(action.target) {
                blocks = [
                    Block(
                        target: target, actionID: action.id, origin: action.origin, reason: action.reason,
                        created: action.created, deadline: action.deadline, isInForce: isInForce
                    )
                ]
            }
            for index in blocks.indices { blocks[index].isInForce = isInForce }
            for block in blocks { state.blocks[block.target] = block }
            state.nextExpiry = .min
            return blocks
        }
        return ActionPreparation(blocks: blocks)
    }

    package func apply(_ action: StandingAction) async throws {
        let blocks = state.withLock { state in
            state.changes += 1
            var blocks: [Block] = []
            for target in state.targets(of: action.id) {
                // An approval starts the time anew; a list's entries have their own.
                if action.origin == .policy { state.blocks[target]?.deadline = action.deadline }
                state.blocks[target]?.isInForce = true
                if let block = state.blocks[target] { blocks.append(block) }
            }
            return blocks
        }
        defer { state.withLock { $0.changes -= 1 } }
        let entries = blocks.compactMap(entry)
        guard !entries.isEmpty else { return }
        let receipt = try await table.add(entries)
        state.withLock { $0.generation = receipt.generation }
        guard let first = receipt.withheld.first else { return }
        guard receipt.withheld.count < entries.count else { throw first.refusal }
        try leaveOut(receipt.withheld, of: action)
    }

    /// A list goes on without what the responder would not block.
    private func leaveOut(_ withheld: [BlockReceipt.Withheld], of action: StandingAction) throws {
        var change = DecisionChange()
        change.blocksRemoved = withheld.map(\.target)
        try store.commit(change, from: reserve)
        state.withLock { state in
            for entry in withheld { state.blocks[entry.target] = nil }
            state.leftOut[action.id] = withheld.map(\.refusal.detail)
        }
    }

    /// What the responder left out of a list, once.
    func takeLeftOut(of action: UUIDv7) -> [String] {
        state.withLock { $0.leftOut.removeValue(forKey: action) ?? [] }
    }

    /// The kernel has acknowledged the transaction; what others do to it later is found by `tend`.
    package func verify(_ action: StandingAction) async throws -> Bool { true }

    package func undo(_ action: StandingAction) async throws {
        let targets = state.withLock { state in
            state.changes += 1
            return state.targets(of: action.id)
        }
        defer { state.withLock { $0.changes -= 1 } }
        guard !targets.isEmpty else { return }
        let generation = try await table.remove(targets)
        state.withLock { $0.generation = generation }
    }

    package func forget(_ action: StandingAction) async {
        state.withLock { state in
            for target in state.targets(of: action.id) { state.blocks[target] = nil }
            state.pendingLists[action.id] = nil
            state.leftOut[action.id] = nil
        }
    }

    func entry(_ block: Block) -> BlockEntry? {
        let remaining = block.deadline.remaining(clock: time, boot: boot)
        return remaining > .zero ? BlockEntry(block.target, remaining: remaining) : nil
    }

    /// While nothing is to be blocked it does no harm that nothing could be.
    package func obstacle() -> String? {
        state.withLock { state in
            state.configuration.mode == .observe && state.blocks.isEmpty ? nil : state.obstacle
        }
    }

    package func details() -> [Field] {
        let (all, inForce, repairs, obstacle, withheld) = state.withLock { state in
            let withheld = state.withheld.filter { state.blocks[$0.target]?.isInForce == true }
            let inForce = state.blocks.values.count(where: \.isInForce) - withheld.count
            return (state.blocks.count, inForce, state.repairs, state.obstacle, withheld)
        }
        let waiting = all - inForce - withheld.count
        let missing = withheld.prefix(Self.withheldShownMax).map { Field("not blocked", $0.refusal.detail) }
        return (obstacle.map { [Field("cannot block", $0)] } ?? []) + missing + [
            Field("blocks", "\(inForce) in force" + (waiting > 0 ? ", \(waiting) wait for mode enforce" : "")),
            Field("blocks repaired", "\(repairs)"),
        ]
    }
}

extension NetworkBlocks.State {
    func targets(of action: UUIDv7) -> [BlockTarget] {
        blocks.values.filter { $0.actionID == action }.map(\.target)
    }

    /// A block in force that already does all that `target` would.
    func covering(_ target: BlockTarget) -> Block? {
        func exact(_ network: IPNetwork) -> Block? {
            for candidate in [
                BlockTarget(network), BlockTarget(network, port: target.port, transport: target.transport),
            ] {
                if let block = blocks[candidate], block.isInForce { return block }
            }
            return nil
        }
        for prefix in stride(from: target.network.prefix, through: 0, by: -1) {
            if let block = exact(IPNetwork(target.network.address, prefix: prefix)) { return block }
        }
        return nil
    }
}
