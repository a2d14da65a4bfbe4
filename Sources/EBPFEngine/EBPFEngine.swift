package import IronpostCore
package import Logging
import PacketDetection
import Synchronization

/// Watches packets: has the responder load and attach the kernel program, reads its ring, and makes alerts and events.
///
///     kernel program ─ring─▶ PacketWatch ─▶ alerts ─▶ hub
///                                        └▶ events ─▶ LogPipeline
package final class EBPFEngine: Reloadable {
    package struct Options: Sendable {
        package var ebpf: Configuration.EBPF
        package var node: String
        package var generation: Int

        package init(_ configuration: Configuration, generation: Int) {
            ebpf = configuration.ebpf
            node = configuration.nodeName
            self.generation = generation
        }

        var thresholds: DetectionThresholds {
            DetectionThresholds(
                portScan: DetectionThresholds.PortScan(
                    isEnabled: ebpf.portScan.isEnabled, targets: ebpf.portScan.targets, window: ebpf.portScan.window),
                synFlood: DetectionThresholds.Flood(
                    isEnabled: ebpf.synFlood.isEnabled, packets: ebpf.synFlood.packets, window: ebpf.synFlood.window),
                udpFlood: DetectionThresholds.Flood(
                    isEnabled: ebpf.udpFlood.isEnabled, packets: ebpf.udpFlood.packets, window: ebpf.udpFlood.window)
            )
        }
    }

    /// Between two looks at interfaces and counters.
    static let interval = Duration.seconds(1)
    /// How long a reload waits for the loop to look at what it brought.
    static let patience = Duration.seconds(2)
    /// Between two attempts to start where it did not work.
    static let retry = Duration.seconds(10)

    package let name = "ebpf-engine"

    private struct Current {
        var options: Options
        var state: KernelState?
        /// Why nothing is watched.
        var absence: String?
        var reader: RingReader?
        var isDraining = false
        /// Reloads that have brought something, and those of them that the loop has looked at.
        var reloads = 0
        var reloadsSeen = 0
        /// What of the counters has been entered into the ledger.
        var entered = KernelCounters()
        var hasEntered = false
        var rates = [Rate](repeating: Rate(), count: KernelCounters.protocols.count)
        var enteredAt: Int64 = 0
    }

    /// Of one protocol, a second.
    struct Rate: Sendable {
        var packets = 0
        var bits = 0
    }

    private let current: Mutex<Current>
    private let link: KernelLink
    private let watch: PacketWatch
    private let hop: LedgerHop
    private let waker = Waker()
    private let time: any TimeSource
    private let logger: Logger

    package init(
        options: Options, responder: any ResponderLink, alerts: BoundedChannel<CommitBatch>,
        intake: (any PacketIntake)?, ledger: Ledger, time: any TimeSource, logger: Logger
    ) {
        current = Mutex(Current(options: options))
        let link = KernelLink(responder)
        self.link = link
        self.time = time
        self.logger = logger
        hop = ledger.hop("packets")
        watch = PacketWatch(
            detector: PacketDetector(thresholds: options.thresholds),
            alert: PacketAlert(
                node: options.node, generation: options.generation, run: UInt64.random(in: .min ... .max)),
            channel: alerts, intake: intake, ledger: ledger, time: time, logger: logger,
            proof: { address in
                do {
                    return try link.proof(of: address)
                } catch {
                    logger.warning("it is not known whether \(address) completed a handshake: \(error)")
                    return nil
                }
            }
        )
    }

    // MARK: - Module

    package func prepare() async throws {
        current.withLock { $0.isDraining = false }
        // What is there at the start is in force before anybody is told that the daemon is ready.
        await start()
    }

    /// The only one that asks for the kernel program once it has been prepared: a reload hands its options over.
    package func run() async throws {
        var attempted = ContinuousClock.now
        while !current.withLock({ $0.isDraining }), !Task.isCancelled {
            await waker.wait(Self.interval)
            let (isReading, reloads, isReloaded, isOff) = current.withLock { current in
                (
                    current.reader != nil, current.reloads, current.reloads != current.reloadsSeen,
                    current.options.ebpf.mode == .off
                )
            }
            if isOff {
                if isReading { await end() }
                current.withLock { $0.absence = Self.isOff }
            } else if isReading {
                await look()
            } else if isReloaded || ContinuousClock.now - attempted >= Self.retry {
                attempted = ContinuousClock.now
                await start()
            }
            current.withLock { $0.reloadsSeen = reloads }
        }
        await end()
    }

    package func drain(deadline: ContinuousClock.Instant) async {
        current.withLock { $0.isDraining = true }
        waker.wake()
    }

    private static let isOff = "ebpf.mode is off"

    private func start() async {
        let (options, isDraining) = current.withLock { ($0.options, $0.isDraining) }
        guard !isDraining else { return }
        guard options.ebpf.mode != .off else {
            current.withLock { $0.absence = Self.isOff }
            return
        }
        do {
            let started = try await link.start()
            let reader = try RingReader(descriptor: started.ring, bytes: started.ringBytes) { [watch] in
                watch.deliver($0)
            }
            let old = current.withLock { current in
                let old = current.reader
                current.reader = reader
                current.absence = nil
                return old
            }
            old?.requestStop()
            await old?.finished()
            note(started.state)
        } catch {
            let isNew = current.withLock { current in
                defer { current.absence = "\(error)" }
                return current.absence != "\(error)"
            }
            if isNew { logger.warning("packets are not watched: \(error)") }
        }
    }

    private func look() async {
        do {
            let state = try await link.state()
            let isAnother = current.withLock { $0.state?.epoch != state.epoch }
            note(state)
            // The responder was restarted and has loaded the program anew: the ring is another.
            if isAnother { await restart("the kernel program was loaded anew") }
        } catch {
            // A new responder knows of nothing; blocks in the kernel go on meanwhile.
            await restart("\(error)")
        }
    }

    private func restart(_ reason: String) async {
        logger.notice("the kernel program is asked for again", metadata: ["reason": "\(reason)"])
        let reader = current.withLock { current in
            defer { current.reader = nil }
            return current.reader
        }
        reader?.requestStop()
        await reader?.finished()
        await start()
    }

    private func end() async {
        let reader = current.withLock { current in
            defer { current.reader = nil }
            return current.reader
        }
        guard let reader else { return }
        do {
            note(try await link.state())
            try await link.stop(keepsBlocks: true)
        } catch {
            logger.warning("the kernel program could not be taken down: \(error)")
        }
        reader.requestStop()
        await reader.finished()
    }

    private func note(_ state: KernelState) {
        watch.name(state.watched)
        let (new, old, faults) = current.withLock { current in
            // A program that was loaded anew counts from nothing.
            let isAnew = state.counters.wanted < current.entered.wanted
            let old = !current.hasEntered ? state.counters : isAnew ? KernelCounters() : current.entered
            let known = (current.state?.faults ?? []) + (current.state?.fallbacks ?? [])
            let faults = (state.faults + state.fallbacks).filter { !known.contains($0) }
            let now = time.uptime()
            let milliseconds = Int((now - current.enteredAt) / 1_000_000)
            // Rates over less than a while say nothing.
            if current.hasEntered, milliseconds >= 500 {
                current.rates = KernelCounters.protocols.indices.map { index in
                    func change(_ count: (KernelCounters, Int) -> Int) -> Int {
                        max(0, count(state.counters, index) - count(current.entered, index)) * 1000 / milliseconds
                    }
                    return Rate(
                        packets: change { $0.packets(ofProtocol: $1) }, bits: change { $0.bytes(ofProtocol: $1) } * 8)
                }
            }
            current.enteredAt = now
            current.state = state
            current.entered = state.counters
            current.hasEntered = true
            return (state.counters, old, faults)
        }
        // The kernel's own counts; what came out of the ring is counted where it is read.
        hop.accept(new.wanted - old.wanted)
        hop.drop(new.sampledOut - old.sampledOut, cause: "sampled")
        hop.drop(new.lost - old.lost, cause: "ring_full")
        for fault in faults { logger.warning("\(fault)") }
    }

    // MARK: - What it tells

    package func health() -> Health {
        let (options, state, absence) = current.withLock { ($0.options, $0.state, $0.absence) }
        if let absence {
            guard options.ebpf.mode != .off else { return .healthy }
            switch options.ebpf.enabled {
            case .on: return .unhealthy("packets are not watched: \(absence)")
            case .auto, .off: return .healthy
            }
        }
        guard let state else { return .healthy }
        var reasons: [String] = []
        if state.mode == .enforce, state.watched.isEmpty {
            return .unhealthy("no interface is watched: nothing is dropped")
        }
        // That `auto` found nothing to watch is no fault of anybody's.
        if options.ebpf.interfaces != ["auto"] || !state.watched.isEmpty {
            reasons = state.faults.filter { !$0.hasPrefix("auto:") }
        }
        reasons += state.fallbacks
        if state.counters.lost > 0, state.counters.lost * 100 > state.counters.wanted {
            reasons.append("\(state.counters.lost) records were lost; a larger ebpf.ring_buffer_size holds more")
        }
        return reasons.isEmpty ? .healthy : .degraded(reasons.joined(separator: "; "))
    }

    package func details() -> [Field] {
        let (options, state, absence) = current.withLock { ($0.options, $0.state, $0.absence) }
        if let absence { return [Field("not watching", "packets: \(absence)")] }
        guard let state else { return [] }
        var details = state.watched.map {
            Field("watching", "packets on \($0.name) (\($0.attachment.word) mode, \(state.mode.rawValue))")
        }
        details += state.faults.map { Field("not watching", "packets: \($0)") }
        details += state.fallbacks.map { Field("watching", "packets of \($0)") }
        if let fault = state.handshakeFault {
            details.append(
                Field("not watching", "completed handshakes: \(fault); no source of a scan can be proven"))
        }
        let counters = state.counters
        details.append(
            Field(
                "packets",
                "\(counters.packets) seen, \(counters.dropped) dropped, \(counters.wouldDrop) would be dropped, "
                    + "\(counters.malformed) malformed"))
        if state.filedRules + state.commandedRules > 0 || !options.ebpf.rulesPath.isEmpty {
            details.append(Field("rules", "\(state.filedRules) of files, \(state.commandedRules) of commands"))
        }
        return details
    }

    /// For metrics; nil while nothing is watched.
    var figures: (state: KernelState, rates: [Rate])? {
        current.withLock { current in
            guard current.absence == nil, let state = current.state else { return nil }
            return (state, current.rates)
        }
    }

    // MARK: - Reload

    private struct Change: StagedChange {
        let engine: EBPFEngine
        let options: Options

        func commit() async {
            engine.watch.take(thresholds: options.thresholds, generation: options.generation)
            // Lists, modes and interfaces are the responder's: it reads the same file again, and they are in force.
            do { try await engine.link.reload() } catch {
                engine.logger.error("the responder does not take the configuration: \(error)")
            }
            let number = engine.current.withLock { current in
                current.options = options
                current.reloads += 1
                return current.reloads
            }
            engine.waker.wake()
            // Who asks for the status next is told of what is now; a loop that is held up elsewhere is not waited for.
            let end = ContinuousClock.now + EBPFEngine.patience
            while engine.current.withLock({ $0.reloadsSeen < number }), ContinuousClock.now < end {
                do { try await Task.sleep(for: .milliseconds(5)) } catch { return }
            }
        }

        func discard() async {}
    }

    package func stage(_ configuration: Configuration, generation: Int) async throws -> any StagedChange {
        Change(engine: self, options: Options(configuration, generation: generation))
    }
}
