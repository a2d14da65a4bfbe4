internal import CNftables
internal import Glibc
package import IronpostCore
internal import Synchronization

/// The blocks in the kernel's nf_tables: table `inet ironpost`, a set for each prefix length and scope, every element with
/// a timeout of its own. Each change is one transaction. Needs CAP_NET_ADMIN; calls block for milliseconds.
package final class NftablesTable: Sendable {
    /// Elements that are read at most; more than may be blocked.
    static let elementsMax = 2_000_000
    /// A change that met another one is tried again this often.
    private static let attemptsMax = 4
    /// nf_tables takes a time of zero as none at all.
    private static let timeMin = Duration.milliseconds(1)
    private static let timeMax = Duration.seconds(3650 * 86_400)

    package struct Fault: Error, Hashable, CustomStringConvertible {
        package var operation: String
        package var code: Int32

        package var description: String {
            "cannot \(operation) in nf_tables: \(unsafe String(cString: strerror(code)))"
        }
    }

    private struct State {
        /// Sets that were there with their rules at this generation.
        var known: Set<SetKey> = []
        var generation: Int64 = -1
    }

    struct SetKey: Hashable, Comparable {
        var isIPv4: Bool
        var prefix: Int
        var transport: BlockTarget.Transport?
        var port: UInt16

        init(_ target: BlockTarget) {
            isIPv4 = target.network.address.isIPv4
            prefix = target.network.prefix
            transport = target.transport
            port = target.port ?? 0
        }

        static func < (left: SetKey, right: SetKey) -> Bool { left.order < right.order }

        private var order: (Int, Int, Int, Int) {
            (isIPv4 ? 4 : 6, prefix, Int(number), Int(port))
        }

        private var number: UInt8 {
            switch transport {
            case nil: 0
            case .tcp: UInt8(IPPROTO_TCP)
            case .udp: UInt8(IPPROTO_UDP)
            }
        }

        var raw: ipn_set {
            ipn_set(family: isIPv4 ? 4 : 6, prefix: UInt8(prefix), protocol: number, port: port)
        }
    }

    private let descriptor: Int32
    /// Held for a whole question with its answers: one thread's answers are nothing to another's that waits beside it.
    private let state = Mutex(State())

    package init() throws(Fault) {
        descriptor = ipn_open()
        guard descriptor >= 0 else { throw Fault(operation: "open a socket", code: -descriptor) }
    }

    deinit { close(descriptor) }

    /// Blocks each for the time it has left, or gives it that time anew.
    /// - Returns: the generation after it.
    @discardableResult
    package func add(_ entries: [BlockEntry]) throws(Fault) -> UInt64 {
        let elements = Self.elements(entries)
        let sets = Set(entries.map { SetKey($0.target) })
        return try state.withLock { (state) throws(Fault) in
            var replaced: [ipn_element] = []
            for attempt in 1...Self.attemptsMax {
                try ensure(sets, &state, anew: attempt > 1)
                let result = unsafe ipn_change(
                    descriptor, replaced, replaced.count, elements, elements.count)
                if result == 0 { break }
                guard attempt < Self.attemptsMax, result == -EEXIST || result == -ENOENT else {
                    throw Fault(operation: "add \(entries.count) blocks", code: -result)
                }
                // Some are there already: they are taken out and put in again with their new time, in one transaction.
                replaced = try present(entries.map(\.target))
            }
            return try remember(&state)
        }
    }

    /// Lifts each; one that is not there does no harm.
    @discardableResult
    package func remove(_ targets: [BlockTarget]) throws(Fault) -> UInt64 {
        var elements = Self.elements(targets.map { BlockEntry($0, remaining: Self.timeMin) })
        return try state.withLock { (state) throws(Fault) in
            for attempt in 1...Self.attemptsMax {
                let result = unsafe ipn_change(descriptor, elements, elements.count, nil, 0)
                if result == 0 { break }
                guard attempt < Self.attemptsMax, result == -ENOENT else {
                    throw Fault(operation: "remove \(targets.count) blocks", code: -result)
                }
                elements = try present(targets)
                if elements.isEmpty { break }
            }
            return try remember(&state)
        }
    }

    package func list() throws(Fault) -> [BlockEntry] {
        try state.withLock { (_) throws(Fault) in try listed() }
    }

    private func listed() throws(Fault) -> [BlockEntry] {
        try read { element in
            let isIPv4 = element.set.family == 4
            let address = unsafe withUnsafeBytes(of: element.address) { bytes in
                unsafe IPAddress(bytes: bytes.prefix(isIPv4 ? 4 : 16))
            }
            guard let address else { return nil }
            let transport: BlockTarget.Transport? =
                switch Int32(element.set.protocol) {
                case Int32(IPPROTO_TCP): .tcp
                case Int32(IPPROTO_UDP): .udp
                default: nil
                }
            let target = BlockTarget(
                IPNetwork(address, prefix: Int(element.set.prefix)),
                port: element.set.port == 0 ? nil : element.set.port,
                transport: transport
            )
            let milliseconds = Int64(clamping: min(element.milliseconds, UInt64(Int64.max) / 1_000_000_000))
            return BlockEntry(target, remaining: min(.milliseconds(milliseconds), Self.timeMax))
        }
    }

    /// Removes the table with everything in it.
    package func flush() throws(Fault) {
        try state.withLock { (state) throws(Fault) in
            let result = ipn_flush(descriptor)
            guard result == 0 else { throw Fault(operation: "remove the table", code: -result) }
            state = State()
        }
    }

    /// Changes with every transaction of anybody in this network namespace.
    package func generation() throws(Fault) -> UInt64 {
        try state.withLock { (_) throws(Fault) in try currentGeneration() }
    }

    // MARK: - Inside, with the lock held

    private func currentGeneration() throws(Fault) -> UInt64 {
        let generation = ipn_generation(descriptor)
        guard generation >= 0 else { throw Fault(operation: "read the generation", code: Int32(-generation)) }
        return UInt64(generation)
    }

    private func remember(_ state: inout State) throws(Fault) -> UInt64 {
        let generation = try currentGeneration()
        state.generation = Int64(generation)
        return generation
    }

    /// Looks anew only where somebody changed something since our last change.
    private func ensure(_ sets: Set<SetKey>, _ state: inout State, anew: Bool) throws(Fault) {
        let isUnchanged = !anew && ipn_generation(descriptor) == state.generation
        if isUnchanged, sets.isSubset(of: state.known) { return }
        let raw = sets.sorted().map(\.raw)
        let result = unsafe ipn_ensure(descriptor, raw, raw.count)
        guard result == 0 else { throw Fault(operation: "make the table", code: -result) }
        state.known = isUnchanged ? state.known.union(sets) : sets
    }

    private func present(_ targets: [BlockTarget]) throws(Fault) -> [ipn_element] {
        let wanted = Set(targets)
        return Self.elements(try listed().filter { wanted.contains($0.target) })
    }

    private func read<Value>(_ body: (ipn_element) -> Value?) throws(Fault) -> [Value] {
        var elements: UnsafeMutablePointer<ipn_element>?
        let count = unsafe ipn_list(descriptor, Self.elementsMax, &elements)
        guard count >= 0 else { throw Fault(operation: "list the blocks", code: Int32(-count)) }
        defer { unsafe ipn_free(elements) }
        return unsafe UnsafeBufferPointer(start: elements, count: Int(count)).compactMap(body)
    }

    /// In the order in which the kernel's ranges want them, each once.
    private static func elements(_ entries: [BlockEntry]) -> [ipn_element] {
        var latest: [BlockTarget: Duration] = [:]
        for entry in entries { latest[entry.target] = entry.remaining }
        return latest.map { (key: SetKey($0.key), address: $0.key.network.address, remaining: $0.value) }
            .sorted { ($0.key, $0.address) < ($1.key, $1.address) }
            .map { entry in
                var element = ipn_element()
                element.set = entry.key.raw
                let time = min(max(entry.remaining, timeMin), timeMax)
                element.milliseconds = UInt64(time.nanoseconds / 1_000_000)
                unsafe withUnsafeMutableBytes(of: &element.address) { unsafe $0.copyBytes(from: entry.address.bytes) }
                return element
            }
    }
}

/// The table as the core knows it, where the core itself may change it: in tests, and for a daemon without a responder.
package struct LocalBlockTable: BlockTable {
    private let table: NftablesTable

    package init(_ table: NftablesTable) {
        self.table = table
    }

    package func add(_ entries: [BlockEntry]) async throws -> BlockReceipt {
        BlockReceipt(generation: try table.add(entries))
    }

    package func remove(_ targets: [BlockTarget]) async throws -> UInt64 { try table.remove(targets) }
    package func list() async throws -> [BlockEntry] { try table.list() }
    package func flush() async throws { try table.flush() }
    package func generation() async throws -> UInt64 { try table.generation() }
}
