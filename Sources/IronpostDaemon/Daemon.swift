import AlertHub
import ContainerEngine
import ControlAPI
import EBPFEngine
import EventStore
import Glibc
package import IronpostCore
import LogPipeline
import Logging
import Response
import SBOMScanner
import Synchronization
import UnixSignals

/// The composition root: who is made, in which order, and who talks to whom.
///
///     files, journald, syslog ─▶ LogPipeline ──CommitBatch(256)──▶ AlertHub ──one transaction──▶ EventStore
///                                                                     └──committed──▶ Feed ──▶ ControlServer
package final class Daemon: Sendable {
    /// What a module that is added from outside (a test's) may be connected to.
    package struct Wiring: Sendable {
        package let alerts: BoundedChannel<CommitBatch>
        package let actions: BoundedChannel<ActionRecord>
        package let ledger: Ledger
        package let time: any TimeSource
        package let responder: any ResponderLink
    }

    package static let alertCapacity = 256
    package static let actionCapacity = 256
    /// How long the responder may take to finish what it does once it is told to end; it is killed then.
    private static let responderFarewell = Duration.seconds(4)

    private let logger: Logger
    private let registry: ModuleRegistry
    private let ledger: Ledger
    private let stopRequest: StopRequest
    private let store: EventStore
    private let isReady: @Sendable () -> Bool
    private let reload: Reload
    private let supervision: Supervision
    private let responder: ResponderClient?
    /// What this daemon does not have, and why.
    private let absent: [Field]

    /// Builds everything; nothing runs yet.
    /// - Parameters:
    ///   - sources: read again by a reload.
    ///   - responder: what became of starting `ironpost-responder`.
    ///   - sandbox: what the process gave up.
    ///   - extra: modules that start last and stop first.
    package init(
        loaded: LoadedConfiguration, sources: ConfigurationSources, logs: LogOutput,
        responder started: ResponderProcess.Start = .absent("it was not started"), sandbox: Sandbox.Report,
        time: any TimeSource = SystemTime(), extra: (Wiring) -> [any Module] = { _ in [] }
    ) throws {
        let configuration = loaded.configuration
        logger = logs.logger(label: "daemon")
        ledger = Ledger()
        // Shown in the order in which things flow, whoever counts first.
        let hops = configuration.logPipeline.sources.flatMap(\.hops).map { "source:\($0)" }
        for hop in hops + ["parse", "detect", "alert", "store", "response"] { _ = ledger.hop(hop) }
        stopRequest = StopRequest()
        store = try EventStore(path: configuration.databasePath)
        let alerts = BoundedChannel<CommitBatch>(name: "alerts", capacity: Self.alertCapacity)
        let actions = BoundedChannel<ActionRecord>(name: "actions", capacity: Self.actionCapacity)
        let committed = Feed<Alert>()
        let tap = Feed<TappedEvent>()

        // Everything that acts asks it; where there is none, every call says why.
        let link: any ResponderLink
        var responderModule: [any Module] = [SandboxModule(sandbox)]
        var absent = StatusReporter.absent
        switch started {
        case .started(let socket):
            let client = ResponderClient(socket, time: time, logger: logs.logger(label: "responder"))
            (responder, link) = (client, client)
            responderModule.append(ResponderModule(client, logger: logger))
        case .absent(let why):
            (responder, link) = (nil, AbsentResponder(why))
            absent.append(Field("responder", why))
        case .failed(let why):
            (responder, link) = (nil, AbsentResponder(why))
            responderModule.append(ResponderModule(fault: why, logger: logger))
        }

        let directory = LiveDirectory(time: time)
        let silences = try SilenceBook(store: store, time: time)
        let reserve = ReserveFile(beside: configuration.databasePath)
        let hub = AlertHub(
            batches: alerts, actions: actions, commit: store, reader: store, actionLog: store, feed: committed,
            ledger: ledger, time: time, limits: AlertLimits(configuration), logger: logs.logger(label: "alert-hub"),
            reserve: reserve, policy: configuration.storage.whenFull,
            retention: store, keeping: configuration.storage.retention, silences: silences,
            attributor: directory
        )
        let demoDirectory = configuration.general.dataDirectory + "/demo"
        let pipeline = LogPipeline(
            options: LogPipeline.Options(configuration, generation: Reload.firstGeneration),
            demoDirectory: demoDirectory, alerts: alerts, store: store, tap: tap, ledger: ledger, time: time,
            logger: logs.logger(label: "log-pipeline"), responder: link,
            containerLogs: configuration.container.isEnabled ? EngineLogs(directory: directory, link: link) : nil
        )
        let boot = BootID.read()
        let blocks = NetworkBlocks(
            table: ResponderBlockTable(link), store: store, reserve: reserve, time: time, boot: boot,
            logger: logs.logger(label: "response")
        )
        let containers = ContainerActions(
            link: link, directory: directory, alerts: store, configuration: configuration.response, time: time,
            logger: logs.logger(label: "response")
        )
        let response = try ResponseEngine(
            configuration: configuration.response, store: store, reserve: reserve,
            backends: [blocks, containers], feed: committed,
            ledger: ledger,
            time: time, boot: boot, logger: logs.logger(label: "response")
        )
        let late = LatePorts()
        let packets =
            configuration.ebpf.enabled == .off
            ? nil
            : EBPFEngine(
                options: EBPFEngine.Options(configuration, generation: Reload.firstGeneration), responder: link,
                alerts: alerts, intake: configuration.logPipeline.isEnabled ? pipeline : nil, ledger: ledger,
                time: time, logger: logs.logger(label: "ebpf-engine")
            )
        let scanner =
            configuration.sbom.isEnabled
            ? SBOMModule(
                options: SBOMModule.Options(configuration, generation: Reload.firstGeneration), alerts: alerts,
                store: store,
                time: time, logger: logs.logger(label: SBOMModule.moduleName)
            ) : nil
        var ports = ControlPorts(
            status: late, alerts: store, triage: store, actions: store, rules: pipeline,
            demonstration: DemoAttack(directory: demoDirectory, time: time), daemon: late, alertFeed: committed,
            eventFeed: tap,
            response: ResponsePorts(
                control: response, store: store, silences: silences, noise: store,
                configured: { response.configuredAllow }, boot: boot
            ),
            metrics: packets.map { [$0] } ?? [], containers: directory, isolation: response
        )
        ports.findings = store
        ports.inventories = scanner
        let control = ControlServer(
            options: ControlOptions(configuration), ports: ports, logger: logs.logger(label: "control"), time: time
        )

        // Consumers first: started from the first to the last, stopped from the last to the first.
        var modules: [any Module] = [hub, control] + responderModule
        if configuration.container.isEnabled {
            modules.append(
                ContainerGuard(
                    configuration: configuration.container, link: link, directory: directory,
                    logger: logs.logger(label: "container-guard")))
        } else {
            absent.append(Field("container-guard", "containers: container.enabled is false"))
        }
        // Before the response, which may block through it.
        if let packets {
            modules.append(packets)
        } else {
            absent.append(Field("ebpf-engine", "packets: ebpf.enabled is false"))
        }
        modules.append(response)
        if configuration.logPipeline.isEnabled { modules.append(pipeline) }
        if let scanner {
            modules.append(scanner)
        } else {
            absent.append(Field(SBOMModule.moduleName, "packages: sbom.enabled is false"))
        }
        modules += extra(Wiring(alerts: alerts, actions: actions, ledger: ledger, time: time, responder: link))
        self.absent = absent
        registry = ModuleRegistry(modules: modules, logger: logger)
        reload = Reload(loaded: loaded, sources: sources, registry: registry, hub: hub, logs: logs, logger: logger)
        isReady = { !configuration.logPipeline.isEnabled || pipeline.isReady }
        supervision = Supervision(
            registry: registry, isAlive: { !configuration.logPipeline.isEnabled || pipeline.isAlive }, logger: logger
        )
        late.join(
            status: StatusReporter(
                registry: registry, ledger: ledger, time: time, generation: { [reload] in reload.generation },
                isReady: isReady, absent: absent, responder: responder
            ),
            stop: stopRequest, reload: reload
        )
    }

    /// What is wrong with the policies that a configuration names, each with its file and line.
    package static func policyFaults(_ configuration: Configuration) -> [String] {
        do throws(PolicyFolder.Faults) {
            _ = try PolicyFolder.load(configuration.response.policyPath)
            return []
        } catch {
            return error.faults.map(\.description)
        }
    }

    /// Runs until a signal or a request ends it.
    package func run() async {
        let signals = Task { await followSignals() }
        await registry.start(until: stopRequest.requested)
        await settle()
        supervision.ready()
        let watchdog = Task { await supervision.feedWatchdog() }
        StartReport.log(registry.statuses(), absent: absent, to: logger)
        await stopRequest.requested.wait()
        logger.notice("stopping")
        supervision.stopping()
        let timeout = reload.configuration.general.shutdownTimeout
        let patience = Task { [store] in
            try await Task.sleep(for: timeout)
            store.stopWaiting()
        }
        await registry.stop(timeout: timeout)
        if let responder {
            responder.stop()
            await ResponderProcess.awaitEnd(within: Self.responderFarewell)
        }
        patience.cancel()
        store.stopWaiting()
        watchdog.cancel()
        signals.cancel()
        do {
            try store.close()
        } catch {
            logger.error("\(error)")
        }
        FinalStatistics.log(ledger.entries(), to: logger)
    }

    /// Waits a little for sources that are still opening, so that the report after the start says how it is.
    private func settle() async {
        let end = ContinuousClock.now + .seconds(3)
        while !isReady(), !stopRequest.requested.isOpen, ContinuousClock.now < end {
            _ = await stopRequest.requested.wait(for: .milliseconds(10))
        }
    }

    /// SIGTERM and SIGINT stop; a second one stops at once. SIGHUP reloads, on a task of its own: a reload that waits
    /// for something must not keep a stop from being heard.
    private func followSignals() async {
        let (hangups, request) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        let reloads = Task {
            for await _ in hangups {
                supervision.reloading()
                _ = await reload.run(dryRun: false)
                if !stopRequest.requested.isOpen { supervision.ready() }
            }
        }
        defer { reloads.cancel() }
        for await signal in await UnixSignalsSequence(trapping: .sigterm, .sigint, .sighup) {
            if signal == .sighup {
                request.yield()
            } else if stopRequest.requested.isOpen {
                logger.warning("second signal: stopping at once", metadata: ["signal": "\(signal)"])
                registry.hurry()
                store.stopWaiting()
            } else {
                stopRequest.requestStop()
            }
        }
    }
}

