import Glibc
import IronpostCore

/// Stops and slows what is inside a cgroup by writing to the cgroup itself: works whatever the container engine does.
struct CgroupControl: Sendable {
    struct Fault: Error, CustomStringConvertible {
        var description: String
    }

    enum Limit: Sendable, Equatable {
        /// Version 1: quota and period in microseconds; a quota of -1 is none.
        case version1(quota: Int64, period: Int64)
        /// Version 2: as in `cpu.max`.
        case version2(String)
    }

    /// A task that hangs in the kernel freezes late; longer than this it counts as failed.
    static let freezePatience = Duration.seconds(2)

    /// Between attempts that start anew.
    static let thawInterval = Duration.milliseconds(300)

    let table: ProcessTable
    /// Where version 1's cpu controller is mounted.
    private let cpu: String?

    init(table: ProcessTable) {
        self.table = table
        cpu = table.mountOfController("cpu")
    }

    /// The container's freezer, if it is still the very cgroup that was looked up.
    private func freezer(_ record: ContainerRecord) throws -> (
        path: String, hierarchy: ContainerRecord.Cgroup.Hierarchy
    ) {
        // Version 1's, where there is one: it is the one that the engine itself uses there.
        for hierarchy in [ContainerRecord.Cgroup.Hierarchy.freezer, .unified] {
            guard let cgroup = record.cgroups.first(where: { $0.hierarchy == hierarchy }),
                let mount = table.mount(hierarchy)
            else { continue }
            let path = mount + cgroup.path
            guard ProcessTable.inode(path) == cgroup.inode else {
                throw Fault(description: "cgroup \(cgroup.path) is not the one that it was")
            }
            return (path, hierarchy)
        }
        throw Fault(description: "container \(record.shownName) has no cgroup that is known to be its own")
    }

    func isFrozen(_ record: ContainerRecord) throws -> Bool {
        let (path, hierarchy) = try freezer(record)
        switch hierarchy {
        case .freezer:
            return try read(path + "/freezer.state").hasPrefix("FROZEN")
        case .unified:
            return try read(path + "/cgroup.events").split(separator: "\n").contains("frozen 1")
        }
    }

    /// Returns once everything inside stands still (or runs again).
    func setFrozen(_ record: ContainerRecord, _ frozen: Bool) throws {
        let (path, hierarchy) = try freezer(record)
        let (file, value) =
            hierarchy == .freezer
            ? (path + "/freezer.state", frozen ? "FROZEN" : "THAWED") : (path + "/cgroup.freeze", frozen ? "1" : "0")
        let end = ContinuousClock.now + Self.freezePatience
        var pause: UInt32 = 50
        var thawing = ContinuousClock.now + Self.thawInterval
        while true {
            // Version 1 looks again at what was not frozen yet with every write.
            try write(value, to: file)
            if try isFrozen(record) == frozen {
                guard !frozen || isInside(record, hierarchy) else {
                    throw Fault(
                        description: "process \(record.pid) of container \(record.shownName) has left its cgroup "
                            + "and does not stand still")
                }
                return
            }
            guard ContinuousClock.now < end else {
                let moving = moving(in: path)
                if frozen { try? write(hierarchy == .freezer ? "THAWED" : "0", to: file) }
                throw Fault(
                    description: "cgroup \(path) did not \(frozen ? "freeze" : "thaw") within \(Self.freezePatience)"
                        + moving)
            }
            // Version 1 can lose a task that moves between cgroups meanwhile, and finds it when it starts anew.
            if frozen, hierarchy == .freezer, ContinuousClock.now > thawing {
                thawing = .now + Self.thawInterval
                try write("THAWED", to: file)
            }
            usleep(pause)
            pause = min(pause * 2, 10_000)
        }
    }

