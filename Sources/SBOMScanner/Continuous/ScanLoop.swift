internal import Glibc
internal import IronpostCore
internal import Logging
internal import Synchronization

/// The thread of `SBOMModule`: waits for a change, looks at what changed, tells what is new.
final class ScanLoop: Sendable {
    /// What only the thread touches.
    private final class Work {
        var host: HostPackages?
        var scans: [(root: String, scan: DirectoryScan)] = []
        var inventories: [String: Inventory] = [:]
        var signatures: [String: Int] = [:]
        var index: VulnerabilityIndex?
        var indexStamp: FileStamp?
        var ledger: FindingLedger?
        var exceptions: ExceptionFiles
        var watched: [Int32: String] = [:]
        var watchedPaths: Set<String> = []
        var refused = 0
        /// Folders may have come or gone since the watches were set.
        var mustWatch = true
        var inFlight: Set<FindingRecord.Key> = []
        var summaries: [String: InventorySummary] = [:]
        /// Roots whose findings could not be stored yet.
        var pending: Set<String> = []

        init(_ options: SBOMModule.Options) { exceptions = ExceptionFiles(options.vex) }
    }

    private let options: SBOMModule.Options
    private let alerts: BoundedChannel<CommitBatch>
    private let store: any FindingStore
    private let time: any TimeSource
    private let logger: Logger
    private let watch: PathWatch
    private let tell: @Sendable ((inout SBOMModule.Report) -> Void) -> Void
    private let isStopped = Atomic<Bool>(false)
    /// Alerts' fates, told by the hub: keys, and whether they are stored.
    private let answers = Mutex<[(keys: [FindingRecord.Key], isDurable: Bool)]>([])
    private let selection = Selection()

    /// Changes within this time are looked at together.
    private static let gatherMilliseconds: Int32 = 150
    /// A look may take this share of the time at most, also when changes never end.
    private static let restFactor: Int64 = 4
    private static let restMax: Int64 = 30_000_000_000
    private static let watchesMax = 65_536
    private static let retryMilliseconds: Int32 = 2_000
    private static let staleAfter: Int64 = 7 * 86_400
    private static let faultsMax = 100
    private static let niceness: Int32 = 10

    init(
        _ options: SBOMModule.Options, alerts: BoundedChannel<CommitBatch>, store: any FindingStore,
        time: any TimeSource, logger: Logger, watch: PathWatch,
        tell: @escaping @Sendable ((inout SBOMModule.Report) -> Void) -> Void
    ) {
        self.options = options
        self.alerts = alerts
        self.store = store
        self.time = time
        self.logger = logger
        self.watch = watch
        self.tell = tell
    }

    /// From any thread.
    func stop() {
        isStopped.store(true, ordering: .relaxed)
        watch.wake()
    }

    private var shouldStop: Bool { isStopped.load(ordering: .relaxed) }

