import CLinux

#if canImport(Glibc)
    import Glibc
#endif

/// What this host's network says must not be blocked, read anew each time: it changes.
///
/// Read by the daemon, to explain, and again by the responder, to be sure.
package enum HostNetwork {
    /// Bytes read of one of the kernel's tables at most.
    private static let tableBytesMax = 16 << 20
    private static let processesMax = 65_536
    private static let descriptorsMax = 4096

    /// The host's own addresses, loopback among them.
    package static func ownAddresses() -> Set<IPAddress> {
        var found: Set<IPAddress> = []
        #if canImport(Glibc)
            var list: UnsafeMutablePointer<ifaddrs>?
            guard unsafe getifaddrs(&list) == 0 else { return found }
            defer { unsafe freeifaddrs(list) }
            var next = unsafe list
            while let entry = unsafe next {
                if let address = unsafe entry.pointee.ifa_addr, let own = unsafe Self.address(address) {
                    found.insert(own)
                }
                unsafe next = entry.pointee.ifa_next
            }
        #endif
        return found
    }

    #if canImport(Glibc)
        private static func address(_ pointer: UnsafeMutablePointer<sockaddr>) -> IPAddress? {
            switch Int32(unsafe pointer.pointee.sa_family) {
            case AF_INET:
                let bits = unsafe UnsafeRawPointer(pointer).loadUnaligned(as: sockaddr_in.self).sin_addr.s_addr
                return IPAddress(ipv4: UInt32(bigEndian: bits))
            case AF_INET6:
                let bits = unsafe UnsafeRawPointer(pointer).loadUnaligned(as: sockaddr_in6.self).sin6_addr
                return unsafe withUnsafeBytes(of: bits) { unsafe IPAddress(bytes: $0) }
            default:
                return nil
            }
        }
    #endif

    /// The routers that packets to elsewhere go through.
    package static func gateways(root: String = "/proc/net") -> Set<IPAddress> {
        var found: Set<IPAddress> = []
        for line in lines(root + "/route").dropFirst() {
            let columns = line.split(whereSeparator: { $0 == "\t" || $0 == " " })
            // Little-endian as the kernel keeps it.
            guard columns.count > 3, let gateway = UInt32(columns[2], radix: 16), gateway != 0 else { continue }
            found.insert(IPAddress(ipv4: gateway.byteSwapped))
        }
        for line in lines(root + "/ipv6_route") {
            let columns = line.split(separator: " ")
            guard columns.count > 4, let gateway = address(hex: columns[4], isSwapped: false) else { continue }
            if gateway.high != 0 || gateway.low != 0 { found.insert(gateway) }
        }
        return found
    }

    /// The servers that names are asked of.
    package static func nameServers(file: String = "/etc/resolv.conf") -> Set<IPAddress> {
        var found: Set<IPAddress> = []
        for line in lines(file) {
            let words = line.split(whereSeparator: { $0 == " " || $0 == "\t" })
            guard words.count > 1, words[0] == "nameserver" else { continue }
            if let address = IPAddress(words[1].prefix { $0 != "%" }) { found.insert(address) }
        }
        return found
    }

    /// The other end of an established TCP connection, and its socket's inode.
    package struct Peer: Hashable, Sendable {
        package var address: IPAddress
        package var inode: UInt64
    }

    /// The other ends of established TCP connections, of all of them or of those within a network.
    package static func tcpPeers(in network: IPNetwork? = nil) -> [Peer] {
        if let peers = diagnosed(network) { return peers }
        let peers = listed()
        return network.map { network in peers.filter { network.contains($0.address) } } ?? peers
    }

    private static let peersMax: Int32 = 1 << 20

    /// As the kernel picks them out; nil where it has no socket diagnosis.
    static func diagnosed(_ network: IPNetwork?) -> [Peer]? {
        let family = network?.address.isIPv4 == true ? AF_INET : AF_INET6
        var room: Int32 = 256
        while true {
            var peers = [ip_tcp_peer](repeating: ip_tcp_peer(), count: Int(room))
            let found = unsafe ip_tcp_peers(
                family, network?.address.bytes ?? [], UInt8(network?.prefix ?? 0), &peers, room)
            guard found >= 0 else { return nil }
            guard found <= room || room == peersMax else {
                // As many again, for those that come meanwhile.
                room = found > peersMax / 2 ? peersMax : found * 2
                continue
            }
            return peers.prefix(Int(found)).compactMap { peer in
                let bytes = unsafe withUnsafeBytes(of: peer.address) { unsafe Array($0) }
                let address = IPAddress(bytes: bytes.prefix(peer.family == UInt32(AF_INET) ? 4 : 16))
                return address.map { Peer(address: $0, inode: UInt64(peer.inode)) }
            }
        }
    }

    /// As text: the kernel goes through its whole table of connections for each piece of it.
    static func listed(root: String = "/proc/net") -> [Peer] {
        var found: [Peer] = []
        for table in ["/tcp", "/tcp6"] {
            for line in lines(root + table).dropFirst() {
                let columns = line.split(separator: " ", maxSplits: 10)
                guard columns.count > 9, columns[3] == "01", let colon = columns[2].firstIndex(of: ":"),
                    let peer = address(hex: columns[2][..<colon], isSwapped: true), let inode = UInt64(columns[9])
                else { continue }
                found.append(Peer(address: peer, inode: inode))
            }
        }
        return found
    }

    /// The addresses inside `network` from which somebody is logged in over SSH right now: connections that an sshd
    /// holds after its user proved who he is. Somebody who still tries is none.
    package static func sshSessions(from network: IPNetwork) -> Set<IPAddress> {
        let peers = tcpPeers(in: network)
        guard !peers.isEmpty else { return [] }
        let byInode = Dictionary(peers.map { ($0.inode, $0.address) }, uniquingKeysWith: { first, _ in first })
        var found: Set<IPAddress> = []
        for process in names(in: "/proc", max: processesMax) where UInt32(process) != nil {
            guard isLoggedIn(process) else { continue }
            for descriptor in names(in: "/proc/\(process)/fd", max: descriptorsMax) {
                guard let target = link("/proc/\(process)/fd/\(descriptor)"), target.hasPrefix("socket:["),
                    let inode = UInt64(target.dropFirst(8).dropLast()), let address = byInode[inode]
                else { continue }
                found.insert(address)
            }
        }
        return found
    }

    /// Whether a process is sshd's end of a session: `sshd: alice@pts/0`, `sshd-session: alice@notty`. Before that the
    /// title ends in `[preauth]`, `[net]`, `[priv]` or `[accepted]`.
    private static func isLoggedIn(_ process: String) -> Bool {
        guard let comm = lines("/proc/\(process)/comm").first, comm.hasPrefix("sshd") else { return false }
        let title = text("/proc/\(process)/cmdline").prefix { $0 != "\0" }
        guard title.hasPrefix("sshd: ") || title.hasPrefix("sshd-session: ") else { return false }
        return title.contains("@") && !title.contains("[")
    }

    // MARK: - Reading

    /// The kernel's hexadecimal form: of IPv4 one word, of IPv6 four; in /proc/net/tcp each in the host's byte order.
    private static func address(hex: Substring, isSwapped: Bool) -> IPAddress? {
        let digits = Array(hex.utf8)
        guard digits.count == 8 || digits.count == 32 else { return nil }
        var bytes: [UInt8] = []
        for start in stride(from: 0, to: digits.count, by: 8) {
            guard let word = UInt32(String(decoding: digits[start..<start + 8], as: UTF8.self), radix: 16) else {
                return nil
            }
            let ordered = isSwapped ? word.byteSwapped : word
            for shift in [24, 16, 8, 0] as [UInt32] { bytes.append(UInt8(truncatingIfNeeded: ordered >> shift)) }
        }
        return IPAddress(bytes: bytes)
    }

    private static func lines(_ path: String) -> [Substring] {
        text(path).split(separator: "\n", omittingEmptySubsequences: true)
    }

    private static func text(_ path: String) -> String {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return "" }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 65_536)
        while bytes.count < tableBytesMax {
            let count = unsafe read(descriptor, &piece, piece.count)
            guard count > 0 else { break }
            bytes += piece[..<count]
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func names(in directory: String, max: Int) -> [String] {
        guard let handle = unsafe opendir(directory) else { return [] }
        defer { unsafe closedir(handle) }
        var found: [String] = []
        while found.count < max, let entry = unsafe readdir(handle) {
            let name = unsafe withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if !name.hasPrefix(".") { found.append(name) }
        }
        return found
    }

    private static func link(_ path: String) -> String? {
        var buffer = [CChar](repeating: 0, count: 256)
        let length = unsafe readlink(path, &buffer, buffer.count)
        guard length > 0 else { return nil }
        return String(decoding: buffer[..<length].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
