import CLinux
import Glibc
import IronpostCore
import Logging
import Sigma
import Synchronization

/// Takes what sources read, parses it, tries the rules, and hands on what matched together with how far it came.
///
/// One thread. A commit is always cut between two batches of the queue, so that alerts, checkpoints and correlation
/// windows of one commit belong to the same lines.
struct EvaluationLoop: ~Copyable {
    /// Checkpoints alone are written this often: what a crash makes the next run read again.
    static let checkpointNanoseconds: Int64 = 500_000_000
    /// Alerts handed over at once, about: a batch of the queue is never cut.
    static let alertsPerCommit = 1024
    /// Events shown to `events tail` of one table at most.
    static let tappedMax = 256

    struct Options: Sendable {
        var batchSize: Int
        var flushInterval: Duration
        var lineBytesMax: Int
        var correlationGroupsMax: Int
        var node: String
        var generation: Int
    }

    private var options: Options
    private let queue: SourceQueue
    private let ledger: Ledger
    /// The hops of sources that were seen, by name.
    private var sourceHops: [String: LedgerHop] = [:]
    private let parseHop: LedgerHop
    private let detectHop: LedgerHop
    private let origins: OriginTable
    private let alerts: BoundedChannel<CommitBatch>
    private let tap: Feed<TappedEvent>
    private let time: any TimeSource
    private let progress: EvaluationProgress
    private let canary: Canary
    private let budget: HandoverBudget
    private let losses: LogLosses
    private var book: RuleBook
    private var shaper: AlertShaper
    private var parser: LogParser
    private var engine: RuleEngine
    private var table = EventTable()
    private var matches: [Match] = []
    /// Beside each event of the table: the place of its batch in `places`, and its line's number.
    private var lineNumbers: [UInt64] = []
    /// Beside each event of the table: who sent it, for datagrams.
    private var senders: [ip_peer] = []
    private var places: [(firstEvent: Int, peer: String?, sender: LineSender)] = []
    private var sequence: UInt64 = 0
    private var evaluatedBefore = 0
    private var emptyLines = 0
    private var pending = CommitBatch()
    private var pendingSince: Int64 = 0
    private var lastCommit: Int64

    init(
        options: Options, queue: SourceQueue, origins: OriginTable, book: RuleBook, restored: [CorrelationState],
        alerts: BoundedChannel<CommitBatch>, tap: Feed<TappedEvent>, ledger: Ledger,
        time: any TimeSource, progress: EvaluationProgress, canary: Canary, budget: HandoverBudget,
        losses: LogLosses
    ) {
        self.options = options
        self.queue = queue
        self.origins = origins
        self.book = book
        self.alerts = alerts
        self.tap = tap
        self.time = time
        self.progress = progress
        self.canary = canary
        self.budget = budget
        self.losses = losses
        self.ledger = ledger
        parseHop = ledger.hop("parse")
        detectHop = ledger.hop("detect")
        shaper = AlertShaper(
            book: book, origins: origins, node: options.node, generation: options.generation,
            run: UInt64.random(in: .min ... .max)
        )
        parser = LogParser(fieldNames: book.ruleSet.fieldNames)
        engine = RuleEngine(book.ruleSet, limits: CorrelationLimits(groupsMax: options.correlationGroupsMax))
        engine.restore(restored.map { GroupState(key: $0.key, blob: $0.value) })
        // Long ago: the places where files start are made durable with the first turn.
        lastCommit = .min / 2
    }

    /// Runs until the queue is closed and empty; then everything that was evaluated has been handed over.
    mutating func run() {
        while true {
            let interval = max(1, options.flushInterval.nanoseconds)
            let now = time.uptime()
            let wait = hasPendingAlerts ? max(0, pendingSince + interval - now) : Self.checkpointNanoseconds
            let taking = queue.take(wait: Int(wait))
            // Before what was just taken: nothing that was read after a reload is judged by the rules before it.
            if let change = progress.takeChange() { take(change) }
            switch taking {
            case .batches(let batches) where batches.first?.origin == Canary.origin:
                for batch in batches { follow(batch) }
            case .batches(let batches):
                for batch in batches { add(batch) }
                evaluate()
                let isDue = time.uptime() - pendingSince >= interval || pending.alerts.count >= Self.alertsPerCommit
                if hasPendingAlerts, isDue || queue.depth == 0 { handOver() }
            case .idle:
                if hasPendingAlerts { handOver() }
            case .finished:
                handOver()
                return
            }
            progress.beat(at: time.uptime())
            if !pending.checkpoints.isEmpty, time.uptime() - lastCommit >= Self.checkpointNanoseconds { handOver() }
        }
    }

