extension Configuration {
    /// Reads, merges and checks a configuration. A value counts only after its key's strongest source is known, so an
    /// option or a variable can replace a faulty value of the file.
    /// - Returns: the configuration with warnings, or everything that is wrong with it at once.
    package static func load(_ sources: ConfigurationSources) -> Result<LoadedConfiguration, ConfigurationFaults> {
        load(sources, keys: ConfigurationKey.all)
    }

    static func load(
        _ sources: ConfigurationSources, keys: [ConfigurationKey]
    ) -> Result<LoadedConfiguration, ConfigurationFaults> {
        var document = ConfigurationDocument(keys: keys)
        let file = document.readFile(of: sources)
        document.readEnvironment(sources.environment)
        document.readSettings(sources.settings)

        var configuration = Configuration()
        var origins: [String: ConfigurationOrigin] = [:]
        var faults = document.faults
        var faultyKeys: Set<String> = []
        for key in keys {
            guard let written = document.values[key.path] else {
                origins[key.path] = .default
                continue
            }
            origins[key.path] = written.origin
            do throws(ValueProblems) {
                try key.assign(written.value, &configuration)
            } catch {
                faultyKeys.insert(key.path)
                faults += error.problems.map { problem in
                    ConfigurationFault(
                        origin: written.origin.moved(to: problem.position), key: key.path,
                        message: problem.message(isSecret: key.isSecret)
                    )
                }
            }
        }
        faults += configuration.contradictions
            .filter { faultyKeys.isDisjoint(with: $0.keys) }
            .map { contradiction in
                // The fault is shown where somebody wrote something, if anybody did.
                let key = contradiction.keys.first { origins[$0, default: .default] != .default }
                let shown = key ?? contradiction.keys[0]
                return ConfigurationFault(
                    origin: origins[shown, default: .default], key: shown, message: contradiction.message
                )
            }
        guard faults.isEmpty else { return .failure(ConfigurationFaults(faults)) }
        return .success(
            LoadedConfiguration(
                configuration: configuration, warnings: document.warnings, origins: origins, file: file
            )
        )
    }
}

extension ConfigurationOrigin {
    /// The same file at another place, when the place is known.
    fileprivate func moved(to position: TextPosition?) -> ConfigurationOrigin {
        guard case .file(let path, _) = self, let position else { return self }
        return .file(path: path, position: position)
    }
}
