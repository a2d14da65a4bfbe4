import Glibc
package import IronpostCore
package import Logging
import NIOCore
import Synchronization

/// The module `control`: the API on the control socket and on TCP, and the console page.
///
/// The control socket is what it is for; without the TCP side it goes on, degraded.
package final class ControlServer: Module {
    package let name = "control"

    private struct State {
        var socketFile: ControlSocketFile?
        var socket: Listener?
        var network: Listener?
        var networkFault: String?
        var tokenFault: String?
        var isStopping = false
        var finished: BoundedChannel<Void>?
    }

    private let options: ControlOptions
    private let ports: ControlPorts
    private let logger: Logger
    private let time: any TimeSource
    private let state = Mutex(State())

    package init(options: ControlOptions, ports: ControlPorts, logger: Logger, time: any TimeSource) {
        self.options = options
        self.ports = ports
        self.logger = logger
        self.time = time
    }

    /// Where a browser finds the console, once prepared; `nil` without the TCP side.
    package var consoleAddress: String? {
        guard let listen = options.listen, let port = state.withLock({ $0.network })?.port else { return nil }
        let host = listen.host.contains(":") ? "[\(listen.host)]" : listen.host
        return "http://\(host):\(port)/"
    }

    package func prepare() async throws {
        let socketFile = try ControlSocketFile(path: options.socketPath, group: options.socketGroup)
        let (token, tokenFault) = options.listen == nil ? (nil, nil) : readToken()
        let responder = makeResponder(token: token)
        let socket: Listener
        do {
            socket = try await Listener.open(
                socket: socketFile, bounds: options.bounds, logger: logger, respond: responder.respond
            )
        } catch {
            socketFile.remove()
            throw error
        }
        var network: Listener?
        var networkFault: String?
        if let listen = options.listen {
            do {
                network = try await Listener.open(
                    address: listen, bounds: options.bounds, logger: logger, respond: responder.respond
                )
            } catch {
                networkFault = "http.listen \(listen.host):\(listen.port) cannot be listened on: \(Self.words(error))"
                logger.warning("no console and metrics", metadata: ["reason": "\(networkFault ?? "")"])
            }
        }
        if let tokenFault { logger.warning("no API on TCP", metadata: ["reason": "\(tokenFault)"]) }
        state.withLock {
            $0 = State(
                socketFile: socketFile, socket: socket, network: network, networkFault: networkFault,
                tokenFault: tokenFault, finished: BoundedChannel(name: "control", capacity: 1)
            )
        }
    }

    package func run() async throws {
        let (socket, network, finished) = state.withLock { ($0.socket, $0.network, $0.finished) }
        guard let socket else { throw ModuleStateError(module: name, from: .created, to: .running) }
        defer {
            finished?.close()
            state.withLock { $0.socketFile }?.remove()
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await socket.serve() }
            if let network {
                group.addTask {
                    do {
                        try await network.serve()
                    } catch {
                        // The socket goes on.
                        self.state.withLock { $0.networkFault = "the TCP side ended: \(Self.words(error))" }
                    }
                }
            }
            try await group.waitForAll()
        }
    }

    package func drain(deadline: ContinuousClock.Instant) async {
        let (socket, network, finished) = state.withLock { state in
            state.isStopping = true
            return (state.socket, state.network, state.finished)
        }
        ports.alertFeed.finish()
        ports.eventFeed.finish()
        socket?.stop()
        network?.stop()
        await withTaskGroup(of: Void.self) { group in
            group.addTask { _ = await finished?.receive() }
            group.addTask {
                guard (try? await Task.sleep(until: deadline, clock: .continuous)) != nil else { return }
                socket?.abandon()
                network?.abandon()
            }
            await group.next()
            group.cancelAll()
        }
    }

    package func health() -> Health {
        let faults = state.withLock { [$0.networkFault, $0.tokenFault] }.compactMap { $0 }
        return faults.isEmpty ? .healthy : .degraded(faults.joined(separator: "; "))
    }

    package func details() -> [Field] {
        let (socket, network, faults) = state.withLock {
            ($0.socket, $0.network, [$0.networkFault, $0.tokenFault].compactMap { $0 })
        }
        var fields = [Field("socket", options.socketPath)]
        if let consoleAddress { fields.append(Field("console", consoleAddress)) }
        if options.listen != nil { fields.append(Field("token_file", options.tokenFile)) }
        fields.append(Field("connections", String((socket?.openCount ?? 0) + (network?.openCount ?? 0))))
        let refused = (socket?.refused ?? 0) + (network?.refused ?? 0)
        if refused > 0 { fields.append(Field("connections_refused", String(refused))) }
        fields += faults.map { Field("cannot", $0) }
        return fields
    }

    private func readToken() -> (AccessToken?, String?) {
        do {
            return (try AccessToken(file: options.tokenFile), nil)
        } catch {
            return (nil, "\(error)")
        }
    }

    private func makeResponder(token: AccessToken?) -> APIResponder {
        let routes = Routes(options: options, ports: ports, time: time) { [weak self] in
            self?.state.withLock { $0.isStopping } ?? true
        }
        let gate = Gate(token: token, configuredHost: options.listen?.host ?? "", bounds: options.bounds)
        return APIResponder(routes: routes.all, gate: gate, logger: logger)
    }

    /// An error without the parts that only its library understands.
    private static func words(_ error: any Error) -> String {
        guard let error = error as? IOError else { return "\(error)" }
        return error.errnoCode == EADDRINUSE ? "the port is taken" : systemError(error.errnoCode)
    }
}
