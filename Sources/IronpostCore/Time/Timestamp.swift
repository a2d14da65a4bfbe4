import Glibc

/// A point in time: nanoseconds since 1970-01-01T00:00:00Z, leap seconds not counted.
///
/// Covers the years 1678 to 2262. Written and read as RFC 3339.
package struct Timestamp: Hashable, Comparable, Sendable {
    package var nanoseconds: Int64

    package init(nanoseconds: Int64) {
        self.nanoseconds = nanoseconds
    }

    package init(seconds: Int64) {
        nanoseconds = seconds.multipliedReportingOverflow(by: 1_000_000_000).partialValue
    }

    package static func < (left: Timestamp, right: Timestamp) -> Bool { left.nanoseconds < right.nanoseconds }

    package func advanced(by duration: Duration) -> Timestamp {
        Timestamp(nanoseconds: nanoseconds &+ duration.nanoseconds)
    }

    package func since(_ earlier: Timestamp) -> Duration {
        .nanoseconds(nanoseconds &- earlier.nanoseconds)
    }

    /// The time in UTC with milliseconds, as in `2026-11-23T01:22:37.123Z`.
    package var rfc3339: String {
        let millisecond = Int((nanoseconds %% 1_000_000_000) / 1_000_000)
        let second = nanoseconds.flooredDividing(by: 1_000_000_000)
        let day = second.flooredDividing(by: 86_400)
        let ofDay = Int(second %% 86_400)
        let (year, month, dayOfMonth) = Self.civil(day: day)
        return "\(year.padded(4))-\(month.padded(2))-\(dayOfMonth.padded(2))T"
            + "\((ofDay / 3600).padded(2)):\((ofDay / 60 % 60).padded(2)):\((ofDay % 60).padded(2))"
            + ".\(millisecond.padded(3))Z"
    }

    /// Reads RFC 3339 (`2026-11-23T01:22:37.5+01:00`, `Z`, a space for `T`), up to nanoseconds; `nil` for anything else.
    package init?(rfc3339 text: some StringProtocol) {
        var rest = Substring(text)[...]
        func number(_ digits: Int) -> Int64? {
            let head = rest.prefix(digits)
            guard head.utf8.count == digits, head.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }) else { return nil }
            rest = rest.dropFirst(digits)
            return Int64(head)
        }
        func eat(_ allowed: Set<Character>) -> Character? {
            guard let first = rest.first, allowed.contains(first) else { return nil }
            rest = rest.dropFirst()
            return first
        }
        guard let year = number(4), eat(["-"]) != nil, let month = number(2), eat(["-"]) != nil, let day = number(2),
            eat(["T", "t", " "]) != nil, let hour = number(2), eat([":"]) != nil, let minute = number(2),
            eat([":"]) != nil, let second = number(2),
            (1...12).contains(month), (1...31).contains(day), hour < 24, minute < 60, second < 61,
            (1678...2261).contains(year)
        else { return nil }
        var fraction: Int64 = 0
        if eat([".", ","]) != nil {
            let digits = rest.prefix { $0.isASCII && $0.isNumber }
            guard !digits.isEmpty, digits.utf8.count <= 12 else { return nil }
            rest = rest.dropFirst(digits.count)
            fraction = Int64(String((String(digits) + "000000000").prefix(9))) ?? 0
        }
        var offset: Int64 = 0
        if let sign = eat(["+", "-"]) {
            guard let hours = number(2),
                let minutes =
                    (rest.first == ":"
                        ? {
                            _ = eat([":"]); return number(2)
                        }() : number(2)),
                hours < 24, minutes < 60
            else { return nil }
            offset = (hours * 3600 + minutes * 60) * (sign == "-" ? -1 : 1)
        } else {
            guard eat(["Z", "z"]) != nil else { return nil }
        }
        guard rest.isEmpty else { return nil }
        let days = Self.days(year: year, month: month, day: day)
        nanoseconds = (days * 86_400 + hour * 3600 + minute * 60 + second - offset) * 1_000_000_000 + fraction
    }

    /// Days since 1970 of a date of the proleptic Gregorian calendar (Hinnant, "chrono-compatible date algorithms").
    package static func days(year: Int64, month: Int64, day: Int64) -> Int64 {
        let shifted = month <= 2 ? year - 1 : year
        let era = shifted.flooredDividing(by: 400)
        let yearOfEra = shifted - era * 400
        let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }

    private static func civil(day: Int64) -> (year: Int, month: Int, day: Int) {
        let shifted = day + 719_468
        let era = shifted.flooredDividing(by: 146_097)
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let month = shiftedMonth + (shiftedMonth < 10 ? 3 : -9)
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        return (Int(year), Int(month), Int(dayOfYear - (153 * shiftedMonth + 2) / 5 + 1))
    }
}

extension Duration {
    /// The length in nanoseconds; what does not fit is clamped.
    package var nanoseconds: Int64 {
        let (seconds, attoseconds) = components
        let (scaled, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        return overflow ? (seconds < 0 ? .min : .max) : scaled &+ attoseconds / 1_000_000_000
    }

    package var seconds: Double { Double(nanoseconds) / 1e9 }
}

infix operator %% : MultiplicationPrecedence

extension Int64 {
    fileprivate func flooredDividing(by divisor: Int64) -> Int64 {
        let quotient = self / divisor
        return self % divisor < 0 ? quotient - 1 : quotient
    }

    /// The remainder that is never negative.
    fileprivate static func %% (left: Int64, right: Int64) -> Int64 {
        let remainder = left % right
        return remainder < 0 ? remainder + right : remainder
    }
}

extension Int {
    fileprivate func padded(_ width: Int) -> String {
        let digits = String(self)
        return String(repeating: "0", count: Swift.max(0, width - digits.count)) + digits
    }
}
