/// A JSON value whose members keep the order in which they were written, so that documents read well and two runs
/// give the same bytes.
indirect enum OrderedJSON: Equatable, Sendable {
    case string(String)
    case integer(Int64)
    case number(Double)
    case boolean(Bool)
    case array([OrderedJSON])
    case object([Member])

    struct Member: Equatable, Sendable {
        var name: String
        var value: OrderedJSON
    }

    static func object(_ members: KeyValuePairs<String, OrderedJSON>) -> OrderedJSON {
        .object(members.map { Member(name: $0.key, value: $0.value) })
    }

    /// Indented by two spaces; arrays of plain values on one line.
    func text(indentation: String = "") -> String {
        let inner = indentation + "  "
        switch self {
        case .string(let value): return "\"\(ConfigurationText.escaped(value))\""
        case .integer(let value): return String(value)
        case .number(let value): return String(value)
        case .boolean(let value): return value ? "true" : "false"
        case .array(let values):
            return "[" + values.map { $0.text(indentation: indentation) }.joined(separator: ", ") + "]"
        case .object(let members):
            if members.isEmpty { return "{}" }
            let lines = members.map {
                "\(inner)\"\(ConfigurationText.escaped($0.name))\": \($0.value.text(indentation: inner))"
            }
            return "{\n" + lines.joined(separator: ",\n") + "\n\(indentation)}"
        }
    }
}
