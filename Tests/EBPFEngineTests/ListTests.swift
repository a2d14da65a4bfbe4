import CKernelObject
import CPacket
import EBPFEngine
import Foundation
import PacketDetection
import Testing

/// What the lists in the kernel do to packets.
@Suite(.enabled(if: Kernel.isThere, "kernel programs cannot be loaded here"), .serialized)
struct ListTests {
    private static func verdict(_ program: KernelProgram, _ frame: [UInt8]) throws -> UInt32 {
        try program.run("packets", on: frame).verdict
    }

    @Test("an address, a network and an IPv6 network are blocked, and nobody else")
    func blocks() throws {
        let program = try Kernel.load(entries: 1000)
        var lists = NetworkLists(program)
        try lists.add([try rule("203.0.113.7"), try rule("198.51.100.0/24"), try rule("2001:db8::4/126")])
        #expect(try Self.verdict(program, Frame.tcp(from: [203, 0, 113, 7])) == Kernel.drop)
        #expect(try Self.verdict(program, Frame.tcp(from: [203, 0, 113, 7], vlans: 4)) == Kernel.drop)
        #expect(try Self.verdict(program, Frame.tcp(from: [203, 0, 113, 6])) == Kernel.pass)
        #expect(try Self.verdict(program, Frame.udp(from: [198, 51, 100, 200])) == Kernel.drop)
        #expect(try Self.verdict(program, Frame.tcp(from: [198, 51, 101, 0])) == Kernel.pass)
        #expect(try Self.verdict(program, Frame.tcp6(from: 7)) == Kernel.drop)
        #expect(try Self.verdict(program, Frame.tcp6(from: 8)) == Kernel.pass)
        try lists.remove([try rule("203.0.113.7")])
        #expect(try Self.verdict(program, Frame.tcp(from: [203, 0, 113, 7])) == Kernel.pass)
        try lists.flush()
        #expect(try Self.verdict(program, Frame.tcp6(from: 7)) == Kernel.pass)
        #expect(try program.counters().dropped == 4)
    }

    @Test("a rule for a port blocks that port, that protocol, and no fragment that could be anybody's")
    func scopes() throws {
        let program = try Kernel.load(entries: 1000)
        var lists = NetworkLists(program)
        try lists.add([try rule("203.0.113.0/24", port: 22, proto: 6), try rule("203.0.113.0/24", proto: 17)])
        #expect(try Self.verdict(program, Frame.tcp(port: 22)) == Kernel.drop)
        #expect(try Self.verdict(program, Frame.tcp(port: 80)) == Kernel.pass)
        #expect(try Self.verdict(program, Frame.udp(port: 22)) == Kernel.drop)
        #expect(try Self.verdict(program, Frame.tcp(port: 22, fragment: 0x2001)) == Kernel.pass)
        try lists.remove([try rule("203.0.113.0/24", proto: 17)])
        #expect(try Self.verdict(program, Frame.udp(port: 22)) == Kernel.pass)
        #expect(try Self.verdict(program, Frame.tcp(port: 22)) == Kernel.drop)
    }

    @Test("a narrow rule that says nothing of a packet leaves it to the wider one around it")
    func overlapping() throws {
        let program = try Kernel.load(entries: 1000)
        var lists = NetworkLists(program)
        let past = Kernel.now
        try lists.add([
            try rule("203.0.0.0/16"), try rule("203.0.113.0/24", port: 22, proto: 6),
            try rule("203.0.113.7", expires: past),
        ])
        #expect(try Self.verdict(program, Frame.tcp(port: 80)) == Kernel.drop)
        try lists.remove([try rule("203.0.0.0/16")])
        #expect(try Self.verdict(program, Frame.tcp(port: 80)) == Kernel.pass)
        #expect(try Self.verdict(program, Frame.tcp(port: 22)) == Kernel.drop)
    }

    @Test("what is allowed is never dropped, however narrow the block")
    func allow() throws {
        let program = try Kernel.load(entries: 1000)
        var lists = NetworkLists(program)
        try lists.add([try rule("203.0.113.7"), try rule("203.0.0.0/16", .allow)])
        #expect(try Self.verdict(program, Frame.tcp()) == Kernel.pass)
        try lists.remove([try rule("203.0.0.0/16", .allow)])
        #expect(try Self.verdict(program, Frame.tcp()) == Kernel.drop)
    }

