/// A container, as its engine describes it and as the kernel knows it.
///
/// Names, labels and the like are whatever somebody wrote: bounded here, and escaped wherever they are shown.
package struct ContainerRecord: Sendable, Hashable {
    package enum State: UInt8, Sendable, CaseIterable {
        case created, running, paused, restarting, removing, exited, dead, unknown

        package var word: String { "\(self)" }
        package var isAlive: Bool { self == .running || self == .paused || self == .restarting }
    }

    /// The container's place in one hierarchy of cgroups.
    package struct Cgroup: Sendable, Hashable {
        package enum Hierarchy: UInt8, Sendable, CaseIterable {
            /// Version 2, alone or beside version 1.
            case unified
            /// Version 1.
            case freezer
        }

        package var hierarchy: Hierarchy
        /// The kernel's number for it, never used twice while the system is up.
        package var inode: UInt64
        /// Below the hierarchy's root, as in `/docker/<id>`.
        package var path: String

        package var number: CgroupNumber { CgroupNumber(hierarchy: hierarchy, inode: inode) }

        package init(hierarchy: Hierarchy, inode: UInt64, path: String) {
            self.hierarchy = hierarchy
            self.inode = inode
            self.path = path
        }
    }

    package struct Network: Sendable, Hashable {
        package var name: String
        package var id: String
        package var address4: String
        package var address6: String

        package init(name: String, id: String, address4: String, address6: String) {
            self.name = name
            self.id = id
            self.address4 = address4
            self.address6 = address6
        }
    }

    // Bounds; what is beyond is cut or left out, and `isCut` says so.
    package static let nameBytesMax = 256
    package static let imageBytesMax = 512
    package static let labelsMax = 64
    package static let labelBytesMax = 512
    package static let networksMax = 32
    package static let pathBytesMax = 1024

    package var id: ContainerID
    package var name = ""
    package var image = ""
    package var imageDigest = ""
    package var labels: [String: String] = [:]
    package var state = State.unknown
    package var networks: [Network] = []
    package var networkMode = ""
    /// The container's first process; 0 while there is none.
    package var pid: Int32 = 0
    /// When that process started, in clock ticks since boot: with the pid it names a process for good.
    package var pidStart: UInt64 = 0
    package var cgroups: [Cgroup] = []
    /// Inode of the first process's network namespace; 0 when it is not known.
    package var networkNamespace: UInt64 = 0
    /// It is the host's, or another container's.
    package var sharesNetwork = false
    /// Indices of the host's interfaces whose other ends are inside.
    package var hostLinks: [UInt32] = []
    package var isPrivileged = false
    package var logDriver = ""
    package var logPath = ""
    package var created: Timestamp?
    package var started: Timestamp?
    package var finished: Timestamp?
    /// Something of what the engine told was cut or left out.
    package var isCut = false
    /// Why the engine's or the kernel's word about it is missing.
    package var fault = ""

    package init(id: ContainerID) {
        self.id = id
    }

    package var shownName: String { name.isEmpty ? id.short : name }
}

/// How far somebody knows what an inventory of containers knows.
package struct ContainerCursor: Sendable, Hashable {
    /// Of the inventory; another one, as after its process was started anew, makes everything before void.
    package var epoch: UInt64
    /// Changes up to this one are known.
    package var revision: UInt64
    /// Removals before this one are not needed: what was known then is known in its present form.
    package var asOf: UInt64

    package static let nothing = ContainerCursor(epoch: 0, revision: 0, asOf: 0)

    package init(epoch: UInt64, revision: UInt64, asOf: UInt64) {
        self.epoch = epoch
        self.revision = revision
        self.asOf = asOf
    }
}

/// What changed among the containers.
package struct ContainerChanges: Sendable {
    /// Where to go on.
    package var cursor: ContainerCursor
    /// Everything known before is void: what is here starts anew.
    package var isReset: Bool
    package var records: [ContainerRecord]
    package var removed: [ContainerID]
    /// There is more after `cursor` already.
    package var hasMore: Bool
    package var engine: EngineState

    package init(
        cursor: ContainerCursor, isReset: Bool, records: [ContainerRecord], removed: [ContainerID], hasMore: Bool,
        engine: EngineState
    ) {
        self.cursor = cursor
        self.isReset = isReset
        self.records = records
        self.removed = removed
        self.hasMore = hasMore
        self.engine = engine
    }
}

/// How it stands with the container engine.
package struct EngineState: Sendable, Hashable {
    package enum Link: UInt8, Sendable, CaseIterable {
        /// No socket there.
        case absent
        /// Found, and the containers are being read.
        case connecting
        /// The containers are known and followed.
        case following
        /// It was there and does not answer now.
        case lost
    }

    package var link: Link
    /// The version of its API that is spoken.
    package var version: String
    package var socket: String
    /// Why it is not followed.
    package var reason: String
    /// Containers beyond the bound, and those about which the engine could not be asked.
    package var leftOut: Int
    /// Times that the stream of events ended and everything was read anew.
    package var reconnects: Int

    package init(
        link: Link, version: String = "", socket: String, reason: String = "", leftOut: Int = 0, reconnects: Int = 0
    ) {
        self.link = link
        self.version = version
        self.socket = socket
        self.reason = reason
        self.leftOut = leftOut
        self.reconnects = reconnects
    }
}
