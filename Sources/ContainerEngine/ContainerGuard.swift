package import IronpostCore
package import Logging
import Synchronization

/// Keeps the directory of containers up to date, and shows how it stands with the container engine.
package final class ContainerGuard: Module {
    package let name = "container-guard"

    /// How long one question waits for news.
    static let patience = Duration.seconds(2)
    /// Between questions that were not answered.
    static let pause = Duration.milliseconds(500)
    /// Containers named in the status when something about them is not known.
    static let faultsShownMax = 8

    private struct State {
        var fault: String?
        var following: Task<Void, Never>?
        var isStopping = false
    }

    private let configuration: Configuration.Container
    private let link: any ResponderLink
    private let directory: LiveDirectory
    private let logger: Logger
    private let state = Mutex(State())

    package init(
        configuration: Configuration.Container, link: any ResponderLink, directory: LiveDirectory, logger: Logger
    ) {
        self.configuration = configuration
        self.link = link
        self.directory = directory
        self.logger = logger
    }

    package func prepare() async throws {}

    package func run() async throws {
        let following = Task { await follow() }
        let isTooLate = state.withLock { state in
            state.following = following
            return state.isStopping
        }
        if isTooLate { following.cancel() }
        await withTaskCancellationHandler {
            await following.value
        } onCancel: {
            following.cancel()
        }
    }

    private func follow() async {
        var cursor = ContainerCursor.nothing
        var known: EngineState?
        while !Task.isCancelled {
            do {
                let changes = try await link.containerChanges(since: cursor, engine: known, patience: Self.patience)
                directory.apply(changes)
                cursor = changes.cursor
                if known?.link != changes.engine.link { announce(changes.engine) }
                known = changes.engine
                state.withLock { $0.fault = nil }
            } catch is CancellationError {
                return
            } catch {
                // Until somebody tells better, what is known stays known.
                known = nil
                let reason = "\(error)"
                if state.withLock({ $0.fault }) != reason {
                    logger.notice("containers are not followed", metadata: ["reason": "\(reason)"])
                }
                state.withLock { $0.fault = reason }
                directory.apply(EngineState(link: .lost, socket: configuration.socketInForce, reason: reason))
                do {
                    try await Task.sleep(for: Self.pause)
                } catch {
                    return
                }
            }
        }
    }

    private func announce(_ engine: EngineState) {
        switch engine.link {
        case .following:
            logger.info(
                "containers are followed", metadata: ["socket": "\(engine.socket)", "api": "\(engine.version)"])
        case .lost:
            logger.warning("the container engine is lost", metadata: ["reason": "\(engine.reason)"])
        case .absent, .connecting:
            break
        }
    }

    package func drain(deadline: ContinuousClock.Instant) async {
        let following = state.withLock { state in
            state.isStopping = true
            return state.following
        }
        // A question may be waiting for news.
        following?.cancel()
    }

    package func health() -> Health {
        if let fault = state.withLock({ $0.fault }) { return .degraded(fault) }
        let engine = directory.engine
        switch engine.link {
        case .following:
            return engine.leftOut > 0
                ? .degraded("\(engine.leftOut) containers are left out: more than are followed at once") : .healthy
        case .lost: return .degraded(engine.reason)
        case .absent: return configuration.enabled == .on ? .degraded(engine.reason) : .healthy
        case .connecting: return .healthy
        }
    }

    package func details() -> [Field] {
        if let fault = state.withLock({ $0.fault }) { return [Field("not watching", "containers: \(fault)")] }
        let engine = directory.engine
        var details: [Field] = []
        switch engine.link {
        case .following:
            details.append(
                Field(
                    "watching",
                    "containers: \(directory.runningCount) run, \(directory.count) known, engine at \(engine.socket), "
                        + "API \(engine.version)"))
        case .connecting: details.append(Field("watching", "containers: asking the engine"))
        case .absent, .lost: details.append(Field("not watching", "containers: \(engine.reason)"))
        }
        if engine.reconnects > 0 { details.append(Field("reconnects", "\(engine.reconnects)")) }
        let early = directory.tenuresForgottenEarly
        if early > 0 { details.append(Field("history", "\(early) entries were forgotten before their time")) }
        for record in directory.faulty.prefix(Self.faultsShownMax) {
            details.append(Field("no proof possible for", "\(record.shownName) (\(record.id.short)): \(record.fault)"))
        }
        return details
    }
}
