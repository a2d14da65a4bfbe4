/// Everything a configuration is made from. Later ones win: defaults, the file, the environment, then options.
package struct ConfigurationSources: Sendable {
    package static let defaultFile = "/etc/ironpost/ironpost.toml"
    /// Names the file when no option does.
    package static let fileVariable = "IRONPOST_CONFIG"
    static let environmentPrefix = "IRONPOST_"

    /// One value from the command line; of several for a key the last wins.
    package struct Setting: Sendable, Equatable {
        /// What a person would look for on the command line, without the value: `--log-level`, `--set http.listen`.
        package var option: String
        /// The full key.
        package var key: String
        /// nil when `--set` had no `=`.
        package var value: String?

        /// An option of its own for one key.
        package init(option: String, key: String, value: String) {
            self.option = option
            self.key = key
            self.value = value
        }

        /// The argument of `--set`: `KEY=VALUE`.
        package init(set argument: String) {
            let parts = argument.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            key = String(parts[0])
            option = "--set \(ConfigurationText.escaped(String(key.prefix(ConfigurationText.quotedCharactersMax))))"
            value = parts.count == 2 ? String(parts[1]) : nil
        }
    }

    /// nil reads no file.
    package var file: String?
    /// Whether somebody asked for this file, so that it must exist.
    package var fileIsExplicit: Bool
    package var environment: [String: String]
    package var settings: [Setting]

    package init(
        file: String?, fileIsExplicit: Bool, environment: [String: String] = [:], settings: [Setting] = []
    ) {
        self.file = file
        self.fileIsExplicit = fileIsExplicit
        self.environment = environment
        self.settings = settings
    }

    /// Finds the file: the `--config` option, else `$IRONPOST_CONFIG`, else the default path, which may be missing.
    package init(configOption: String?, environment: [String: String], settings: [Setting] = []) {
        let named = configOption ?? environment[Self.fileVariable].flatMap { $0.isEmpty ? nil : $0 }
        self.init(
            file: named ?? Self.defaultFile, fileIsExplicit: named != nil, environment: environment, settings: settings
        )
    }
}

/// A configuration and what is known about how it came to be.
package struct LoadedConfiguration: Sendable, Equatable {
    package var configuration: Configuration
    package var warnings: [ConfigurationWarning]
    /// By full key, for every key.
    package var origins: [String: ConfigurationOrigin]
    /// The file that was read; nil when there was none.
    package var file: String?
}
