package import IronpostCore

extension LiveDirectory: Attributor {
    /// Every clue is followed to a container by itself; all that lead somewhere must lead to the same one.
    package func attribute(_ clues: AttributionClues, at time: Timestamp, addresses: [String]) -> Attribution {
        read { state in
            // Where there are no containers, nothing is one's.
            guard !state.records.isEmpty || !state.departed.isEmpty else { return .host }
            guard !clues.isMixed else {
                return .unproved("its events come from several writers, or from writers that nobody vouches for")
            }
            var found: [ContainerID: String] = [:]
            var isHost = false
            var reasons: [String] = []
            for verdict in Self.verdicts(clues, at: time, hostNamespace: hostNamespace, state) {
                switch verdict {
                case .container(let id, let proof): found[id] = found[id].map { "\($0), \(proof)" } ?? proof
                case .host: isHost = true
                case .unproved(let reason): reasons.append(reason)
                }
            }
            if found.count > 1 || isHost && !found.isEmpty {
                return .unproved("the kernel's clues contradict each other")
            }
            // One clue that fails to lead anywhere does not take away what another proves; one that cannot be trusted
            // says so itself by contradicting.
            if let (id, proof) = found.first {
                guard let record = state.records[id] ?? state.departed[id]?.record else {
                    return .unproved("container \(id.short) is not known any more")
                }
                return .container(
                    ContainerReference(id: id.text, name: record.shownName, image: record.image, proof: proof))
            }
            if isHost { return .host }
            return .unproved((reasons + Self.hints(addresses, at: time, state)).joined(separator: "; "))
        }
    }

    private enum Verdict {
        case container(ContainerID, proof: String)
        case host
        case unproved(String)
    }

    private static func verdicts(
        _ clues: AttributionClues, at time: Timestamp, hostNamespace: UInt64, _ state: borrowing State
    ) -> [Verdict] {
        var verdicts: [Verdict] = []
        if let id = clues.logStream {
            let isKnown = state.records[id] != nil || state.departed[id] != nil
            verdicts.append(isKnown ? .container(id, proof: "log_stream") : .unproved("the log's container is unknown"))
        }
        if let process = clues.process {
            verdicts.append(verdict(process, state))
        } else if let path = clues.cgroupPath {
            verdicts.append(verdict(path: path, at: time, state))
        } else if clues.lostProcess {
            verdicts.append(.unproved("the process that wrote it was gone before it could be looked at"))
        }
        if let inode = clues.cgroup {
            let holders = state.cgroups.holders(of: CgroupNumber(hierarchy: .unified, inode: inode))
            verdicts.append(sole(holders, proof: "cgroup \(inode)", else: "cgroup \(inode) is no container's"))
        }
        if let namespace = clues.networkNamespace {
            if namespace == hostNamespace {
                verdicts.append(.unproved("it happened in the host's network, which containers may share"))
            } else {
                let holders = state.namespaces.holders(of: namespace, at: time)
                verdicts.append(
                    sole(holders, proof: "netns \(namespace)", else: "network namespace \(namespace) is no container's")
                )
            }
        }
        if let link = clues.ingressLink { verdicts.append(verdict(link: link, at: time, state)) }
        return verdicts.isEmpty ? [.unproved("nothing but its text tells where it comes from")] : verdicts
    }

    private static func sole(_ holders: Set<ContainerID>, proof: String, else reason: String) -> Verdict {
        guard let id = holders.first else { return .unproved(reason) }
        return holders.count == 1
            ? .container(id, proof: proof) : .unproved("\(holders.count) containers share \(proof)")
    }

    /// The outermost container whose cgroup is the process's own or one above it, in each hierarchy by itself. Numbers are
    /// compared, never names: who may make cgroups may name them as he likes.
    private static func verdict(_ process: ProcessIdentity, _ state: borrowing State) -> Verdict {
        var outermost: [ContainerRecord.Cgroup.Hierarchy: (id: ContainerID, inode: UInt64)] = [:]
        for cgroup in process.cgroups {
            let holders = state.cgroups.holders(of: cgroup)
            guard let id = holders.first else { continue }
            guard holders.count == 1 else {
                return .unproved("\(holders.count) containers share cgroup \(cgroup.inode)")
            }
            outermost[cgroup.hierarchy] = (id, cgroup.inode)
        }
        let ids = Set(outermost.values.map(\.id))
        guard ids.count <= 1 else { return .unproved("its process is in cgroups of different containers") }
        if let (id, inode) = outermost[.unified] ?? outermost[.freezer] {
            return .container(id, proof: "cgroup \(inode) of process \(process.pid) started at tick \(process.start)")
        }
        guard state.engine.link == .following else {
            return .unproved("the containers are not known now: \(state.engine.reason)")
        }
        guard let named = namedContainer(process.path) else { return .host }
        return .unproved(
            state.records[named] == nil
                ? "its cgroup is named after container \(named.short), which the engine does not know"
                : "its cgroup is named after container \(named.short), and is not that container's")
    }

    private static func verdict(path: String, at time: Timestamp, _ state: borrowing State) -> Verdict {
        var outermost: ContainerID?
        let parts = path.split(separator: "/")
        guard parts.count <= ProcessTable.depthMax else { return .unproved("its cgroup lies too deep") }
        for count in stride(from: parts.count, to: 0, by: -1) {
            let holders = state.paths.holders(of: "/" + parts[..<count].joined(separator: "/"), at: time)
            if holders.count > 1 { return .unproved("\(holders.count) containers had its cgroup's path") }
            outermost = holders.first ?? outermost
        }
        if let outermost { return .container(outermost, proof: "journal_cgroup \(path)") }
        guard state.engine.link == .following else {
            return .unproved("the containers are not known now: \(state.engine.reason)")
        }
        guard let named = namedContainer(path) else { return .host }
        return .unproved("its cgroup is named after container \(named.short), which did not have it then")
    }

    private static func verdict(link: UInt32, at time: Timestamp, _ state: borrowing State) -> Verdict {
        let holders = state.links.holders(of: link, at: time)
        guard let id = holders.first else { return .unproved("interface \(link) leads to no container that is known") }
        guard holders.count == 1 else { return .unproved("interface \(link) leads to \(holders.count) containers") }
        // Who shares a container's network sends through its interface as well.
        let namespace = (state.records[id] ?? state.departed[id]?.record)?.networkNamespace ?? 0
        let sharing = state.namespaces.holders(of: namespace, at: time)
        guard sharing.count <= 1 else { return .unproved("\(sharing.count) containers share the network behind it") }
        return .container(id, proof: "ingress interface \(link)")
    }

    /// The id that a cgroup's path claims, the outermost; a claim, no proof.
    private static func namedContainer(_ path: String) -> ContainerID? {
        for part in path.split(separator: "/") {
            let name = part.hasSuffix(".scope") ? part.dropLast(6) : part
            if let id = ContainerID(name.suffix(ContainerID.digits)) { return id }
        }
        return nil
    }

    private static func hints(_ addresses: [String], at time: Timestamp, _ state: borrowing State) -> [String] {
        addresses.flatMap { address in
            state.addresses.holders(of: address, at: time).compactMap { id in
                (state.records[id] ?? state.departed[id]?.record).map {
                    "a hint, no proof: \(address) was the address of container \($0.shownName)"
                }
            }
        }
    }
}