extension Configuration.LogPipeline.Source {
    /// The ledger's names of what this source reads.
    fileprivate var hops: [String] {
        switch self {
        case .file, .audit: ["file"]
        case .journald: ["journald"]
        case .docker: ["docker"]
        case .syslog: ["syslog_udp", "syslog_tcp", "syslog_unix"]
        }
    }
}

extension ControlOptions {
    fileprivate init(_ configuration: Configuration) {
        let listen = configuration.http.listen
        self.init(
            socketPath: configuration.controlSocket,
            listen: configuration.http.isEnabled ? Listen(host: listen.host, port: Int(listen.port)) : nil,
            tokenFile: configuration.tokenFile, nodeName: configuration.nodeName, version: IronpostVersion.current
        )
    }
}

extension SBOMModule.Options {
    init(_ configuration: Configuration, generation: Int) {
        let sbom = configuration.sbom
        self.init(
            hostRoot: "/", directories: sbom.scanDirectories, interval: sbom.scanInterval, isWatching: sbom.isWatching,
            database: configuration.vulnerabilityDatabase, isDatabaseExpected: !sbom.vulnDBPath.isEmpty,
            vex: sbom.vex,
            minimumSeverity: sbom.minimumSeverity, format: sbom.outputFormat == .spdx ? .spdx : .cyclonedx,
            outputDirectory: configuration.sbomDirectory, node: configuration.nodeName, generation: generation
        )
    }
}

