import Glibc
import Testing

@testable import IronpostCore

@Suite struct NetworkTests {
    @Test(arguments: [
        ("203.0.113.7", "203.0.113.7"), ("::1", "::1"), ("2001:DB8:0:0:0:0:0:1", "2001:db8::1"),
        ("::ffff:203.0.113.7", "203.0.113.7"), ("::ffff:cb00:7107", "203.0.113.7"), ("0.0.0.0", "0.0.0.0"),
    ])
    func addressesAreReadAndWritten(text: String, expected: String) throws {
        #expect(try #require(IPAddress(text)).description == expected)
    }

    @Test(arguments: [
        "", "1.2.3", "1.2.3.4.5", "01.2.3.4", "256.1.1.1", "1.2.3.4 ", "fe80::1%eth0", ":::", "localhost", "1.2.3.4\0",
        "0x7f.0.0.1", "2130706433",
    ])
    func anythingElseIsNone(text: String) {
        #expect(IPAddress(text) == nil)
    }

    @Test func literalsAreThoseOfTheSystem() {
        var random = SystemRandomNumberGenerator()
        let pieces = [
            "0", "1", "9", "10", "99", "100", "249", "255", "256", "999", "01", "", ".", "..", "1000", " ", "a",
        ]
        for round in 0..<20_000 {
            let count = round % 3 == 0 ? Int.random(in: 1...6, using: &random) : 4
            let text = (0..<count).map { _ in pieces.randomElement(using: &random) ?? "" }.joined(separator: ".")
            var address = in_addr()
            let isAddress = unsafe inet_pton(AF_INET, text, &address) == 1
            let ours = IPAddress(text)
            #expect((ours != nil) == isAddress, "\(text)")
            if isAddress {
                #expect(ours?.low == UInt64(UInt32(bigEndian: address.s_addr)) && ours?.description == text)
            }
        }
    }

    @Test func networksDropWhatDoesNotCount() throws {
        #expect(try #require(IPNetwork("10.1.2.3/8")).description == "10.0.0.0/8")
        #expect(try #require(IPNetwork("2001:db8:1::1/32")).description == "2001:db8::/32")
        #expect(try #require(IPNetwork("0.0.0.0/0")).description == "0.0.0.0/0")
        #expect(try #require(IPNetwork("10.1.2.3/32")).description == "10.1.2.3")
        for text in ["10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/+8", "/8", "::/129", "::ffff:1.2.3.4/96"] {
            #expect(IPNetwork(text) == nil, "\(text)")
        }
    }

    @Test func networksContainAndOverlap() throws {
        let wide = try #require(IPNetwork("10.0.0.0/8"))
        let narrow = try #require(IPNetwork("10.200.0.0/16"))
        #expect(wide.contains(narrow) && !narrow.contains(wide) && wide.overlaps(narrow) && narrow.overlaps(wide))
        #expect(wide.contains(try #require(IPAddress("10.255.255.255"))))
        #expect(!wide.contains(try #require(IPAddress("11.0.0.0"))))
        #expect(!(try #require(IPNetwork("::/0"))).contains(try #require(IPAddress("10.0.0.1"))))
        let six = try #require(IPNetwork("2001:db8::/33"))
        #expect(six.contains(try #require(IPAddress("2001:db8:7fff::"))))
        #expect(!six.contains(try #require(IPAddress("2001:db8:8000::"))))
    }

    @Test(arguments: ["203.0.113.7", "203.0.113.0/24 tcp port 22", "2001:db8::/32 udp", "203.0.113.7 port 80"])
    func targetsComeBack(text: String) throws {
        #expect(try #require(BlockTarget(text)).description == text)
    }

    @Test(arguments: ["", "x", "203.0.113.7 icmp", "203.0.113.7 port", "203.0.113.7 port 0", "203.0.113.7 port 65536"])
    func noTargets(text: String) {
        #expect(BlockTarget(text) == nil)
    }

    @Test func theHostKnowsItsOwnAddresses() throws {
        #expect(HostNetwork.ownAddresses().contains(try #require(IPAddress("127.0.0.1"))))
        #expect(HostNetwork.gateways(root: "/nowhere").isEmpty && HostNetwork.nameServers(file: "/nowhere").isEmpty)
    }

    /// A listener for both families and one who connects over IPv4: to the kernel an IPv4 address in its IPv6 form.
    private static func connection() throws -> (listener: Int32, client: Int32, accepted: Int32) {
        let listener = socket(AF_INET6, Int32(SOCK_STREAM.rawValue), 0)
        let client = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var any = sockaddr_in6()
        any.sin6_family = sa_family_t(AF_INET6)
        var length = socklen_t(MemoryLayout<sockaddr_in6>.size)
        let isListening = unsafe withUnsafeMutablePointer(to: &any) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                unsafe bind(listener, address, length) == 0 && listen(listener, 1) == 0
                    && getsockname(listener, address, &length) == 0
            }
        }
        try #require(isListening)
        var home = sockaddr_in()
        home.sin_family = sa_family_t(AF_INET)
        home.sin_port = any.sin6_port
        home.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let isConnected = unsafe withUnsafePointer(to: &home) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                unsafe connect(client, address, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
        try #require(isConnected)
        return (listener, client, accept(listener, nil, nil))
    }

    @Test func connectionsAreFoundByBothWays() throws {
        let (listener, client, accepted) = try Self.connection()
        defer { for socket in [listener, client, accepted] { close(socket) } }
        func inode(_ socket: Int32) -> UInt64 {
            var status = stat()
            _ = unsafe fstat(socket, &status)
            return UInt64(status.st_ino)
        }
        let home = try #require(IPAddress("127.0.0.1"))
        let wanted = Set([client, accepted].map { HostNetwork.Peer(address: home, inode: inode($0)) })
        #expect(wanted.isSubset(of: HostNetwork.listed()))
        #expect(wanted.isSubset(of: HostNetwork.tcpPeers()))
        #expect(!HostNetwork.tcpPeers().contains { $0.inode == inode(listener) })
        for network in ["127.0.0.1", "127.0.0.0/8", "126.0.0.0/7"].compactMap({ IPNetwork($0) }) {
            #expect(wanted.isSubset(of: HostNetwork.tcpPeers(in: network)), "\(network)")
        }
        for network in ["127.0.0.2", "128.0.0.0/1", "::1", "2000::/3"].compactMap({ IPNetwork($0) }) {
            #expect(wanted.isDisjoint(with: HostNetwork.tcpPeers(in: network)), "\(network)")
        }
        guard let diagnosed = HostNetwork.diagnosed(nil) else {
            print("passed over: no socket diagnosis")
            return
        }
        #expect(wanted.isSubset(of: diagnosed))
    }

    @Test func aDeadlineDoesNotMoveWithTheWallClock() {
        let clock = ManualTime()
        let deadline = Deadline(after: .seconds(60), clock: clock, boot: "a")
        clock.jump(to: clock.now().advanced(by: .seconds(86_400)))
        #expect(deadline.remaining(clock: clock, boot: "a") == .seconds(60))
        clock.advance(by: .seconds(61))
        #expect(deadline.remaining(clock: clock, boot: "a") == .seconds(-1))
        // After another boot only the wall clock is left.
        clock.jump(to: deadline.time.advanced(by: .seconds(-10)))
        #expect(deadline.remaining(clock: clock, boot: "b") == .seconds(10))
    }
}
