extension ValueKind {
    /// A list of texts, each read by `item`. In the environment and in options items are separated by commas, blanks
    /// around them do not count, and empty ones are dropped.
    static func list<Item: Hashable & Sendable>(
        of item: ValueKind<Item>, called noun: String
    ) -> ValueKind<[Item]> {
        let name = "a list of \(noun)"
        let allowed = ValueKind<[Item]>.phrase(name, item.range)
        return ValueKind<[Item]>(
            noun: name,
            range: item.range,
            schema: .object([
                "type": .string("array"), "items": item.schema, "uniqueItems": .boolean(true),
                "maxItems": .integer(Int64(ConfigurationText.listItemsMax)),
            ]),
            decode: { written in
                let parts: [WrittenValue]
                switch written {
                case .text(let text):
                    parts = text.split(separator: ",").map(trimmed).filter { !$0.isEmpty }.map { .text($0) }
                case .node(let node):
                    guard case .array(let items) = node.value else { return written.wrongType(use: allowed) }
                    parts = items.map { .node($0) }
                }
                guard parts.count <= ConfigurationText.listItemsMax else {
                    return written.refused(use: "at most \(ConfigurationText.listItemsMax) items")
                }
                var items: [Item] = []
                var seen: Set<Item> = []
                var problems: [ValueProblem] = []
                for part in parts {
                    switch item.decode(part) {
                    case .failure(let refused): problems += refused.problems
                    case .success(let value):
                        if seen.insert(value).inserted {
                            items.append(value)
                        } else if case .failure(let twice) = part.refused(use: "each item once") as Result<Item, _> {
                            problems += twice.problems
                        }
                    }
                }
                return problems.isEmpty ? .success(items) : .failure(ValueProblems(problems: problems))
            },
            show: { items in
                .list(
                    items.map { value in
                        guard case .string(let text) = item.show(value) else { return "" }
                        return text
                    }
                )
            }
        )
    }

    private static func trimmed(_ text: Substring) -> String {
        let start = text.drop(while: \.isWhitespace)
        return String(start.reversed().drop(while: \.isWhitespace).reversed())
    }
}

extension ValueKind<[String]> {
    /// Patterns of absolute paths: `*`, `?`, `[a-z]` within a path component.
    static var globs: ValueKind {
        list(
            of: ValueKind<String>.text(
                "a pattern", range: "absolute patterns such as \"/var/log/nginx/*.log\"",
                parse: { $0.hasPrefix("/") ? $0 : nil }, show: { $0 }
            ),
            called: "patterns"
        )
    }

    /// Paths of files or directories.
    static var paths: ValueKind {
        list(of: ValueKind<String>.path(), called: "paths")
    }
}

extension ValueKind {
    /// Words of a fixed set, each at most once.
    static func enumerations<Item: RawRepresentable<String> & CaseIterable & Hashable & Sendable>() -> ValueKind
    where Value == [Item] {
        let words = Item.allCases.map { "\"\($0.rawValue)\"" }.joined(separator: ", ")
        var kind = list(of: ValueKind<Item>.enumeration, called: words)
        kind.range = ""
        return kind
    }
}
