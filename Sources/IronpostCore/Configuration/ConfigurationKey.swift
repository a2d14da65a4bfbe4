/// One key: its name, what it accepts and means, and which field of `Configuration` it fills. `ConfigurationKey.all` is
/// the only list of keys: the file, the environment, options, faults, `config show`, the JSON schema and
/// docs/configuration.md all come from it.
package struct ConfigurationKey: Sendable, CustomStringConvertible {
    /// `log_pipeline.file`
    package let section: String
    /// `include`
    package let name: String
    /// What the value means, in a sentence or two of plain text.
    package let summary: String
    /// What is accepted, in words.
    package let allowed: String
    /// Never shown.
    package let isSecret: Bool
    /// A running daemon refuses a change of it.
    package let isRestartOnly: Bool

    let schema: OrderedJSON
    /// The value as written, or the default.
    let value: @Sendable (Configuration) -> PlainValue
    /// The value in force, where empty stands for something else.
    let valueInForce: @Sendable (Configuration) -> PlainValue
    /// Reads a written value into its field.
    let assign: @Sendable (WrittenValue, inout Configuration) throws(ValueProblems) -> Void

    /// - Parameters:
    ///   - path: the full key, `section.name`.
    ///   - inForce: what stands for an empty value.
    init<Value: Sendable & Equatable>(
        _ path: String,
        _ field: any WritableKeyPath<Configuration, Value> & Sendable,
        _ kind: ValueKind<Value>,
        _ summary: String,
        isSecret: Bool = false,
        isRestartOnly: Bool = false,
        inForce: (@Sendable (Configuration) -> String)? = nil
    ) {
        let parts = path.split(separator: ".")
        section = parts.dropLast().joined(separator: ".")
        name = String(parts.last ?? "")
        self.summary = summary
        self.isSecret = isSecret
        self.isRestartOnly = isRestartOnly
        allowed = kind.allowed
        schema = kind.schema
        value = { kind.show($0[keyPath: field]) }
        valueInForce = { configuration in
            inForce.map { .string($0(configuration)) } ?? kind.show(configuration[keyPath: field])
        }
        assign = { (written, configuration) throws(ValueProblems) in
            configuration[keyPath: field] = try kind.decode(written).get()
        }
    }

    /// `log_pipeline.file.include`
    package var path: String { "\(section).\(name)" }

    package var description: String { path }

    /// `IRONPOST_LOG_PIPELINE_FILE_INCLUDE`
    package var environmentName: String {
        ConfigurationSources.environmentPrefix + String(path.map { $0 == "." ? "_" : $0 }).uppercased()
    }

    /// The value when nobody wrote one.
    package var defaultValue: PlainValue { value(Configuration()) }

    /// The value in force as `config show` may print it.
    func shown(in configuration: Configuration) -> PlainValue {
        isSecret ? .string(Secret<String>.mask) : valueInForce(configuration).masked
    }

    /// The value as written, as a reload may name it.
    func shownAsWritten(in configuration: Configuration) -> PlainValue {
        isSecret ? .string(Secret<String>.mask) : value(configuration).masked
    }
}

/// A section of the file, for whoever reads its documentation.
package struct ConfigurationSection: Sendable {
    /// `log_pipeline.file`
    package let path: String
    package let summary: String
}
