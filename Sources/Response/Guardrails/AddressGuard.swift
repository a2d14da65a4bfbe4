package import IronpostCore

/// Which addresses must not be blocked, whoever asks: what the host itself needs, and what people said.
package struct AddressGuard: Sendable {
    /// The host's own network, read anew for each question.
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
    }

    /// Networks that no stranger can have.
    private static let reserved: [IPNetwork] = [
        "0.0.0.0/8", "127.0.0.0/8", "224.0.0.0/4", "255.255.255.255/32", "::/128", "::1/128", "ff00::/8", "fe80::/10",
    ].compactMap { IPNetwork($0) }
    /// Wider networks cannot be blocked at all: half of the Internet is nobody's attacker.
    package static let prefixMinIPv4 = 8
    package static let prefixMinIPv6 = 16

    package var allowed: [IPNetwork]
    package var host: Host

    package init(allowed: [IPNetwork], host: Host = .this) {
        self.allowed = allowed
        self.host = host
    }

    /// The first reason against blocking `network`; nil when there is none.
    package func objection(to network: IPNetwork) -> Withheld? {
        let prefixMin = network.address.isIPv4 ? Self.prefixMinIPv4 : Self.prefixMinIPv6
        if network.prefix < prefixMin { return Withheld(.reserved, "wider than /\(prefixMin)") }
        if let met = Self.reserved.first(where: { $0.overlaps(network) }) { return Withheld(.reserved, "\(met)") }
        if let met = allowed.first(where: { $0.overlaps(network) }) { return Withheld(.allowList, "\(met)") }
        if let met = host.ownAddresses().filter(network.contains).min() { return Withheld(.ownAddress, "\(met)") }
        if let met = host.gateways().filter(network.contains).min() { return Withheld(.gateway, "\(met)") }
        if let met = host.nameServers().filter(network.contains).min() { return Withheld(.nameServer, "\(met)") }
        if let met = host.sessions(network).min() { return Withheld(.operatorSession, "\(met)") }
        return nil
    }
}
