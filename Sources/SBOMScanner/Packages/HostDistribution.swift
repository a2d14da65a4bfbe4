/// The distribution of the host that this runs on.
package enum HostDistribution {
    private static let bytesMax = 64 << 10

    /// As OSV names it: `Debian:12`; `nil` where that is not known.
    package static var osvName: String? {
        for path in ["etc/os-release", "usr/lib/os-release"] {
            do {
                guard let (file, stamp) = try RootDirectory("/").open(path) else { continue }
                return OperatingSystem(release: try file.read(at: 0, count: min(stamp.size, bytesMax))).osvName
            } catch { continue }
        }
        return nil
    }
}
