import Glibc
package import Logging
import Synchronization

/// The core's end of the socket: sends requests, matches replies by id, and knows whether anybody is there.
///
/// One plain thread receives and lets requests run out of time. A request that was under way when the worker was
/// restarted is sent once more; beyond that it runs out of time.
package final class ResponderClient: ResponderLink {
    /// Requests that wait for their reply; further ones fail at once.
    package static let inFlightMax = 64
    /// The longest that a request may wait.
    package static let timeoutMax = Duration.seconds(300)
    static let pingNanoseconds: Int64 = 1_000_000_000
    /// Without an answer for this long it counts as hung.
    static let silenceNanoseconds: Int64 = 3_000_000_000
    /// A restart shows in the health for this long.
    static let restartShownNanoseconds: Int64 = 5_000_000_000
    /// What it said of its use of the machine is shown for this long.
    static let usageShownNanoseconds: Int64 = 10_000_000_000
    private static let turnMilliseconds: Int32 = 200

    private struct Pending {
        let request: ResponderRequest
        let timeout: Duration
        let deadline: Int64
        var isResent = false
        let complete: @Sendable (Result<ResponderReply, any Error>) -> Void
    }

    private struct State {
        var pending: [UInt64: Pending] = [:]
        var nextID: UInt64 = 1
        var hello: ResponderHello?
        var helloAt: Int64 = 0
        var lastHeard: Int64 = 0
        /// What it said of itself last, and when.
        var health: ResponderHealth?
        var healthAt: Int64 = 0
        var isStarted = false
        /// Why there will never be an answer again.
        var gone: String?
        /// Replies that nobody waited for, and messages that were none.
        var stray = 0
        var malformed = 0

        mutating func takeID() -> UInt64 {
            defer { nextID += 1 }
            return nextID
        }

        /// The request that a reply answers; a reply to nothing, or with the wrong verb, is counted and dropped.
        mutating func take(_ reply: ResponderMessage, at now: Int64) -> Pending? {
            guard let pending = pending[reply.id], pending.request.verb.rawValue == reply.verb else {
                stray += 1
                return nil
            }
            self.pending[reply.id] = nil
            lastHeard = now
            return pending
        }
    }

    private let socket: MessageSocket
    private let time: any TimeSource
    private let logger: Logger
    private let state = Mutex(State())
    private let isStopping = Atomic<Bool>(false)
    private let isPinging = Atomic<Bool>(false)

    /// - Parameter descriptor: the core's end; the responder holds the other.
    package init(_ descriptor: OwnedDescriptor, time: any TimeSource, logger: Logger) {
        socket = MessageSocket(descriptor)
        self.time = time
        self.logger = logger
    }

    deinit {
        isStopping.store(true, ordering: .releasing)
    }

    /// Starts the receiving thread; before it, calls fail.
    package func start() {
        let isFirst = state.withLock { state in
            defer { state.isStarted = true }
            state.lastHeard = time.uptime()
            return !state.isStarted
        }
        guard isFirst else { return }
        _ = PlainThread(name: "responder") { [weak self, socket] in
            var buffer = [UInt8](repeating: 0, count: MessageBounds.bytesMax)
            while let client = self, client.turn(&buffer) { socket.wait(milliseconds: Self.turnMilliseconds) }
        }
    }

    /// Ends the thread after its turn, and with the socket the responder; what is under way fails.
    package func stop() {
        isStopping.store(true, ordering: .releasing)
        socket.end()
    }

    // MARK: - Asking

    package func call(_ request: ResponderRequest, timeout: Duration) async throws -> ResponderReply {
        let id = state.withLock { $0.takeID() }
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                submit(id, request, timeout: timeout) { continuation.resume(with: $0) }
            }
        } onCancel: {
            finish(id, .failure(CancellationError()))
        }
    }

    package func callBlocking(
        _ request: ResponderRequest, timeout: Duration
    ) throws(ResponderError) -> ResponderReply {
        let answer = BoundedChannel<Result<ResponderReply, any Error>>(name: "answer", capacity: 1)
        submit(state.withLock { $0.takeID() }, request, timeout: timeout) { result in
            do { try answer.sendBlocking(result) } catch { answer.close() }
        }
        switch answer.receiveBlocking(max: 1).first {
        case .success(let reply): return reply
        case .failure(let error as ResponderError): throw error
        case .failure(let error): throw .failed("\(error)")
        case nil: throw .failed("the daemon is stopping")
        }
    }

    private func submit(
        _ id: UInt64, _ request: ResponderRequest, timeout: Duration,
        _ complete: @escaping @Sendable (Result<ResponderReply, any Error>) -> Void
    ) {
        let limit = min(timeout, Self.timeoutMax)
        let pending = Pending(
            request: request, timeout: limit, deadline: time.uptime() + limit.nanoseconds, complete: complete
        )
        let refusal: (any Error)? = state.withLock { state in
            if Task.isCancelled { return CancellationError() }
            if let gone = state.gone { return ResponderError.absent(gone) }
            guard state.isStarted else { return ResponderError.absent("it is not started yet") }
            guard state.pending.count < Self.inFlightMax else {
                return ResponderError.failed("\(Self.inFlightMax) requests to the responder are under way already")
            }
            state.pending[id] = pending
            return nil
        }
        if let refusal {
            complete(.failure(refusal))
            return
        }
        if let fault = send(id, pending) { finish(id, .failure(ResponderError.failed(fault))) }
    }

    /// - Returns: why it could not be sent.
    private func send(_ id: UInt64, _ pending: Pending) -> String? {
        let (seconds, attoseconds) = pending.timeout.components
        let message = ResponderMessage(
            kind: .request, verb: pending.request.verb.rawValue,
            milliseconds: UInt32(clamping: seconds * 1000 + attoseconds / 1_000_000_000_000_000), id: id,
            body: pending.request.body
        )
        do throws(MessageFault) {
            switch try socket.send(message, descriptors: pending.request.descriptors, wait: false) {
            case 0: return nil
            case EAGAIN: return "the responder is behind: its socket is full"
            // Found out by the receiving thread too, which says so to everybody.
            case let code: return "cannot reach the responder: \(unsafe String(cString: strerror(code)))"
            }
        } catch {
            return "the request \(error)"
        }
    }

    /// Whoever takes it out of the table completes it: once.
    private func finish(_ id: UInt64, _ result: Result<ResponderReply, any Error>) {
        state.withLock { $0.pending.removeValue(forKey: id) }?.complete(result)
    }

    // MARK: - The receiving thread

    /// - Returns: false when there will be nothing more.
    private func turn(_ buffer: inout [UInt8]) -> Bool {
        // Bounded, so that a flood from the other side does not keep time from passing.
        for _ in 0..<1024 {
            switch socket.receive(&buffer) {
            case .nothing:
                return tend()
            case .malformed(let why):
                let isFirst = state.withLock { state in
                    state.malformed += 1
                    return state.malformed == 1
                }
                if isFirst { logger.error("a message from the responder \(why); further ones are counted") }
            case .ended:
                end("it is gone and cannot be started again from inside: restart the daemon")
                return false
            case .message(let message, let descriptors):
                receive(message, descriptors)
            }
        }
        return tend()
    }

    private func receive(_ message: ResponderMessage, _ descriptors: [OwnedDescriptor]) {
        switch message.kind {
        case .hello:
            greet(message.body)
        case .request:
            // The responder asks nothing of the core.
            state.withLock { $0.malformed += 1 }
        case .reply:
            guard let pending = state.withLock({ $0.take(message, at: time.uptime()) }) else { return }
            let reason = { String(decoding: message.body.prefix(MessageBounds.textBytesMax), as: UTF8.self) }
            switch message.outcome {
            case .done: pending.complete(.success(ResponderReply(body: message.body, descriptors: descriptors)))
            case .refused: pending.complete(.failure(ResponderError.refused(reason())))
            case .failed: pending.complete(.failure(ResponderError.failed(reason())))
            }
        }
    }

    private func greet(_ body: [UInt8]) {
        guard let hello = try? ResponderHello(decoding: body) else {
            state.withLock { $0.malformed += 1 }
            return
        }
        let now = time.uptime()
        let again = state.withLock { state in
            state.hello = hello
            state.helloAt = now
            state.lastHeard = now
            let again = state.pending.filter { !$0.value.isResent }.sorted { $0.key < $1.key }
            for (id, _) in again { state.pending[id]?.isResent = true }
            return hello.epoch > 1 ? again : []
        }
        if let reason = hello.reason {
            logger.warning(
                "the responder was restarted: \(reason)",
                metadata: ["epoch": "\(hello.epoch)", "pid": "\(hello.pid)", "sent again": "\(again.count)"]
            )
        }
        for (id, pending) in again {
            if let fault = send(id, pending) { finish(id, .failure(ResponderError.failed(fault))) }
        }
    }

    /// Lets what waited too long go, and asks whether anybody is there.
    private func tend() -> Bool {
        guard !isStopping.load(ordering: .acquiring) else {
            end("the daemon is stopping")
            return false
        }
        let now = time.uptime()
        let late = state.withLock { state in
            let late = state.pending.filter { $0.value.deadline <= now }
            for id in late.keys { state.pending[id] = nil }
            return late.values
        }
        for pending in late {
            pending.complete(
                .failure(ResponderError.timedOut(verb: pending.request.verb, after: pending.timeout)))
        }
        if now - state.withLock({ min($0.lastHeard, $0.healthAt) }) > Self.pingNanoseconds { ping() }
        return true
    }

    private func ping() {
        guard !isPinging.exchange(true, ordering: .acquiringAndReleasing) else { return }
        let id = state.withLock { $0.takeID() }
        submit(id, ResponderRequest(.health), timeout: .seconds(2)) { [weak self] result in
            self?.note(result)
            self?.isPinging.store(false, ordering: .releasing)
        }
    }

    private func note(_ result: Result<ResponderReply, any Error>) {
        let health = try? result.get().read { (reader) throws(MessageFault) in try ResponderHealth(from: &reader) }
        let now = time.uptime()
        state.withLock { state in
            if let health { (state.health, state.healthAt) = (health, now) }
        }
    }

    private func end(_ reason: String) {
        let left = state.withLock { state in
            state.gone = reason
            defer { state.pending = [:] }
            return state.pending.values
        }
        if !isStopping.load(ordering: .acquiring) { logger.error("the responder: \(reason)") }
        for pending in left { pending.complete(.failure(ResponderError.absent(reason))) }
    }

    // MARK: - What it knows of the other side

    package func health() -> Health {
        let now = time.uptime()
        return state.withLock { state in
            if let gone = state.gone { return .degraded(gone) }
            let silence = now - state.lastHeard
            if silence > Self.silenceNanoseconds {
                return .degraded("it has not answered for \(silence / 1_000_000_000) s")
            }
            if let hello = state.hello, let reason = hello.reason, now - state.helloAt < Self.restartShownNanoseconds {
                return .degraded("it was restarted: \(reason)")
            }
            return .healthy
        }
    }

    package func details() -> [Field] {
        state.withLock { state in
            guard let hello = state.hello else { return [] }
            var details = [Field("pid", "\(hello.pid)"), Field("restarts", "\(hello.epoch - 1)")]
            if let reason = hello.reason { details.append(Field("last restart", reason)) }
            if state.malformed > 0 { details.append(Field("malformed messages", "\(state.malformed)")) }
            if state.stray > 0 { details.append(Field("replies too late", "\(state.stray)")) }
            return details
        }
    }

    /// The worker and what it has used, as it said within the last seconds.
    package var process: ProcessStatus? {
        let now = time.uptime()
        return state.withLock { state in
            guard state.gone == nil, let health = state.health, now - state.healthAt < Self.usageShownNanoseconds else {
                return nil
            }
            return ProcessStatus(name: "responder", pid: Int(health.pid), usage: health.usage)
        }
    }

    /// Whether a worker said hello.
    package var isUp: Bool { state.withLock { $0.hello != nil && $0.gone == nil } }
}
