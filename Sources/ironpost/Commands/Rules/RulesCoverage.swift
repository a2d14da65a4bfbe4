import ArgumentParser
import IronpostCore
import LogPipeline
import Sigma

struct RulesCoverage: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "coverage",
        abstract: "Say which rules can fire on this host, and which field or log the others lack.",
        discussion: """
            Needs no daemon; looks at the sources of the configuration, and at the end of each log file. Without
            --rules: the rules of the configuration, else those that come with Ironpost.

            Example: ironpost rules coverage --rules ./sigma/rules/linux
            """
    )

    @Option(help: "A rule file or a directory of them; may be repeated.")
    var rules: [String] = []
    @OptionGroup var adaptation: RuleAdaptationOptions
    @OptionGroup var global: GlobalOptions
    @OptionGroup var output: OutputOptions

    private struct Document: Encodable {
        struct Rule: Encodable {
            let id: String
            let title: String
            let level: String
            let logsource: String
            // swift-format-ignore: AlwaysUseLowerCamelCase
            let can_fire: Bool
            let through: [String]
            // swift-format-ignore: AlwaysUseLowerCamelCase
            let lacks_fields: [String]
            // swift-format-ignore: AlwaysUseLowerCamelCase
            let lacks_source: String?
            let perhaps: [String]
        }

        struct Source: Encodable {
            let name: String
            let classes: [String]
            let note: String
        }

        let rules: [Rule]
        let total: Int
        // swift-format-ignore: AlwaysUseLowerCamelCase
        let can_fire: Int
        let refused: Int
        let sources: [Source]
    }

    func run() async throws {
        let lookup = try RuleLookup(rules: rules, adaptation: adaptation, global)
        let book = RuleBook(paths: lookup.paths, adaptation: lookup.adaptation)
        try RuleAdaptationOptions.check(book)
        let refused = book.faults.count { !$0.isWarning }
        let sources = HostSources.find(lookup.configuration ?? Configuration(), now: SystemTime().now())
        let coverage = RuleCoverage(book.ruleSet, sources: sources)
        let entries = coverage.entries.map { (entry: $0, document: book.ruleSet.rules[$0.rule].document) }
        let count = entries.count { $0.entry.canFire }
        if output.format == .json {
            return try Output.json(
                Document(
                    rules: entries.map { entry, document in
                        .init(
                            id: document.id ?? document.title, title: document.title,
                            level: (document.level ?? .medium).rawValue, logsource: Self.logSource(document),
                            can_fire: entry.canFire, through: entry.through, lacks_fields: entry.fields,
                            lacks_source: entry.source.isEmpty ? nil : entry.source, perhaps: entry.perhaps)
                    },
                    total: entries.count, can_fire: count, refused: refused,
                    sources: sources.map { .init(name: $0.name, classes: Self.classes($0), note: $0.note) }
                )
            )
        }
        let terminal = Terminal(global.color)
        var table = Table([
            .init("LEVEL"), .init("RULE", canShrink: true), .init("LOG SOURCE", canShrink: true), .init("FIRES"),
            .init("THROUGH OR LACKING", canShrink: true),
        ])
        for (entry, document) in entries.sorted(by: Self.isBefore) {
            let level = (document.level ?? .medium).rawValue
            table.add([
                .init(level, Terminal.style(severity: level)), .init(document.title),
                .init(Self.logSource(document)), .init(entry.canFire ? "yes" : "no", entry.canFire ? .green : .red),
                .init(Self.words(entry)),
            ])
        }
        for line in table.lines(terminal) { Output.write(line) }
        Output.write("")
        for source in sources {
            let classes = Self.classes(source).joined(separator: ", ")
            let words = [classes, source.note].filter { !$0.isEmpty }.joined(separator: "; ")
            Output.write(Escaping.line("source \(source.name): \(words)"))
        }
        let others = refused > 0 ? "; \(refused) are refused (rules validate)" : ""
        Output.write("\(count) of \(entries.count) rules can fire on this host\(others)")
    }

    private static func isBefore(
        _ left: (entry: RuleCoverage.Entry, document: RuleDocument),
        _ right: (entry: RuleCoverage.Entry, document: RuleDocument)
    ) -> Bool {
        if left.entry.canFire != right.entry.canFire { return left.entry.canFire }
        return (logSource(left.document), left.document.title) < (logSource(right.document), right.document.title)
    }

    private static func logSource(_ document: RuleDocument) -> String {
        document.correlation == nil ? RuleWords.logSource(document.logSource) : "correlation"
    }

    private static func classes(_ source: HostSource) -> [String] {
        source.classes.keys.sorted().map { EventClasses.names[$0] }
    }

    private static func words(_ entry: RuleCoverage.Entry) -> String {
        guard !entry.canFire else { return entry.through.joined(separator: ", ") }
        let lack =
            !entry.fields.isEmpty
            ? "no field \(entry.fields.joined(separator: ", "))"
            : entry.source.isEmpty ? "its condition never holds" : "no \(entry.source) log"
        return lack + (entry.perhaps.isEmpty ? "" : "; perhaps in \(entry.perhaps.joined(separator: ", "))")
    }
}
