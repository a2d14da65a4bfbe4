import Foundation
import IronpostCore
import Logging
import Testing

@testable import ContainerEngine

/// Who waits for news of containers lets go when it is time to end: a stop does not wait for news that never come.
@Suite("waiting for news of containers")
struct WaitingTests {
    /// A responder that has no news, and says so only when nobody wants to know any more.
    private final class Silence: ResponderLink {
        let asked = DispatchSemaphore(value: 0)

        func call(_ request: ResponderRequest, timeout: Duration) async throws -> ResponderReply {
            asked.signal()
            try await Task.sleep(for: .seconds(3600))
            throw CancellationError()
        }

        func callBlocking(_ request: ResponderRequest, timeout: Duration) throws(ResponderError) -> ResponderReply {
            throw .failed("not asked")
        }
    }

    @Test("the module ends while its question is still open", .timeLimit(.minutes(1)), arguments: [true, false])
    func drained(isWaiting: Bool) async throws {
        let link = Silence()
        let module = ContainerGuard(
            configuration: Configuration().container, link: link, directory: LiveDirectory(time: SystemTime()),
            logger: Logger(label: "test"))
        try await module.prepare()
        // Also a stop that comes before the start is through.
        if !isWaiting { await module.drain(deadline: .now + .seconds(30)) }
        let run = Task { try await module.run() }
        if isWaiting {
            await withCheckedContinuation { continuation in
                Thread {
                    link.asked.wait(); continuation.resume()
                }.start()
            }
            await module.drain(deadline: .now + .seconds(30))
        }
        try await run.value
    }

    @Test("the inventory lets go of who waits, and of who would", .timeLimit(.minutes(1)))
    func inventory() {
        let inventory = ContainerInventory(socketPath: "/nonexistent", logger: Logger(label: "test"))
        var known = inventory.changes(since: .nothing, engine: nil, patience: .zero) { _ in true }
        let done = DispatchSemaphore(value: 0)
        let (cursor, engine) = (known.cursor, known.engine)
        Thread {
            _ = inventory.changes(since: cursor, engine: engine, patience: .seconds(3600)) { _ in true }
            done.signal()
        }
        .start()
        inventory.stopWaiting()
        #expect(done.wait(timeout: .now() + .seconds(30)) == .success)
        known = inventory.changes(since: cursor, engine: engine, patience: .seconds(3600)) { _ in true }
        #expect(known.records.isEmpty)
    }
}
