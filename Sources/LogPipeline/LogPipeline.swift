package import IronpostCore
package import Logging
import Sigma
import Synchronization

/// Reads logs from files, the journal and syslog, tries the rules on every event, and hands alerts to the hub.
///
///     files, journald, syslog ─▶ SourceQueue ─▶ EvaluationLoop (parse, detect) ─▶ CommitBatch ─▶ hub
package final class LogPipeline: Reloadable {
    package struct Options: Sendable {
        package var log: Configuration.LogPipeline
        /// Files and directories of rules.
        package var rules: [String]
        /// Rules that somebody named must belong to root or to us. Those that came with the program lie beside it, and
        /// are as trustworthy as it is.
        package var rulesMustBeOurs: Bool
        package var adaptation: RuleAdaptation
        package var correlationGroupsMax: Int
        package var node: String
        package var generation: Int

        package init(_ configuration: Configuration, generation: Int) {
            log = configuration.logPipeline
            rulesMustBeOurs = !configuration.detection.rules.isEmpty
            adaptation = RuleAdaptation(configuration.detection)
            rules =
                configuration.detection.rules.isEmpty
                ? [ShippedRules.directory()].compactMap { $0 } : configuration.detection.rules
            correlationGroupsMax = configuration.detection.correlationGroupsMax
            node = configuration.nodeName
            self.generation = generation
        }

        var evaluation: EvaluationLoop.Options {
            EvaluationLoop.Options(
                batchSize: log.batchSize, flushInterval: log.flushInterval, lineBytesMax: log.lineBytesMax,
                correlationGroupsMax: correlationGroupsMax, node: node, generation: generation
            )
        }
    }

    /// What is in force.
    private struct Current {
        var options: Options
        var book: RuleBook?
        var sources: Sources?
        var restored: [CorrelationState] = []
        /// Of the run that is under way.
        var budget: HandoverBudget?
        /// Sources that could not be opened.
        var faults: [String] = []
    }

    /// Without a turn of the evaluation thread for this long, it hangs.
    static let silenceNanoseconds: Int64 = 5_000_000_000
    /// Files that cannot be read are named in the status up to this many.
    static let faultsShownMax = 32
    static let containerFaultsShownMax = 8

    package let name = "log-pipeline"
    private let current: Mutex<Current>
    private let alerts: BoundedChannel<CommitBatch>
    private let store: any CheckpointStore
    private let tap: Feed<TappedEvent>
    private let ledger: Ledger
    private let time: any TimeSource
    private let logger: Logger
    private let context: Sources.Context
    private let progress = EvaluationProgress()
    private let canary: Canary
    private let losses = LogLosses()

    /// - Parameter demoDirectory: files written by `ironpost demo` appear here; always followed.
    package init(
        options: Options, demoDirectory: String, alerts: BoundedChannel<CommitBatch>, store: any CheckpointStore,
        tap: Feed<TappedEvent>, ledger: Ledger, time: any TimeSource, logger: Logger, responder: any ResponderLink,
        containerLogs: (any ContainerLogs)? = nil
    ) {
        current = Mutex(Current(options: options))
        self.alerts = alerts
        self.store = store
        self.tap = tap
        self.ledger = ledger
        self.time = time
        self.logger = logger
        canary = Canary(time: time)
        context = Sources.Context(
            origins: OriginTable(), ledger: ledger, time: time, logger: logger, demoDirectory: demoDirectory,
            responder: responder, losses: losses, containerLogs: containerLogs
        )
    }

    // MARK: - Module

    package func prepare() async throws {
        let options = current.withLock { $0.options }
        let book = loadRules(options)
        let checkpoints = try store.checkpoints()
        let files = FileCheckpoint.decode(checkpoints)
        // Windows that were half full before a restart name their members' files by these.
        for file in files { _ = context.origins.insert(Origin(source: "file", file: file.path, inode: file.inode)) }
        let restored = try store.correlation()
        let (sources, faults) = try await Sources.open(
            options.log, context: context, checkpoints: files,
            cursor: checkpoints.first { $0.key == JournalReader.checkpointKey }?.value, others: checkpoints
        )
        current.withLock { current in
            current.book = book
            current.sources = sources
            current.restored = restored
            current.faults = faults
        }
    }

    package func run() async throws {
        let (options, book, sources, restored) = current.withLock { ($0.options, $0.book, $0.sources, $0.restored) }
        guard let book, let sources else { throw ModuleStateError(module: name, from: .created, to: .running) }
        let budget = HandoverBudget()
        current.withLock { $0.budget = budget }
        let thread = PlainThread(name: "detect") { [self] in
            var loop = EvaluationLoop(
                options: options.evaluation, queue: sources.queue, origins: context.origins, book: book,
                restored: restored, alerts: alerts, tap: tap, ledger: ledger, time: time, progress: progress,
                canary: canary, budget: budget, losses: losses
            )
            loop.run()
        }
        sources.start()
        let beats = Task { await beat(into: sources.queue) }
        await withTaskCancellationHandler {
            await thread.join()
        } onCancel: {
            budget.close()
            // Never parsed: the loss is their sources'. The canary has no origin, and is in no count.
            for (origin, count) in sources.queue.abandon() {
                guard let source = context.origins[origin]?.source else { continue }
                context.hop(source).drop(count, cause: "shutdown")
            }
        }
        beats.cancel()
        sources.stop()
        await sources.finished()
        current.withLock { $0.sources = nil }
    }

    package func drain(deadline: ContinuousClock.Instant) async {
        guard let sources = current.withLock({ $0.sources }) else { return }
        sources.stop()
        await sources.finished()
        sources.queue.close()
    }

    /// Sends the canary; each waits for room like any other source's lines, so that a dead consumer shows.
    private func beat(into queue: SourceQueue) async {
        while !Task.isCancelled, await queue.push(canary.next(), lane: context.lane(Canary.lane)) {
            try? await Task.sleep(for: Canary.interval)
        }
    }

    private func loadRules(_ options: Options) -> RuleBook {
        let book = RuleBook(
            paths: options.rules, withCanary: true, mustBeOurs: options.rulesMustBeOurs, adaptation: options.adaptation)
        if options.rules.isEmpty {
            logger.error("no rules: detection.rules is empty and the shipped pack was not found")
        }
        for fault in book.faults { logger.log(level: fault.isWarning ? .notice : .warning, "rule: \(fault)") }
        return book
    }

    // MARK: - What it tells

    package func health() -> Health {
        let (sources, faults, budget, book) = current.withLock { ($0.sources, $0.faults, $0.budget, $0.book) }
        guard let sources else { return .healthy }
        var parts: [(String, Health)] = faults.map { ("source", .degraded($0)) }
        if let book { parts.append(("rules", book.health)) }
        if !sources.areReady { parts.append(("sources", .degraded("opening"))) }
        let files = sources.current.follower.current
        if let fault = files.faults.sorted(by: { $0.key < $1.key }).first {
            let more = files.faults.count > 1 ? " (and \(files.faults.count - 1) more)" : ""
            parts.append(("file", .degraded(fault.value + more)))
        }
        if files.filesLeftOut > 0 {
            parts.append(("file", .degraded("\(files.filesLeftOut) files beyond log_pipeline.file.files_max")))
        }
        if let fault = sources.current.journal?.current.fault { parts.append(("journald", .degraded(fault))) }
        if let left = sources.current.containers?.current.leftOut, left > 0 {
            parts.append(("docker", .degraded("the logs of \(left) containers are not read: too many at once")))
        }
        if let refused = sources.current.stream?.refusal(at: time.uptime()) {
            parts.append(("syslog_tcp", .degraded(refused)))
        }
        let silence = time.uptime() - progress.lastBeat
        if progress.lastBeat > 0, silence > Self.silenceNanoseconds {
            let seconds = silence / 1_000_000_000
            // Held up by the store is the store's fault, and it says so itself.
            parts.append(
                (
                    "detection",
                    budget?.isFull == true
                        ? .degraded("waiting for \(seconds) s for alerts to be stored")
                        : .unhealthy("no progress for \(seconds) s")
                ))
        }
        parts.append(("canary", canary.health()))
        return Health.worst(of: parts.map { (name: $0.0, health: $0.1) })
    }

    package func details() -> [Field] {
        let (options, book, sources, unopened) = current.withLock { ($0.options, $0.book, $0.sources, $0.faults) }
        guard let book, let sources else { return [] }
        var details: [Field] = []
        let rejected = book.faults.count { !$0.isWarning }
        details.append(Field("rules", "\(book.ruleCount) in force" + (rejected > 0 ? ", \(rejected) rejected" : "")))
        let opened = sources.current
        let files = opened.follower.current
        for path in files.following { details.append(Field("watching", "file \(path)")) }
        for pattern in options.log.followed
        where !files.following.contains(where: { PathPattern.matches($0, pattern) })
            && !files.faults.keys.contains(where: { PathPattern.matches($0, pattern) })
        {
            details.append(Field("not watching", "file \(pattern): does not exist"))
        }
        let faults = files.faults.sorted { $0.key < $1.key }.map(\.value)
        for fault in faults.prefix(Self.faultsShownMax) { details.append(Field("not watching", "file: \(fault)")) }
        if faults.count > Self.faultsShownMax {
            details.append(
                Field("not watching", "\(faults.count - Self.faultsShownMax) more files that cannot be read"))
        }
        if let journal = opened.journal {
            let place = options.log.journald.directory.isEmpty ? "the system journal" : options.log.journald.directory
            if let fault = journal.current.fault {
                details.append(Field("not watching", "journald: \(place): \(fault)"))
            } else if options.log.journald.directory.isEmpty, !JournalReader.systemHasJournal() {
                details.append(Field("not watching", "journald: this host has no journal"))
            } else {
                details.append(Field("watching", "journald: \(place)"))
            }
        }
        if let containers = opened.containers?.current {
            details.append(Field("watching", "the logs of \(containers.following) containers"))
            for (name, fault) in containers.faults.sorted(by: { $0.key < $1.key }).prefix(Self.containerFaultsShownMax)
            {
                details.append(Field("not watching", "the log of container \(name): \(fault)"))
            }
        }
        for receiver in [opened.udp, opened.unix].compactMap({ $0 }) {
            details.append(Field("watching", receiver.description))
        }
        if let stream = opened.stream {
            details.append(
                Field("watching", "syslog tcp port \(stream.port ?? 0), \(stream.connectionCount) connections"))
            if stream.connectionsRefused > 0 {
                details.append(
                    Field("refused", "\(stream.connectionsRefused) connections beyond \(StreamReceiver.limitKey)"))
            }
        }
        for fault in unopened { details.append(Field("not watching", fault)) }
        return details + losses.details()
    }

    package func figures() -> [Figure] { losses.figures() }

    /// Whether every source has taken up its work.
    package var isReady: Bool { current.withLock { $0.sources }?.areReady ?? false }

    /// Whether a test event went the whole way lately: what feeds the watchdog.
    package var isAlive: Bool { canary.health() == .healthy }

    // MARK: - Reload

    private struct Change: StagedChange {
        let pipeline: LogPipeline
        let options: Options
        let book: RuleBook
        let sources: Sources?
        let opened: Sources.Opened?

        var warnings: [String] { book.faults.filter { !$0.isWarning }.map { "rule not in force: \($0)" } }

        func commit() async {
            pipeline.current.withLock { current in
                current.options = options
                current.book = book
                if opened != nil { current.faults = [] }
            }
            pipeline.progress.request(EvaluationProgress.Change(book: book, options: options.evaluation))
            if let sources, let opened { await sources.commit(opened, options.log) }
        }

        func discard() async {
            if let sources, let opened { await sources.discard(opened) }
        }
    }

    package func stage(_ configuration: Configuration, generation: Int) async throws -> any StagedChange {
        let new = Options(configuration, generation: generation)
        let (old, sources) = current.withLock { ($0.options.log, $0.sources) }
        for path in new.rules where PathPattern.expand(path).isEmpty {
            throw Sources.Fault(description: "detection.rules: \(path) does not exist")
        }
        let book = loadRules(new)
        if let fault = book.pipelineFaults.first(where: { !$0.isWarning }) {
            throw Sources.Fault(description: "detection.pipelines: \(fault)")
        }
        // Whatever was deleted or broken by mistake: what is in force is better than nothing.
        guard book.ruleCount > 0 else {
            let fault = book.faults.first { !$0.isWarning }
            throw Sources.Fault(
                description: "detection.rules: no rule could be taken from \(new.rules.joined(separator: ", "))"
                    + (fault.map { "; first fault: \($0)" } ?? "")
            )
        }
        let opened = try await sources?.stage(new.log, from: old)
        return Change(pipeline: self, options: new, book: book, sources: sources, opened: opened)
    }
}

extension LogPipeline: RuleCatalog {
    package func rules() -> RuleListing {
        current.withLock { $0.book }?.rules() ?? RuleListing(entries: [], faults: [])
    }
}

extension LogPipeline: PacketIntake {
    package func offer(packets lines: [UInt8], count: Int, at time: Timestamp) -> Bool {
        guard let sources = current.withLock({ $0.sources }) else { return false }
        let batch = RawBatch(
            origin: context.origins.insert(Origin(source: Sources.packetLane)), format: .packet, framing: .lines,
            bytes: lines, position: 0, lineNumber: nil, count: count, received: time, checkpoints: [], place: nil
        )
        return sources.queue.pushIfRoom(batch, lane: context.lane(Sources.packetLane))
    }
}
