/// Where packages of one kind come from.
package enum Ecosystem: String, Sendable, CaseIterable {
    case npm, cargo, golang, pypi, gem, composer, nuget, maven, swift, deb, apk, rpm

    /// The order of its versions.
    package var scheme: VersionScheme {
        switch self {
        case .npm: .npm
        case .cargo, .swift: .semver
        case .golang: .go
        case .pypi: .pep440
        case .gem: .gem
        case .composer: .composer
        case .nuget: .nuget
        case .maven: .maven
        case .deb: .dpkg
        case .apk: .apk
        case .rpm: .rpm
        }
    }

    /// Its name in OSV records; `nil` where that is the distribution's.
    package var osvName: String? {
        switch self {
        case .npm: "npm"
        case .cargo: "crates.io"
        case .golang: "Go"
        case .pypi: "PyPI"
        case .gem: "RubyGems"
        case .composer: "Packagist"
        case .nuget: "NuGet"
        case .maven: "Maven"
        case .swift: "SwiftURL"
        case .deb, .apk, .rpm: nil
        }
    }

    /// Ecosystems of OSV records, without the part behind the first colon, and how their versions are ordered.
    private static let osvSchemes: [String: VersionScheme] = [
        "npm": .npm, "crates.io": .semver, "Go": .go, "PyPI": .pep440, "RubyGems": .gem, "Packagist": .composer,
        "NuGet": .nuget, "Maven": .maven, "SwiftURL": .semver, "Hex": .semver, "Pub": .semver, "Bitnami": .semver,
        "GitHub Actions": .semver, "Debian": .dpkg, "Ubuntu": .dpkg, "Echo": .dpkg, "Alpine": .apk, "Wolfi": .apk,
        "Chainguard": .apk, "MinimOS": .apk, "Alpaquita": .apk, "BellSoft Hardened Containers": .apk,
        "AlmaLinux": .rpm, "Rocky Linux": .rpm, "Red Hat": .rpm, "SUSE": .rpm, "openSUSE": .rpm, "openEuler": .rpm,
        "Mageia": .rpm, "Photon OS": .rpm, "Azure Linux": .rpm,
    ]

    /// The order of versions in an OSV record's ecosystem (`Debian:12`, `npm`); `nil` for one that is not known.
    package static func scheme(osv ecosystem: some StringProtocol) -> VersionScheme? {
        osvSchemes[String(ecosystem.prefix { $0 != ":" })]
    }

    /// A package's name as records and lockfiles of this ecosystem can be compared by it.
    package static func comparableName(_ name: String, osv ecosystem: some StringProtocol) -> String {
        switch ecosystem.prefix(while: { $0 != ":" }) {
        case "PyPI": PythonName.normalized(name)
        case "NuGet", "Packagist", "GitHub Actions": name.lowercased()
        case "SwiftURL": SwiftLocation.normalized(name)
        default: name
        }
    }
}

/// Names of Python packages (PEP 503).
package enum PythonName {
    /// Lower case, runs of `-`, `_` and `.` as one hyphen.
    package static func normalized(_ name: some StringProtocol) -> String {
        var result: [UInt8] = []
        result.reserveCapacity(name.utf8.count)
        for byte in name.utf8 {
            if byte == 0x2D || byte == 0x5F || byte == 0x2E {
                if result.last != 0x2D { result.append(0x2D) }
            } else {
                result.append(byte.lowercased)
            }
        }
        return String(decoding: result, as: UTF8.self)
    }
}

/// Where Swift packages are; their names are their places.
package enum SwiftLocation {
    /// `github.com/apple/swift-nio` of `https://github.com/apple/swift-nio.git` or `git@github.com:apple/swift-nio.git`.
    package static func normalized(_ location: String) -> String {
        var rest = location[...]
        if let scheme = rest.range(of: "://") { rest = rest[scheme.upperBound...] }
        if let at = rest.firstIndex(of: "@"), rest[..<at].allSatisfy({ $0 != "/" }) {
            rest = rest[rest.index(after: at)...]
            if let colon = rest.firstIndex(of: ":"), rest[..<colon].allSatisfy({ $0 != "/" }) {
                rest = Substring(rest[..<colon] + "/" + rest[rest.index(after: colon)...])
            }
        }
        while rest.last == "/" { rest.removeLast() }
        if rest.hasSuffix(".git") { rest.removeLast(4) }
        return rest.lowercased()
    }
}

extension Substring {
    /// The first place of `text`.
    fileprivate func range(of text: String) -> Range<Index>? {
        var start = startIndex
        while start < endIndex {
            if self[start...].hasPrefix(text) { return start..<index(start, offsetBy: text.count) }
            start = index(after: start)
        }
        return nil
    }
}