    @Test("a block ends by the kernel's clock, without anybody's help")
    func expiry() throws {
        let program = try Kernel.load(entries: 1000)
        var lists = NetworkLists(program)
        let end = Kernel.now + 300_000_000
        try lists.add([try rule("203.0.113.7", expires: end)])
        #expect(try Self.verdict(program, Frame.tcp()) == Kernel.drop || Kernel.now >= end)
        while Kernel.now < end { usleep(10_000) }
        #expect(try Self.verdict(program, Frame.tcp()) == Kernel.pass)
        try lists.sweep(now: Kernel.now)
        #expect(lists.commandedCount == 0)
    }

    @Test(
        "modes: monitor and shadow drop nothing and count, off does nothing at all",
        arguments: [(IP_MODE_MONITOR, 0), (IP_MODE_SHADOW, 1), (IP_MODE_OFF, 0)]
    )
    func modes(_ mode: ip_mode, _ would: Int) throws {
        let program = try Kernel.load(entries: 1000)
        var lists = NetworkLists(program)
        try lists.add([try rule("203.0.113.7")])
        var settings = program.settings
        settings.mode = mode.rawValue
        program.set(settings)
        #expect(try Self.verdict(program, Frame.tcp()) == Kernel.pass)
        let counters = KernelCounters(try program.counters())
        #expect(counters.wouldDrop == would && counters.dropped == 0)
        #expect(counters.packets == (mode == IP_MODE_OFF ? 0 : 1))
    }

    @Test("files are exchanged as a whole beside commands; both hold where they meet")
    func files() throws {
        let program = try Kernel.load(entries: 1000)
        var lists = NetworkLists(program)
        try lists.add([try rule("203.0.113.7", port: 22, proto: 6)])
        try lists.replaceFiled([try rule("203.0.113.7", port: 80, proto: 6), try rule("198.51.100.0/24")])
        #expect(try Self.verdict(program, Frame.tcp(port: 22)) == Kernel.drop)
        #expect(try Self.verdict(program, Frame.tcp(port: 80)) == Kernel.drop)
        #expect(try Self.verdict(program, Frame.udp(from: [198, 51, 100, 1])) == Kernel.drop)
        try lists.replaceFiled([])
        #expect(try Self.verdict(program, Frame.tcp(port: 22)) == Kernel.drop)
        #expect(try Self.verdict(program, Frame.tcp(port: 80)) == Kernel.pass)
        #expect(try Self.verdict(program, Frame.udp(from: [198, 51, 100, 1])) == Kernel.pass)
    }

    @Test("the next run finds what is in the kernel: what has no end is the files', the rest are commands")
    func adoption() throws {
        let program = try Kernel.load(entries: 1000)
        var lists = NetworkLists(program)
        let end = Kernel.now + 60_000_000_000
        try lists.add([
            try rule("203.0.113.7", expires: end), try rule("203.0.113.0/24", port: 22, proto: 6, expires: end),
        ])
        try lists.replaceFiled([try rule("198.51.100.0/24"), try rule("2001:db8::/32", .allow)])
        var next = NetworkLists(program)
        try next.adopt(max: 1000)
        #expect(next.commandedCount == 2 && next.filedCount == 2)
        // A file that says less than before takes the rest away, and nothing of the commands.
        try next.replaceFiled([])
        #expect(try Self.verdict(program, Frame.udp(from: [198, 51, 100, 1])) == Kernel.pass)
        #expect(try Self.verdict(program, Frame.tcp()) == Kernel.drop)
        #expect(try Self.verdict(program, Frame.tcp(from: [203, 0, 113, 8], port: 22)) == Kernel.drop)
        try next.flush()
        #expect(try Self.verdict(program, Frame.tcp()) == Kernel.pass)
    }

    @Test("a list that is full says so and how full, and keeps what it has")
    func full() throws {
        let program = try Kernel.load(entries: 100)
        var lists = NetworkLists(program)
        let many = try (0..<200).map { try rule("10.0.\($0).0/24") }
        #expect(throws: KernelProgram.Fault.self) { try lists.add(many) }
        #expect(try Self.verdict(program, Frame.tcp(from: [10, 0, 0, 1])) == Kernel.drop)
        var others = NetworkLists(try Kernel.load(entries: 100))
        do {
            try others.replaceFiled(many)
            Issue.record("200 entries in room for 100")
        } catch {
            #expect("\(error)".contains("ebpf.blocklist_max_entries"))
        }
    }

