/// A value as somebody wrote it, before its key's kind has read it.
enum WrittenValue: Sendable {
    /// From the environment or an option, where everything is text.
    case text(String)
    /// From the file.
    case node(TOMLNode)
}

/// A value that its kind does not accept.
struct ValueProblem: Error, Equatable {
    /// What was written, quoted for a person; hidden when the key is secret.
    var given: String
    /// What may stand there instead.
    var allowed: String
    /// For a list's item, its own place.
    var position: TextPosition?
    /// Said instead of the usual sentence when that would not explain it. Holds nothing of what was written.
    var explanation: String?

    /// - Parameter isSecret: leaves out what was written.
    func message(isSecret: Bool) -> String {
        explanation ?? "\(isSecret ? "this value" : given) is not allowed; use \(allowed)"
    }
}

/// Several, because a list can have more than one bad item. Never empty.
struct ValueProblems: Error, Equatable {
    var problems: [ValueProblem]
}

/// A checked value in the few shapes that TOML, JSON and tables can show.
package enum PlainValue: Equatable, Sendable {
    case string(String)
    case integer(Int64)
    case number(Double)
    case boolean(Bool)
    case list([String])
    /// Lists by name.
    case table([String: [String]])

    /// URLs' user information is masked, whatever the key.
    var masked: PlainValue {
        switch self {
        case .string(let text): .string(ConfigurationText.maskingUserInformation(text))
        case .list(let items): .list(items.map(ConfigurationText.maskingUserInformation))
        case .table(let lists): .table(lists.mapValues { $0.map(ConfigurationText.maskingUserInformation) })
        case .integer, .number, .boolean: self
        }
    }

    var json: OrderedJSON {
        switch self {
        case .string(let text): .string(text)
        case .integer(let number): .integer(number)
        case .number(let number): .number(number)
        case .boolean(let value): .boolean(value)
        case .list(let items): .array(items.map { .string($0) })
        case .table(let lists):
            .object(
                lists.sorted { $0.key < $1.key }.map { name, items in
                    OrderedJSON.Member(name: name, value: .array(items.map { .string($0) }))
                }
            )
        }
    }

    /// As TOML writes it; but for tables, JSON's form is TOML's as well.
    package var toml: String {
        guard case .table(let lists) = self else { return json.text() }
        guard !lists.isEmpty else { return "{}" }
        let members = lists.sorted { $0.key < $1.key }.map { name, items in
            "\(OrderedJSON.string(name).text()) = \(PlainValue.list(items).toml)"
        }
        return "{ \(members.joined(separator: ", ")) }"
    }
}

/// What a key accepts: how a written value becomes a `Value`, how a `Value` is shown, and both in words.
struct ValueKind<Value: Sendable & Equatable>: Sendable {
    /// "an integer"
    var noun: String
    /// "1 to 100000"; empty when the noun says all.
    var range: String = ""
    var schema: OrderedJSON
    var decode: @Sendable (WrittenValue) -> Result<Value, ValueProblems>
    var show: @Sendable (Value) -> PlainValue

    /// For values of the wrong type and for documentation.
    var allowed: String { range.isEmpty ? noun : "\(noun), \(range)" }

    static func phrase(_ noun: String, _ range: String) -> String {
        range.isEmpty ? noun : "\(noun), \(range)"
    }
}

extension WrittenValue {
    /// What was written, for a message.
    var given: String {
        switch self {
        case .text(let text): ConfigurationText.quoted(text)
        case .node(let node):
            switch node.value {
            case .table: "a table"
            case .array: "a list"
            case .string(let text): ConfigurationText.quoted(text)
            case .integer(let number): String(number)
            case .float(let number): String(number)
            case .boolean(let value): value ? "true" : "false"
            case .dateTime: "a date or time"
            }
        }
    }

    /// The same, for a value that is not even of the right type.
    private var givenWithType: String {
        guard case .node(let node) = self else { return given }
        return switch node.value {
        case .string: "the string \(given)"
        case .integer: "the integer \(given)"
        case .float: "the float \(given)"
        case .boolean: "the boolean \(given)"
        case .table, .array, .dateTime: given
        }
    }

    private var position: TextPosition? {
        guard case .node(let node) = self else { return nil }
        return node.position
    }

    func refused<Value>(
        use allowed: String, explanation: String? = nil
    ) -> Result<Value, ValueProblems> {
        let problem = ValueProblem(given: given, allowed: allowed, position: position, explanation: explanation)
        return .failure(ValueProblems(problems: [problem]))
    }

    func wrongType<Value>(use allowed: String) -> Result<Value, ValueProblems> {
        .failure(ValueProblems(problems: [ValueProblem(given: givenWithType, allowed: allowed, position: position)]))
    }

    /// The text of a string, from wherever it came; nil when something else was written.
    var string: String? {
        switch self {
        case .text(let text): return text
        case .node(let node):
            guard case .string(let text) = node.value else { return nil }
            return text
        }
    }
}
