import CLinux
import Glibc
package import IronpostCore

/// Puts together what the engine tells of a container and what the kernel knows of its processes.
package struct ContainerSurvey: Sendable {
    /// Links of one container that are remembered.
    static let linksMax = 32
    /// Labels together; those of ours come first, so that others cannot push them out.
    static let labelBytesMax = 16 << 10
    static let ownLabelPrefix = "ironpost."

    let table: ProcessTable
    /// The network namespace in which we watch.
    private let home: String
    private let homeNamespace: UInt64

    /// - Parameter home: the network namespace whose interfaces are watched.
    package init(table: ProcessTable, home: String = "/proc/self/ns/net") {
        self.table = table
        self.home = home
        homeNamespace = ProcessTable.inode(home) ?? 0
    }

    func record(_ id: ContainerID, _ found: InspectedContainer) -> ContainerRecord {
        var record = ContainerRecord(id: id)
        let cut = { (text: String?, bytesMax: Int) -> String in
            let kept = (text ?? "").bounded(bytes: bytesMax)
            if kept != text ?? "" { record.isCut = true }
            return kept
        }
        let name = found.name ?? ""
        record.name = cut(name.hasPrefix("/") ? String(name.dropFirst()) : name, ContainerRecord.nameBytesMax)
        record.image = cut(found.config?.image, ContainerRecord.imageBytesMax)
        record.imageDigest = cut(found.image, ContainerRecord.imageBytesMax)
        record.networkMode = cut(found.hostConfig?.networkMode, ContainerRecord.nameBytesMax)
        record.logDriver = cut(found.hostConfig?.logConfig?.type, ContainerRecord.nameBytesMax)
        record.logPath = cut(found.logPath, ContainerRecord.pathBytesMax)
        record.labels = labels(found.config?.labels ?? [:], isCut: &record.isCut)
        record.isPrivileged = found.hostConfig?.privileged ?? false
        record.created = found.created.flatMap { Timestamp(rfc3339: $0) }
        record.started = time(found.state?.startedAt)
        record.finished = time(found.state?.finishedAt)
        record.state = state(found.state)
        record.networks = networks(found.networkSettings?.networks ?? [:], isCut: &record.isCut)
        addKernelSide(&record, pid: found.state?.pid ?? 0)
        return record
    }

    /// Docker writes year 1 for "never".
    private func time(_ text: String?) -> Timestamp? {
        text.flatMap { Timestamp(rfc3339: $0) }
    }

    private func state(_ status: InspectedContainer.Status?) -> ContainerRecord.State {
        let word = status?.status ?? ""
        if let known = ContainerRecord.State.allCases.first(where: { $0.word == word }), known != .unknown {
            // Podman says `running` of a container that is paused, in some versions.
            return known == .running && status?.paused == true ? .paused : known
        }
        if status?.paused == true { return .paused }
        if status?.running == true { return .running }
        return word == "stopped" ? .exited : .unknown
    }

    private func labels(_ all: [String: String], isCut: inout Bool) -> [String: String] {
        var kept: [String: String] = [:]
        var bytes = 0
        let ordered = all.sorted {
            let ours = ($0.key.hasPrefix(Self.ownLabelPrefix), $1.key.hasPrefix(Self.ownLabelPrefix))
            return ours.0 == ours.1 ? $0.key < $1.key : ours.0
        }
        for (key, whole) in ordered {
            let value = whole.bounded(bytes: ContainerRecord.labelBytesMax)
            let size = key.utf8.count + value.utf8.count
            // Of ours, one that is too long still says what it says.
            guard kept.count < ContainerRecord.labelsMax, key.utf8.count <= ContainerRecord.labelBytesMax,
                value == whole || key.hasPrefix(Self.ownLabelPrefix), bytes + size <= Self.labelBytesMax
            else {
                isCut = true
                continue
            }
            bytes += size
            kept[key.bounded(bytes: ContainerRecord.labelBytesMax)] = value
        }
        return kept
    }

    private func networks(
        _ all: [String: InspectedContainer.Endpoint], isCut: inout Bool
    ) -> [ContainerRecord.Network] {
        if all.count > ContainerRecord.networksMax { isCut = true }
        return all.sorted { $0.key < $1.key }.prefix(ContainerRecord.networksMax).map { name, endpoint in
            ContainerRecord.Network(
                name: name.bounded(bytes: ContainerRecord.nameBytesMax),
                id: (endpoint.networkID ?? "").bounded(bytes: 64),
                address4: (endpoint.iPAddress ?? "").bounded(bytes: 64),
                address6: (endpoint.globalIPv6Address ?? "").bounded(bytes: 64))
        }
    }

    // MARK: - The kernel's side

    private func addKernelSide(_ record: inout ContainerRecord, pid: Int) {
        record.sharesNetwork = record.networkMode == "host" || record.networkMode.hasPrefix("container:")
        guard record.state.isAlive, pid > 0, let pid = Int32(exactly: pid) else { return }
        guard let start = table.start(of: pid) else {
            record.fault = "process \(pid), which the engine names, does not exist"
            return
        }
        let cgroups = table.cgroupPaths(of: pid).compactMap { hierarchy, path in
            Self.own(record.id, path).flatMap { own in
                table.chain(hierarchy, own)?.first.map {
                    ContainerRecord.Cgroup(hierarchy: hierarchy, inode: $0, path: own)
                }
            }
        }
        let namespace = table.networkNamespace(of: pid) ?? 0
        let links = namespace == 0 || namespace == homeNamespace ? [] : hostLinks(of: pid)
        // All of it is one process's only if that is still there.
        guard table.start(of: pid) == start else {
            record.fault = "process \(pid), which the engine names, ended while it was looked at"
            return
        }
        record.pid = pid
        record.pidStart = start
        record.cgroups = cgroups
        record.networkNamespace = namespace
        record.hostLinks = links
        if namespace == homeNamespace { record.sharesNetwork = true }
        if cgroups.isEmpty { record.fault = "its first process is in no cgroup that bears its id" }
    }

    /// The part of a path down to the cgroup that was made for this container: the outermost component that bears its id
    /// as engines write it: `<id>`, `docker-<id>.scope`, `libpod-<id>.scope`, `cri-containerd-<id>.scope`,
    /// `crio-<id>.scope`, `<slice>:cri-containerd:<id>`. The engine's helpers beside it (`libpod-conmon-<id>.scope`) are
    /// not the container.
    static func own(_ id: ContainerID, _ path: String) -> String? {
        let parts = path.split(separator: "/")
        guard let index = parts.firstIndex(where: { bears(id, $0) }) else { return nil }
        return "/" + parts[...index].joined(separator: "/")
    }

    private static func bears(_ id: ContainerID, _ part: Substring) -> Bool {
        let name = part.hasSuffix(".scope") ? part.dropLast(6) : part
        guard name.hasSuffix(id.text) else { return false }
        let prefix = name.dropLast(ContainerID.digits)
        guard let separator = prefix.last else { return true }
        return (separator == "-" || separator == ":") && !prefix.hasSuffix("conmon-")
    }

    private func hostLinks(of pid: Int32) -> [UInt32] {
        let inside = unsafe open("\(table.proc)/\(pid)/ns/net", O_RDONLY | O_CLOEXEC)
        guard inside >= 0 else { return [] }
        defer { close(inside) }
        let home = unsafe open(home, O_RDONLY | O_CLOEXEC)
        guard home >= 0 else { return [] }
        defer { close(home) }
        var indices = [UInt32](repeating: 0, count: Self.linksMax)
        let count = unsafe ip_links_into(inside, home, &indices, Int32(Self.linksMax))
        return count > 0 ? Array(indices.prefix(Int(count))) : []
    }
}
