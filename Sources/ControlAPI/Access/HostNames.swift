/// The names under which the TCP side answers. A page of another site that makes its own name point to this host (DNS
/// rebinding) sends that name along, and is turned away.
package struct HostNames: Sendable {
    private let names: Set<String>

    /// - Parameters:
    ///   - configured: the host of `[http] listen`.
    ///   - local: the address of this end of the connection, where the configured one is a wildcard.
    package init(configured: String, local: String?) {
        var names: Set<String> = ["localhost", "127.0.0.1", "::1", Self.bare(configured)]
        if ["0.0.0.0", "::", ""].contains(Self.bare(configured)), let local { names.insert(Self.bare(local)) }
        names.subtract(["0.0.0.0", "::", ""])
        self.names = names
    }

    /// - Parameter authority: the `Host` header: a name or address, perhaps with a port.
    package func allow(_ authority: String) -> Bool {
        guard let host = Self.host(of: authority) else { return false }
        return names.contains(host)
    }

    private static func host(of authority: String) -> String? {
        if authority.first == "[" {
            guard let end = authority.firstIndex(of: "]"), isPort(authority[authority.index(after: end)...]) else {
                return nil
            }
            return bare(String(authority[...end]))
        }
        let parts = authority.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        guard let name = parts.first, parts.count == 1 || isPort(":" + parts[1]) else { return nil }
        return bare(String(name))
    }

    private static func isPort(_ text: some StringProtocol) -> Bool {
        if text.isEmpty { return true }
        guard text.first == ":" else { return false }
        return UInt16(text.dropFirst()) != nil
    }

    /// Lower case, without the brackets of an IPv6 address and the dot that ends a full name.
    private static func bare(_ host: String) -> String {
        var name = host.lowercased()
        if name.hasPrefix("["), name.hasSuffix("]") { name = String(name.dropFirst().dropLast()) }
        if name.hasSuffix(".") { name.removeLast() }
        return name
    }
}