    @Test("a long list, which two threads fill, is whole; one that is too long stops at what there is room for")
    func long() throws {
        let program = try Kernel.load(entries: 50_000)
        var lists = NetworkLists(program)
        func addresses(_ range: Range<Int>) throws -> [NetworkRule] {
            try range.map { try rule("10.\($0 >> 16).\($0 >> 8 & 255).\($0 & 255)") }
        }
        let six = try (0..<100).map { try rule("2001:db8:\($0)::/48") }
        try lists.replaceFiled(try addresses(0..<40_001) + six)
        let entries = try program.read(.deny, max: 60_000)
        #expect(Set(entries.map { PacketAddress($0.address) }).count == 40_101)
        #expect(entries.allSatisfy { $0.family == 4 ? $0.prefix == 32 : $0.prefix == 48 })
        do {
            try lists.add(try addresses(40_001..<60_001))
            Issue.record("60,001 addresses in room for 50,000")
        } catch {
            #expect("\(error)".contains("9999 of 20000"))
        }
        #expect(try program.read(.deny, max: 60_000).filter { $0.family == 4 }.count == 50_000)
    }

    @Test("an exchange leaves nothing of the old list in force")
    func exchanges() throws {
        let program = try Kernel.load(entries: 1000)
        var lists = NetworkLists(program)
        // Each time others, and an address that is listed now by itself and now within a network.
        let turns = [
            ["203.0.113.7", "198.51.100.0/24", "2001:db8::7"], ["203.0.113.0/24", "198.51.100.1", "2001:db8::/64"],
            ["198.51.100.2"], ["203.0.113.7/32", "2001:db8::8"], [],
        ]
        for turn in turns + turns {
            try lists.replaceFiled(try turn.map { try rule($0) })
            let networks = turn.compactMap { NetworkPrefix($0) }
            func expected(_ text: String) throws -> UInt32 {
                let address = try #require(PacketAddress(text))
                let isListed = networks.contains { NetworkPrefix(address, length: Int($0.length)) == $0 }
                return isListed ? Kernel.drop : Kernel.pass
            }
            for last in [1, 2, 7, 8] as [UInt8] {
                let (here, there) = (Frame.tcp(from: [203, 0, 113, last]), Frame.tcp(from: [198, 51, 100, last]))
                #expect(try Self.verdict(program, here) == expected("203.0.113.\(last)"))
                #expect(try Self.verdict(program, there) == expected("198.51.100.\(last)"))
                #expect(try Self.verdict(program, Frame.tcp6(from: last)) == expected("2001:db8::\(last)"))
            }
            #expect(try program.read(.deny, max: 100).count == turn.count)
        }
    }

    @Test("hits are counted where they happen")
    func hits() throws {
        let program = try Kernel.load(entries: 1000)
        var lists = NetworkLists(program)
        try lists.add([try rule("203.0.113.0/24")])
        for _ in 0..<5 { _ = try program.run("packets", on: Frame.tcp()) }
        #expect(try program.read(.deny, max: 10).map(\.hits) == [5])
    }

    @Test("records that are wanted are emitted, sampled out or lost, and nothing else")
    func accounting() throws {
        let program = try Kernel.load(entries: 100)
        var settings = program.settings
        settings.budget = (.max, .max, .max, .max, .max, .max)
        program.set(settings)
        // Nobody reads the ring: it fills.
        _ = try program.run("packets", on: Frame.tcp(flags: 2), repeats: 100_000)
        var counters = KernelCounters(try program.counters())
        #expect(counters.wanted == 100_000 && counters.lost > 0 && counters.sampledOut == 0)
        #expect(counters.wanted == counters.emitted + counters.sampledOut + counters.lost)
        settings.budget = (10, 10, 10, 10, 10, 10)
        program.set(settings)
        _ = try program.run("packets", on: Frame.tcp(flags: 2), repeats: 100_000)
        counters = KernelCounters(try program.counters())
        #expect(counters.wanted == 200_000 && counters.sampledOut > 50_000)
        #expect(counters.wanted == counters.emitted + counters.sampledOut + counters.lost)
    }
}
