extension ConfigurationKey {
    static let sbom: [ConfigurationKey] = [
        ConfigurationKey(
            "sbom.enabled", \.sbom.isEnabled, .boolean, "Whether packages are listed and matched.", isRestartOnly: true
        ),
        ConfigurationKey(
            "sbom.scan_dirs", \.sbom.scanDirectories, .paths,
            "Directories of projects and root file systems, beside this host's own package databases, which are always "
                + "followed.",
            isRestartOnly: true
        ),
        ConfigurationKey(
            "sbom.scan_interval", \.sbom.scanInterval, .duration(.seconds(1)...(.seconds(30 * 86_400))),
            "The longest time between two looks at everything; only what changed is read.", isRestartOnly: true
        ),
        ConfigurationKey(
            "sbom.watch", \.sbom.isWatching, .boolean,
            "Whether a change of lockfiles and package databases is looked at when it happens.", isRestartOnly: true
        ),
        ConfigurationKey(
            "sbom.vuln_db_path", \.sbom.vulnDBPath, .path(emptyMeans: "<data_dir>/vulndb"),
            "The database of known vulnerabilities: a directory that `ironpost vulndb` fills.", isRestartOnly: true,
            inForce: \.vulnerabilityDatabase
        ),
        ConfigurationKey(
            "sbom.vuln_db_url", \.sbom.vulnDBURL, .string,
            "The mirror of OSV's zips that `ironpost vulndb update` asks; https, or http on this host."
        ),
        ConfigurationKey(
            "sbom.vuln_db_ecosystems", \.sbom.vulnDBEcosystems, .list(of: .string, called: "ecosystems"),
            "What `ironpost vulndb update` fetches, as OSV names it; empty for the ecosystems of programming languages and "
                + "this host's distribution."
        ),
        ConfigurationKey(
            "sbom.vex", \.sbom.vex, .paths,
            "OpenVEX documents with what does not matter on this host: such findings are kept as suppressed and raise no "
                + "alert. A changed document is read anew.",
            isRestartOnly: true
        ),
        ConfigurationKey(
            "sbom.min_severity", \.sbom.minimumSeverity, .enumeration,
            "Findings of this severity and above raise alerts, and those that nobody rated; the others are only kept.",
            isRestartOnly: true
        ),
        ConfigurationKey(
            "sbom.output_format", \.sbom.outputFormat, .enumeration, "What inventories are written as.",
            isRestartOnly: true
        ),
        ConfigurationKey(
            "sbom.output_dir", \.sbom.outputDirectory, .path(emptyMeans: "<data_dir>/sbom"),
            "Where inventories are written.", isRestartOnly: true, inForce: \.sbomDirectory
        ),
    ]
}
