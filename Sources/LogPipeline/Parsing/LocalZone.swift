internal import Glibc

/// The zone that times without one are read in.
package enum LocalZone: Sendable, Equatable {
    /// The host's own (`TZ`, /etc/localtime), with its daylight saving.
    case host
    /// Always this many seconds east of UTC.
    case offset(seconds: Int)

    /// Seconds since 1970 of a local time; `nil` when the C library refuses it.
    func seconds(_ time: CivilTime) -> Int? {
        switch self {
        case .offset(let east):
            return time.secondsAsUTC - east
        case .host:
            var fields = unsafe tm()
            unsafe fields.tm_year = Int32(truncatingIfNeeded: time.year - 1900)
            unsafe fields.tm_mon = Int32(truncatingIfNeeded: time.month - 1)
            unsafe fields.tm_mday = Int32(truncatingIfNeeded: time.day)
            unsafe fields.tm_hour = Int32(truncatingIfNeeded: time.hour)
            unsafe fields.tm_min = Int32(truncatingIfNeeded: time.minute)
            unsafe fields.tm_sec = Int32(truncatingIfNeeded: time.second)
            unsafe fields.tm_isdst = -1
            let seconds = unsafe mktime(&fields)
            return seconds == -1 && time.year != 1969 && time.year != 1970 ? nil : seconds
        }
    }
}