    /// What stands still is a cgroup: a process that may write to the hierarchy can have left it.
    private func isInside(_ record: ContainerRecord, _ hierarchy: ContainerRecord.Cgroup.Hierarchy) -> Bool {
        guard record.pid > 0, table.start(of: record.pid) == record.pidStart,
            let own = record.cgroups.first(where: { $0.hierarchy == hierarchy })?.path,
            let now = table.cgroupPaths(of: record.pid).first(where: { $0.hierarchy == hierarchy })?.path
        else { return true }
        return now == own || now.hasPrefix(own + "/")
    }

    /// Whether the container's own process stands still with its cgroup.
    func holds(_ record: ContainerRecord) throws -> Bool {
        try isFrozen(record) && isInside(record, freezer(record).hierarchy)
    }

    /// For people: a task of the cgroup itself that does not stand in the freezer, and what it waits for in the kernel.
    private func moving(in path: String) -> String {
        let tasks = (try? read(path + "/cgroup.procs")) ?? ""
        for task in tasks.split(separator: "\n").prefix(Self.tasksShownMax) {
            guard let place = try? read("/proc/\(task)/wchan"), !Self.freezers.contains(place) else { continue }
            let status = (try? read("/proc/\(task)/status")) ?? ""
            let state = status.split(separator: "\n").first { $0.hasPrefix("State:") }.map { $0.dropFirst(7) } ?? ""
            return "; process \(task) is still in state \(state), at \(place)"
        }
        return ""
    }

    private static let tasksShownMax = 256
    private static let freezers: Set<String> = ["__refrigerator", "do_freezer_trap"]

    // MARK: - Processor time

    private func cpuPlace(_ record: ContainerRecord) throws -> (path: String, isVersion2: Bool) {
        if let cpu, let own = record.cgroups.first?.path {
            let path = cpu + own
            if ProcessTable.inode(path) != nil { return (path, false) }
        }
        if let unified = table.unified, let cgroup = record.cgroups.first(where: { $0.hierarchy == .unified }) {
            let path = unified + cgroup.path
            if ProcessTable.inode(path) == cgroup.inode, ProcessTable.inode(path + "/cpu.max") != nil {
                return (path, true)
            }
        }
        throw Fault(description: "container \(record.shownName) has no cgroup that limits processor time")
    }

    func limit(_ record: ContainerRecord) throws -> Limit {
        let (path, isVersion2) = try cpuPlace(record)
        if isVersion2 { return .version2(try read(path + "/cpu.max")) }
        guard let quota = Int64(try read(path + "/cpu.cfs_quota_us")),
            let period = Int64(try read(path + "/cpu.cfs_period_us"))
        else { throw Fault(description: "\(path) tells no limit") }
        return .version1(quota: quota, period: period)
    }

    func setLimit(_ record: ContainerRecord, _ limit: Limit) throws {
        let (path, isVersion2) = try cpuPlace(record)
        switch limit {
        case .version1(let quota, let period) where !isVersion2:
            try write("\(period)", to: path + "/cpu.cfs_period_us")
            try write("\(quota)", to: path + "/cpu.cfs_quota_us")
        case .version2(let text) where isVersion2:
            try write(text, to: path + "/cpu.max")
        default:
            throw Fault(description: "the cgroups of this host changed their version")
        }
    }

    // MARK: - Files

    private func read(_ path: String) throws -> String {
        guard let bytes = ProcessTable.read(path) else {
            throw Fault(description: "cannot read \(path): \(unsafe String(cString: strerror(errno)))")
        }
        var text = String(decoding: bytes, as: UTF8.self)
        while text.hasSuffix("\n") { text.removeLast() }
        return text
    }

    private func write(_ text: String, to path: String) throws {
        let descriptor = unsafe open(path, O_WRONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw Fault(description: "cannot open \(path): \(unsafe String(cString: strerror(errno)))")
        }
        defer { close(descriptor) }
        let bytes = Array(text.utf8)
        guard unsafe Glibc.write(descriptor, bytes, bytes.count) == bytes.count else {
            throw Fault(description: "cannot write \(text) to \(path): \(unsafe String(cString: strerror(errno)))")
        }
    }
}
