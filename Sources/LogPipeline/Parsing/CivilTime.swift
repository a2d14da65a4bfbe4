/// A date and a time of day as written, without a zone. Proleptic Gregorian calendar.
struct CivilTime: Equatable, Sendable {
    var year: Int
    var month: Int
    var day: Int
    var hour: Int
    var minute: Int
    /// 0…60: a leap second counts as the second after it.
    var second: Int

    /// Whether the date exists and the time is one of a day.
    var isValid: Bool {
        (0...9999).contains(year) && (1...12).contains(month) && day >= 1
            && day <= Self.days(inMonth: month, of: year) && (0...23).contains(hour) && (0...59).contains(minute)
            && (0...60).contains(second)
    }

    /// Seconds since 1970, were this UTC.
    var secondsAsUTC: Int {
        Self.daysSince1970(year: year, month: month, day: day) * 86_400 + hour * 3600 + minute * 60 + second
    }

    static func days(inMonth month: Int, of year: Int) -> Int {
        switch month {
        case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }

    /// Days from 1970-01-01, counting years from March so that the leap day is a year's last.
    static func daysSince1970(year: Int, month: Int, day: Int) -> Int {
        let year = month <= 2 ? year - 1 : year
        let era = (year >= 0 ? year : year - 399) / 400
        let yearOfEra = year - era * 400
        let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }

    /// The year in UTC that a time in seconds since 1970 falls in.
    static func year(ofSeconds seconds: Int) -> Int {
        let days = seconds >= 0 ? seconds / 86_400 : (seconds - 86_399) / 86_400
        var year = 1970 + days / 366
        while daysSince1970(year: year + 1, month: 1, day: 1) <= days { year += 1 }
        while daysSince1970(year: year, month: 1, day: 1) > days { year -= 1 }
        return year
    }

    /// Nanoseconds since 1970, or `nil` where 64 bits do not reach (before 1677 and after 2262).
    static func nanoseconds(seconds: Int, fraction: Int = 0) -> Int64? {
        let (scaled, overflow) = Int64(seconds).multipliedReportingOverflow(by: 1_000_000_000)
        let (sum, carry) = scaled.addingReportingOverflow(Int64(fraction))
        return overflow || carry ? nil : sum
    }
}

/// Times as log formats write them.
enum TimeText {
    /// `1`…`12` for `Jan`…`Dec` at `index`, as RFC 3164 spells them (case-sensitive); 0 for anything else.
    static func month(_ line: Span<UInt8>, at index: Int) -> Int {
        let key =
            UInt32(line.byte(at: index)) << 16 | UInt32(line.byte(at: index + 1)) << 8
            | UInt32(line.byte(at: index + 2))
        switch key {
        case 0x4A_616E: return 1
        case 0x46_6562: return 2
        case 0x4D_6172: return 3
        case 0x41_7072: return 4
        case 0x4D_6179: return 5
        case 0x4A_756E: return 6
        case 0x4A_756C: return 7
        case 0x41_7567: return 8
        case 0x53_6570: return 9
        case 0x4F_6374: return 10
        case 0x4E_6F76: return 11
        case 0x44_6563: return 12
        default: return 0
        }
    }

    /// Exactly `count` digits at `index`, as a number; -1 if they are not all digits.
    @inline(__always)
    static func number(_ line: Span<UInt8>, at index: Int, digits count: Int) -> Int {
        var value = 0
        for offset in 0..<count {
            let digit = line.byte(at: index + offset) &- UInt8(ascii: "0")
            guard digit <= 9 else { return -1 }
            value = value * 10 + Int(digit)
        }
        return value
    }

    /// `hh:mm:ss` at `index`, into `time`; whether it was there.
    static func clock(_ line: Span<UInt8>, at index: Int, into time: inout CivilTime) -> Bool {
        guard line.byte(at: index + 2) == UInt8(ascii: ":"), line.byte(at: index + 5) == UInt8(ascii: ":") else {
            return false
        }
        time.hour = number(line, at: index, digits: 2)
        time.minute = number(line, at: index + 3, digits: 2)
        time.second = number(line, at: index + 6, digits: 2)
        return true
    }

    /// Takes `.digits` (or `,digits`) off the front of `piece`: the fraction in nanoseconds, 0 if there is none.
    static func takeFraction(_ line: Span<UInt8>, _ piece: inout Piece) -> Int {
        let mark = line.byte(at: piece.start)
        guard piece.count > 1, mark == UInt8(ascii: ".") || mark == UInt8(ascii: ",") else { return 0 }
        let digits = line.digits(at: piece.start + 1, atMost: 32, before: piece.end)
        guard !digits.isEmpty else { return 0 }
        var (value, scale) = (0, 100_000_000)
        for index in digits.start..<digits.end {
            value += Int(line.byte(at: index) &- UInt8(ascii: "0")) * scale
            scale /= 10
        }
        piece.start = digits.end
        return value
    }

    /// Takes `Z`, `+hh:mm` or `+hhmm` off the front of `piece`: seconds east of UTC, `nil` if it is none of these.
    static func takeOffset(_ line: Span<UInt8>, _ piece: inout Piece) -> Int? {
        let sign = line.byte(at: piece.start)
        if !piece.isEmpty, sign | 0x20 == UInt8(ascii: "z") {
            piece.start += 1
            return 0
        }
        guard piece.count >= 5, sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-") else { return nil }
        let hours = number(line, at: piece.start + 1, digits: 2)
        let colon = line.byte(at: piece.start + 3) == UInt8(ascii: ":") ? 1 : 0
        let minutes = number(line, at: piece.start + 3 + colon, digits: 2)
        guard piece.count >= 5 + colon, (0...23).contains(hours), (0...59).contains(minutes) else { return nil }
        piece.start += 5 + colon
        return (hours * 3600 + minutes * 60) * (sign == UInt8(ascii: "-") ? -1 : 1)
    }

    /// Takes an RFC 3339 time off the front of `piece` (`T`, `t` or a space between date and time; ISO 8601's offset
    /// without colon too): nanoseconds since 1970, or `nil`, with `piece` as it was. Without an offset it is `zone`'s.
    static func takeRFC3339(_ line: Span<UInt8>, _ piece: inout Piece, zone: LocalZone?) -> Int64? {
        var rest = piece
        guard rest.count >= 19, line.byte(at: rest.start + 4) == UInt8(ascii: "-"),
            line.byte(at: rest.start + 7) == UInt8(ascii: "-")
        else { return nil }
        let separator = line.byte(at: rest.start + 10)
        guard separator | 0x20 == UInt8(ascii: "t") || separator == UInt8(ascii: " ") else { return nil }
        var time = CivilTime(
            year: number(line, at: rest.start, digits: 4), month: number(line, at: rest.start + 5, digits: 2),
            day: number(line, at: rest.start + 8, digits: 2), hour: 0, minute: 0, second: 0
        )
        guard clock(line, at: rest.start + 11, into: &time), time.isValid else { return nil }
        rest.start += 19
        let fraction = takeFraction(line, &rest)
        var seconds: Int
        if let offset = takeOffset(line, &rest) {
            seconds = time.secondsAsUTC - offset
        } else {
            guard let zone, let local = zone.seconds(time) else { return nil }
            seconds = local
        }
        guard let result = CivilTime.nanoseconds(seconds: seconds, fraction: fraction) else { return nil }
        piece = rest
        return result
    }
}
