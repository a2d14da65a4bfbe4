import Glibc

/// A process for good: its number, when it started, and the cgroups it was in when it was looked at.
package struct ProcessIdentity: Sendable, Hashable {
    package var pid: Int32
    /// Clock ticks since boot.
    package var start: UInt64
    /// Every cgroup it was in, in each hierarchy from its own up to just below the root; none when it is in the roots.
    package var cgroups: [CgroupNumber]
    /// Path in the unified hierarchy, where there is one.
    package var path: String

    package init(pid: Int32, start: UInt64, cgroups: [CgroupNumber], path: String = "") {
        self.pid = pid
        self.start = start
        self.cgroups = cgroups
        self.path = path
    }
}

/// The kernel's number for a cgroup: unique in its hierarchy, and not given out twice while the system is up.
package struct CgroupNumber: Sendable, Hashable {
    package var hierarchy: ContainerRecord.Cgroup.Hierarchy
    package var inode: UInt64

    package init(hierarchy: ContainerRecord.Cgroup.Hierarchy, inode: UInt64) {
        self.hierarchy = hierarchy
        self.inode = inode
    }
}

/// What the kernel tells of processes and cgroups, through /proc and the cgroup file systems.
package struct ProcessTable: Sendable {
    /// Components of a cgroup's path; deeper ones are not looked at, and then nothing is proved by them.
    package static let depthMax = 32
    package static let fileBytesMax = 64 << 10
    /// Of the clock in which starts are told.
    static let ticksPerSecond = UInt64(max(1, sysconf(Int32(_SC_CLK_TCK))))

    package let proc: String
    /// Where the hierarchies are mounted.
    package let unified: String?
    package let freezer: String?

    /// - Parameter proc: where /proc is.
    package init(proc: String = "/proc") {
        self.proc = proc
        let mounts = Self.mounts(Self.read("\(proc)/self/mountinfo") ?? [])
        unified = mounts.unified
        freezer = mounts.freezer
    }

    package init(proc: String, unified: String?, freezer: String?) {
        self.proc = proc
        self.unified = unified
        self.freezer = freezer
    }

    package func mount(_ hierarchy: ContainerRecord.Cgroup.Hierarchy) -> String? {
        switch hierarchy {
        case .unified: unified
        case .freezer: freezer
        }
    }

    // MARK: - A process

    /// Who has this number now, if it is the one that had it at `time`: a process that started later is another one.
    ///
    /// Nothing is told of a process that ended meanwhile, and of one whose cgroups changed while they were read.
    package func identity(of pid: Int32, at time: Timestamp, clock: any TimeSource) -> ProcessIdentity? {
        guard pid > 0, let start = start(of: pid) else { return nil }
        let startedAgo = clock.uptime() - Int64(clamping: start) * (1_000_000_000 / Int64(Self.ticksPerSecond))
        guard clock.now().nanoseconds - startedAgo <= time.nanoseconds else { return nil }
        let places = cgroupPaths(of: pid)
        var cgroups: [CgroupNumber] = []
        guard !places.isEmpty else { return nil }
        for place in places where mount(place.hierarchy) != nil {
            guard let chain = chain(place.hierarchy, place.path) else { return nil }
            for inode in chain {
                cgroups.append(CgroupNumber(hierarchy: place.hierarchy, inode: inode))
            }
        }
        // The number may have gone to another process while its files were read.
        guard self.start(of: pid) == start else { return nil }
        return ProcessIdentity(
            pid: pid, start: start, cgroups: cgroups, path: places.first { $0.hierarchy == .unified }?.path ?? "")
    }

    /// When a process started, in clock ticks since boot.
    package func start(of pid: Int32) -> UInt64? {
        guard let bytes = Self.read("\(proc)/\(pid)/stat") else { return nil }
        // The second field is the program's name in parentheses, and may hold any byte.
        guard let close = bytes.lastIndex(of: UInt8(ascii: ")")) else { return nil }
        let fields = bytes[(close + 1)...].split(separator: UInt8(ascii: " "))
        // The first of these is the third of the line; the start is the 22nd.
        guard fields.count > 19 else { return nil }
        return UInt64(String(decoding: fields[19], as: UTF8.self).trimmingLineFeed)
    }

    package func cgroupPaths(of pid: Int32) -> [(hierarchy: ContainerRecord.Cgroup.Hierarchy, path: String)] {
        Self.cgroupPaths(Self.read("\(proc)/\(pid)/cgroup") ?? [])
    }

    /// Reads `/proc/PID/cgroup`: `hierarchy:controllers:path` a line. A path may hold colons, but no line feed.
    static func cgroupPaths(_ bytes: [UInt8]) -> [(hierarchy: ContainerRecord.Cgroup.Hierarchy, path: String)] {
        bytes.split(separator: UInt8(ascii: "\n")).compactMap { line in
            let parts = line.split(separator: UInt8(ascii: ":"), maxSplits: 2, omittingEmptySubsequences: false)
            guard parts.count == 3 else { return nil }
            let controllers = String(decoding: parts[1], as: UTF8.self).split(separator: ",")
            // Undecodable bytes would name another directory.
            guard let path = String(validating: parts[2], as: UTF8.self) else { return nil }
            if parts[0].elementsEqual("0".utf8), controllers.isEmpty { return (.unified, path) }
            return controllers.contains("freezer") ? (.freezer, path) : nil
        }
    }

    /// The numbers of a cgroup and of all above it, from itself up to just below the root. `nil` when one is gone, when it
    /// lies too deep, or outside of what is mounted.
    package func chain(_ hierarchy: ContainerRecord.Cgroup.Hierarchy, _ path: String) -> [UInt64]? {
        guard let root = mount(hierarchy) else { return nil }
        let parts = path.split(separator: "/")
        guard parts.count <= Self.depthMax, !parts.contains(".."), path.first == "/" else { return nil }
        var inodes: [UInt64] = []
        for count in stride(from: parts.count, to: 0, by: -1) {
            guard let inode = Self.inode(root + "/" + parts[..<count].joined(separator: "/")) else { return nil }
            inodes.append(inode)
        }
        return inodes
    }

    /// The network namespace of a process, by number. Needs the right to look into it (root).
    package func networkNamespace(of pid: Int32) -> UInt64? { Self.inode("\(proc)/\(pid)/ns/net") }

    /// Of the file, or of what a link leads to.
    package static func inode(_ path: String) -> UInt64? {
        var status = stat()
        return unsafe stat(path, &status) == 0 ? UInt64(status.st_ino) : nil
    }

    // MARK: - Files

    /// A small file of the kernel's, cut at `fileBytesMax`.
    package static func read(_ path: String) -> [UInt8]? {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        while bytes.count < fileBytesMax {
            var count = 0
            let piece = unsafe [UInt8](unsafeUninitializedCapacity: 4096) { buffer, filled in
                unsafe count = Glibc.read(descriptor, buffer.baseAddress, 4096)
                filled = max(0, count)
            }
            if count < 0 { return nil }
            if count == 0 { return bytes }
            bytes += piece
        }
        return bytes
    }

    /// Where version 1 of a controller is mounted.
    package func mountOfController(_ name: String) -> String? {
        for line in (Self.read("\(proc)/self/mountinfo") ?? []).split(separator: UInt8(ascii: "\n")) {
            let fields = String(decoding: line, as: UTF8.self).split(separator: " ")
            guard let dash = fields.firstIndex(of: "-"), dash > 5, fields.count > dash + 3, fields[3] == "/",
                fields[dash + 1] == "cgroup", fields[dash + 3].split(separator: ",").contains(Substring(name))
            else { continue }
            return String(fields[4])
        }
        return nil
    }

    /// Where the hierarchies are mounted whole (a bind mount of a part would shift paths).
    static func mounts(_ mountinfo: [UInt8]) -> (unified: String?, freezer: String?) {
        var found: (unified: String?, freezer: String?) = (nil, nil)
        for line in mountinfo.split(separator: UInt8(ascii: "\n")) {
            let fields = String(decoding: line, as: UTF8.self).split(separator: " ")
            guard let dash = fields.firstIndex(of: "-"), dash > 5, fields.count > dash + 3, fields[3] == "/" else {
                continue
            }
            let place = String(fields[4])
            if fields[dash + 1] == "cgroup2" { found.unified = found.unified ?? place }
            if fields[dash + 1] == "cgroup", fields[dash + 3].split(separator: ",").contains("freezer") {
                found.freezer = found.freezer ?? place
            }
        }
        return found
    }
}

extension String {
    fileprivate var trimmingLineFeed: String { hasSuffix("\n") ? String(dropLast()) : self }
}
