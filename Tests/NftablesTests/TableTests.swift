import Foundation
import Glibc
import IronpostCore
import Nftables
import Synchronization
import Testing

/// The kernel's own tables, in network namespaces that the tests make.
@Suite struct TableTests {
    /// A table in a new network namespace, which lives as long as its socket; nil where that is not allowed.
    static func table() throws -> NftablesTable? {
        final class Made: @unchecked Sendable {
            var table: NftablesTable?
        }
        let made = Made()
        let done = DispatchSemaphore(value: 0)
        // The namespace is the thread's: nothing else of the process moves.
        let thread = Thread {
            defer { done.signal() }
            // Not among what Swift imports; CLONE_NEWNET is 0x4000_0000.
            guard let symbol = unsafe dlsym(nil, "unshare") else { return }
            typealias Call = @convention(c) (Int32) -> Int32
            let unshare = unsafe unsafeBitCast(symbol, to: Call.self)
            if unshare(0x4000_0000) == 0 { made.table = try? NftablesTable() }
        }
        thread.start()
        done.wait()
        if made.table == nil { print("passed over: no network namespace, or no nf_tables, for this user") }
        return made.table
    }

    static func target(_ text: String) throws -> BlockTarget { try #require(BlockTarget(text)) }

    static let kinds = [
        "203.0.113.7", "203.0.113.0/24", "203.0.0.0/16", "203.0.112.0/20", "2001:db8::1", "2001:db8::/32",
        "2001:db8::/64", "203.0.113.7 tcp port 22", "203.0.113.0/24 udp port 53", "203.0.113.9 tcp",
        "203.0.113.9 port 80", "2001:db8::1 tcp port 22", "203.0.113.8", "203.0.113.128/25", "203.0.113.0/25",
    ]

    @Test func whatIsAddedIsThereWithItsTimeAndGoesAgain() throws {
        guard let table = try Self.table() else { return }
        #expect(try table.list().isEmpty)
        let targets = try Self.kinds.map(Self.target)
        try table.add(targets.map { BlockEntry($0, remaining: .seconds(600)) })
        let found = try table.list()
        #expect(Set(found.map(\.target)) == Set(targets))
        #expect(found.allSatisfy { $0.remaining > .seconds(590) && $0.remaining <= .seconds(600) })
        // Added again: the new time counts, and nothing is there twice.
        try table.add([
            BlockEntry(targets[0], remaining: .seconds(60)), BlockEntry(targets[1], remaining: .seconds(60)),
        ])
        let again = try table.list()
        #expect(again.count == targets.count)
        #expect(
            again.filter { $0.remaining <= .seconds(60) }.map(\.target).sorted() == [targets[0], targets[1]].sorted())
        try table.remove(Array(targets[0..<5]) + [try Self.target("198.51.100.1"), try Self.target("10.0.0.0/9 tcp")])
        #expect(Set(try table.list().map(\.target)) == Set(targets[5...]))
        try table.flush()
        #expect(try table.list().isEmpty)
        try table.flush()
        try table.remove(targets)
    }

    @Test func someoneElsesChangesShow() throws {
        guard let table = try Self.table() else { return }
        let after = try table.add([BlockEntry(Self.target("203.0.113.7"), remaining: .seconds(60))])
        #expect(try table.generation() == after)
        try table.flush()
        #expect(try table.generation() != after)
        // The table, its sets and rules are made anew.
        try table.add([BlockEntry(Self.target("203.0.113.7"), remaining: .seconds(60))])
        #expect(try table.list().count == 1)
    }

    /// The daemon looks every second whether somebody changed something, while blocks come and go.
    @Test func whoAsksMeanwhileTakesNobodysAnswer() throws {
        guard let table = try Self.table() else { return }
        final class Told: Sendable {
            let faults = Mutex<[String]>([])
        }
        let told = Told()
        let targets = (0..<4).compactMap { BlockTarget("203.0.113.\($0)") }
        DispatchQueue.concurrentPerform(iterations: 8) { thread in
            do {
                for _ in 0..<100 {
                    if thread >= 4 {
                        _ = try table.generation()
                        _ = try table.list()
                    } else {
                        try table.add([BlockEntry(targets[thread], remaining: .seconds(60))])
                        try table.remove([targets[thread]])
                    }
                }
            } catch {
                told.faults.withLock { $0.append("\(error)") }
            }
        }
        #expect(told.faults.withLock { $0 }.isEmpty)
        #expect(try table.list().isEmpty)
    }

    @Test func theKernelEndsABlock() throws {
        guard let table = try Self.table() else { return }
        let begin = ContinuousClock.now
        try table.add([BlockEntry(Self.target("203.0.113.7"), remaining: .milliseconds(700))])
        while try !table.list().isEmpty, ContinuousClock.now - begin < .seconds(20) { usleep(10_000) }
        #expect(ContinuousClock.now - begin >= .milliseconds(690))
        #expect(try table.list().isEmpty)
    }

    @Test func manyAreOneTransactionAndQuick() throws {
        guard let table = try Self.table() else { return }
        let count = 20_000
        let entries = (0..<count).map { number in
            BlockEntry(
                BlockTarget(IPNetwork(IPAddress(ipv4: 0x6440_0000 + UInt32(number)))), remaining: .seconds(3600))
        }
        let before = try table.generation()
        let after = try table.add(entries)
        // Making the table is one, all the elements are another.
        #expect(after == before + 2)
        #expect(try table.list().count == count)
    }
}
