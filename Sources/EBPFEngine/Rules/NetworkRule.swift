import CKernelObject
import CPacket
package import PacketDetection

/// Addresses that begin alike: `203.0.113.0/24`, `2001:db8::/32`.
package struct NetworkPrefix: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// Bits beyond the prefix are zero.
    package let address: PacketAddress
    /// Of the family's own addresses: 0 to 32, or 0 to 128.
    package let length: UInt8

    package init(_ address: PacketAddress, length: Int? = nil) {
        let width = address.isIPv4 ? 32 : 128
        let length = max(0, min(width, length ?? width))
        self.address = address.masked(length + (width == 32 ? 96 : 0))
        self.length = UInt8(length)
    }

    /// Reads an address or a CIDR; `nil` for anything else, also for a length that the family has not.
    package init?(_ text: some StringProtocol) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let first = parts.first, let address = PacketAddress(String(first)) else { return nil }
        guard parts.count == 2 else {
            self.init(address)
            return
        }
        guard !parts[1].isEmpty, parts[1].utf8.allSatisfy({ (0x30...0x39).contains($0) }), let length = Int(parts[1]),
            length <= (address.isIPv4 ? 32 : 128)
        else { return nil }
        self.init(address, length: length)
    }

    package var isIPv4: Bool { address.isIPv4 }

    package var description: String { "\(address)/\(length)" }

    package static func < (left: NetworkPrefix, right: NetworkPrefix) -> Bool {
        let (one, two) = (left.address, right.address)
        if one.high != two.high { return one.high.bigEndian < two.high.bigEndian }
        if one.low != two.low { return one.low.bigEndian < two.low.bigEndian }
        return left.length < right.length
    }
}

extension PacketAddress {
    /// The first `bits` of all 128; the others zero.
    func masked(_ bits: Int) -> PacketAddress {
        func mask(_ word: UInt64, _ bits: Int) -> UInt64 {
            if bits >= 64 { return word }
            if bits <= 0 { return 0 }
            return word & (UInt64.max << UInt64(64 - bits)).bigEndian
        }
        return PacketAddress(high: mask(high, bits), low: mask(low, bits - 64))
    }
}

/// What is to happen to packets from some addresses, to some ports.
package struct NetworkRule: Hashable, Sendable {
    package enum Action: UInt8, Sendable, CaseIterable {
        case block = 1
        case monitor = 2
        case allow = 3

        package var word: String {
            switch self {
            case .block: "block"
            case .monitor: "monitor"
            case .allow: "allow"
            }
        }

        package init?(word: String) {
            guard let action = Self.allCases.first(where: { $0.word == word }) else { return nil }
            self = action
        }
    }

    package var prefix: NetworkPrefix
    /// Of the destination; 0 for any.
    package var port: UInt16
    /// 0 for any.
    package var proto: UInt8
    package var action: Action
    /// In nanoseconds of CLOCK_BOOTTIME; 0 for never.
    package var expires: UInt64

    package init(
        _ prefix: NetworkPrefix, port: UInt16 = 0, proto: UInt8 = 0, action: Action = .block, expires: UInt64 = 0
    ) {
        self.prefix = prefix
        self.port = port
        self.proto = proto
        self.action = action
        self.expires = expires
    }

    var isScoped: Bool { port != 0 || proto != 0 }
    var list: ListName { action == .allow ? .allow : .deny }

    func isOver(at now: UInt64) -> Bool { expires != 0 && expires <= now }
}

/// What a prefix's rules come to in the kernel: one entry, and up to eight rules for ports.
struct CompiledPrefix {
    static let scopesMax = Int(IP_SCOPES_MAX)

    var entry: ip_list_entry
    /// Empty when there is none for single ports or protocols.
    var scopes: [ip_scope]
    /// Rules that found no place.
    var leftOut: Int

    /// Of a rule that is alone with its prefix and for all ports.
    static func entry(of rule: NetworkRule) -> ip_list_entry {
        var entry = ip_list_entry()
        entry.address = rule.prefix.address.raw
        entry.family = rule.prefix.isIPv4 ? 4 : 6
        entry.prefix = rule.prefix.length
        entry.action = rule.action.rawValue
        entry.expires = rule.expires
        return entry
    }

    /// - Parameter rules: all of one prefix and one list, at least one.
    init(_ prefix: NetworkPrefix, _ rules: some Sequence<NetworkRule>) {
        entry = ip_list_entry()
        entry.address = prefix.address.raw
        entry.family = prefix.isIPv4 ? 4 : 6
        entry.prefix = prefix.length
        scopes = []
        leftOut = 0
        for rule in rules {
            guard rule.isScoped else {
                // Blocking wins over watching, longer over shorter.
                let isStronger = entry.action == 0 || rule.action.rawValue < entry.action
                let isEqual = rule.action.rawValue == entry.action
                if isStronger || isEqual && (rule.expires == 0 || (entry.expires != 0 && rule.expires > entry.expires))
                {
                    entry.action = rule.action.rawValue
                    entry.expires = rule.expires
                }
                continue
            }
            let scope = ip_scope(
                expires: rule.expires, port: rule.port, protocol: rule.proto, action: rule.action.rawValue, unused: 0)
            if let same = scopes.firstIndex(where: { $0.port == scope.port && $0.protocol == scope.protocol }) {
                if scope.action <= scopes[same].action { scopes[same] = scope }
            } else if scopes.count < Self.scopesMax {
                scopes.append(scope)
            } else {
                leftOut += 1
            }
        }
        // The kernel takes the first that fits.
        scopes.sort { $0.action < $1.action }
    }

    var kernelScopes: ip_scopes {
        func at(_ index: Int) -> ip_scope { index < scopes.count ? scopes[index] : ip_scope() }
        return ip_scopes(scope: (at(0), at(1), at(2), at(3), at(4), at(5), at(6), at(7)))
    }
}
