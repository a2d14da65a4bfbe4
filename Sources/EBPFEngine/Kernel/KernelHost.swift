import CPacket
import Glibc
package import IronpostCore
package import PacketDetection
import Synchronization

/// The privileged half: the kernel program as the configuration wants it. Lives in the responder; tests use it directly.
///
/// Its configuration is its own copy, read from the trusted file: nobody can ask it for an interface or a list that is
/// not named there. Safe from any thread; every call can be repeated.
package final class KernelHost: Sendable {
    /// Records of each class that one CPU may emit within 67 ms.
    static let budgets: (UInt32, UInt32, UInt32, UInt32, UInt32, UInt32) = (1024, 512, 64, 128, 512, 32)
    /// Entries of an earlier run that are looked at.
    static let adoptedMax = 200_000

    package struct Fault: Error, CustomStringConvertible {
        package var description: String

        package init(description: String) { self.description = description }
    }

    private struct State {
        var configuration: Configuration.EBPF
        var program: KernelProgram?
        var lists: NetworkLists?
        var fileFaults: [String] = []
        var attached: [HostInterfaces.Interface: KernelProgram.Attachment] = [:]
        var interfaceFaults: [String] = []
        var fallbacks: [String] = []
        var epoch: UInt32 = 0
    }

    private let state: Mutex<State>
    private let owner: UInt32
    private let changes = Atomic<UInt64>(0)
    private let time: any TimeSource

    /// - Parameter dataDirectory: names whose program it is.
    package init(
        _ configuration: Configuration.EBPF, dataDirectory: String, time: any TimeSource = SystemTime()
    ) {
        state = Mutex(State(configuration: configuration))
        owner = Self.owner(of: dataDirectory)
        self.time = time
    }

    /// FNV-1a of the directory's real path.
    package static func owner(of directory: String) -> UInt32 {
        var path = directory
        if let resolved = unsafe realpath(directory, nil) {
            path = unsafe String(cString: resolved)
            unsafe free(resolved)
        }
        var hash: UInt32 = 2_166_136_261
        for byte in path.utf8 { hash = (hash ^ UInt32(byte)) &* 16_777_619 }
        return hash == 0 ? 1 : hash
    }

    private var now: UInt64 { UInt64(max(0, time.uptime())) }

    // MARK: - Starting and stopping

    /// Loads, puts the rules of files in force, attaches. What is in the kernel from an earlier run goes on meanwhile.
    package func start() throws -> KernelState {
        try state.withLock { state in
            let configuration = state.configuration
            guard configuration.enabled != .off, configuration.mode != .off else {
                throw Fault(description: "ebpf.mode is off")
            }
            if state.program == nil {
                let interfaces = HostInterfaces.all().map(\.index)
                let program = try KernelProgram(
                    KernelProgram.Options(
                        ringBytes: configuration.ringBufferSize, listEntries: configuration.blocklistMaxEntries,
                        owner: owner),
                    interfaces: interfaces
                )
                var lists = NetworkLists(program)
                if program.isAdopted { try lists.adopt(max: Self.adoptedMax) }
                state.program = program
                state.lists = lists
                state.epoch &+= 1
            }
            try apply(&state)
            return try report(&state)
        }
    }

    /// The ring, for whoever reads it.
    package func ring() throws -> OwnedDescriptor {
        try state.withLock { state in
            guard let program = state.program else { throw Fault(description: "the kernel program is not loaded") }
            return OwnedDescriptor(try program.ringDescriptor())
        }
    }

    package var ringBytes: Int { state.withLock { $0.program?.options.ringBytes ?? 0 } }

    /// Takes another configuration; in force with the next `tend`.
    package func take(_ configuration: Configuration.EBPF) {
        state.withLock { state in
            state.configuration = configuration
            guard state.program != nil else { return }
            do { try apply(&state) } catch { state.fileFaults = ["\(error)"] }
        }
    }

    /// Attaches to what came, lets go of what went, drops rules that are over.
    package func tend() throws -> KernelState {
        try state.withLock { state in
            guard state.program != nil else { throw Fault(description: "the kernel program is not loaded") }
            attach(&state)
            try state.lists?.sweep(now: now)
            return try report(&state)
        }
    }

    /// - Parameter keepsBlocks: stays attached where there are rules to carry out.
    package func stop(keepsBlocks: Bool) throws {
        var faults: [String] = []
        state.withLock { state in
            let holdsRules = (state.lists?.commandedCount ?? 0) + (state.lists?.filedCount ?? 0) > 0
            if !(keepsBlocks && holdsRules && state.configuration.mode == .enforce) {
                for fault in detachEverywhere(&state) { faults.append(fault) }
            } else if let program = state.program {
                // Nobody will read what it tells.
                var settings = program.settings
                settings.detects = 0
                program.set(settings)
            }
            state.lists = nil
            state.program = nil
        }
        guard faults.isEmpty else { throw Fault(description: faults.joined(separator: "; ")) }
    }

    /// What stays attached, and why; an interface that went by itself, or that another's program is on, is none of it.
    private func detachEverywhere(_ state: inout State) -> [String] {
        var faults: [String] = []
        for interface in state.attached.keys {
            do {
                try KernelProgram.detach(owner: owner, from: interface.index)
            } catch {
                if error.code != ENODEV, error.code != EBUSY { faults.append("\(interface.name): \(error)") }
            }
        }
        state.attached = [:]
        return faults
    }

    /// Takes an earlier run's program off every interface; how many there were.
    package static func detachAll(dataDirectory: String) throws -> Int {
        let owner = owner(of: dataDirectory)
        var count = 0
        for interface in HostInterfaces.all() {
            do {
                if try KernelProgram.detach(owner: owner, from: interface.index) { count += 1 }
            } catch {
                // Somebody else's is left alone.
                if error.code != EBUSY { throw error }
            }
        }
        return count
    }

    // MARK: - The configuration in force

    private func apply(_ state: inout State) throws {
        guard let program = state.program else { return }
        let configuration = state.configuration
        var settings = program.settings
        settings.mode = Self.number(of: configuration.mode)
        settings.detects = 1
        if settings.seed == 0 { settings.seed = UInt32.random(in: 1 ... .max) }
        settings.namespace_number = Self.namespaceNumber()
        settings.budget = Self.budgets
        var outcome = RuleFiles.Outcome()
        if !configuration.rulesPath.isEmpty {
            outcome = RuleFiles.read(configuration.rulesPath, now: now, max: configuration.blocklistMaxEntries)
        }
        outcome.rules += configuration.allow.compactMap { text in
            NetworkPrefix(text).map { NetworkRule($0, action: .allow) }
        }
        state.fileFaults = outcome.faults
        do {
            if outcome.isTooMany {
                throw Fault(description: "ebpf.blocklist_max_entries is \(configuration.blocklistMaxEntries)")
            }
            try state.lists?.replaceFiled(outcome.rules)
        } catch {
            // The rules of before go on.
            state.fileFaults.append("ebpf.rules_path: \(error); the rules in force stay as they were")
        }
        program.set(settings)
        attach(&state)
    }

    private static func number(of mode: Configuration.EBPF.Mode) -> UInt32 {
        switch mode {
        case .off: IP_MODE_OFF.rawValue
        case .monitor: IP_MODE_MONITOR.rawValue
        case .shadow: IP_MODE_SHADOW.rawValue
        case .enforce: IP_MODE_ENFORCE.rawValue
        }
    }

    private static func namespaceNumber() -> UInt32 {
        var status = stat()
        guard unsafe stat("/proc/thread-self/ns/net", &status) == 0 else { return 0 }
        return UInt32(truncatingIfNeeded: status.st_ino)
    }

    private func attach(_ state: inout State) {
        guard let program = state.program else { return }
        let native = state.configuration.xdpMode == .native
        let choice = HostInterfaces.choose(state.configuration.interfaces, native: native)
        var faults = choice.faults
        var fallbacks: [String] = []
        let wanted = Set(choice.chosen)
        for interface in state.attached.keys where !wanted.contains(interface) {
            state.attached[interface] = nil
            do {
                try KernelProgram.detach(owner: owner, from: interface.index)
            } catch {
                // It may have gone by itself.
                if error.code != ENODEV { faults.append("\(interface.name): \(error)") }
            }
        }
        for interface in choice.chosen {
            var reasons: [String] = []
            state.attached[interface] = nil
            // Each time from the best on: what was in the way may have gone.
            for kind in native ? [KernelProgram.Attachment.native, .skb, .tc] : [.skb, .tc] {
                do {
                    try program.attach(interface.index, kind)
                    state.attached[interface] = try program.attachment(to: interface.index)
                    break
                } catch {
                    reasons.append("\(error)")
                    // Gone in between: no other way leads to it.
                    if error.code == ENODEV { break }
                }
            }
            if let attachment = state.attached[interface] {
                let why = reasons.uniqued().joined(separator: "; ")
                if !reasons.isEmpty { fallbacks.append("\(interface.name) in \(attachment.word) mode: \(why)") }
            } else {
                let why =
                    reasons.isEmpty ? "the program did not stay attached" : reasons.uniqued().joined(separator: "; ")
                faults.append("\(interface.name): \(why)")
            }
        }
        state.interfaceFaults = faults
        state.fallbacks = fallbacks
    }

    private func report(_ state: inout State) throws -> KernelState {
        guard let program = state.program, let lists = state.lists else {
            throw Fault(description: "the kernel program is not loaded")
        }
        var report = KernelState(mode: state.configuration.mode)
        report.watched = state.attached.sorted { $0.key.index < $1.key.index }.map {
            KernelState.Watched(name: $0.key.name, index: $0.key.index, attachment: $0.value)
        }
        report.faults = state.interfaceFaults + state.fileFaults
        if lists.leftOut > 0 {
            report.faults.append(
                "\(lists.leftOut) rules beyond \(CompiledPrefix.scopesMax) of one network have no effect")
        }
        report.fallbacks = state.fallbacks
        report.handshakeFault = program.handshakeFault
        report.filedRules = lists.filedCount
        report.commandedRules = lists.commandedCount
        report.counters = KernelCounters(try program.counters())
        report.epoch = state.epoch
        return report
    }

    // MARK: - Blocks and proofs

    package func proof(of address: PacketAddress) -> UInt64? {
        state.withLock { $0.program?.proof(of: address) }
    }

    private func withLists<Result>(_ body: (inout NetworkLists) throws -> Result) throws -> Result {
        try state.withLock { state in
            // Taken out, not copied: there may be a million of them.
            guard var lists = state.lists.take() else {
                throw Fault(description: "the kernel program is not loaded")
            }
            defer { state.lists = lists }
            return try body(&lists)
        }
    }

    /// - Throws: also when packets would not be dropped although they are listed: never silently.
    package func block(_ rules: [NetworkRule]) throws {
        let (mode, isAttached) = state.withLock { ($0.configuration.mode, !$0.attached.isEmpty) }
        guard mode == .enforce else { throw Fault(description: "ebpf.mode is \(mode.rawValue), not enforce") }
        guard isAttached else { throw Fault(description: "no interface is watched, so nothing would be dropped") }
        changes.add(1, ordering: .relaxed)
        try withLists { try $0.add(rules) }
    }

    /// Whether what is listed is dropped on every interface that was asked for. Not in traffic control: another's program
    /// or filter that comes first may let a packet by.
    package var enforcesEverywhere: Bool {
        state.withLock { state in
            state.program != nil && state.configuration.mode == .enforce && !state.attached.isEmpty
                && state.interfaceFaults.isEmpty && !state.attached.values.contains(.tc)
        }
    }

    /// Changes with every change of the blocks, and with every load of the program.
    package var generation: UInt64 {
        UInt64(state.withLock { $0.epoch }) << 40 | changes.load(ordering: .relaxed) & 0xFF_FFFF_FFFF
    }

    package func unblock(_ rules: [NetworkRule]) throws {
        changes.add(1, ordering: .relaxed)
        try withLists { try $0.remove(rules) }
    }

    package func blocks() throws -> [NetworkRule] { try withLists { $0.commandedRules } }

    package func flush() throws {
        changes.add(1, ordering: .relaxed)
        try withLists { try $0.flush() }
    }
}