    func work() {
        // Whatever else this host does comes first.
        _ = setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, Self.niceness)
        let work = Work(options)
        if let root = options.hostRoot { work.host = HostPackages(root) }
        work.scans = options.directories.map { ($0, DirectoryScan($0)) }
        var lastFull = Int64.min
        var mustRetry = false
        var isChanged = true
        while !shouldStop {
            let start = time.uptime()
            let isDue = lastFull == .min || start - lastFull >= options.interval.nanoseconds
            if isDue { lastFull = start }
            mustRetry = !pass(work, isChanged: isChanged || isDue)
            let took = time.uptime() - start
            tell { report in
                report.passes += 1
                report.lastPass = .nanoseconds(took)
            }
            isChanged = waitForChange(work, took: took, lastFull: lastFull, mustRetry: mustRetry)
        }
    }

    /// - Returns: whether a file of packages may have changed.
    private func waitForChange(_ work: Work, took: Int64, lastFull: Int64, mustRetry: Bool) -> Bool {
        let due = lastFull &+ options.interval.nanoseconds
        // Never busier than its share.
        let restUntil = time.uptime() + min(took * Self.restFactor, Self.restMax)
        while !shouldStop {
            let now = time.uptime()
            guard now < due else { return true }
            var milliseconds = Int32(clamping: (due - now) / 1_000_000 + 1)
            if mustRetry { milliseconds = min(milliseconds, Self.retryMilliseconds) }
            if let seconds = work.exceptions.secondsLeft(time.now()) {
                guard seconds > 0 else { return true }
                milliseconds = min(milliseconds, Int32(clamping: seconds * 1000))
            }
            let events = watch.wait(milliseconds: min(milliseconds, 60_000), names: work.watched)
            guard let events else {
                work.mustWatch = true
                return true
            }
            forgetGone(events, work)
            if events.contains(where: { matters($0) }) {
                rest(until: max(restUntil, time.uptime() + Int64(Self.gatherMilliseconds) * 1_000_000), work)
                return true
            }
            // Only now: what came with the answer is not lost.
            if mustRetry || !answers.withLock({ $0.isEmpty }) { return false }
        }
        return false
    }

    private func rest(until end: Int64, _ work: Work) {
        while !shouldStop {
            let left = (end - time.uptime()) / 1_000_000
            guard left > 0 else { return }
            let events = watch.wait(milliseconds: Int32(clamping: left), names: work.watched)
            if events == nil { work.mustWatch = true }
            forgetGone(events ?? [], work)
        }
    }

    /// A directory that comes back is watched anew.
    private func forgetGone(_ events: [PathWatch.Event], _ work: Work) {
        for event in events where event.isFolder {
            if event.isGone { work.watchedPaths.remove(event.directory) }
            work.mustWatch = true
        }
    }

    private func matters(_ event: PathWatch.Event) -> Bool {
        if event.isFolder { return !Selection.isIgnored(directory: event.name) }
        if event.name == VulnerabilityIndex.fileName { return true }
        if !options.vex.isEmpty, options.vex.contains("\(event.directory)/\(event.name)") { return true }
        return selection.isCompanion(event.name)
            || !selection.catalogers(directory: event.directory, name: event.name).isEmpty
    }

    // MARK: - One look

    /// - Returns: false when something has to be tried again soon.
    private func pass(_ work: Work, isChanged: Bool) -> Bool {
        var isComplete = takeAnswers(work)
        if work.ledger == nil {
            do { work.ledger = FindingLedger(try store.standingFindings()) } catch {
                logger.warning("findings cannot be read from the store: \(error)")
                return false
            }
        }
        var problems: [String] = []
        var changedRoots: Set<String> = []
        if isChanged {
            changedRoots = scan(work, &problems)
            // What happened between the look and the watch is seen by a second look.
            if watchDirectories(work) { changedRoots.formUnion(scan(work, &problems)) }
        }
        let isNewIndex = openIndex(work, &problems)
        if !changedRoots.isEmpty { writeDocuments(work, changedRoots, &problems) }
        let areNewExceptions = work.exceptions.refresh(now: time.now())
        problems += work.exceptions.problems
        work.pending.formUnion(isNewIndex || areNewExceptions ? Set(work.inventories.keys) : changedRoots)
        if let index = work.index, !work.pending.isEmpty { isComplete = match(work, index, work.pending) && isComplete }
        if work.index != nil { isComplete = raiseAlerts(work) && isComplete }
        let shown = problems
        tell { report in
            if isChanged || isNewIndex || areNewExceptions { report.problems = shown }
            report.inventories = work.summaries.values.sorted { $0.root < $1.root }
            report.findings = work.ledger?.standing.count ?? 0
            report.watches = work.watchedPaths.count
            report.watchesRefused = work.refused
        }
        return isComplete
    }

    /// Reads what changed. - Returns: the roots whose packages are others than before.
    private func scan(_ work: Work, _ problems: inout [String]) -> Set<String> {
        var results: [RootScan] = []
        do { if let host = work.host { results.append(try host.run()) } } catch {
            problems.append("\(options.hostRoot ?? ""): \(error)")
        }
        for (root, scan) in work.scans {
            guard !shouldStop else { return [] }
            do { results.append(try scan.run()) } catch { problems.append("\(root): \(error)") }
        }
        var changed: Set<String> = []
        for result in results {
            if result.isUnchanged, work.inventories[result.root] != nil { continue }
            work.mustWatch = true
            var hasher = Hasher()
            for file in result.files {
                hasher.combine(file.path)
                hasher.combine(file.cataloger)
                hasher.combine(file.modified)
                hasher.combine(file.fault)
                for package in file.catalog.packages { hasher.combine(package) }
            }
            let signature = hasher.finalize()
            guard work.signatures[result.root] != signature || work.inventories[result.root] == nil else { continue }
            work.signatures[result.root] = signature
            let inventory = Inventory([result])
            work.inventories[result.root] = inventory
            work.summaries[result.root] = InventorySummary(
                root: result.root, packages: inventory.components.count, files: inventory.filesRead,
                scanned: time.now(),
                document: nil, format: options.format.rawValue, faults: Array(inventory.faults.prefix(Self.faultsMax))
            )
            changed.insert(result.root)
        }
        return changed
    }

    /// - Returns: whether there is another database than before.
    private func openIndex(_ work: Work, _ problems: inout [String]) -> Bool {
        let path = VulnerabilityIndex.file(options.database)
        var status = stat()
        let stamp = unsafe stat(path, &status) == 0 ? FileStamp(status) : nil
        if let stamp, stamp == work.indexStamp, let index = work.index {
            noteAge(index, &problems)
            return false
        }
        work.indexStamp = stamp
        do {
            let index = try VulnerabilityIndex(options.database)
            try index.verify()
            work.index = index
            tell { report in
                report.isDatabaseMissing = false
                report.databaseState = "\(index.advisoryCount) advisories in \(index.path)"
            }
            noteAge(index, &problems)
            return true
        } catch {
            let isMissing = if case .missing = error { true } else { false }
            // A database that broke while it was used leaves the old one in force.
            if !isMissing { problems.append(error.description) }
            let words = error.description
            tell { report in
                report.isDatabaseMissing = work.index == nil
                report.databaseState = words
            }
            return false
        }
    }

    private func noteAge(_ index: VulnerabilityIndex, _ problems: inout [String]) {
        let age = time.now().nanoseconds / 1_000_000_000 - index.created
        if age > Self.staleAfter {
            problems.append(
                "the vulnerability database is \(age / 86_400) days old; `ironpost vulndb update` renews it")
        }
    }

    /// - Returns: whether folders are watched that were not before.
    private func watchDirectories(_ work: Work) -> Bool {
        guard options.isWatching, work.mustWatch else { return false }
        work.mustWatch = false
        let before = work.watchedPaths.count
        let database = FileSystem.nearestDirectory(Self.directory(of: VulnerabilityIndex.file(options.database)))
        var wanted = (work.host?.directories ?? []) + [database] + options.vex.map(Self.directory(of:))
        for (root, scan) in work.scans {
            let prefix = root.hasSuffix("/") ? root : root + "/"
            wanted += scan.directoryPaths.map { $0.isEmpty ? root : prefix + $0 }
        }
        var refused = 0
        for path in wanted where !work.watchedPaths.contains(path) {
            guard work.watchedPaths.count < Self.watchesMax, let number = watch.add(path) else {
                refused += FileSystem.isDirectory(path) ? 1 : 0
                continue
            }
            work.watched[number] = path
            work.watchedPaths.insert(path)
        }
        // Those that are gone made room; if they come back they are watched anew.
        let current = Set(wanted)
        if work.watchedPaths.count > current.count * 2 + 64 {
            work.watchedPaths.formIntersection(current)
            work.watched = work.watched.filter { current.contains($0.value) }
        }
        work.refused = refused
        return work.watchedPaths.count > before
    }

    private static func directory(of path: String) -> String {
        path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
    }

    private func writeDocuments(_ work: Work, _ roots: Set<String>, _ problems: inout [String]) {
        let context = DocumentContext(toolVersion: IronpostVersion.current)
        for root in roots.sorted() {
            guard let inventory = work.inventories[root] else { continue }
            let bytes =
                options.format == .spdx
                ? SPDX.document(inventory, context: context) : CycloneDX.document(inventory, context: context)
            let ending = options.format == .spdx ? "spdx.json" : "cdx.json"
            let path = "\(options.outputDirectory)/\(Self.fileName(root)).\(ending)"
            do {
                try FileSystem.makeDirectory(options.outputDirectory, mode: 0o700)
                try WholeFile.write(bytes, to: path, mode: 0o600)
                work.summaries[root]?.document = path
            } catch { problems.append("\(path): \(error)") }
        }
    }

    /// `host` for `/`; other roots by their path, and a digest because two paths may look the same.
    private static func fileName(_ root: String) -> String {
        if root == "/" { return "host" }
        let plain = String(decoding: root.utf8.suffix(100).map { $0.isDigit || $0.isLetter ? $0 : 0x2D }, as: UTF8.self)
        return "\(plain.drop { $0 == "-" })-\(DocumentContext.digest(root).prefix(8))"
    }

    // MARK: - Findings

    private func match(_ work: Work, _ index: VulnerabilityIndex, _ roots: Set<String>) -> Bool {
        guard var ledger = work.ledger else { return false }
        let now = time.now()
        var current: [FindingRecord] = []
        for root in roots {
            guard let inventory = work.inventories[root] else { continue }
            for finding in Matcher.findings(inventory, index, exceptions: work.exceptions.exceptions) {
                current.append(Self.record(finding, root, now))
            }
        }
        let change = ledger.update(current, roots: roots, now: now)
        do { try store.put(change.records) } catch {
            // Nothing was changed in memory either; the next look finds the same again.
            logger.warning("findings cannot be stored: \(error)")
            return false
        }
        work.ledger = ledger
        work.pending.subtract(roots)
        return true
    }

    private static func record(_ finding: Finding, _ root: String, _ now: Timestamp) -> FindingRecord {
        FindingRecord(
            root: root, advisory: finding.advisory.id, aliases: finding.advisory.aliases, package: finding.package.name,
            version: finding.package.version, purl: finding.package.purl,
            ecosystem: finding.package.osvEcosystems.first ?? "", severity: finding.advisory.severity,
            score: finding.advisory.score, fixedVersion: finding.fixedVersion,
            isExploited: finding.advisory.exploitedSince != nil, epss: finding.advisory.epss,
            summary: finding.advisory.summary, file: finding.files.first ?? "",
            state: finding.suppression == nil ? .new : .suppressed, firstSeen: now, lastSeen: now
        )
    }

    /// Raises what was stored and not told yet. - Returns: false when the hub takes nothing.
    private func raiseAlerts(_ work: Work) -> Bool {
        guard let ledger = work.ledger else { return true }
        let untold = ledger.untold.filter { !work.inFlight.contains($0.key) }
        guard !untold.isEmpty else { return true }
        let loud = untold.filter { ($0.severity ?? options.minimumSeverity) >= options.minimumSeverity }
        let quiet = untold.filter { ($0.severity ?? options.minimumSeverity) < options.minimumSeverity }.map(\.key)
        if !quiet.isEmpty, !markSeen(quiet, work) { return false }
        guard !loud.isEmpty else { return true }
        let shaper = FindingAlerts(node: options.node, generation: options.generation, run: UInt64(getpid()))
        for group in shaper.alerts(of: loud, users: users(of: loud), now: time.now()) {
            let keys = group.findings
            let batch = CommitBatch(alerts: [AlertEvent(group.alert)]) { [self] isDurable in
                answers.withLock { $0.append((keys, isDurable)) }
                watch.wake()
            }
            work.inFlight.formUnion(keys)
            do { try alerts.sendBlocking(batch) } catch { return true }
        }
        return true
    }

    private func users(of findings: [FindingRecord]) -> [String: [RunningUse]] {
        guard let root = options.hostRoot else { return [:] }
        var packages: [String: String] = [:]
        for finding in findings where finding.root == root && finding.purl.hasPrefix("pkg:deb/") {
            packages[finding.package] = finding.purl
        }
        return RunningUse.processes(of: packages, root: root)
    }

    /// What the hub said of earlier alerts. - Returns: false when something has to be told again.
    private func takeAnswers(_ work: Work) -> Bool {
        let taken = answers.withLock { answers in
            defer { answers = [] }
            return answers
        }
        var isComplete = true
        for (keys, isDurable) in taken {
            work.inFlight.subtract(keys)
            if !isDurable || !markSeen(keys, work) { isComplete = false }
        }
        return isComplete
    }

    private func markSeen(_ keys: [FindingRecord.Key], _ work: Work) -> Bool {
        guard var ledger = work.ledger else { return false }
        let records = ledger.markSeen(keys)
        do { try store.put(records) } catch {
            logger.warning("findings cannot be stored: \(error)")
            return false
        }
        work.ledger = ledger
        return true
    }
}
