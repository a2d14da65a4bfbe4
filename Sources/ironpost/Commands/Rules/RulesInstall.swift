import ArgumentParser
import Glibc
import IronpostCore
import LogPipeline
import Sigma

struct RulesInstall: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "install",
        abstract: "Check Sigma rules and put them where the daemon reads its rules.",
        discussion: """
            SRC is a directory, a .zip or .tar.gz of one, or a rule file. The rules go into a directory of their own
            below the first directory of detection.rules, in place of those that were installed by this name before.
            Files with a rule that cannot be used are named and left out.

            Exit status 1 when nothing was installed.

            Example: ironpost rules install sigma_core.zip --reload
            """
    )

    @Argument(help: ArgumentHelp("A directory, an archive or a rule file.", valueName: "src"))
    var source: String
    @Option(help: "The directory's name; else that of the source.")
    var name: String?
    @Option(help: ArgumentHelp("Where to install, instead of below detection.rules.", valueName: "dir"))
    var to: String?
    @Flag(help: "Install nothing when any rule cannot be used.")
    var strict = false
    @Flag(help: "Then let the daemon take them up.")
    var reload = false
    @OptionGroup var global: GlobalOptions
    @OptionGroup var output: OutputOptions

    private struct Document: Encodable {
        struct Fault: Encodable {
            let file: String
            let line: Int
            let rule: String
            let message: String
        }

        let directory: String
        let installed: Bool
        let files: Int
        let rules: Int
        // swift-format-ignore: AlwaysUseLowerCamelCase
        let left_out: [Fault]
    }

    func run() async throws {
        let configuration = try ConfigurationLookup.load(global).configuration
        let base = try base(configuration)
        var package = try RulePackage(source)
        let installation = try RuleInstallation(base: base, name: name ?? package.name)
        // Those of this name that are there now go away.
        var others = RuleLoader.load(paths: configuration.detection.rules)
        others.documents.removeAll { $0.file.hasPrefix(installation.directory + "/") }
        let adaptation = RuleAdaptation(configuration.detection)
        try RuleAdaptationOptions.check(RuleBook(paths: [], adaptation: adaptation))
        package.validate(beside: others, adaptation: adaptation)
        let isInstalled = !package.files.isEmpty && !(strict && !package.leftOut.isEmpty)
        if isInstalled {
            do throws(RuleInstallation.Failure) {
                try installation.install(package.files.map { ($0.path, $0.bytes) }, source: source)
            } catch {
                throw CommandFailure(.failure, error.message)
            }
        }
        try show(package, installation, isInstalled: isInstalled)
        guard isInstalled else {
            throw CommandFailure(
                .failure,
                package.files.isEmpty ? "there is no usable rule in \(source)" : "nothing was installed (--strict)")
        }
        if reload { try await reloadDaemon() }
    }

    /// The first of the directories that rules are read from.
    private func base(_ configuration: Configuration) throws(CommandFailure) -> String {
        if let to {
            let isRead = configuration.detection.rules.contains { to == $0 || to.hasPrefix($0 + "/") || to + "/" == $0 }
            if !isRead {
                Output.complain(
                    Escaping.line("warning: \(to) is not among detection.rules: the daemon does not read it"))
            }
            return to
        }
        let directories = configuration.detection.rules.filter { path in
            var status = stat()
            // One that is not there yet is made.
            guard unsafe stat(path, &status) == 0 else { return !path.hasSuffix(".yml") && !path.hasSuffix(".yaml") }
            return status.st_mode & S_IFMT == S_IFDIR
        }
        guard let first = directories.first else {
            throw CommandFailure(
                .usage,
                "detection.rules names no directory, so that installed rules would not be read: write one into the "
                    + "configuration, such as rules = [\"/etc/ironpost/rules\"], or say where with --to")
        }
        return first
    }

    private func show(_ package: RulePackage, _ installation: RuleInstallation, isInstalled: Bool) throws {
        let files = isInstalled ? package.files.count : 0
        let rules = isInstalled ? package.ruleCount : 0
        if output.format == .json {
            return try Output.json(
                Document(
                    directory: installation.directory, installed: isInstalled, files: files, rules: rules,
                    left_out: package.leftOut.map {
                        .init(file: $0.file, line: $0.line, rule: $0.rule, message: $0.message)
                    }))
        }
        for fault in package.leftOut { Output.complain(Escaping.line("left out: \(fault)")) }
        guard isInstalled else { return }
        Output.write(Escaping.line("\(rules) rules in \(files) files are in \(installation.directory)"))
        if !reload { Output.write("they take effect with: ironpost reload") }
    }

    private func reloadDaemon() async throws {
        let result = try await ControlClient(global).post("/api/v1/reload", as: ReloadDocument.self)
        for warning in result.warnings { Output.complain(Escaping.line(warning)) }
        guard result.faults.isEmpty else {
            for fault in result.faults { Output.complain(Escaping.line(fault)) }
            throw CommandFailure(.usage, "not reloaded; configuration \(result.generation) stays in force")
        }
        if output.format == .table { Output.write("configuration \(result.generation) is in force") }
    }
}
