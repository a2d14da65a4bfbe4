import FoundationEssentials
import Glibc

/// The line that `scan --stats` ends with: what was done, and how long each part took.
struct ScanStatistics {
    private struct Document: Encodable {
        let packages: Int
        let advisories: Int
        let findings: Int
        // swift-format-ignore: AlwaysUseLowerCamelCase
        let open_seconds: Double
        // swift-format-ignore: AlwaysUseLowerCamelCase
        let list_seconds: Double
        // swift-format-ignore: AlwaysUseLowerCamelCase
        let match_seconds: Double
        // swift-format-ignore: AlwaysUseLowerCamelCase
        let peak_rss_bytes: Int
    }

    private let clock = ContinuousClock()
    private var last = ContinuousClock().now
    private var laps: [Double] = []

    /// The end of the part that went on until now.
    mutating func lap() {
        let now = clock.now
        laps.append((now - last) / .seconds(1))
        last = now
    }

    /// - Precondition: three laps: the database was opened, packages listed, packages matched.
    func line(packages: Int, advisories: Int, findings: Int) -> String {
        var usage = rusage()
        unsafe getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        let document = Document(
            packages: packages, advisories: advisories, findings: findings, open_seconds: laps[0],
            list_seconds: laps[1], match_seconds: laps[2], peak_rss_bytes: Int(usage.ru_maxrss) * 1024
        )
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys]
        guard let data = try? encoder.encode(document) else { return "{}" }
        return String(decoding: data, as: UTF8.self)
    }
}
