import Glibc

/// What a client may do; each role may do what the one before may.
package enum Role: String, Sendable, Comparable {
    /// Reads.
    case viewer
    /// Starts what is harmless or can be undone.
    case `operator`
    /// Stops and changes the daemon.
    case admin

    private var rank: Int {
        switch self {
        case .viewer: 0
        case .operator: 1
        case .admin: 2
        }
    }

    package static func < (left: Role, right: Role) -> Bool { left.rank < right.rank }

    /// The role of a control socket's peer: root and the daemon's own user are admins, members of the socket's group
    /// operators, anybody else whom the socket's mode lets in a viewer.
    package init(peer: PeerCredentials, daemonUID: UInt32, socketGID: UInt32) {
        if peer.uid == 0 || peer.uid == daemonUID {
            self = .admin
        } else if peer.gid == socketGID || peer.groups.contains(socketGID) {
            self = .operator
        } else {
            self = .viewer
        }
    }
}
