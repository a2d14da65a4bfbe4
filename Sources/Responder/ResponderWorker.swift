import CLinux
import Glibc
import IronpostCore
import Logging
import Synchronization

/// The worker: takes requests from the socket and has them carried out by a few threads.
///
/// The receiving thread never carries out a verb, and beats only while no verb is long past its time, so that the keeper
/// can tell a worker that hangs.
final class ResponderWorker: Sendable {
    enum Ending {
        case coreIsGone, keeperIsGone
    }

    /// Threads for verbs that take milliseconds, and for those that take seconds.
    static let quickThreads = 2
    static let longThreads = 6
    /// Requests that wait for a thread; further ones are refused.
    static let queueMax = 64
    /// A verb that is this much past what its sender waits for: the worker hangs.
    static let overdueNanoseconds: Int64 = 30_000_000_000
    /// How long verbs that are under way may take to finish once the core is gone.
    static let farewell = Duration.milliseconds(2500)
    private static let beatMilliseconds: Int32 = 1000
    /// Carried out in the receiving thread: they must work while every other thread is busy.
    private static let processArea = "process"

    private struct Job: Sendable {
        let message: ResponderMessage
        let descriptors: [OwnedDescriptor]
    }

    private let socket: MessageSocket
    private let place: ip_worker
    private let table: [UInt8: any ResponderArea]
    private let areas: [any ResponderArea]
    private let reload: @Sendable (_ isDryRun: Bool) throws -> Configuration
    private let time = SystemTime()
    private let logger: Logger
    private let quick = BoundedChannel<Job>(name: "quick", capacity: queueMax)
    private let long = BoundedChannel<Job>(name: "long", capacity: queueMax)
    /// Verbs under way, by request, with the end of their time.
    private let running = Mutex<[UInt64: Int64]>([:])

    init(
        socket: MessageSocket, place: ip_worker, areas: [any ResponderArea],
        reload: @escaping @Sendable (_ isDryRun: Bool) throws -> Configuration, logger: Logger
    ) {
        self.socket = socket
        self.place = place
        self.areas = areas
        self.reload = reload
        self.logger = logger
        table = Dictionary(
            areas.flatMap { area in area.verbs.map { ($0.rawValue, area) } }, uniquingKeysWith: { first, _ in first }
        )
    }

    /// Works until the core or the keeper is gone.
    func run() -> Ending {
        for _ in 0..<Self.quickThreads { _ = PlainThread(name: "quick") { [self] in work(quick) } }
        for _ in 0..<Self.longThreads { _ = PlainThread(name: "long") { [self] in work(long) } }
        let hello = ResponderHello(
            epoch: place.epoch, pid: UInt32(getpid()),
            lastEnd: ResponderHello.LastEnd(rawValue: UInt8(clamping: place.last_end)) ?? .none,
            lastCode: place.last_code
        )
        send(ResponderMessage(kind: .hello, verb: 0, id: 0, body: hello.encoded()))
        var buffer = [UInt8](repeating: 0, count: MessageBounds.bytesMax)
        var lastBeat: Int64 = 0
        while true {
            let now = time.uptime()
            if now - lastBeat >= Int64(Self.beatMilliseconds) * 1_000_000, !isOverdue(at: now) {
                lastBeat = now
                guard beat() else { return .keeperIsGone }
            }
            var polled = [
                pollfd(fd: socket.descriptor.number, events: Int16(POLLIN), revents: 0),
                pollfd(fd: place.heartbeat, events: 0, revents: 0),
            ]
            _ = unsafe polled.withUnsafeMutableBufferPointer { unsafe poll($0.baseAddress, 2, Self.beatMilliseconds) }
            if polled[1].revents != 0 { return .keeperIsGone }
            switch socket.receive(&buffer) {
            case .nothing: continue
            case .ended:
                finish()
                return .coreIsGone
            case .malformed(let why): logger.error("a message from the core \(why)")
            case .message(let message, let descriptors): take(Job(message: message, descriptors: descriptors))
            }
        }
    }

    private func beat() -> Bool {
        var byte: UInt8 = 0
        // A full pipe means a keeper that was stopped: it finds the beats when it goes on.
        return unsafe write(place.heartbeat, &byte, 1) == 1 || errno != EPIPE
    }

    private func isOverdue(at now: Int64) -> Bool {
        running.withLock { $0.values.contains { now - $0 > Self.overdueNanoseconds } }
    }

