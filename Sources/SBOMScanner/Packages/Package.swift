/// A package that a file names with an exact version.
package struct Package: Sendable, Hashable {
    /// What it is needed for, the strongest reason first.
    package enum Scope: Int, Sendable, Comparable {
        case required, optional, development

        package static func < (left: Scope, right: Scope) -> Bool { left.rawValue < right.rawValue }
    }

    /// How it is known.
    package enum State: String, Sendable {
        /// A lockfile or manifest says that it would be used.
        case locked
        /// It lies there.
        case installed
    }

    package struct Hash: Sendable, Hashable {
        /// As CycloneDX writes it: `SHA-256`.
        package var algorithm: String
        /// Lower-case hexadecimal.
        package var value: String

        package init(algorithm: String, value: String) {
            self.algorithm = algorithm
            self.value = value
        }
    }

    /// What a distribution's advisories go by.
    package struct Source: Sendable, Hashable {
        package var name: String
        package var version: String

        package init(name: String, version: String) {
            self.name = name
            self.version = version
        }
    }

    package var ecosystem: Ecosystem
    /// As its registry writes it: `@babel/core`, `org.slf4j:slf4j-api`.
    package var name: String
    package var version: String
    /// Canonical; two packages with the same one are the same package.
    package var purl: String
    package var scope: Scope
    package var state: State
    package var source: Source?
    /// The ecosystem in OSV records where a distribution decides it: `Debian:12`.
    package var distribution: String?
    package var hashes: [Hash]
    /// SPDX expressions or free text, as found.
    package var license: String?
    /// Part of the project itself, not of a registry.
    package var isLocal: Bool
    /// The name under which the project uses it, when that is another one.
    package var alias: String?

    package init(
        _ ecosystem: Ecosystem, name: String, version: String, purl: PackageURL? = nil, scope: Scope = .required,
        state: State = .locked, source: Source? = nil, distribution: String? = nil, hashes: [Hash] = [],
        license: String? = nil, isLocal: Bool = false, alias: String? = nil
    ) {
        self.ecosystem = ecosystem
        self.name = name
        self.version = version
        self.purl = (purl ?? PackageURL(ecosystem, name: name, version: version)).description
        self.scope = scope
        self.state = state
        self.source = source
        self.distribution = distribution
        self.hashes = hashes
        self.license = license
        self.isLocal = isLocal
        self.alias = alias
    }

    /// The name by which records and packages of its ecosystem are compared.
    var comparableName: String {
        switch ecosystem {
        case .pypi: PythonName.normalized(name)
        case .nuget, .composer: name.lowercased()
        case .swift: SwiftLocation.normalized(name)
        default: name
        }
    }

    /// The ecosystems of OSV records that may tell of it, the most exact first.
    package var osvEcosystems: [String] {
        if let name = ecosystem.osvName { return [name] }
        guard let distribution else { return [] }
        var names = [distribution]
        if distribution.hasSuffix(":LTS") { names.append(String(distribution.dropLast(4))) }
        names.append(String(distribution.prefix { $0 != ":" }))
        return names
    }
}

/// What one file says.
package struct Catalog: Sendable {
    package struct Edge: Sendable, Hashable {
        /// Places in `packages`.
        package var from: Int
        package var to: Int
    }

    package private(set) var packages: [Package] = []
    package private(set) var edges: [Edge] = []
    /// Places of what the project itself asks for.
    package private(set) var direct: [Int] = []
    /// What was passed over and why; at most `notesMax`, the rest is counted.
    package private(set) var notes: [String] = []
    package private(set) var notesLeftOut = 0

    /// Whether the file names more than is believed of any; what is here is not all then.
    package private(set) var isOverfull = false

    private var places: [String: Int] = [:]
    /// Of each package, who was last said to need it, and whether the project asks for it.
    private var lastUser: [Int] = []
    private var isDirect: [Bool] = []

    package static let notesMax = 100
    /// More packages than any real file names.
    package static let packagesMax = 1_000_000
    /// And more of them needed.
    package static let edgesMax = 8_000_000
    private let packagesMax: Int
    private let edgesMax: Int

    package init(packagesMax: Int = Catalog.packagesMax, edgesMax: Int = Catalog.edgesMax) {
        self.packagesMax = packagesMax
        self.edgesMax = edgesMax
    }

    /// Adds a package, or to what is known of it.
    /// - Returns: its place.
    @discardableResult package mutating func add(_ package: Package) -> Int {
        if let place = places[package.purl] {
            packages[place].scope = min(packages[place].scope, package.scope)
            if packages[place].hashes.isEmpty { packages[place].hashes = package.hashes }
            if packages[place].license == nil { packages[place].license = package.license }
            return place
        }
        let place = packages.count
        guard place < packagesMax else {
            isOverfull = true
            return place - 1
        }
        places[package.purl] = place
        packages.append(package)
        lastUser.append(-1)
        isDirect.append(false)
        return place
    }

    /// That one needs another. What a package needs is told in a row: then nothing is kept twice.
    package mutating func connect(_ from: Int, to: Int) {
        guard from != to, lastUser[to] != from else { return }
        guard edges.count < edgesMax else {
            isOverfull = true
            return
        }
        lastUser[to] = from
        edges.append(Edge(from: from, to: to))
    }

    package mutating func markDirect(_ place: Int) {
        guard !isDirect[place] else { return }
        isDirect[place] = true
        direct.append(place)
    }

    package mutating func setScope(_ scope: Package.Scope, of place: Int) {
        packages[place].scope = scope
    }

    package mutating func note(_ text: String) {
        if notes.count < Self.notesMax { notes.append(text) } else { notesLeftOut += 1 }
    }
}
