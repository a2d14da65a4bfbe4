import CKernelObject
import CPacket
import EBPFEngine
import Foundation
import PacketDetection
import Testing

/// Speed as ratios within one run. Printed always; held against their limits where IRONPOST_DEEP=1, on a quiet machine.
@Suite(.enabled(if: Kernel.isThere, "kernel programs cannot be loaded here"), .serialized)
struct SpeedTests {
    static let isDeep = ProcessInfo.processInfo.environment["IRONPOST_DEEP"] == "1"

    /// The least of several rounds, in nanoseconds a packet: what the machine can do when nobody disturbs it.
    private static func best(_ program: KernelProgram, _ name: String, _ frame: [UInt8]) throws -> Int {
        let (rounds, repeats) = isDeep ? (11, 1_000_000) : (5, 50_000)
        return try (0..<rounds).map { _ in try program.run(name, on: frame, repeats: repeats).nanoseconds }.min() ?? 0
    }

    @Test("what a packet costs: passing with all detectors, being dropped, and with a million networks listed")
    func nanoseconds() throws {
        let count = Self.isDeep ? 1_000_000 : 100_000
        let program = try Kernel.load(entries: count + 10)
        var settings = program.settings
        settings.budget = KernelHostBudgets.live
        program.set(settings)
        let (data, syn) = (Frame.tcp(flags: 24), Frame.tcp(flags: 2))
        let passes = try Self.best(program, "passes", data)
        let empty = try Self.best(program, "packets", data)
        let detected = try Self.best(program, "packets", syn)
        let datagram = try Self.best(program, "packets", Frame.udp())
        var lists = NetworkLists(program)
        try lists.add([try rule("203.0.113.7")])
        let dropped = try Self.best(program, "packets", data)
        try lists.flush()
        let rules = Self.networks(count)
        let start = ContinuousClock.now
        try lists.replaceFiled(rules)
        let loading = ContinuousClock.now - start
        // An address under the same /16 as many networks, and in none of them.
        let full = try Self.best(program, "packets", Frame.tcp(from: [10, 7, 9, 255], flags: 24))
        let listed = try Self.best(program, "packets", Frame.tcp(from: [10, 7, 9, 9], flags: 24))
        print(
            "ns a packet: only passing \(passes), TCP data \(empty), SYN \(detected), UDP \(datagram), "
                + "dropped \(dropped); with \(count) networks: passing \(full), dropped \(listed); "
                + "loading them: \(loading)")
        let banStart = ContinuousClock.now
        var bans = NetworkLists(try Kernel.load(entries: 200_000))
        let loaded = ContinuousClock.now
        let addresses = Self.networks(100_000)
        let ready = ContinuousClock.now
        try bans.add(addresses)
        print("100000 bans: \(ContinuousClock.now - ready) (program loaded in \(loaded - banStart))")
        guard Self.isDeep else { return }
        #expect(Double(empty) <= 2.5 * Double(passes))
        #expect(Double(full) <= 3 * Double(empty))
        #expect(loading <= .seconds(2))
    }

    /// Single addresses within 10.0.0.0/8, each different, none of them 10.7.9.255.
    private static func networks(_ count: Int) -> [NetworkRule] {
        (0..<count).map { index in
            let address = UInt32(10) << 24 | UInt32(index / 128) << 8 | UInt32(index % 128)
            let low = UInt64(UInt32(bigEndian: 0xFFFF)) | UInt64(address.bigEndian) << 32
            return NetworkRule(NetworkPrefix(PacketAddress(high: 0, low: low)))
        }
    }
}

/// The budgets of a live program
enum KernelHostBudgets {
    static let live: (UInt32, UInt32, UInt32, UInt32, UInt32, UInt32) = (1024, 512, 64, 128, 512, 32)
}
