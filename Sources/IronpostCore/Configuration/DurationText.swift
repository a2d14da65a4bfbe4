/// Durations as the configuration writes them: `"250ms"`, `"90s"`, `"10m"`, `"4h"`, `"30d"`, `"1h30m"`, or a plain
/// number of seconds. The resolution is a millisecond.
package enum DurationText {
    /// No duration in a configuration is longer: 10 years, in milliseconds.
    static let millisecondsMax: Int64 = 3650 * 86_400_000

    private static let units: [(suffix: String, milliseconds: Int64)] = [
        ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1),
    ]

    /// - Returns: nil when the text is not a duration or longer than ten years.
    package static func parse(_ text: String) -> Duration? {
        var rest = Substring(text)
        var total: Int64 = 0
        var lastUnit = units.startIndex
        if let seconds = number(rest) { return milliseconds(seconds, 1000) }
        repeat {
            let digits = rest.prefix { $0.isASCII && $0.isNumber }
            rest = rest.dropFirst(digits.count)
            let letters = rest.prefix { $0.isASCII && $0.isLetter }
            rest = rest.dropFirst(letters.count)
            // Units fall, each at most once: "1h30m", never "30m1h".
            guard let count = number(digits), let unit = units[lastUnit...].firstIndex(where: { $0.suffix == letters }),
                let part = product(count, units[unit].milliseconds)
            else { return nil }
            total += part
            lastUnit = unit + 1
        } while !rest.isEmpty
        return total <= millisecondsMax ? .milliseconds(total) : nil
    }

    /// Seconds from TOML's integers and floats.
    static func parse(seconds: Double) -> Duration? {
        let milliseconds = (seconds * 1000).rounded()
        guard milliseconds >= 0, milliseconds <= Double(millisecondsMax) else { return nil }
        return .milliseconds(Int64(milliseconds))
    }

    /// The shortest form that `parse` reads back: one unit, the largest that divides it; 0 is `0s`.
    package static func format(_ duration: Duration) -> String {
        let (seconds, attoseconds) = duration.components
        let milliseconds = seconds * 1000 + attoseconds / 1_000_000_000_000_000
        if milliseconds == 0 { return "0s" }
        let unit = units.first { milliseconds.isMultiple(of: $0.milliseconds) } ?? ("ms", 1)
        return "\(milliseconds / unit.milliseconds)\(unit.suffix)"
    }

    private static func number(_ digits: Substring) -> Int64? {
        !digits.isEmpty && digits.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
            ? Int64(digits) : nil
    }

    private static func milliseconds(_ count: Int64, _ unit: Int64) -> Duration? {
        product(count, unit).map { .milliseconds($0) }
    }

    private static func product(_ count: Int64, _ unit: Int64) -> Int64? {
        let (value, overflow) = count.multipliedReportingOverflow(by: unit)
        return overflow || value > millisecondsMax ? nil : value
    }
}
