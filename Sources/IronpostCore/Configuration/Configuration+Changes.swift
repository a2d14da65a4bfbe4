extension Configuration {
    /// A key whose value differs between two configurations.
    package struct Change: Equatable, Sendable {
        package var key: String
        /// As TOML writes them; secrets are `***`.
        package var old: String
        package var new: String
        /// Whether a running daemon must refuse it.
        package var needsRestart: Bool
    }

    /// What a reload would change, in the table's order.
    package func changes(from old: Configuration) -> [Change] {
        ConfigurationKey.all.filter { $0.value(self) != $0.value(old) }.map { key in
            Change(
                key: key.path, old: key.shownAsWritten(in: old).toml, new: key.shownAsWritten(in: self).toml,
                needsRestart: key.isRestartOnly
            )
        }
    }
}
