extension ValueKind<[String: [String]]> {
    /// Names, each with one or more texts: `{ Administrators = ["root", "ops"] }`. In the environment and in options it
    /// is written as TOML writes it on one line.
    static var wordLists: ValueKind {
        let form = "such as { Administrators = [\"root\", \"ops\"] }"
        let allowed = phrase("a table of lists", form)
        return ValueKind(
            noun: "a table of lists",
            range: form,
            schema: .object([
                "type": .string("object"), "maxProperties": .integer(Int64(ConfigurationText.listItemsMax)),
                "additionalProperties": .object([
                    "type": .string("array"),
                    "items": .object(["type": .string("string"), "minLength": .integer(1)]),
                    "minItems": .integer(1), "maxItems": .integer(Int64(ConfigurationText.listItemsMax)),
                ]),
            ]),
            decode: { written in
                guard let members = members(of: written) else { return written.wrongType(use: allowed) }
                guard members.count <= ConfigurationText.listItemsMax else {
                    return written.refused(use: "at most \(ConfigurationText.listItemsMax) names")
                }
                var lists: [String: [String]] = [:]
                var problems: [ValueProblem] = []
                for member in members {
                    switch list(of: member) {
                    case .success(let items): lists[member.name] = items
                    case .failure(let refused): problems += refused.problems
                    }
                }
                return problems.isEmpty ? .success(lists) : .failure(ValueProblems(problems: problems))
            },
            show: { .table($0) }
        )
    }

    private static func members(of written: WrittenValue) -> [TOMLNode.Member]? {
        switch written {
        case .node(let node):
            guard case .table(let members) = node.value else { return nil }
            return members
        case .text(let text):
            guard let document = try? TOMLDocument.parse(Array("value = \(text)".utf8)), document.count == 1,
                case .table(let members)? = document.first?.node.value
            else { return nil }
            return members
        }
    }

    private static func list(of member: TOMLNode.Member) -> Result<[String], ValueProblems> {
        let value = WrittenValue.node(member.node)
        let isName = !member.name.isEmpty && !member.name.contains { $0 == "%" || $0 == "\\" || $0.isWhitespace }
        guard isName else {
            let problem = ValueProblem(
                given: ConfigurationText.quoted(member.name), allowed: "a name without blanks, % and \\",
                position: member.node.position)
            return .failure(ValueProblems(problems: [problem]))
        }
        let items: [TOMLNode]
        if case .array(let nodes) = member.node.value { items = nodes } else { items = [member.node] }
        guard (1...ConfigurationText.listItemsMax).contains(items.count) else {
            return value.refused(use: "1 to \(ConfigurationText.listItemsMax) values for \(member.name)")
        }
        var texts: [String] = []
        for item in items {
            switch item.value {
            case .string(let text) where !text.isEmpty: texts.append(text)
            case .integer(let number): texts.append(String(number))
            default: return WrittenValue.node(item).refused(use: "texts that are not empty, for \(member.name)")
            }
        }
        return .success(texts)
    }
}