    /// Goes on under other rules and options; half-full windows of rules that stayed the same go along.
    private mutating func take(_ change: EvaluationProgress.Change) {
        handOver()
        book = change.book
        options = change.options
        shaper = AlertShaper(
            book: book, origins: origins, node: options.node, generation: options.generation, run: shaper.run
        )
        parser.replace(fieldNames: book.ruleSet.fieldNames)
        var engine = RuleEngine(book.ruleSet, limits: CorrelationLimits(groupsMax: options.correlationGroupsMax))
        engine.adopt(from: self.engine)
        losses.update(parser, self.engine)
        losses.forgetEngine()
        self.engine = engine
        evaluatedBefore = 0
    }

    /// The canary's own events: through the same parser and engine, into the same commit, but into no count and no alert,
    /// whatever rules match.
    private mutating func follow(_ batch: RawBatch) {
        let line = table.append(bytes: batch.bytes.span.extracting(0..<batch.bytes.count - 1))
        table.beginEvent(line: line, time: batch.received.nanoseconds, origin: batch.origin, position: batch.position)
        parser.parse(line: line, format: batch.format, receivedAt: batch.received.nanoseconds, into: &table)
        table.reclassify(as: EventClasses.canary)
        matches.removeAll(keepingCapacity: true)
        engine.evaluate(table, into: &matches)
        evaluatedBefore = engine.eventsEvaluated
        table.removeAll()
        guard matches.contains(where: { $0.rule == book.canary }) else { return }
        let number = Int(batch.position)
        canary.detected(number)
        note([Checkpoint(key: Canary.checkpointKey, value: String(number))])
        pending.reply = { [canary] isDurable in
            if isDurable { canary.durable(number) }
        }
        handOver()
    }

    private var hasPendingAlerts: Bool { !pending.alerts.isEmpty }

    // MARK: - Parsing

    private mutating func add(_ batch: RawBatch) {
        if !batch.checkpoints.isEmpty { note(batch.checkpoints) }
        guard !batch.bytes.isEmpty, !SeededLoss.happens(at: "source") else { return }
        parser.isJournalRead = origins.isJournalRead
        places.append((table.count, batch.place, batch.sender))
        let lines: Int
        switch batch.framing {
        case .lines: lines = addLines(batch)
        case .records: lines = addRecords(batch)
        }
        // Counted here by cutting the bytes again, not taken from the source's own count.
        let source = origins[batch.origin]?.source
        if let source { sourceHop(source).store(lines) }
        parseHop.accept(lines)
        parseHop.drop(emptyLines, cause: "empty")
        emptyLines = 0
    }

    private mutating func sourceHop(_ name: String) -> LedgerHop {
        if let known = sourceHops[name] { return known }
        let hop = ledger.hop("source:\(name)")
        sourceHops[name] = hop
        return hop
    }

    private mutating func addLines(_ batch: RawBatch) -> Int {
        var lines = 0
        var start = 0
        let bytes = batch.bytes.span
        while start < bytes.count {
            let end = lineEnd(bytes, from: start)
            let number = batch.lineNumber.map { $0 + UInt64(lines) } ?? 0
            var last = end
            if last > start, bytes[last - 1] == 0x0D { last -= 1 }
            addEvent(bytes.extracting(start..<last), of: batch, position: batch.position + UInt64(start), line: number)
            lines += 1
            start = end + 1
        }
        return lines
    }

    private mutating func addRecords(_ batch: RawBatch) -> Int {
        var records = 0
        var start = 0
        let bytes = batch.bytes.span
        while start + 4 <= bytes.count {
            let length =
                Int(bytes[start]) | Int(bytes[start + 1]) << 8 | Int(bytes[start + 2]) << 16
                | Int(bytes[start + 3]) << 24
            let end = min(bytes.count, start + 4 + length)
            addEvent(
                bytes.extracting(start + 4..<end), of: batch,
                position: records < batch.positions.count ? batch.positions[records] : batch.position + UInt64(records),
                line: 0, sender: records < batch.senders.count ? batch.senders[records] : ip_peer()
            )
            records += 1
            start = end
        }
        return records
    }

    private mutating func addEvent(
        _ line: Span<UInt8>, of batch: RawBatch, position: UInt64, line number: UInt64, sender: ip_peer = ip_peer()
    ) {
        guard line.count > 0 else {
            emptyLines += 1
            return
        }
        if SeededLoss.happens(at: "parse") { return }
        let isJournal = batch.format == .journal
        let limit = isJournal ? line.count : min(line.count, options.lineBytesMax)
        if limit < line.count { losses.add(1, .linesCut) }
        let slice = table.append(bytes: line.extracting(0..<limit))
        table.beginEvent(
            line: slice, time: batch.received.nanoseconds, origin: batch.origin, position: position,
            latest: batch.received.nanoseconds
        )
        parser.parse(
            line: slice, format: batch.format, receivedAt: batch.received.nanoseconds, writer: batch.writer,
            into: &table
        )
        lineNumbers.append(number)
        senders.append(sender)
        if table.count >= options.batchSize { evaluate() }
    }