extension AlertLimits {
    init(_ configuration: Configuration) {
        self.init(
            dedupWindow: configuration.detection.dedupWindow, rateLimitPerRule: configuration.detection.rateLimitPerRule
        )
    }
}

/// Whoever asks for the end: a signal, or the control API.
final class StopRequest: Sendable {
    let requested = Latch()

    func requestStop() { requested.open() }
}

/// Status and control are asked of the registry, which holds the module that serves them: joined after all are made.
private final class LatePorts: StatusSource, DaemonControl {
    private struct Ports {
        var status: StatusReporter
        var stop: StopRequest
        var reload: Reload
    }

    private let held = Mutex<Ports?>(nil)

    func join(status: StatusReporter, stop: StopRequest, reload: Reload) {
        held.withLock { $0 = Ports(status: status, stop: stop, reload: reload) }
    }

    func requestStop() { held.withLock { $0 }?.stop.requestStop() }

    func reload(dryRun: Bool) async -> ReloadOutcome {
        await held.withLock { $0 }?.reload.run(dryRun: dryRun)
            ?? ReloadOutcome(changes: [], faults: ["the daemon is starting"], generation: 0)
    }

    func status() -> DaemonStatus {
        held.withLock { $0 }?.status.status()
            ?? DaemonStatus(
                pid: Int(getpid()), version: IronpostVersion.current, uptime: .zero, generation: 0,
                health: .degraded("starting"), modules: [], ledger: [], isReady: false
            )
    }
}
