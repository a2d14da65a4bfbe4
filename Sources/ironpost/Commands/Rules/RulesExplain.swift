import ArgumentParser
import Glibc
import IronpostCore
import LogPipeline
import Sigma

struct RulesExplain: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "explain",
        abstract: "Say what a rule looks for, and of one event, what of that it has.",
        discussion: """
            Needs no daemon. Without --rules: the rules of the configuration, else those that come with Ironpost.

            Example: ironpost rules explain "SSH brute force" event.json
            """
    )

    @Argument(help: "A rule's id or title, or a rule file.")
    var rule: String
    @Argument(help: "A file whose first event is tried, such as one JSON object; - is standard input.")
    var event: String?
    @Option(help: "A rule file or a directory of them; may be repeated.")
    var rules: [String] = []
    @Option(help: "What the event is: auto, json, syslog, auditd, logfmt, clf, web-error or plain.")
    var format: String = LineFormat.auto.rawValue
    @OptionGroup var adaptation: RuleAdaptationOptions
    @OptionGroup var global: GlobalOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        guard let lineFormat = LineFormat(rawValue: format), lineFormat != .journal, lineFormat != .packet else {
            throw CommandFailure(.usage, "unknown format \"\(format)\"")
        }
        let isFile = rules.isEmpty && isRegularFile(rule)
        let lookup = try RuleLookup(rules: isFile ? [rule] : rules, adaptation: adaptation, global)
        var detector = OfflineDetector(rules: lookup.paths, format: lineFormat, adaptation: lookup.adaptation)
        let book = detector.book
        try RuleAdaptationOptions.check(book)
        let number = try find(in: book, isFile: isFile, paths: lookup.paths)
        guard let event else {
            return try show(RuleExplanation(number, of: book.ruleSet), number, book, tried: nil)
        }
        do {
            let result = try detector.explain(rule: number, path: event, now: SystemTime().now())
            guard let record = result.event else {
                throw CommandFailure(.usage, "\(event): there is no event in it")
            }
            if result.hasMore { Output.complain("warning: only the first event is explained; there are more") }
            try show(result.explanation, number, book, tried: (record, result.eventClass))
        } catch let fault as InputFile.Fault {
            throw CommandFailure(.inputOutput, fault.description)
        }
    }

    private func isRegularFile(_ path: String) -> Bool {
        var status = stat()
        return unsafe stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
    }

    private func find(in book: RuleBook, isFile: Bool, paths: [String]) throws(CommandFailure) -> Int {
        let all = book.ruleSet.rules.indices
        let found: [Int]
        if isFile {
            // A correlation's file holds the rules that it counts as well: it is what the file is about.
            let correlations = all.filter { book.ruleSet.rules[$0].document.correlation != nil }
            found = correlations.isEmpty ? Array(all) : correlations
        } else {
            let wanted = rule.lowercased()
            let byID = all.filter { book.ruleSet.rules[$0].id?.lowercased() == wanted }
            found = byID.isEmpty ? all.filter { book.ruleSet.rules[$0].title.lowercased() == wanted } : byID
        }
        if found.count == 1 { return found[0] }
        if found.count > 1 {
            let names = found.map { number in
                let document = book.ruleSet.rules[number].document
                return "\(document.id ?? document.title) (\(document.file):\(document.line))"
            }
            throw CommandFailure(
                .usage, "'\(rule)' is more than one rule; name one by its id: \(names.joined(separator: ", "))")
        }
        // Perhaps it is one of those that were refused.
        let faults = book.faults.filter { !$0.isWarning && (isFile || $0.rule.lowercased() == rule.lowercased()) }
        for fault in faults { Output.complain(Escaping.line("\(fault)")) }
        let place = paths.joined(separator: ", ")
        guard faults.isEmpty else { throw CommandFailure(.failure, "the rule cannot be used") }
        throw CommandFailure(.failure, "no rule in \(place) has the id or title '\(rule)'")
    }

    private func show(
        _ explanation: RuleExplanation, _ number: Int, _ book: RuleBook, tried: (event: EventRecord, kind: String)?
    ) throws {
        if output.format == .json {
            return try Output.json(RuleExplanationDocument(explanation, number, book, tried: tried))
        }
        let text = ExplainedRule(explanation, number, book, tried: tried, terminal: Terminal(global.color))
        for line in text.lines { Output.write(line) }
    }
}
