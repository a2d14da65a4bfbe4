import FoundationEssentials
import IronpostCore

/// `doctor --bundle`.
extension Doctor {
    private struct Report: Encodable {
        let bundle: String
        let manifest: SupportBundle.Manifest
    }

    /// Packs also where the configuration is faulty: then most of all.
    func pack(to path: String) async throws {
        let sources = ConfigurationSources(
            configOption: global.config, environment: ProcessInfo.processInfo.environment,
            settings: dataDir.map { [.init(set: "general.data_dir=\($0)")] } ?? [])
        let loaded = Configuration.load(sources)
        var configuration = Configuration()
        if case .success(let found) = loaded { configuration = found.configuration }
        if let dataDir { configuration.general.dataDirectory = dataDir }
        let client = ControlClient(socketPath: global.socket ?? configuration.controlSocket)
        var bundle = SupportBundle(
            secrets: SupportBundle.secrets(of: configuration), keepsNames: withNames, time: SystemTime().now())
        try bundle.addVersions()
        let checks = await checks(configuration, client)
        try bundle.add("doctor.json", "what this host allows", json: CheckReport(checks: checks, total: checks.count))
        switch loaded {
        case .success(let loaded):
            if let text = configuration.rendered(origins: loaded.origins) {
                bundle.add(
                    "configuration.toml", "the configuration as this command reads it; secrets are ***",
                    text: text + "\n", isOwn: true)
            }
        case .failure(let faults):
            // What was written there may be a secret in the wrong place: `config validate` shows it to whoever asks.
            let places = faults.faults.map { "\($0.place)" }.joined(separator: ", ")
            bundle.miss(
                "configuration.toml",
                "it is faulty at \(places); what is asked of a daemon and its database goes by --socket, --data-dir and "
                    + "the defaults")
        }
        let status = try await bundle.addDaemon(client)
        bundle.addLog(pid: status?.pid)
        try bundle.addStore(configuration.databasePath)
        try bundle.write(to: path)
        show(bundle.manifest, path)
    }

    private func show(_ manifest: SupportBundle.Manifest, _ path: String) {
        if output.format == .json {
            do {
                try Output.json(Report(bundle: path, manifest: manifest))
            } catch {
                Output.complain("ironpost: \(error)")
            }
            return
        }
        var table = Table([.init("FILE"), .init("BYTES"), .init("HOLDS", canShrink: true)])
        for file in manifest.files { table.add([.init(file.name), .init("\(file.bytes)"), .init(file.holds)]) }
        for line in table.lines(Terminal(global.color)) { Output.write(line) }
        for part in manifest.missing { Output.write(Escaping.line("missing: \(part.name): \(part.reason)")) }
        let names =
            manifest.keepsNames
            ? "names and addresses are in it"
            : "without names of users and hosts, and without addresses but the configuration's"
        Output.write(Escaping.line("written: \(path), \(names)"))
    }
}
