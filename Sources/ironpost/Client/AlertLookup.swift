import IronpostCore

/// Finds an alert by its id or an unambiguous beginning of it.
struct AlertLookup {
    let client: ControlClient

    static let prefixMin = 4

    /// With what was done about it.
    func detail(_ text: String) async throws -> AlertWithActions {
        let id = UUIDv7(text) != nil ? text : try await alert(text).id
        return try await client.get("/api/v1/alerts/\(id)", as: AlertWithActions.self)
    }

    func alert(_ text: String) async throws -> AlertDocument {
        if let id = UUIDv7(text) {
            return try await client.get("/api/v1/alerts/\(id)", as: AlertDocument.self)
        }
        let prefix = text.lowercased()
        guard prefix.count >= Self.prefixMin, prefix.allSatisfy({ $0.isHexDigit || $0 == "-" }) else {
            throw CommandFailure(
                .usage, "'\(text)' is no alert's id, and no beginning of one with \(Self.prefixMin) characters")
        }
        var query = [Field("limit", String(AlertQuery.limitMax))]
        if let since = Self.earliest(prefix) { query.append(Field("since", since.rfc3339)) }
        let list = try await client.get("/api/v1/alerts", query: query, as: AlertListDocument.self)
        let found = list.alerts.filter { $0.id.hasPrefix(prefix) }
        guard let first = found.first else {
            let hint =
                list.total > list.alerts.count ? "; there are more alerts than can be searched: give the whole id" : ""
            throw CommandFailure(.failure, "no alert's id begins with '\(text)'\(hint)")
        }
        guard found.count == 1 else {
            let ids = found.prefix(5).map(\.id).joined(separator: ", ")
            throw CommandFailure(.usage, "'\(text)' fits \(found.count) alerts: \(ids)")
        }
        return first
    }

    /// The time in the first digits of an id, less a minute for clocks; `nil` when there are too few digits.
    static func earliest(_ prefix: String) -> Timestamp? {
        let digits = String(prefix.filter { $0 != "-" }.prefix(12))
        guard digits.count >= 8 else { return nil }
        let padded = digits + String(repeating: "0", count: 12 - digits.count)
        guard let milliseconds = Int64(padded, radix: 16), milliseconds < Int64.max / 1_000_000 else { return nil }
        return Timestamp(nanoseconds: max(0, milliseconds * 1_000_000 - 60_000_000_000))
    }
}
