import CLinux
import Glibc
import NIOCore

/// Who is at the other end of a unix socket, told by the kernel at the time of the connect.
package struct PeerCredentials: Sendable, Hashable {
    package var pid: UInt32
    package var uid: UInt32
    package var gid: UInt32
    /// Supplementary groups; empty where the kernel does not tell (before 4.13).
    package var groups: [UInt32]

    package init(pid: UInt32, uid: UInt32, gid: UInt32, groups: [UInt32]) {
        self.pid = pid
        self.uid = uid
        self.gid = gid
        self.groups = groups
    }

    private static let groupsMax = 1024
    /// `SO_PEERGROUPS` of asm-generic/socket.h, which glibc's headers lack.
    private static let peerGroupsOption: Int32 = 59

    init?(descriptor: Int32) {
        var pid: UInt32 = 0
        var uid: UInt32 = 0
        var gid: UInt32 = 0
        guard unsafe ip_peer_credentials(descriptor, &pid, &uid, &gid) == 0 else { return nil }
        self.init(pid: pid, uid: uid, gid: gid, groups: Self.groups(descriptor: descriptor))
    }

    /// On the channel's event loop; `nil` for a channel without a socket, and for a peer that is already gone.
    init?(channel: any Channel) {
        let read = try? channel.pipeline.syncOperations.withUnsafeTransportIfAvailable(
            of: NIOBSDSocket.Handle.self
        ) { PeerCredentials(descriptor: $0) }
        guard let credentials = read ?? nil else { return nil }
        self = credentials
    }

    private static func groups(descriptor: Int32) -> [UInt32] {
        var groups = [UInt32](repeating: 0, count: groupsMax)
        var bytes = socklen_t(groups.count * MemoryLayout<UInt32>.stride)
        guard unsafe getsockopt(descriptor, SOL_SOCKET, peerGroupsOption, &groups, &bytes) == 0 else { return [] }
        return Array(groups.prefix(Int(bytes) / MemoryLayout<UInt32>.stride))
    }
}
