import CKernelObject
import CPacket
import PacketDetection

/// The rules in force, and the kernel's lists that carry them out.
///
/// Two sources: files, exchanged as a whole, and commands, one by one. Not thread-safe; its owner serialises.
package struct NetworkLists {
    private let program: KernelProgram
    /// Sorted by prefix.
    private var filed: [ListName: [NetworkRule]] = [:]
    private var commanded: [NetworkPrefix: [NetworkRule]] = [:]
    /// Where each prefix's rules for ports are in the kernel.
    private var places: [Place: UInt32] = [:]
    private var freePlaces: [UInt32] = []
    private var nextPlace: UInt32 = 1
    /// When the first of the commanded rules is over; never is the largest number.
    private var firstEnd = UInt64.max
    /// Rules that have no effect, for want of room.
    package private(set) var leftOut = 0

    private struct Place: Hashable {
        var list: ListName
        var prefix: NetworkPrefix
    }

    package init(_ program: KernelProgram) {
        self.program = program
    }

    package var commandedCount: Int { commanded.values.reduce(0) { $0 + $1.count } }
    package var filedCount: Int { filed.values.reduce(0) { $0 + $1.count } }

    /// Rules of commands, sorted.
    package var commandedRules: [NetworkRule] {
        commanded.keys.sorted().flatMap { commanded[$0] ?? [] }
    }

    /// Finds what an earlier run left in the kernel: it goes on. What has no end came from files, and stays until they are
    /// read; the rest came from commands.
    /// - Parameter max: entries that are looked at.
    package mutating func adopt(max: Int) throws(KernelProgram.Fault) {
        for list in ListName.allCases {
            for entry in try program.read(list, max: max) {
                let prefix = NetworkPrefix(PacketAddress(entry.address), length: Int(entry.prefix))
                adopt(prefix, entry.action, expires: entry.expires)
                guard entry.scopes != 0 else { continue }
                let scopes = try program.scopes(at: entry.scopes).scope
                for scope in [scopes.0, scopes.1, scopes.2, scopes.3, scopes.4, scopes.5, scopes.6, scopes.7] {
                    adopt(prefix, scope.action, port: scope.port, proto: scope.protocol, expires: scope.expires)
                }
                places[Place(list: list, prefix: prefix)] = entry.scopes
                nextPlace = Swift.max(nextPlace, entry.scopes + 1)
            }
            filed[list]?.sort { $0.prefix < $1.prefix }
        }
        // Looked at with the next sweep.
        firstEnd = 0
    }

    private mutating func adopt(
        _ prefix: NetworkPrefix, _ action: UInt8, port: UInt16 = 0, proto: UInt8 = 0, expires: UInt64
    ) {
        guard let action = NetworkRule.Action(rawValue: action) else { return }
        let rule = NetworkRule(prefix, port: port, proto: proto, action: action, expires: expires)
        if expires == 0 {
            filed[rule.list, default: []].append(rule)
        } else {
            commanded[prefix, default: []].append(rule)
        }
    }

    // MARK: - Commands

    /// Adds rules, or gives rules that are there another end. Either all get into the kernel or an error says which part.
    package mutating func add(_ rules: [NetworkRule]) throws(KernelProgram.Fault) {
        var touched: [Place] = []
        touched.reserveCapacity(rules.count)
        if rules.count > commanded.count { commanded.reserveCapacity(commanded.count + rules.count) }
        for rule in rules {
            func add(to of: inout [NetworkRule]) {
                of.removeAll { $0.port == rule.port && $0.proto == rule.proto && $0.list == rule.list }
                of.append(rule)
            }
            add(to: &commanded[rule.prefix, default: []])
            if rule.expires != 0 { firstEnd = min(firstEnd, rule.expires) }
            touched.append(Place(list: rule.list, prefix: rule.prefix))
        }
        try write(touched)
    }

    /// Takes rules away, whatever their end.
    package mutating func remove(_ rules: [NetworkRule]) throws(KernelProgram.Fault) {
        var touched: [Place] = []
        for rule in rules {
            guard var of = commanded[rule.prefix] else { continue }
            of.removeAll { $0.port == rule.port && $0.proto == rule.proto && $0.list == rule.list }
            commanded[rule.prefix] = of.isEmpty ? nil : of
            touched.append(Place(list: rule.list, prefix: rule.prefix))
        }
        try write(touched)
    }

    /// Takes all rules of commands away.
    package mutating func flush() throws(KernelProgram.Fault) {
        let touched = Set(commanded.values.flatMap { $0.map { Place(list: $0.list, prefix: $0.prefix) } })
        commanded = [:]
        try write(touched)
    }

    /// Lets go of rules whose time is over; the kernel has stopped heeding them by itself.
    package mutating func sweep(now: UInt64) throws(KernelProgram.Fault) {
        guard now >= firstEnd else { return }
        let over = commanded.values.flatMap { $0 }.filter { $0.isOver(at: now) }
        if !over.isEmpty { try remove(over) }
        firstEnd = commanded.values.reduce(UInt64.max) { end, rules in
            rules.reduce(end) { $1.expires == 0 ? $0 : min($0, $1.expires) }
        }
    }

    // MARK: - Files

    /// Puts the rules of files in force, all at once, beside those of commands.
    package mutating func replaceFiled(_ rules: [NetworkRule]) throws(KernelProgram.Fault) {
        var new: [ListName: [NetworkRule]] = [:]
        for list in ListName.allCases {
            var chosen = rules.filter { $0.list == list }
            // Lists that are published mostly are.
            let isSorted = zip(chosen, chosen.dropFirst()).allSatisfy { !($1.prefix < $0.prefix) }
            if !isSorted { chosen.sort { $0.prefix < $1.prefix } }
            new[list] = chosen
        }
        let old = filed
        filed = new
        do {
            for list in ListName.allCases where old[list] != new[list] { try rebuild(list) }
        } catch {
            filed = old
            throw error
        }
    }

    private mutating func rebuild(_ list: ListName) throws(KernelProgram.Fault) {
        var entries: [ip_list_entry] = []
        let rules = filed[list] ?? []
        entries.reserveCapacity(rules.count + commanded.count)
        let extra = commanded.filter { $0.value.contains { $0.list == list } }
        var index = 0
        while index < rules.count {
            let prefix = rules[index].prefix
            var end = index + 1
            while end < rules.count, rules[end].prefix == prefix { end += 1 }
            if end == index + 1, !rules[index].isScoped, extra.isEmpty, places.isEmpty {
                // Nearly all of a long list.
                entries.append(CompiledPrefix.entry(of: rules[index]))
            } else if extra[prefix] == nil {
                entries.append(try compile(prefix, Array(rules[index..<end]), list))
            }
            index = end
        }
        for prefix in extra.keys {
            entries.append(try compile(prefix, self.rules(of: prefix, list), list))
        }
        try program.replace(list, with: entries)
    }

    // MARK: - The kernel

    private func rules(of prefix: NetworkPrefix, _ list: ListName) -> [NetworkRule] {
        var found = commanded[prefix] ?? []
        if found.contains(where: { $0.list != list }) { found.removeAll { $0.list != list } }
        guard let rules = filed[list], !rules.isEmpty else { return found }
        var (low, high) = (0, rules.count)
        while low < high {
            let middle = (low + high) / 2
            if rules[middle].prefix < prefix { low = middle + 1 } else { high = middle }
        }
        while low < rules.count, rules[low].prefix == prefix {
            found.append(rules[low])
            low += 1
        }
        return found
    }

    private mutating func compile(
        _ prefix: NetworkPrefix, _ rules: [NetworkRule], _ list: ListName
    ) throws(KernelProgram.Fault) -> ip_list_entry {
        var compiled = CompiledPrefix(prefix, rules)
        leftOut += compiled.leftOut
        let place = Place(list: list, prefix: prefix)
        if compiled.scopes.isEmpty {
            if let unused = places.removeValue(forKey: place) { freePlaces.append(unused) }
            return compiled.entry
        }
        var number = places[place] ?? freePlaces.popLast()
        if number == nil, nextPlace < UInt32(IP_SCOPED_PREFIXES_MAX) {
            number = nextPlace
            nextPlace += 1
        }
        guard let number else {
            throw KernelProgram.Fault(
                "more than \(IP_SCOPED_PREFIXES_MAX - 1) prefixes have rules for single ports or protocols")
        }
        places[place] = number
        try program.set(compiled.kernelScopes, at: number)
        compiled.entry.scopes = number
        return compiled.entry
    }

    private mutating func write(_ touched: some Sequence<Place>) throws(KernelProgram.Fault) {
        var added: [ListName: [ip_list_entry]] = [:]
        var removed: [ListName: [ip_list_entry]] = [:]
        for place in touched {
            let rules = rules(of: place.prefix, place.list)
            if rules.isEmpty {
                removed[place.list, default: []].append(CompiledPrefix(place.prefix, []).entry)
                if let unused = places.removeValue(forKey: place) { freePlaces.append(unused) }
            } else {
                added[place.list, default: []].append(try compile(place.prefix, rules, place.list))
            }
        }
        for list in ListName.allCases {
            try program.add(added[list] ?? [], to: list)
            try program.remove(removed[list] ?? [], from: list)
        }
    }
}
