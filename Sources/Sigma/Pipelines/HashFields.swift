extension HashFields {
    private static let algorithmOfLength = [32: "MD5", 40: "SHA1", 64: "SHA256", 128: "SHA512"]

    /// - Returns: `nil` for items that are not about hashes.
    func split(_ item: DetectionItem) throws(DocumentFault) -> [DetectionItem]? {
        guard fields.contains(item.field), item.holdsTexts else { return nil }
        var order: [String] = []
        var found: [String: [DetectionValue]] = [:]
        for value in item.values {
            guard let pattern = item.pattern(of: value) else { return nil }
            guard let (algorithm, hash) = Self.parts(pattern.shown), algorithms.contains(algorithm) else { continue }
            let field = prefix + (leavesOutAlgorithm ? "" : algorithm)
            if found[field] == nil { order.append(field) }
            found[field, default: []].append(DetectionValue(kind: .string, text: hash, line: value.line))
        }
        guard !order.isEmpty else {
            throw DocumentFault(
                0, "no value of '\(item.field)' is a hash of a known kind (\(algorithms.joined(separator: ", ")))")
        }
        return order.map { field in
            DetectionItem(
                field: field, modifiers: item.modifiers.filter { $0 == "neq" }, values: found[field] ?? [],
                line: item.line)
        }
    }

    /// `SHA1=…` or `SHA1|…`, or a hash alone, whose length tells.
    private static func parts(_ text: String) -> (algorithm: String, hash: String)? {
        func bare(_ text: Substring) -> String {
            let isWildcard: (Character) -> Bool = { $0 == "*" || $0 == "?" }
            let start = text.drop(while: isWildcard)
            return String(start.reversed().drop(while: isWildcard).reversed())
        }
        let parts = text.split(separator: text.contains("|") ? "|" : "=", omittingEmptySubsequences: false)
        if parts.count == 2 {
            return (String(parts[0].drop { $0 == "*" }).uppercased(), bare(parts[1]))
        }
        let hash = bare(parts[0])
        return algorithmOfLength[hash.count].map { ($0, hash) }
    }
}
