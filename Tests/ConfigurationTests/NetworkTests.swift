import IronpostCore
import Testing

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
