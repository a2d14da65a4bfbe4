/// Where a configuration value was written.
package enum ConfigurationOrigin: Hashable, Sendable, CustomStringConvertible {
    /// A place in the configuration file; without a position the file as a whole.
    case file(path: String, position: TextPosition?)
    /// An environment variable, by its name.
    case environment(String)
    /// A command-line option as a person would look for it, without its value: `--log-level`, `--set http.listen`.
    case option(String)
    /// Built in.
    case `default`

    package var description: String {
        switch self {
        case .file(let path, let position): position.map { "\(path):\($0.line)" } ?? path
        case .environment(let name): name
        case .option(let text): text
        case .default: "default"
        }
    }
}

/// One thing that is wrong with the configuration, said so that it can be mended from the message alone.
package struct ConfigurationFault: Error, Hashable, Sendable, CustomStringConvertible {
    package var origin: ConfigurationOrigin
    /// The full key (`log_pipeline.batch_size`) or section; nil when the fault is the file's, not a key's.
    package var key: String?
    /// What is wrong and what is allowed. Never contains a secret.
    package var message: String

    package init(origin: ConfigurationOrigin, key: String?, message: String) {
        self.origin = origin
        self.key = key
        self.message = message
    }

    /// Where it is, without what was written there.
    package var place: String {
        let origin =
            switch origin {
            case .option: "an option"
            default: "\(origin)"
            }
        return key.map { "\(origin): \($0)" } ?? origin
    }

    /// `ironpost.toml:12: log_pipeline.batch_size: 0 is not allowed; use 1 to 100000`. A fault of the text itself
    /// also gives the column.
    package var description: String {
        if let key { return "\(origin): \(key): \(message)" }
        if case .file(_, let position?) = origin { return "\(origin):\(position.column): \(message)" }
        return "\(origin): \(message)"
    }
}

/// Everything that is wrong with the configuration, never empty: the file's faults in file order, then the
/// environment's, then the options'.
package struct ConfigurationFaults: Error, Equatable, Sendable, CustomStringConvertible {
    package var faults: [ConfigurationFault]

    package init(_ faults: [ConfigurationFault]) {
        self.faults = faults.sorted { ConfigurationFaults.place($0) < ConfigurationFaults.place($1) }
    }

    /// A line a fault.
    package var description: String {
        faults.map(\.description).joined(separator: "\n")
    }

    private static func place(_ fault: ConfigurationFault) -> (Int, Int, Int, String) {
        switch fault.origin {
        case .file(_, let position): (0, position?.line ?? 0, position?.column ?? 0, fault.key ?? "")
        case .environment(let name): (1, 0, 0, name)
        case .option(let text): (2, 0, 0, text)
        case .default: (3, 0, 0, fault.key ?? "")
        }
    }
}

/// Something in the configuration that does not stop a start but is hardly meant.
package struct ConfigurationWarning: Hashable, Sendable, CustomStringConvertible {
    package var origin: ConfigurationOrigin
    package var message: String

    package var description: String { "\(origin): \(message)" }
}
