import ArgumentParser
import Glibc
import IronpostCore
import LogPipeline
import PacketDetection
import Sigma

struct Detect: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "detect", _superCommandName: "ironpost",
        abstract: "Try rules on files: no daemon, no configuration.",
        discussion: """
            Rules that cannot be used are warned of on stderr; the others run. Exit status 4 when a match reaches
            --fail-on, 10 when a file could not be read to its end; what could be read is evaluated.

            Example: ironpost detect --rules ./rules --output ndjson /var/log/auth.log.1.gz
            """
    )

    enum Form: String, ExpressibleByArgument, CaseIterable {
        case table, ndjson, count

        /// `json`, as other commands say it, is a JSON object a line here.
        init?(argument: String) { self.init(rawValue: argument == "json" ? "ndjson" : argument) }
    }

    @Option(help: "A rule file or a directory of them; may be repeated.")
    var rules: [String] = []
    @Option(help: "What the events are, as in product=windows,category=process_creation.")
    var logsource: String?
    @Option(name: [.customShort("o"), .customLong("output")], help: "table, ndjson (or json) or count.")
    var output: Form = .table
    @Flag(help: "One JSON line with counts and speed on stderr.")
    var stats = false
    @Option(help: "Exit with 4 when a match has this level or a higher one.")
    var failOn: String?
    @OptionGroup var adaptation: RuleAdaptationOptions
    @OptionGroup var input: DetectInput
    @OptionGroup var global: GlobalOptions

    private struct Match: Encodable {
        // swift-format-ignore: AlwaysUseLowerCamelCase
        let rule_id: String
        // swift-format-ignore: AlwaysUseLowerCamelCase
        let rule_title: String
        let level: String
        let file: String
        let line: Int
        let event: Int
        let fields: FieldMap
    }

    func validate() throws {
        // Captures are looked at by the built-in detectors also without any rule.
        if rules.isEmpty, !input.isCapture { throw ValidationError("Missing expected argument '--rules <rules>'") }
    }

    func run() async throws {
        let threshold = try failOn.map { word throws(CommandFailure) in
            guard let level = Severity(loose: word) else {
                throw CommandFailure(.usage, "unknown level \"\(word)\"; there are: info, low, medium, high, critical")
            }
            return level
        }
        for path in rules where unsafe access(path, R_OK) != 0 {
            throw CommandFailure(.usage, "--rules \(path): it does not exist or may not be read")
        }
        let format = try input.lineFormat()
        var detector = OfflineDetector(
            rules: rules, format: format, logsource: try source(), adaptation: try adaptation.adaptation())
        try RuleAdaptationOptions.check(detector.book)
        for fault in detector.book.faults { Output.complain(Escaping.line("warning: \(fault)")) }
        if !rules.isEmpty, detector.book.ruleSet.rules.isEmpty, detector.book.faults.isEmpty {
            throw CommandFailure(.usage, "--rules \(rules.joined(separator: ", ")): there is no rule in it")
        }
        let time = SystemTime()
        let start = time.uptime()
        var reached = false
        var found = 0
        var counts: [String: (level: String, title: String, count: Int)] = [:]
        var table = Table([
            .init("LEVEL"), .init("RULE", canShrink: true), .init("WHERE", canShrink: true),
            .init("EVENT", canShrink: true),
        ])
        func report(_ finding: OfflineDetector.Finding) throws {
            found += 1
            if let threshold, (Severity(loose: finding.rule.level) ?? .info) >= threshold { reached = true }
            switch output {
            case .ndjson:
                try Output.jsonLine(
                    Match(
                        rule_id: finding.rule.id, rule_title: finding.rule.title, level: finding.rule.level,
                        file: finding.file, line: finding.line, event: finding.event,
                        fields: FieldMap(finding.fields)
                    )
                )
            case .count:
                counts[finding.rule.id, default: (finding.rule.level, finding.rule.title, 0)].count += 1
            case .table:
                let shown =
                    finding.fields.first { ["message", "src_ip", "CommandLine"].contains($0.name) }
                    ?? finding.fields.first
                table.add([
                    .init(finding.rule.level, Terminal.style(severity: finding.rule.level)),
                    .init(finding.rule.title), .init("\(finding.file):\(finding.line)"),
                    .init(shown?.value ?? ""),
                ])
            }
        }
        var unreadable = false
        for file in input.files {
            do {
                if input.isCapture {
                    var capture = CaptureRun()
                    let bytes = try capture.read(file) { number, time, line in
                        try detector.add(packet: line, number: number, time: time, file: file, report: report)
                    } detection: { detection in
                        try report(Self.finding(detection, file: file, event: max(0, detector.eventCount - 1)))
                    }
                    try detector.finishPackets(file: file, bytes: bytes, report: report)
                } else {
                    try detector.read(file, now: time.now(), report: report)
                }
            } catch let fault as InputFile.Fault {
                unreadable = true
                Output.complain(Escaping.line(fault.description))
            }
        }
        input.warn(of: detector)
        if output == .count {
            for (id, entry) in counts.sorted(by: { ($1.value.count, $0.key) < ($0.value.count, $1.key) }) {
                let words = [entry.level, id, entry.title].map(Escaping.line).joined(separator: "\t")
                Output.write("\(entry.count)\t\(words)")
            }
        } else if output == .table {
            if found == 0 {
                Output.complain("no match")
            } else {
                for line in table.lines(Terminal(global.color)) { Output.write(line) }
            }
        }
        if stats {
            let seconds = Double(time.uptime() - start) / 1e9
            Output.complain(DetectStatistics.line(detector.statistics(seconds: seconds)))
        }
        if unreadable { throw CommandFailure(.inputOutput) }
        if reached { throw CommandFailure(.threshold) }
    }

    /// What a built-in detector found, in the shape of a rule's match.
    private static func finding(
        _ detection: CaptureRun.Detection, file: String, event: Int
    ) -> OfflineDetector.Finding {
        OfflineDetector.Finding(
            rule: PacketAlert.reference(of: detection.finding), file: file, line: detection.packet, event: event,
            fields: PacketAlert.fields(of: detection.finding, interface: nil), group: [],
            count: detection.finding.packets
        )
    }

    private func source() throws(CommandFailure) -> LogSource? {
        guard let logsource else { return nil }
        var source = LogSource()
        for pair in logsource.split(separator: ",") {
            let parts = pair.split(separator: "=", maxSplits: 1).map(String.init)
            switch parts.first {
            case "product" where parts.count == 2: source.product = parts[1]
            case "category" where parts.count == 2: source.category = parts[1]
            case "service" where parts.count == 2: source.service = parts[1]
            default:
                throw CommandFailure(.usage, "--logsource \"\(pair)\": use product=…, category=… or service=…")
            }
        }
        return source
    }
}
