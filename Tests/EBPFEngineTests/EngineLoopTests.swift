import EBPFEngine
import Foundation
import IronpostCore
import Logging
import PacketDetection
import Synchronization
import Testing

/// The engine with the real kernel program behind it, without a process between them.
@Suite(.enabled(if: Kernel.isThere, "kernel programs cannot be loaded here"), .serialized)
struct EngineLoopTests {
    /// Answers as the responder does, and watches that only one at a time asks for the kernel program.
    private final class Link: ResponderLink {
        struct Seen: Sendable {
            var running = 0
            var mostRunning = 0
            var calls: [ResponderVerb: Int] = [:]
        }

        let host: KernelHost
        let seen = Mutex(Seen())
        let next: Mutex<Configuration.EBPF>

        init(_ configuration: Configuration.EBPF, directory: String) {
            host = KernelHost(configuration, dataDirectory: directory)
            next = Mutex(configuration)
        }

        func call(_ request: ResponderRequest, timeout: Duration) async throws -> ResponderReply {
            if request.verb == .reload {
                host.take(next.withLock { $0 })
                return ResponderReply()
            }
            seen.withLock { seen in
                seen.running += 1
                seen.mostRunning = max(seen.mostRunning, seen.running)
                seen.calls[request.verb, default: 0] += 1
            }
            defer { seen.withLock { $0.running -= 1 } }
            // Long enough that a second one would come in between.
            try? await Task.sleep(for: .milliseconds(20))
            switch request.verb {
            case .kernelStart:
                let state = try host.start()
                return ResponderReply(descriptors: [try host.ring()]) { writer in
                    writer.write(UInt64(host.ringBytes))
                    state.write(to: &writer)
                }
            case .kernelState:
                let state = try host.tend()
                return ResponderReply { state.write(to: &$0) }
            default:
                try host.stop(keepsBlocks: true)
                return ResponderReply()
            }
        }

        func callBlocking(
            _ request: ResponderRequest, timeout: Duration
        ) throws(ResponderError) -> ResponderReply {
            throw .refused("nothing is proven here")
        }
    }

    @Test("reloads hand over, and the loop alone starts, looks at and stops the kernel program")
    func serial() async throws {
        var configuration = Configuration()
        configuration.ebpf.interfaces = ["ipnone*"]
        let link = Link(configuration.ebpf, directory: "/nowhere-\(getpid())")
        let engine = EBPFEngine(
            options: EBPFEngine.Options(configuration, generation: 1), responder: link,
            alerts: BoundedChannel(name: "alerts", capacity: 1), intake: nil, ledger: Ledger(), time: SystemTime(),
            logger: Logger(label: "test")
        )
        try await engine.prepare()
        let loop = Task { try await engine.run() }
        for round in 0..<30 {
            configuration.ebpf.mode = [.monitor, .off, .shadow][round % 3]
            let last = configuration.ebpf
            link.next.withLock { $0 = last }
            let change = try await engine.stage(configuration, generation: round + 2)
            await change.commit()
            try await Task.sleep(for: .milliseconds(round % 7 * 9))
        }
        // The last reload asks for shadow; whatever the loop was at, it comes to that.
        for _ in 0..<1500 where !Self.isShadowing(engine, link.host) { try await Task.sleep(for: .milliseconds(20)) }
        #expect(Self.isShadowing(engine, link.host))
        await engine.drain(deadline: .now + .seconds(5))
        try await loop.value
        let seen = link.seen.withLock { $0 }
        #expect(seen.mostRunning == 1, "\(seen.calls)")
        #expect(seen.calls[.kernelStart, default: 0] >= 2 && seen.calls[.kernelStop, default: 0] >= 2, "\(seen.calls)")
        #expect(throws: KernelHost.Fault.self) { try link.host.ring() }
    }

    private static func isShadowing(_ engine: EBPFEngine, _ host: KernelHost) -> Bool {
        guard let state = try? host.tend(), state.mode == .shadow else { return false }
        return engine.details().contains { $0.name == "packets" }
    }
}
