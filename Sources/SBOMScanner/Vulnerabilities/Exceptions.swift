package import IronpostCore

/// What OpenVEX documents say does not matter here, and until when.
///
/// A statement counts for a product (a purl, with or without version and qualifiers) or for every product when it names
/// none. Its `status_notes` may begin with `expires=TIME;`: from then on it counts no more.
package struct Exceptions: Sendable {
    private struct Statement {
        var names: Set<String>
        var products: [String]
        var status: String
        var reason: String
        var expires: Timestamp?
    }

    private var statements: [Statement] = []
    /// Statements that are over.
    package private(set) var expired = 0

    /// When the next statement is over.
    package private(set) var nextExpiry: Timestamp?

    private static let bytesMax = 64 << 20

    package init() {}

    /// Adds a document. Throws what is wrong with it.
    package mutating func add(_ bytes: [UInt8], now: Timestamp) throws(ReadFault) {
        guard bytes.count <= Self.bytesMax else { throw ReadFault("larger than \(Self.bytesMax >> 20) MiB") }
        let root = try JSONReader.read(bytes).root
        guard root["@context"]?.string?.hasPrefix("https://openvex.dev/ns") == true, let list = root["statements"],
            list.isArray
        else { throw ReadFault("no OpenVEX document") }
        let none = Tree.Children(tree: root.tree, next: 0)
        for entry in list.children {
            guard let status = entry["status"]?.string, status == "not_affected" || status == "fixed" else { continue }
            let vulnerability = entry["vulnerability"]
            let name = vulnerability?["name"]?.string ?? vulnerability?.string
            var names = Set((vulnerability?["aliases"]?.children ?? none).compactMap(\.string))
            if let name { names.insert(name) }
            guard !names.isEmpty else { throw ReadFault("a statement without its vulnerability") }
            let notes = entry["status_notes"]?.string ?? ""
            let expires = Self.expiry(notes)
            if let expires, expires <= now {
                expired += 1
                continue
            }
            if let expires { nextExpiry = min(nextExpiry ?? expires, expires) }
            let reason = entry["justification"]?.string ?? entry["impact_statement"]?.string ?? notes
            let products = (entry["products"]?.children ?? none).compactMap { $0["@id"]?.string ?? $0.string }
            statements.append(
                Statement(names: names, products: products, status: status, reason: reason, expires: expires)
            )
        }
    }

    private static func expiry(_ notes: String) -> Timestamp? {
        guard notes.hasPrefix("expires=") else { return nil }
        return Timestamp(rfc3339: notes.dropFirst(8).prefix { $0 != ";" && $0 != " " })
    }

    package func suppression(of advisory: Advisory, in package: Package) -> Finding.Suppression? {
        guard !statements.isEmpty else { return nil }
        let names = [advisory.id] + advisory.aliases
        let statement = statements.last { statement in
            names.contains { statement.names.contains($0) }
                && (statement.products.isEmpty || statement.products.contains { Self.covers($0, package.purl) })
        }
        return statement.map { Finding.Suppression(status: $0.status, reason: $0.reason) }
    }

    /// A product without version is all of them; without qualifiers any.
    private static func covers(_ product: String, _ purl: String) -> Bool {
        if product == purl { return true }
        let plain = purl.prefix { $0 != "?" && $0 != "#" }
        if product == plain { return true }
        guard let at = plain.lastIndex(of: "@") else { return false }
        return product == plain[..<at]
    }
}
