import CLinux
import Glibc
import IronpostCore
import Logging
import Synchronization

@testable import Responder

/// Both ends of a socket, with a real worker or with a hand at the other end.
final class Pair: Sendable {
    let client: ResponderClient
    let other: OwnedDescriptor
    private let beats: OwnedDescriptor
    private let heartbeat: OwnedDescriptor
    let ending = Mutex<ResponderWorker.Ending?>(nil)

    init(start: Bool = true) {
        var ends: [Int32] = [-1, -1]
        _ = unsafe ip_message_pair(&ends)
        var pipe: [Int32] = [-1, -1]
        _ = unsafe ip_pipe(&pipe)
        client = ResponderClient(OwnedDescriptor(ends[0]), time: SystemTime(), logger: quietLogger)
        other = OwnedDescriptor(ends[1])
        beats = OwnedDescriptor(pipe[0])
        heartbeat = OwnedDescriptor(pipe[1])
        if start { client.start() }
    }

    deinit {
        client.stop()
    }

    var socket: MessageSocket { MessageSocket(other) }

    /// - Parameter epoch: of the worker that takes the other end.
    func work(
        _ areas: [any ResponderArea], epoch: UInt32 = 1, reload: @escaping @Sendable (Bool) throws -> Configuration
    ) {
        let worker = ResponderWorker(
            socket: socket,
            place: ip_worker(epoch: epoch, last_end: epoch > 1 ? 2 : 0, last_code: 9, heartbeat: heartbeat.number),
            areas: areas, reload: reload, logger: quietLogger
        )
        _ = PlainThread(name: "worker") { [self] in
            let ended = worker.run()
            ending.withLock { $0 = ended }
        }
    }

    func work(_ areas: [any ResponderArea]) { work(areas) { _ in Configuration() } }

    /// Bytes that the worker beat so far.
    func drainBeats() -> Int {
        var buffer = [UInt8](repeating: 0, count: 4096)
        return unsafe max(0, read(beats.number, &buffer, buffer.count))
    }

    /// The next message at the other end that is not the client's own question whether anybody is there.
    func receive() -> (ResponderMessage, [OwnedDescriptor])? {
        var buffer = [UInt8](repeating: 0, count: MessageBounds.bytesMax)
        for _ in 0..<1000 {
            switch socket.receive(&buffer) {
            case .message(let message, _) where message.verb == ResponderVerb.health.rawValue: continue
            case .message(let message, let descriptors): return (message, descriptors)
            case .ended: return nil
            case .nothing, .malformed: socket.wait(milliseconds: 20)
            }
        }
        return nil
    }
}

let quietLogger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

/// Answers as its closure says.
struct ScriptedArea: ResponderArea {
    let name = "scripted"
    var verbs: [ResponderVerb] = [.openLogFile, .listLogFiles, .openJournal]
    var fault: String?
    let script: @Sendable (ResponderVerb, inout MessageReader) throws -> ResponderReply

    func answer(
        _ verb: ResponderVerb, _ reader: inout MessageReader, descriptors: [OwnedDescriptor]
    ) throws -> ResponderReply { try script(verb, &reader) }

    func selfTest() -> String? { fault }

    func take(_ configuration: Configuration) {}
}

/// Waits for a condition, looking again every few milliseconds.
func eventually(within limit: Duration = .seconds(30), _ condition: () -> Bool) -> Bool {
    let end = ContinuousClock.now + limit
    while ContinuousClock.now < end {
        if condition() { return true }
        poll(nil, 0, 10)
    }
    return condition()
}
