import IronpostCore

/// The `name=value` pairs behind a request's `?`, each decoded, each known to the route.
struct QueryParameters: Sendable {
    private let pairs: [Field]

    static let pairsMax = 32

    /// - Parameter allowed: the names that the route knows.
    init(_ query: String?, allowed: [String]) throws(APIError) {
        var pairs: [Field] = []
        for part in (query ?? "").split(separator: "&") {
            guard pairs.count < Self.pairsMax else {
                throw .badRequest("more than \(Self.pairsMax) query parameters")
            }
            let halves = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard let name = Self.decode(halves[0]), let value = Self.decode(halves.count > 1 ? halves[1] : "") else {
                throw .badRequest("a query parameter is not percent-encoded UTF-8")
            }
            guard allowed.contains(name) else {
                let known = allowed.isEmpty ? "none" : allowed.joined(separator: ", ")
                throw .badRequest("unknown query parameter '\(name)'; known here: \(known)")
            }
            pairs.append(Field(name, value))
        }
        self.pairs = pairs
    }

    func all(_ name: String) -> [String] {
        pairs.filter { $0.name == name }.map(\.value)
    }

    func one(_ name: String) throws(APIError) -> String? {
        let values = all(name)
        guard values.count <= 1 else { throw .badRequest("'\(name)' is given more than once") }
        return values.first
    }

    /// A value that has to be readable by `read`.
    func one<Value>(_ name: String, allowed: String, read: (String) -> Value?) throws(APIError) -> Value? {
        guard let text = try one(name) else { return nil }
        guard let value = read(text) else { throw .badRequest("'\(name)' must be \(allowed)") }
        return value
    }

    /// Values of the form `left=right`.
    func assignments(_ name: String) throws(APIError) -> [Field] {
        var result: [Field] = []
        for text in all(name) {
            let halves = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard halves.count == 2, !halves[0].isEmpty else { throw .badRequest("'\(name)' must be NAME=VALUE") }
            result.append(Field(String(halves[0]), String(halves[1])))
        }
        return result
    }

    /// Percent-decoding (RFC 3986; a plus sign stays one); `nil` for what is malformed or no UTF-8.
    private static func decode(_ text: Substring) -> String? {
        var bytes: [UInt8] = []
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            let digits = rest.prefix(2)
            guard digits.count == 2, digits.allSatisfy({ Character(Unicode.Scalar($0)).isHexDigit }),
                let value = UInt8(String(decoding: digits, as: UTF8.self), radix: 16)
            else { return nil }
            bytes.append(value)
            rest = rest.dropFirst(2)
        }
        return String(validating: bytes, as: UTF8.self)
    }
}
