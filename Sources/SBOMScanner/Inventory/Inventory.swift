/// The packages of everything that was scanned, each once, with where it was found and what it needs.
package struct Inventory: Sendable {
    package struct Component: Sendable {
        package var package: Package
        /// `root/path` of the files that name it, sorted.
        package var files: [String]
        /// Places of what it needs, sorted.
        package var needs: [Int]
        package var isDirect: Bool
    }

    /// Sorted by purl.
    package private(set) var components: [Component] = []
    /// Files that were understood.
    package private(set) var filesRead = 0
    /// What could not be read, or was passed over: `path: why`.
    package private(set) var faults: [String] = []
    package private(set) var notes: [String] = []
    /// The newest change of a file that was read; nanoseconds since 1970.
    package private(set) var newest: Int64 = 0
    /// What was scanned, as asked for.
    package private(set) var roots: [String] = []

    package static let faultsMax = 1000

    package init(_ scans: [RootScan]) {
        // Where each package was first met; what else was said of it comes afterwards. Packages are large: they are not
        // touched before each has its place.
        var byPurl: [String: Int] = [:]
        var first: [Mention] = []
        var again: [(place: Int, mention: Mention)] = []
        // With what is named twice; sorted out at the end.
        var needs: [[Int]] = []
        var files: [[String]] = []
        var isDirect: [Bool] = []
        let named = scans.reduce(0) { $1.files.reduce($0) { $0 + $1.catalog.packages.count } }
        byPurl.reserveCapacity(named)
        first.reserveCapacity(named)
        needs.reserveCapacity(named)
        files.reserveCapacity(named)
        isDirect.reserveCapacity(named)
        for (scanPlace, scan) in scans.enumerated() {
            roots.append(scan.root)
            for (reason, count) in scan.leftOut.sorted(by: { $0.key < $1.key }) {
                faults.append("\(scan.root): \(count) left out: \(reason)")
            }
            for (filePlace, file) in scan.files.enumerated() {
                let path = Self.shown(file.path, of: scan)
                if let fault = file.fault {
                    if faults.count < Self.faultsMax { faults.append("\(path): \(fault)") }
                } else {
                    filesRead += 1
                }
                newest = max(newest, file.modified)
                for note in file.catalog.notes where notes.count < Self.faultsMax { notes.append("\(path): \(note)") }
                let packages = file.catalog.packages
                var local: [Int] = []
                local.reserveCapacity(packages.count)
                for index in packages.indices {
                    let mention = Mention(scan: scanPlace, file: filePlace, package: index)
                    if let place = byPurl[packages[index].purl] {
                        again.append((place, mention))
                        if files[place].last != path { files[place].append(path) }
                        local.append(place)
                    } else {
                        byPurl[packages[index].purl] = first.count
                        local.append(first.count)
                        first.append(mention)
                        files.append([path])
                        needs.append([])
                        isDirect.append(false)
                    }
                }
                for edge in file.catalog.edges { needs[local[edge.from]].append(local[edge.to]) }
                for place in file.catalog.direct { isDirect[local[place]] = true }
            }
        }
        let order = Self.order(of: first.map { $0.package(in: scans).purl })
        var rank = [Int](repeating: 0, count: order.count)
        for (new, old) in order.enumerated() { rank[old] = new }
        components = order.map { old in
            Component(
                package: first[old].package(in: scans), files: Self.distinct(files[old]),
                needs: Self.distinct(needs[old].map { rank[$0] }.filter { $0 != rank[old] }), isDirect: isDirect[old])
        }
        for (place, mention) in again { components[rank[place]].package.merge(mention.package(in: scans)) }
    }

    /// A package as one file names it.
    private struct Mention {
        var scan: Int
        var file: Int
        var package: Int

        func package(in scans: [RootScan]) -> Package { scans[scan].files[file].catalog.packages[package] }
    }

    /// Places sorted by purl. That is ASCII, whose order is the one of its bytes.
    private static func order(of purls: [String]) -> [Int] {
        // Most are told apart by the sixteen bytes behind `pkg:`, which are looked at without going to the text.
        var keys = purls.indices.map { place in
            let purl = purls[place].utf8.span
            func word(_ start: Int) -> UInt64 {
                var word: UInt64 = 0
                for index in start..<start + 8 { word = word << 8 | (index < purl.count ? UInt64(purl[index]) : 0) }
                return word
            }
            return (high: word(4), low: word(12), place: place)
        }
        keys.sort { left, right in
            if left.high != right.high { return left.high < right.high }
            if left.low != right.low { return left.low < right.low }
            return purls[left.place] < purls[right.place]
        }
        return keys.map(\.place)
    }

    private static func distinct<Element: Comparable>(_ values: [Element]) -> [Element] {
        guard values.count > 1 else { return values }
        var distinct: [Element] = []
        for value in values.sorted() where distinct.last != value { distinct.append(value) }
        return distinct
    }

    /// A path that leads to the file from where the scan was started; of an archive with its name in front.
    private static func shown(_ path: String, of scan: RootScan) -> String {
        if path.isEmpty { return scan.root }
        if scan.isImage { return scan.root + "!/" + path }
        return scan.root.hasSuffix("/") ? scan.root + path : scan.root + "/" + path
    }

    /// How a project comes to need a component: the shortest way from what it asks for, the component itself last.
    package func path(to place: Int) -> [Int] {
        if components[place].isDirect { return [place] }
        if usersOf.isEmpty { return [place] }
        var next: [Int: Int] = [:]
        var open = [place]
        var index = 0
        while index < open.count {
            let current = open[index]
            index += 1
            if components[current].isDirect || usersOf[current].isEmpty, current != place {
                var path = [current]
                while let following = next[path[path.count - 1]] { path.append(following) }
                return path
            }
            for user in usersOf[current] where user != place && next[user] == nil {
                next[user] = current
                open.append(user)
            }
        }
        return [place]
    }

    /// Who needs each component; made when it is first wanted.
    package var usersOf: [[Int]] = []

    package mutating func prepareUsers() {
        usersOf = Array(repeating: [], count: components.count)
        for (place, component) in components.enumerated() {
            for need in component.needs { usersOf[need].append(place) }
        }
    }
}

extension Package {
    /// Joins what two files know of the same package.
    fileprivate mutating func merge(_ other: Package) {
        scope = min(scope, other.scope)
        if other.state == .installed { state = .installed }
        if hashes.isEmpty { hashes = other.hashes }
        license = license ?? other.license
        source = source ?? other.source
        distribution = distribution ?? other.distribution
        isLocal = isLocal && other.isLocal
    }
}
