/// Turns the times of RFC 3164 lines, which lack year and zone, into nanoseconds since 1970.
///
/// Lines come in bursts of the same second, and a zone's offset holds for an hour: both are remembered, so that a line
/// costs no call of the C library.
struct SyslogClock: Sendable {
    let zone: LocalZone
    /// A time without year may lie this far after its receipt (clocks differ); beyond, it is the year before.
    static let futureMaxSeconds = 86_400

    private var textLow: UInt64 = 0
    private var textHigh: UInt64 = 0
    private var textSeconds: Int?
    private var textReceivedHour = Int.min

    private var hourKey = Int.min
    private var hourSeconds = 0

    init(zone: LocalZone) {
        self.zone = zone
    }

    /// Takes `Mmm dd hh:mm:ss` off the front of `piece`, with the variants of the field: a leading `*` or `.` (Cisco,
    /// clock not set), one-digit days with one space or two, fractions, a year before or after the time.
    ///
    /// - Parameter receivedAt: nanoseconds since 1970; decides the year.
    /// - Returns: nanoseconds since 1970, or `nil` with `piece` as it was.
    mutating func take(_ line: Span<UInt8>, _ piece: inout Piece, receivedAt: Int64) -> Int64? {
        var rest = piece
        let receivedSeconds = Int(receivedAt / 1_000_000_000)
        let receivedHour = receivedSeconds / 3600
        let (low, high) = (line.word(at: rest.start), line.word(at: rest.start + 7))
        if low == textLow, high == textHigh, receivedHour == textReceivedHour, rest.count > 15, let textSeconds,
            isEnd(line.byte(at: rest.start + 15)), line.byte(at: rest.start + 16) &- UInt8(ascii: "0") > 9
        {
            // What follows starts with no digit, so it is not a year.
            rest.start += 15
            let fraction = TimeText.takeFraction(line, &rest)
            piece = rest
            return CivilTime.nanoseconds(seconds: textSeconds, fraction: fraction)
        }
        if line.byte(at: rest.start) == UInt8(ascii: "*") || line.byte(at: rest.start) == UInt8(ascii: ".") {
            rest.start += 1
        }
        let start = rest.start
        var time = CivilTime(year: -1, month: TimeText.month(line, at: start), day: 0, hour: 0, minute: 0, second: 0)
        guard time.month > 0, rest.count >= 14, line.byte(at: start + 3) == UInt8(ascii: " ") else { return nil }
        rest.start += 4
        rest.skipSpaces(in: line)
        let day = line.digits(at: rest.start, atMost: 2, before: rest.end)
        guard let number = line.decimal(day), line.byte(at: day.end) == UInt8(ascii: " ") else { return nil }
        time.day = number
        rest.start = day.end + 1
        let leading = TimeText.number(line, at: rest.start, digits: 4)
        if leading >= 0, line.byte(at: rest.start + 4) == UInt8(ascii: " ") {
            time.year = leading
            rest.start += 5
        }
        guard rest.count >= 8, TimeText.clock(line, at: rest.start, into: &time) else { return nil }
        rest.start += 8
        let isMemorable = time.year < 0 && rest.start == piece.start + 15
        let fraction = TimeText.takeFraction(line, &rest)
        if time.year < 0, line.byte(at: rest.start) == UInt8(ascii: " ") {
            let trailing = TimeText.number(line, at: rest.start + 1, digits: 4)
            if (1970...2199).contains(trailing), isYearsEnd(line, rest) {
                time.year = trailing
                rest.start += 5
            }
        }
        let hasYear = time.year >= 0
        guard let seconds = hasYear ? dated(time) : yearless(&time, receivedSeconds: receivedSeconds) else {
            return nil
        }
        if isMemorable, !hasYear {
            (textLow, textHigh, textSeconds, textReceivedHour) = (low, high, seconds, receivedHour)
        }
        piece = rest
        return CivilTime.nanoseconds(seconds: seconds, fraction: fraction)
    }

    /// A time that says its year.
    private mutating func dated(_ time: CivilTime) -> Int? {
        guard time.isValid else { return nil }
        let hour = CivilTime.daysSince1970(year: time.year, month: time.month, day: time.day) * 24 + time.hour
        if hour != hourKey {
            var start = time
            (start.minute, start.second) = (0, 0)
            guard let seconds = zone.seconds(start) else { return nil }
            (hourKey, hourSeconds) = (hour, seconds)
        }
        return hourSeconds + time.minute * 60 + time.second
    }

    /// The latest year in which the time is not more than `futureMaxSeconds` after its receipt; 29 February may have to
    /// go back to a leap year.
    private mutating func yearless(_ time: inout CivilTime, receivedSeconds: Int) -> Int? {
        let year = CivilTime.year(ofSeconds: receivedSeconds)
        for candidate in stride(from: year + 1, through: year - 8, by: -1) {
            time.year = candidate
            // A year ahead is only near at New Year: spare the C library the question.
            if time.isValid, time.secondsAsUTC > receivedSeconds + 3 * Self.futureMaxSeconds { continue }
            if let seconds = dated(time), seconds <= receivedSeconds + Self.futureMaxSeconds { return seconds }
        }
        return nil
    }

    /// Whether ` yyyy` at the start of `rest` is a year, and not the beginning of `2001:db8::1` or of a host's name.
    private func isYearsEnd(_ line: Span<UInt8>, _ rest: Piece) -> Bool {
        let next = rest.start + 5
        return rest.count == 5 || line.has(" ", at: next, before: rest.end)
            || line.has(": ", at: next, before: rest.end)
    }

    /// Whether a time may end before this byte.
    private func isEnd(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: " "), UInt8(ascii: ":"), UInt8(ascii: "."), UInt8(ascii: ","): true
        default: false
        }
    }
}