    private func lineEnd(_ bytes: Span<UInt8>, from start: Int) -> Int {
        unsafe bytes.withUnsafeBufferPointer { buffer in
            guard let base = buffer.baseAddress,
                let found = unsafe memchr(base + start, 0x0A, buffer.count - start)
            else { return bytes.count }
            return unsafe UnsafeRawPointer(found) - UnsafeRawPointer(base)
        }
    }

    // MARK: - Detection

    private mutating func evaluate() {
        guard table.count > 0 else {
            places.removeAll(keepingCapacity: true)
            return
        }
        parseHop.store(table.count)
        detectHop.accept(table.count)
        matches.removeAll(keepingCapacity: true)
        if !SeededLoss.happens(at: "detect") { engine.evaluate(table, into: &matches) }
        losses.update(parser, engine)
        detectHop.store(engine.eventsEvaluated - evaluatedBefore)
        evaluatedBefore = engine.eventsEvaluated
        if !matches.isEmpty {
            book.count(matches)
            if !hasPendingAlerts { pendingSince = time.uptime() }
            let now = time.now()
            for match in matches {
                pending.alerts.append(shaper.event(match, in: table, place: place(of: match.event), now: now))
            }
        }
        if tap.isWatched { publish() }
        sequence += UInt64(table.count)
        // The batch that is being added goes on in the emptied table.
        let last = places.last
        table.removeAll()
        lineNumbers.removeAll(keepingCapacity: true)
        senders.removeAll(keepingCapacity: true)
        places.removeAll(keepingCapacity: true)
        places.append((0, last?.peer, last?.sender ?? .unknown))
    }

    private func place(of event: Int) -> AlertShaper.Place {
        let place = places.last { $0.firstEvent <= event }
        return AlertShaper.Place(
            lineNumber: lineNumbers[event] == 0 ? nil : lineNumbers[event],
            peer: PeerAddress.text(senders[event]) ?? place?.peer, sequence: sequence + UInt64(event),
            sender: place?.sender ?? .unknown
        )
    }

    private func publish() {
        tap.publish(
            (0..<min(table.count, Self.tappedMax)).map { index in
                let origin = origins[table.events[index].origin]
                return TappedEvent(
                    source: origin?.source ?? "unknown", file: origin?.file, record: shaper.record(of: index, in: table)
                )
            }
        )
    }

    // MARK: - Committing

    private mutating func note(_ checkpoints: [Checkpoint]) {
        for checkpoint in checkpoints {
            if let index = pending.checkpoints.firstIndex(where: { $0.key == checkpoint.key }) {
                pending.checkpoints[index] = checkpoint
            } else {
                pending.checkpoints.append(checkpoint)
            }
        }
    }

    private mutating func handOver() {
        pending.correlation = engine.takeChangedGroups().map { CorrelationState(key: $0.key, value: $0.blob) }
        lastCommit = time.uptime()
        guard hasPendingAlerts || !pending.checkpoints.isEmpty || !pending.correlation.isEmpty else { return }
        var batch = CommitBatch()
        swap(&batch, &pending)
        let count = batch.alerts.count
        guard budget.take(count) else { return lose(batch.alerts) }
        let reply = batch.reply
        batch.reply = { [budget] isDurable in
            budget.give(back: count)
            reply?(isDurable)
        }
        do {
            try alerts.sendBlocking(batch)
        } catch {
            // The hub is gone first only when a stop ran out of time; the lines are read again by the next run.
            lose(batch.alerts)
        }
    }

    private func lose(_ alerts: [AlertEvent]) {
        losses.add(alerts.count, .alertsNotHandedOver)
        let events = alerts.reduce(0) { $0 + max(1, $1.alert.count) }
        let hop = ledger.hop("alert")
        hop.accept(events)
        hop.drop(events, cause: "shutdown")
    }
}

/// What the loop tells others of itself.
final class EvaluationProgress: Sendable {
    /// Rules and options to go on with.
    struct Change: Sendable {
        var book: RuleBook
        var options: EvaluationLoop.Options
    }

    private let change = Mutex<Change?>(nil)

    /// Taken by the loop between two batches.
    func request(_ new: Change) { change.withLock { $0 = new } }

    fileprivate func takeChange() -> Change? {
        change.withLock { change in
            defer { change = nil }
            return change
        }
    }

    private let last = Atomic<Int64>(0)

    func beat(at uptime: Int64) { last.store(uptime, ordering: .relaxed) }

    /// Uptime of the last turn, 0 before the first.
    var lastBeat: Int64 { last.load(ordering: .relaxed) }
}
