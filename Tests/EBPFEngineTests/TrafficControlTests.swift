import EBPFEngine
import Foundation
import Testing

/// What the program leaves behind in traffic control, on an interface of a namespace that the test makes.
@Suite(.enabled(if: Kernel.isThere, "kernel programs cannot be loaded here"), .serialized)
struct TrafficControlTests {
    /// Who made the clsact, and what else hangs on it.
    enum Case: String, CaseIterable, Sendable {
        case ours, anothers, sharedWithAnother

        var isKept: Bool { self != .ours }
    }

    @Test("the clsact goes with the program that made it, unless something else hangs on it", arguments: Case.allCases)
    func clsact(_ one: Case) throws {
        let result = try Self.inNamespace {
            try Self.run("ip", "link", "add", "ipt0", "type", "veth", "peer", "ipt1")
            let index = unsafe if_nametoindex("ipt0")
            if one == .anothers { try Self.run("tc", "qdisc", "add", "dev", "ipt0", "clsact") }
            let program = try Kernel.load(entries: 10)
            try program.attach(index, .tc)
            var attached = [try program.attachment(to: index)]
            if one == .sharedWithAnother {
                try Self.run(
                    "tc", "filter", "add", "dev", "ipt0", "egress", "prio", "7", "u32", "match", "u32", "0", "0")
            }
            // The next run's program takes the place of this one, and is the one that goes.
            let next = try KernelProgram(.init(owner: program.options.owner), interfaces: [index])
            try next.attach(index, .tc)
            attached.append(try next.attachment(to: index))
            let isDetached = try KernelProgram.detach(owner: next.options.owner, from: index)
            attached.append(try next.attachment(to: index))
            let left = try Self.run("tc", "qdisc", "show", "dev", "ipt0")
            return Outcome(attached: attached, isDetached: isDetached, hasClsact: left.contains("clsact"))
        }
        guard let result else { return }
        #expect(result.attached == [.tc, .tc, nil] && result.isDetached)
        #expect(result.hasClsact == one.isKept)
    }

    private struct Outcome: Sendable {
        var attached: [KernelProgram.Attachment?]
        var isDetached: Bool
        var hasClsact: Bool
    }

    private final class Made: @unchecked Sendable {
        var result: Result<Outcome, any Error>?
    }

    /// Runs something in a network namespace of its own; nil where that is not allowed.
    private static func inNamespace(_ body: @escaping @Sendable () throws -> Outcome) throws -> Outcome? {
        let made = Made()
        let done = DispatchSemaphore(value: 0)
        // The namespace is the thread's: nothing else of the process moves, and it ends with the thread.
        let thread = Thread {
            defer { done.signal() }
            // Not among what Swift imports; CLONE_NEWNET is 0x4000_0000.
            guard let symbol = unsafe dlsym(nil, "unshare") else { return }
            typealias Call = @convention(c) (Int32) -> Int32
            let unshare = unsafe unsafeBitCast(symbol, to: Call.self)
            if unshare(0x4000_0000) == 0 { made.result = Result { try body() } }
        }
        thread.stackSize = 1 << 20
        thread.start()
        done.wait()
        if made.result == nil { print("passed over: no network namespace for this user") }
        return try made.result?.get()
    }

    @discardableResult
    private static func run(_ command: String...) throws -> String {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = command
        let pipe = Pipe()
        process.standardOutput = pipe
        try process.run()
        let output = try pipe.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        struct Fault: Error { var command: [String] }
        guard process.terminationStatus == 0 else { throw Fault(command: command) }
        return String(decoding: output, as: UTF8.self)
    }
}
