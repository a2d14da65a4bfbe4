/// A point in time as people write it in `--since` and `since=`: RFC 3339, or how long ago (`90s`, `15m`, `1h`, `7d`).
package enum TimeExpression {
    package static let allowed = "a time as 2026-11-23T01:22:37Z, or how long ago as 90s, 15m, 1h, 7d or 2w"

    private static let units: [Character: Int64] = ["s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800]

    /// `nil` for anything else, and for what lies before 1970.
    package static func point(_ text: some StringProtocol, now: Timestamp) -> Timestamp? {
        if let time = Timestamp(rfc3339: text) { return time }
        guard let unit = text.last, let scale = units[unit] else { return nil }
        let digits = text.dropLast()
        guard !digits.isEmpty, digits.utf8.count <= 9, digits.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }),
            let count = Int64(digits)
        else { return nil }
        let past = now.nanoseconds / 1_000_000_000 - count * scale
        guard past >= 0 else { return nil }
        return now.advanced(by: .seconds(-count * scale))
    }
}
