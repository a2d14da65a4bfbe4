/// Where to listen, as written: a host (a name, an IPv4 or an IPv6 address) and a port.
package struct ListenAddress: Hashable, Sendable, CustomStringConvertible {
    static let form = "\"127.0.0.1:9477\", \"[::1]:9477\" or \"localhost:9477\"; port 0 for any free one"
    /// The longest host name of DNS.
    static let hostBytesMax = 253

    /// Without the brackets that an IPv6 address is written in.
    package var host: String
    /// 0 is any free port.
    package var port: UInt16

    package init(host: String, port: UInt16) {
        self.host = host
        self.port = port
    }

    package init?(_ text: String) {
        guard let colon = text.lastIndex(of: ":") else { return nil }
        let digits = text[text.index(after: colon)...].utf8
        guard (1...5).contains(digits.count),
            digits.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
            let port = UInt16(String(decoding: Array(digits), as: UTF8.self))
        else { return nil }
        var host = text[..<colon]
        let isBracketed = host.hasPrefix("[") && host.hasSuffix("]")
        if isBracketed { host = host.dropFirst().dropLast() }
        guard !host.isEmpty, host.utf8.count <= Self.hostBytesMax,
            host.utf8.allSatisfy({ Self.isHostByte($0, inBrackets: isBracketed) }),
            !isBracketed || host.contains(":")
        else { return nil }
        self.init(host: String(host), port: port)
    }

    package var description: String {
        host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
    }

    /// Letters, digits, dot, hyphen and underscore; in brackets also an IPv6 address's colons and zone.
    private static func isHostByte(_ byte: UInt8, inBrackets: Bool) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"):
            true
        case UInt8(ascii: ":"), UInt8(ascii: "%"): inBrackets
        default: false
        }
    }
}
