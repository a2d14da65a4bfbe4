import CLinux
import Glibc
import IronpostCore
import Synchronization
import Testing

@testable import Responder

/// Core and responder over a real socket.
@Suite(.serialized)
struct LinkTests {
    struct Broken: Error, CustomStringConvertible {
        let description = "the disk said no"
    }

    @Test func healthAndSelfTest() async throws {
        let pair = Pair()
        pair.work([ScriptedArea(fault: "no right to") { _, _ in ResponderReply() }])
        let health = try await pair.client.health()
        #expect(health.epoch == 1 && health.pid == UInt32(getpid()))
        #expect(health.verbs == [0, 1, 2, 16, 17, 18])
        #expect(try await pair.client.selfTest() == [ResponderTest(area: "scripted", fault: "no right to")])
        #expect(pair.client.health() == .healthy)
    }

    @Test("what the area throws comes back as what it is")
    func outcomes() async throws {
        let pair = Pair()
        pair.work([
            ScriptedArea { verb, reader in
                switch verb {
                case .openLogFile: throw Refusal("protected")
                case .listLogFiles: throw Broken()
                default:
                    _ = try reader.text()
                    return ResponderReply()
                }
            }
        ])
        await #expect(throws: ResponderError.refused("protected")) {
            try await pair.client.call(ResponderRequest(.openLogFile), timeout: .seconds(20))
        }
        await #expect(throws: ResponderError.failed("the disk said no")) {
            try await pair.client.call(ResponderRequest(.listLogFiles), timeout: .seconds(20))
        }
        await #expect(throws: ResponderError.refused("the request ends in the middle of a number")) {
            try await pair.client.call(ResponderRequest(.openJournal), timeout: .seconds(20))
        }
    }

    @Test("a configuration that is broken is refused at a reload, with what is wrong")
    func reload() async throws {
        let pair = Pair()
        pair.work([]) { _ in throw Broken() }
        await #expect(throws: ResponderError.refused("the disk said no")) { try await pair.client.reload() }
    }

    @Test("a verb that hangs blocks neither others nor the heartbeat, and its caller is let go")
    func slowVerbs() async throws {
        let release = Mutex(false)
        let pair = Pair()
        pair.work([
            ScriptedArea { verb, _ in
                if verb == .openLogFile { while !release.withLock({ $0 }) { usleep(5000) } }
                return ResponderReply()
            }
        ])
        defer { release.withLock { $0 = true } }
        // One of the two quick threads hangs.
        await #expect(throws: ResponderError.timedOut(verb: .openLogFile, after: .milliseconds(300))) {
            try await pair.client.call(ResponderRequest(.openLogFile), timeout: .milliseconds(300))
        }
        _ = try await pair.client.call(ResponderRequest(.listLogFiles), timeout: .seconds(20))
        #expect(try await pair.client.health().running == 1)
        _ = pair.drainBeats()
        #expect(eventually { pair.drainBeats() > 0 })
    }

    @Test("a blocked thread gets its answer, and its error")
    func blocking() throws {
        let pair = Pair()
        pair.work([
            ScriptedArea { verb, _ in verb == .openLogFile ? ResponderReply(body: [7]) : try { throw Broken() }() }
        ])
        #expect(try pair.client.callBlocking(ResponderRequest(.openLogFile), timeout: .seconds(20)).body == [7])
        #expect(throws: ResponderError.failed("the disk said no")) {
            try pair.client.callBlocking(ResponderRequest(.openJournal), timeout: .seconds(20))
        }
    }

    @Test("the other side ends: what waits is told, what comes later too, and the health says what to do")
    func ending() async throws {
        let pair = Pair()
        async let waiting: Void = {
            _ = try await pair.client.call(ResponderRequest(.openLogFile), timeout: .seconds(60))
        }()
        _ = pair.receive()
        shutdown(pair.other.number, Int32(SHUT_RDWR))
        do {
            try await waiting
            Issue.record("an answer came from nowhere")
        } catch let error as ResponderError {
            guard case .absent = error else { throw error }
        }
        #expect(pair.client.health().reason?.contains("restart the daemon") == true)
        await #expect(throws: ResponderError.self) { try await pair.client.health() }
    }

    @Test("the core ends: the worker ends too")
    func workerEnding() {
        let pair = Pair(start: false)
        pair.work([])
        #expect(pair.drainBeats() >= 0)
        shutdown(pair.other.number, Int32(SHUT_RDWR))
        #expect(eventually { pair.ending.withLock { $0 } == .coreIsGone })
    }

    @Test("replies to nothing, to another verb, of another kind, and bytes that are none change nothing")
    func strayReplies() async throws {
        let pair = Pair()
        async let answer = pair.client.call(ResponderRequest(.openLogFile), timeout: .seconds(60))
        let (request, _) = try #require(pair.receive())
        let socket = pair.socket
        func reply(_ verb: UInt8, _ id: UInt64, _ kind: ResponderMessage.Kind = .reply) throws {
            _ = try socket.send(ResponderMessage(kind: kind, verb: verb, id: id, body: [1]), wait: true)
        }
        try reply(16, request.id + 1000)
        try reply(17, request.id)
        try reply(16, request.id, .request)
        try reply(0, 0, .hello)
        for length in [0, 1, 15, 17, 5000] {
            let noise = (0..<length).map { _ in UInt8.random(in: 0...255) }
            _ = unsafe ip_send_message(pair.other.number, noise, noise.count, nil, 0, 1)
        }
        let huge = [UInt8](repeating: 1, count: MessageBounds.bytesMax + 1)
        _ = unsafe ip_send_message(pair.other.number, huge, huge.count, nil, 0, 1)
        _ = try socket.send(ResponderMessage(kind: .reply, verb: 16, id: request.id, body: [42]), wait: true)
        #expect(try await answer.body == [42])
    }

    @Test("descriptors arrive, and those that nobody waits for are closed")
    func descriptors() async throws {
        let pair = Pair()
        var pipe: [Int32] = [-1, -1]
        _ = unsafe ip_pipe(&pipe)
        let reader = OwnedDescriptor(pipe[0])
        var byte: UInt8 = 5
        do {
            let writer = OwnedDescriptor(pipe[1])
            async let answer = pair.client.call(ResponderRequest(.openLogFile), timeout: .seconds(60))
            let (request, _) = try #require(pair.receive())
            // Three in a reply to nothing, two in one that is waited for.
            for (id, count) in [(request.id + 9, 3), (request.id, 2)] {
                _ = try pair.socket.send(
                    ResponderMessage(kind: .reply, verb: 16, id: id, body: []),
                    descriptors: Array(repeating: writer, count: count), wait: true)
            }
            let reply = try await answer
            #expect(reply.descriptors.count == 2)
            #expect(unsafe write(reply.descriptors[1].number, &byte, 1) == 1)
            byte = 0
            #expect(unsafe read(reader.number, &byte, 1) == 1 && byte == 5)
        }
        // The last writer is gone: none of the five is open any more.
        #expect(eventually { unsafe read(reader.number, &byte, 1) == 0 })
    }

    @Test("more requests than the bound fail at once, and say why")
    func inFlight() async throws {
        let pair = Pair()
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<ResponderClient.inFlightMax {
                group.addTask { _ = try? await pair.client.call(ResponderRequest(.openJournal), timeout: .seconds(60)) }
            }
            for _ in 0..<ResponderClient.inFlightMax { _ = pair.receive() }
            await #expect(throws: ResponderError.failed("64 requests to the responder are under way already")) {
                try await pair.client.call(ResponderRequest(.openJournal), timeout: .seconds(60))
            }
            group.cancelAll()
        }
    }

    @Test("a worker that is restarted gets the requests again that the one before did not answer, once")
    func restart() async throws {
        let pair = Pair()
        async let answer = pair.client.call(ResponderRequest(.openLogFile), timeout: .seconds(60))
        let (first, _) = try #require(pair.receive())
        let hello = { (epoch: UInt32) in
            ResponderMessage(
                kind: .hello, verb: 0, id: 0,
                body: ResponderHello(epoch: epoch, pid: 7, lastEnd: .killed, lastCode: 9).encoded())
        }
        _ = try pair.socket.send(hello(2), wait: true)
        let (second, _) = try #require(pair.receive())
        #expect(second.id == first.id && second.verb == first.verb)
        #expect(pair.client.health() == .degraded("it was restarted: it was killed by signal 9"))
        // A request that kills whoever takes it does not go round for ever.
        _ = try pair.socket.send(hello(3), wait: true)
        _ = try pair.socket.send(ResponderMessage(kind: .reply, verb: 16, id: first.id, body: [3]), wait: true)
        #expect(try await answer.body == [3])
    }

    @Test("a worker is not made to misbehave by noise: after each kind of it, it still answers")
    func fuzzedWorker() throws {
        var ends: [Int32] = [-1, -1]
        #expect(unsafe ip_message_pair(&ends) == 0)
        let core = OwnedDescriptor(ends[0])
        var pipe: [Int32] = [-1, -1]
        #expect(unsafe ip_pipe(&pipe) == 0)
        let beats = OwnedDescriptor(pipe[0])
        let worker = ResponderWorker(
            socket: MessageSocket(OwnedDescriptor(ends[1])),
            place: ip_worker(epoch: 1, last_end: 0, last_code: 0, heartbeat: pipe[1]),
            areas: [ScriptedArea { _, reader in ResponderReply(body: try reader.bytes(max: 64)) }],
            reload: { _ in Configuration() }, logger: quietLogger
        )
        let thread = PlainThread(name: "worker") { _ = worker.run() }
        let socket = MessageSocket(core)
        var buffer = [UInt8](repeating: 0, count: MessageBounds.bytesMax)
        /// Whether the answer to this very request comes.
        func answers(_ id: UInt64) throws -> Bool {
            _ = try socket.send(
                ResponderMessage(kind: .request, verb: 0, milliseconds: 20_000, id: id, body: []), wait: true)
            for _ in 0..<100_000 {
                switch socket.receive(&buffer) {
                case .message(let message, _) where message.id == id && message.outcome == .done: return true
                case .ended: return false
                case .nothing: socket.wait(milliseconds: 1000)
                default: continue
                }
            }
            return false
        }
        let rounds = unsafe getenv("IRONPOST_DEEP") != nil ? 100_000 : 5000
        for round in 0..<rounds {
            var bytes = (0..<Int.random(in: 0...200)).map { _ in UInt8.random(in: 0...255) }
            // Half of them with a header that is nearly right.
            if round % 2 == 0, bytes.count >= 16 {
                bytes.replaceSubrange(0..<4, with: [1, UInt8.random(in: 0...3), UInt8.random(in: 0...130), 0])
            }
            let number = [beats.number, beats.number, beats.number]
            _ = unsafe ip_send_message(core.number, bytes, bytes.count, number, round % 7 == 0 ? 3 : 0, 1)
            // The answers are taken out as they come: nobody's buffer fills.
            if round % 20 == 0 {
                let isAnswered = try answers(UInt64(1) << 40 + UInt64(round))
                #expect(isAnswered)
                if !isAnswered { return }
            }
        }
        shutdown(core.number, Int32(SHUT_RDWR))
        thread.joinBlocking()
        close(pipe[1])
    }
}
