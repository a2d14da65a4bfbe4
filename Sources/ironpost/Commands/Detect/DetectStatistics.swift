import FoundationEssentials
import LogPipeline

/// The line that `detect --stats` ends with.
enum DetectStatistics {
    private struct Document: Encodable {
        let events: Int
        let bytes: Int
        // swift-format-ignore: AlwaysUseLowerCamelCase
        let parse_errors: Int
        // swift-format-ignore: AlwaysUseLowerCamelCase
        let rules_loaded: Int
        // swift-format-ignore: AlwaysUseLowerCamelCase
        let rules_rejected: Int
        let matches: Int
        let seconds: Double
        // swift-format-ignore: AlwaysUseLowerCamelCase
        let events_per_second: Double
        // swift-format-ignore: AlwaysUseLowerCamelCase
        let candidates_mean: Double
        // swift-format-ignore: AlwaysUseLowerCamelCase
        let candidates_p95: Int
        // swift-format-ignore: AlwaysUseLowerCamelCase
        let peak_rss_bytes: Int
    }

    static func line(_ statistics: OfflineDetector.Statistics) -> String {
        let document = Document(
            events: statistics.events, bytes: statistics.bytes, parse_errors: statistics.parseErrors,
            rules_loaded: statistics.rulesLoaded, rules_rejected: statistics.rulesRejected, matches: statistics.matches,
            seconds: statistics.seconds,
            events_per_second: statistics.seconds > 0 ? (Double(statistics.events) / statistics.seconds).rounded() : 0,
            candidates_mean: statistics.candidatesMean, candidates_p95: statistics.candidatesP95,
            peak_rss_bytes: statistics.peakRSSBytes
        )
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys]
        guard let data = try? encoder.encode(document) else { return "{}" }
        return String(decoding: data, as: UTF8.self)
    }
}