    /// What is under way is finished, if that does not take long.
    private func finish() {
        quick.close()
        long.close()
        for area in areas { area.stopWaiting() }
        let end = ContinuousClock.now + Self.farewell
        while !running.withLock({ $0.isEmpty }), ContinuousClock.now < end { usleep(10_000) }
    }

    // MARK: - Requests

    private func take(_ job: Job) {
        let message = job.message
        guard message.kind == .request else {
            logger.error("a message from the core is not a request")
            return
        }
        guard let verb = ResponderVerb(rawValue: message.verb) else {
            reply(to: message, .refused, "verb \(message.verb) is not known to this version")
            return
        }
        switch verb {
        case .health:
            replyDone(to: message, ResponderReply { health.write(to: &$0) })
            return
        default: break
        }
        let channel = verb.isLong ? long : quick
        // This thread is the only one that fills it: what is free now stays free.
        guard channel.depth < channel.capacity else {
            reply(to: message, .refused, "\(Self.queueMax) requests are waiting already")
            return
        }
        let end = time.uptime() + Int64(message.milliseconds) * 1_000_000
        running.withLock { $0[message.id] = end }
        do {
            try channel.sendBlocking(job)
        } catch {
            reply(to: message, .failed, "the responder is ending")
        }
    }

    private var health: ResponderHealth {
        ResponderHealth(
            epoch: place.epoch, pid: UInt32(getpid()), capabilities: ip_effective_capabilities(),
            running: UInt32(clamping: running.withLock { $0.count }),
            verbs: ([ResponderVerb.health, .selfTest, .reload].map(\.rawValue) + table.keys).sorted(),
            usage: .current()
        )
    }

    private func work(_ channel: BoundedChannel<Job>) {
        while let job = channel.receiveBlocking(max: 1).first {
            let message = job.message
            // Its sender has given up: carrying it out now would surprise.
            let end = running.withLock { $0[message.id] } ?? 0
            guard time.uptime() <= end else {
                running.withLock { $0[message.id] = nil }
                reply(to: message, .failed, "it waited too long for its turn")
                continue
            }
            do {
                let answer = try carryOut(job)
                running.withLock { $0[message.id] = nil }
                replyDone(to: message, answer)
            } catch {
                running.withLock { $0[message.id] = nil }
                switch error {
                case is Refusal: reply(to: message, .refused, "\(error)")
                case is MessageFault: reply(to: message, .refused, "the request \(error)")
                default: reply(to: message, .failed, "\(error)")
                }
            }
        }
    }

    private func carryOut(_ job: Job) throws -> ResponderReply {
        guard let verb = ResponderVerb(rawValue: job.message.verb) else { throw Refusal("there is no such verb") }
        var reader = MessageReader(job.message.body)
        switch verb {
        case .selfTest:
            try reader.finish()
            let tests = areas.map { ResponderTest(area: $0.name, fault: $0.selfTest()) }
            return ResponderReply { writer in
                writer.write(tests) { writer, test in
                    writer.write(test.area)
                    writer.write(test.fault) { $0.write($1) }
                }
            }
        case .reload:
            let isDryRun = try reader.bool()
            try reader.finish()
            let configuration: Configuration
            do { configuration = try reload(isDryRun) } catch { throw Refusal("\(error)") }
            if !isDryRun { for area in areas { area.take(configuration) } }
            return ResponderReply()
        default:
            guard let area = table[verb.rawValue] else { throw Refusal("\(verb) is not there in this build") }
            return try area.answer(verb, &reader, descriptors: job.descriptors)
        }
    }

    // MARK: - Replies

    private func replyDone(to request: ResponderMessage, _ answer: ResponderReply) {
        let message = ResponderMessage(kind: .reply, verb: request.verb, id: request.id, body: answer.body)
        if let fault = send(message, answer.descriptors) { reply(to: request, .failed, fault) }
    }

    private func reply(to request: ResponderMessage, _ outcome: ResponderMessage.Outcome, _ reason: String) {
        send(
            ResponderMessage(
                kind: .reply, verb: request.verb, outcome: outcome, id: request.id,
                body: Array(reason.utf8.prefix(MessageBounds.textBytesMax))
            ))
    }

    /// - Returns: why the message could not be one.
    @discardableResult
    private func send(_ message: ResponderMessage, _ descriptors: [OwnedDescriptor] = []) -> String? {
        do throws(MessageFault) {
            // An error here means that the core is gone, which the receiving thread finds out.
            _ = try socket.send(message, descriptors: descriptors, wait: true)
            return nil
        } catch {
            return error.description
        }
    }
}
