import IronpostCore
import Testing

@testable import Response

@Suite struct GuardTests {
    static func addresses(_ texts: String...) -> Set<IPAddress> { Set(texts.compactMap { IPAddress($0) }) }

    static let host = AddressGuard.Host(
        ownAddresses: { addresses("192.0.2.1", "2001:db8::1") }, gateways: { addresses("192.0.2.254") },
        nameServers: { addresses("198.51.100.53") },
        sessions: { network in addresses("203.0.113.22").filter(network.contains) }
    )
    static let guarding = AddressGuard(
        allowed: ["10.0.0.0/8", "203.0.113.99"].compactMap { IPNetwork($0) }, host: host)

    @Test(arguments: [
        ("192.0.2.1", "own_address"), ("192.0.2.0/24", "own_address"), ("2001:db8::1", "own_address"),
        ("2001:db8::/32", "own_address"), ("192.0.2.254", "gateway"), ("198.51.100.53", "name_server"),
        ("198.51.100.0/24", "name_server"), ("203.0.113.22", "operator_session"),
        ("203.0.113.16/28", "operator_session"),
        ("10.1.2.3", "allow_list"), ("10.0.0.0/8", "allow_list"), ("203.0.113.96/28", "allow_list"),
        ("127.0.0.1", "reserved"), ("::1", "reserved"), ("0.0.0.0", "reserved"), ("224.0.0.1", "reserved"),
        ("255.255.255.255", "reserved"), ("0.0.0.0/0", "reserved"), ("::/0", "reserved"), ("8.0.0.0/7", "reserved"),
        ("fe80::1", "reserved"), ("ff02::1", "reserved"), ("::ffff:127.0.0.1", "reserved"),
    ])
    func whatMustNotBeBlocked(text: String, why: String) throws {
        let network = try #require(IPNetwork(text))
        #expect(Self.guarding.objection(to: network)?.why.rawValue == why)
        #expect(
            Self.guarding.snapshot(peers: Self.addresses("203.0.113.22")).objection(to: network)?.why.rawValue == why)
    }

    @Test(arguments: ["203.0.113.7", "192.0.2.2", "198.51.100.54", "2001:db9::/32", "203.0.113.128/25"])
    func strangersMayBe(text: String) throws {
        #expect(Self.guarding.objection(to: try #require(IPNetwork(text))) == nil)
    }
}
