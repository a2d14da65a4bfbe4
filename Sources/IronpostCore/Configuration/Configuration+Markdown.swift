extension Configuration {
    /// docs/configuration.md, which a test keeps equal to this.
    package static func markdown() -> String {
        let sections = ConfigurationSection.all.map { section in
            let keys = ConfigurationKey.all.filter { $0.section == section.path }
            return "## [\(section.path)]\n\n\(section.summary)\n\n" + keys.map(markdown).joined(separator: "\n")
        }
        return introduction + sections.joined(separator: "\n")
    }

    private static func markdown(_ key: ConfigurationKey) -> String {
        var text = "### \(key.name)\n\n\(key.summary)"
        if key.isRestartOnly { text += " A change needs a restart." }
        text += "\n\n- default: `\(key.defaultValue.toml)`\n- allowed: \(escaped(key.allowed))\n"
        text += "- environment: `\(key.environmentName)`\n"
        return text
    }

    /// So that `<data_dir>` does not become an HTML tag.
    private static func escaped(_ text: String) -> String {
        text.split(separator: "<", omittingEmptySubsequences: false).joined(separator: "\\<")
    }

    private static let introduction = """
        # Configuration

        <!-- Generated from Sources/IronpostCore/Configuration/ConfigurationKey+All.swift.
             IRONPOST_WRITE_DOCS=1 swift test --filter ConfigurationTests writes it anew. -->

        One TOML file: `--config FILE`, else `$IRONPOST_CONFIG`, else `\(ConfigurationSources.defaultFile)`. A file that
        is named must exist; without the last one the built-in defaults hold. No key is required.

        A value is taken from the first of these that has one:

        1. an option: `--set log_pipeline.batch_size=1000`, or one of its own such as `--log-level debug`
        2. the environment: `IRONPOST_LOG_PIPELINE_BATCH_SIZE=1000`; `IRONPOST_`, the section, the key, in capitals,
           with `_` for dots
        3. the file
        4. the default

        In options and in the environment the items of a list are separated by commas, blanks around them do not count,
        and an empty text is an empty list. A duration is a text such as `"250ms"`, `"90s"`, `"10m"`, `"4h"`, `"30d"` or
        `"1h30m"`, or a number of seconds.

        Every value is checked, and everything that is wrong is reported at once, with file and line; an unknown key is
        an error, an unknown `IRONPOST_…` variable a warning. `ironpost config validate` checks without a daemon,
        `ironpost config show` prints what is in force and where it comes from, `ironpost config schema` prints the JSON
        schema for editors.

        The file is read up to 1 MiB. It is refused when it or its directory belongs to anybody but root or the user who
        reads it, or is writable for others; for a group only its owner's private one is allowed. A directory with the
        sticky bit, such as /tmp, may be writable.


        """
}
