/// Which addresses must not be blocked, whoever asks: what the host itself needs, and what people said. Asked by the core,
/// which explains, and again by the responder, which refuses.
package struct AddressGuard: Sendable {
    /// Why not.
    package enum Objection: String, Sendable, CaseIterable {
        case reserved
        case allowList = "allow_list"
        case ownAddress = "own_address"
        case gateway
        case nameServer = "name_server"
        case operatorSession = "operator_session"
    }

    /// Where the host's own network is read.
    package struct Host: Sendable {
        package var ownAddresses: @Sendable () -> Set<IPAddress>
        package var gateways: @Sendable () -> Set<IPAddress>
        package var nameServers: @Sendable () -> Set<IPAddress>
        package var sessions: @Sendable (IPNetwork) -> Set<IPAddress>

        package init(
            ownAddresses: @escaping @Sendable () -> Set<IPAddress>, gateways: @escaping @Sendable () -> Set<IPAddress>,
            nameServers: @escaping @Sendable () -> Set<IPAddress>,
            sessions: @escaping @Sendable (IPNetwork) -> Set<IPAddress>
        ) {
            self.ownAddresses = ownAddresses
            self.gateways = gateways
            self.nameServers = nameServers
            self.sessions = sessions
        }

        package static let this = Host(
            ownAddresses: { HostNetwork.ownAddresses() }, gateways: { HostNetwork.gateways() },
            nameServers: { HostNetwork.nameServers() }, sessions: { HostNetwork.sshSessions(from: $0) }
        )

        /// As far as somebody without rights can see it: whose a connection is only the responder may look up, which
        /// does so before it blocks.
        package static let withoutSessions = Host(
            ownAddresses: { HostNetwork.ownAddresses() }, gateways: { HostNetwork.gateways() },
            nameServers: { HostNetwork.nameServers() }, sessions: { _ in [] }
        )
    }

    /// Networks that no stranger can have.
    private static let reserved: [IPNetwork] = [
        "0.0.0.0/8", "127.0.0.0/8", "224.0.0.0/4", "255.255.255.255/32", "::/128", "::1/128", "ff00::/8", "fe80::/10",
    ].compactMap { IPNetwork($0) }
    /// Wider networks cannot be blocked at all: a large part of the Internet is nobody's attacker.
    package static let prefixMinIPv4 = 8
    package static let prefixMinIPv6 = 16

    package var allowed: [IPNetwork]
    package var host: Host

    package init(allowed: [IPNetwork], host: Host = .this) {
        self.allowed = allowed
        self.host = host
    }

    /// The first reason against blocking `network`, and what of it was met; nil when there is none.
    package func objection(to network: IPNetwork) -> (why: Objection, met: String)? {
        let prefixMin = network.address.isIPv4 ? Self.prefixMinIPv4 : Self.prefixMinIPv6
        if network.prefix < prefixMin { return (.reserved, "wider than /\(prefixMin)") }
        if let met = Self.reserved.first(where: { $0.overlaps(network) }) { return (.reserved, "\(met)") }
        if let met = allowed.first(where: { $0.overlaps(network) }) { return (.allowList, "\(met)") }
        if let met = Self.first(of: host.ownAddresses(), in: network) { return (.ownAddress, "\(met)") }
        if let met = Self.first(of: host.gateways(), in: network) { return (.gateway, "\(met)") }
        if let met = Self.first(of: host.nameServers(), in: network) { return (.nameServer, "\(met)") }
        if let met = host.sessions(network).min() { return (.operatorSession, "\(met)") }
        return nil
    }

    private static func first(of addresses: Set<IPAddress>, in network: IPNetwork) -> IPAddress? {
        network.isHost && addresses.contains(network.address)
            ? network.address : network.isHost ? nil : addresses.filter(network.contains).min()
    }

    /// For many questions at one moment: the host's network is read once.
    /// - Parameter peers: who is connected at all; nobody else can be logged in.
    package func snapshot(peers: Set<IPAddress>) -> AddressGuard {
        let (own, gateways, servers) = (host.ownAddresses(), host.gateways(), host.nameServers())
        let sessions = host.sessions
        var copy = self
        copy.host = Host(
            ownAddresses: { own }, gateways: { gateways }, nameServers: { servers },
            sessions: { network in Self.first(of: peers, in: network) == nil ? [] : sessions(network) }
        )
        return copy
    }
}
