package import IronpostCore
package import Logging
internal import Synchronization

/// Keeps the inventory of this host and of configured directories, matches it with known vulnerabilities, and tells what
/// is new: after a change on disk within a second, after a new database without reading anything again.
package final class SBOMModule: Module, InventoryView {
    package static let moduleName = "sbom-scanner"

    package struct Options: Sendable {
        /// The system whose package databases are followed; `nil` for none.
        package var hostRoot: String?
        package var directories: [String]
        /// The longest time between two looks at everything.
        package var interval: Duration
        /// Whether changes on disk wake it before that.
        package var isWatching: Bool
        package var database: String
        /// Whether somebody said where it is: then it has to be there.
        package var isDatabaseExpected: Bool
        /// OpenVEX documents with what does not matter here.
        package var vex: [String]
        /// Alerts are raised for these and above, and for what nobody rated.
        package var minimumSeverity: Severity
        package var format: Format
        package var outputDirectory: String
        package var node: String
        package var generation: Int

        package enum Format: String, Sendable, CaseIterable {
            case cyclonedx, spdx
        }

        package init(
            hostRoot: String?, directories: [String], interval: Duration, isWatching: Bool, database: String,
            isDatabaseExpected: Bool, vex: [String] = [], minimumSeverity: Severity, format: Format,
            outputDirectory: String, node: String,
            generation: Int
        ) {
            self.hostRoot = hostRoot
            self.directories = directories
            self.interval = interval
            self.isWatching = isWatching
            self.database = database
            self.isDatabaseExpected = isDatabaseExpected
            self.vex = vex
            self.minimumSeverity = minimumSeverity
            self.format = format
            self.outputDirectory = outputDirectory
            self.node = node
            self.generation = generation
        }
    }

    /// What the thread tells of itself.
    struct Report: Sendable {
        var inventories: [InventorySummary] = []
        var problems: [String] = []
        var databaseState = "not looked for yet"
        var isDatabaseMissing = false
        var findings = 0
        var passes = 0
        var lastPass = Duration.zero
        var watches = 0
        var watchesRefused = 0
    }

    package let name = SBOMModule.moduleName
    private let options: Options
    private let alerts: BoundedChannel<CommitBatch>
    private let store: any FindingStore
    private let time: any TimeSource
    private let logger: Logger
    private let report = Mutex(Report())
    private let running = Mutex<(thread: PlainThread, loop: ScanLoop)?>(nil)
    private let prepared = Mutex<PathWatch?>(nil)
    private let isDraining = Atomic<Bool>(false)

    private static let problemsShownMax = 10

    package init(
        options: Options, alerts: BoundedChannel<CommitBatch>, store: any FindingStore, time: any TimeSource,
        logger: Logger
    ) {
        self.options = options
        self.alerts = alerts
        self.store = store
        self.time = time
        self.logger = logger
    }

    package func prepare() async throws {
        let watch = try PathWatch()
        prepared.withLock { $0 = watch }
    }

    package func run() async throws {
        guard let watch = prepared.withLock({ $0 }) else { throw ReadFault("not prepared") }
        let loop = ScanLoop(options, alerts: alerts, store: store, time: time, logger: logger, watch: watch) {
            [self] change in
            report.withLock { change(&$0) }
        }
        let thread = PlainThread(name: "sbom") { loop.work() }
        running.withLock { $0 = (thread, loop) }
        // It may have been drained before it ran.
        if isDraining.load(ordering: .acquiring) { loop.stop() }
        await withTaskCancellationHandler {
            await thread.join()
        } onCancel: {
            loop.stop()
        }
    }

    package func drain(deadline: ContinuousClock.Instant) async {
        isDraining.store(true, ordering: .releasing)
        guard let (thread, loop) = running.withLock({ $0 }) else { return }
        loop.stop()
        await thread.join()
    }

    package func inventories() -> [InventorySummary] { report.withLock { $0.inventories } }

    package func health() -> Health {
        let report = report.withLock { $0 }
        var problems = report.problems
        if report.isDatabaseMissing, options.isDatabaseExpected { problems.append(report.databaseState) }
        return problems.isEmpty ? .healthy : .degraded(problems.prefix(Self.problemsShownMax).joined(separator: "; "))
    }

    package func details() -> [Field] {
        let report = report.withLock { $0 }
        var details: [Field] = []
        for inventory in report.inventories {
            details.append(
                Field("watching", "\(inventory.root): \(inventory.packages) packages in \(inventory.files) files"))
            if let document = inventory.document { details.append(Field("document", document)) }
            for fault in inventory.faults.prefix(Self.problemsShownMax) { details.append(Field("not read", fault)) }
        }
        if report.isDatabaseMissing {
            details.append(Field("not watching", "vulnerabilities: \(report.databaseState)"))
        } else {
            details.append(Field("database", report.databaseState))
            details.append(Field("findings", "\(report.findings) standing"))
        }
        if report.passes > 0 {
            let milliseconds = report.lastPass / .milliseconds(1)
            details.append(
                Field("looked", "\(report.passes) times, the last took \((milliseconds * 10).rounded() / 10) ms"))
        }
        if report.watchesRefused > 0 {
            details.append(
                Field(
                    "not watching",
                    "\(report.watchesRefused) folders between two looks: the kernel gives no more watches")
            )
        }
        return details
    }
}
