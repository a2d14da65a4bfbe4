/// A version of the engine's API, as in `1.41`.
package struct EngineVersion: Sendable, Hashable, Comparable, CustomStringConvertible {
    package var major: Int
    package var minor: Int

    /// The newest whose shapes this code knows.
    package static let newest = EngineVersion(major: 1, minor: 51)
    /// The oldest that has everything that is asked for.
    package static let oldest = EngineVersion(major: 1, minor: 24)

    package init(major: Int, minor: Int) {
        self.major = major
        self.minor = minor
    }

    package init?(_ text: some StringProtocol) {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 2, let major = Int(parts[0]), let minor = Int(parts[1]), major >= 0, minor >= 0,
            parts.allSatisfy({ $0.utf8.count <= 4 })
        else { return nil }
        self.init(major: major, minor: minor)
    }

    package var description: String { "\(major).\(minor)" }

    package static func < (left: EngineVersion, right: EngineVersion) -> Bool {
        (left.major, left.minor) < (right.major, right.minor)
    }

    /// What to speak with an engine whose newest is `offered`: the older of the two.
    static func negotiated(offered: EngineVersion) throws(EngineFault) -> EngineVersion {
        let chosen = min(offered, newest)
        guard chosen >= oldest else {
            throw .versionUnsupported("it speaks at most \(offered), and \(oldest) is needed: update the engine")
        }
        return chosen
    }
}
