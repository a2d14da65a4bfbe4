package import IronpostCore

/// A container's place in one network, as much of it as can be restored.
package struct NetworkPlace: Codable, Sendable, Hashable {
    package var id: String
    package var name: String
    package var address4: String
    package var address6: String
    package var aliases: [String]

    package static let aliasesMax = 32

    package init(id: String, name: String, address4: String, address6: String, aliases: [String]) {
        self.id = id
        self.name = name
        self.address4 = address4
        self.address6 = address6
        self.aliases = aliases
    }
}

/// What the engine says of a container now, of what acting on it depends on.
package struct EngineView: Sendable {
    package var isRunning: Bool
    package var isPaused: Bool
    package var pid: Int32
    package var networkMode: String
    package var networks: [NetworkPlace]
}

extension EngineClient {
    /// Throws `refused` with status 404 when the container is gone.
    package func view(_ id: ContainerID, timeout: Duration) throws(EngineFault) -> EngineView {
        let found = try inspect(id, timeout: timeout)
        let networks = (found.networkSettings?.networks ?? [:]).sorted { $0.key < $1.key }
        return EngineView(
            isRunning: found.state?.running ?? false, isPaused: found.state?.paused ?? false,
            pid: Int32(clamping: found.state?.pid ?? 0), networkMode: found.hostConfig?.networkMode ?? "",
            networks: networks.prefix(ContainerRecord.networksMax).map { name, endpoint in
                // The engine adds the short id by itself.
                let aliases = (endpoint.aliases ?? []).filter { $0 != id.short && !$0.isEmpty }
                return NetworkPlace(
                    id: endpoint.networkID ?? "", name: name, address4: endpoint.iPAddress ?? "",
                    address6: endpoint.globalIPv6Address ?? "", aliases: Array(aliases.prefix(NetworkPlace.aliasesMax)))
            })
    }

    /// Takes a container off a network; that it is not on it is success.
    package func leave(_ id: ContainerID, _ network: NetworkPlace, timeout: Duration) throws(EngineFault) {
        let reference = try Self.reference(network)
        do {
            try disconnect(id, network: reference, timeout: timeout)
        } catch .refused(let status, let message) {
            let view = try view(id, timeout: timeout)
            guard !view.networks.contains(where: { $0.name == network.name }) else {
                throw .refused(status: status, message: message)
            }
        }
    }

    /// Puts a container back on a network with its old addresses and aliases; that it is on it is success.
    /// - Returns: what could not be restored, for people.
    package func join(_ id: ContainerID, _ network: NetworkPlace, timeout: Duration) throws(EngineFault) -> String {
        let reference = try Self.reference(network)
        let wishes = InspectedContainer.Addressing(
            iPv4Address: network.address4.isEmpty ? nil : network.address4,
            iPv6Address: network.address6.isEmpty ? nil : network.address6)
        // The default bridge takes neither names nor wishes for an address; a network without a subnet of the user's takes
        // no wish. Both give the lowest free address, which is mostly the old one.
        var attempts: [ConnectDocument.Endpoint] = [
            ConnectDocument.Endpoint(iPAMConfig: wishes, aliases: network.aliases)
        ]
        attempts.append(ConnectDocument.Endpoint(iPAMConfig: nil, aliases: network.aliases))
        attempts.append(ConnectDocument.Endpoint(iPAMConfig: nil, aliases: nil))
        var last: EngineFault?
        for endpoint in attempts {
            do {
                try connect(id, network: reference, endpoint: endpoint, timeout: timeout)
                last = nil
                break
            } catch .refused(let status, let message) {
                last = .refused(status: status, message: message)
                if try view(id, timeout: timeout).networks.contains(where: { $0.name == network.name }) {
                    last = nil
                    break
                }
            }
        }
        if let last { throw last }
        let now = try view(id, timeout: timeout).networks.first { $0.name == network.name }
        guard let now else { throw .refused(status: 0, message: "\(network.name) was joined, and is not there") }
        var lost: [String] = []
        if !network.address4.isEmpty, now.address4 != network.address4 {
            lost.append("its address on \(network.name) is \(now.address4), it was \(network.address4)")
        }
        let missing = network.aliases.filter { !now.aliases.contains($0) }
        if !missing.isEmpty {
            lost.append("its aliases \(missing.joined(separator: ", ")) on \(network.name) are gone")
        }
        return lost.joined(separator: "; ")
    }

    /// Hexadecimal digits only: it stands in a URL.
    private static func reference(_ network: NetworkPlace) throws(EngineFault) -> String {
        guard ContainerID(network.id) != nil else { throw .malformed("network \(network.name) has no usable id") }
        return network.id
    }
}
