/// What an alert means, in words for whoever is woken by it: who, from where, how often, since when, where the proof
/// lies, which rule decided, what was done and what to do next. A pure function of the alert.
///
/// Holds the alert's own text as it came; whoever shows it escapes it.
package struct AlertExplanation: Sendable, Equatable {
    package struct Line: Sendable, Equatable {
        /// What the line is about, as in `Evidence`; empty for a line that goes on.
        package var label: String
        package var text: String

        package init(_ label: String, _ text: String) {
            self.label = label
            self.text = text
        }
    }

    /// One sentence: who did what, how often.
    package var summary: String
    package var lines: [Line]

    package static let membersShownMax = 5

    /// - Parameter actions: each as it stands, newest first.
    package init(_ alert: AlertDocument, actions: [ActionDocument] = []) {
        summary = Self.summary(of: alert)
        var lines: [Line] = []
        lines.append(Line("When", Self.when(alert)))
        if let who = Self.actor(of: alert) { lines.append(Line("Who", who)) }
        if let from = Self.origin(of: alert) { lines.append(Line("From", from)) }
        if let process = alert.process { lines.append(Line("Process", Self.words(for: process))) }
        if let container = alert.container {
            lines.append(
                Line("Container", "\(container.name) (image \(container.image)), known by its \(container.proof)")
            )
        }
        if !alert.group.isEmpty, alert.count > 1 {
            let group = alert.group.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: ", ")
            lines.append(Line("Counted by", group))
        }
        lines.append(Line("Evidence", Self.place(of: alert.evidence)))
        if !alert.evidence.raw.isEmpty { lines.append(Line("", alert.evidence.raw)) }
        lines += Self.members(of: alert)
        lines.append(Line("Rule", Self.words(for: alert.rule)))
        if !alert.description.isEmpty { lines.append(Line("Meaning", Self.flowing(alert.description))) }
        if let proof = Self.words(for: alert.srcIPProof, of: alert.srcIP) { lines.append(Line("Proof", proof)) }
        for (index, words) in Self.words(for: actions).enumerated() {
            lines.append(Line(index == 0 ? "Action" : "", words))
        }
        for (index, step) in AlertAdvice.steps(for: alert).enumerated() {
            lines.append(Line(index == 0 ? "Next" : "", step))
        }
        self.lines = lines
    }

    private static func summary(of alert: AlertDocument) -> String {
        var text = "\(alert.severity.uppercased()): \(alert.title)"
        let actors = [
            alert.srcIP.map { "from \($0)" },
            alert.container.map { "in container \($0.name)" },
            "on \(alert.node)",
        ]
        text += " " + actors.compactMap { $0 }.joined(separator: " ")
        text += alert.count == 1 ? ", seen once" : ", seen \(alert.count) times"
        return text
    }

    private static func when(_ alert: AlertDocument) -> String {
        guard alert.firstSeen != alert.lastSeen else { return alert.firstSeen }
        var text = "\(alert.firstSeen) to \(alert.lastSeen)"
        if let first = Timestamp(rfc3339: alert.firstSeen), let last = Timestamp(rfc3339: alert.lastSeen) {
            text += " (\(plain(last.since(first))))"
        }
        return text
    }

    /// The account and the host that the event names.
    private static func actor(of alert: AlertDocument) -> String? {
        func field(_ name: String) -> String? { alert.event.fields.first { $0.name == name }?.value }
        var words: [String] = []
        if let user = field("user") { words.append("user \(user)") }
        if let target = field("target_user") { words.append("as \(target)") }
        if let host = field("host") { words.append("at host \(host)") }
        return words.isEmpty ? nil : words.joined(separator: " ")
    }

    /// Text that was broken into lines for a file, as one paragraph.
    private static func flowing(_ text: String) -> String {
        text.split(whereSeparator: \.isNewline).joined(separator: " ")
    }

    private static func origin(of alert: AlertDocument) -> String? {
        switch (alert.srcIP, alert.dstIP) {
        case (let source?, let destination?): "\(source) to \(destination)"
        case (let source?, nil): source
        case (nil, let destination?): "to \(destination)"
        case (nil, nil): nil
        }
    }

    private static func words(for process: AlertDocument.Process) -> String {
        var text = process.exe.map { "\($0) (pid \(process.pid))" } ?? "pid \(process.pid)"
        if let uid = process.uid { text += ", user id \(uid)" }
        if let unit = process.unit { text += ", unit \(unit)" }
        if let cmdline = process.cmdline { text += ": \(cmdline)" }
        return text
    }

    private static func place(of evidence: AlertDocument.EvidenceDocument) -> String {
        guard let file = evidence.file else {
            return evidence.place.map { "\(evidence.source), \($0)" } ?? evidence.source
        }
        var text = file
        if let line = evidence.line { text += ", line \(line)" }
        if let offset = evidence.offset { text += evidence.line == nil ? ", at byte \(offset)" : " (byte \(offset))" }
        return text
    }

    private static func members(of alert: AlertDocument) -> [Line] {
        guard let members = alert.members, !members.isEmpty else { return [] }
        var lines = members.suffix(membersShownMax).enumerated().map { index, member in
            var text = member.time
            if let file = member.file { text += "  \(file)" }
            if let offset = member.offset { text += " at byte \(offset)" }
            return Line(index == 0 ? "Made of" : "", text)
        }
        if members.count > membersShownMax {
            lines.append(Line("", "and \(members.count - membersShownMax) earlier events"))
        }
        return lines
    }

    private static func words(for proof: AlertDocument.Proof?, of address: String?) -> String? {
        guard address != nil else { return nil }
        guard let proof = proof?.proof else {
            return "none that this address acted: anybody could have written it there, so nothing is done about it"
        }
        let writer =
            switch proof.confidence {
            case .file: "in a file that only the system writes"
            case .trustedWriter: "and it is known that the daemon itself wrote it"
            case .kernel: "by the kernel"
            }
        switch proof.origin {
        case .daemonField: return "the daemon wrote the address in its fixed place, \(writer)"
        case .handshake: return "the kernel saw the address complete a handshake"
        }
    }

    static let actionsShownMax = 10

    private static func words(for actions: [ActionDocument]) -> [String] {
        if actions.isEmpty { return ["none: no policy is for alerts like this"] }
        var words = actions.prefix(actionsShownMax).map { action in
            var text = "\(action.actionType) of \(action.target): \(action.state)"
            if action.state == "proposed", action.mode == "observe" { text += ", only shown: the mode is observe" }
            if action.state == "proposed", action.mode == "ask" {
                text += ", waits for: ironpost actions approve \(action.id)"
            }
            if action.state == "done", let until = action.expiresAt { text += ", until \(until)" }
            if let guardrail = action.guardrail {
                text += " by guardrail \(guardrail)"
                if let known = Guardrail(rawValue: guardrail) { text += ": \(known.meaning)" }
            }
            if let error = action.error { text += " (\(error))" }
            if let policy = action.policyID { text += "; policy \(policy)" }
            return text
        }
        if actions.count > actionsShownMax { words.append("and \(actions.count - actionsShownMax) more") }
        return words
    }

    private static func words(for rule: AlertDocument.Rule) -> String {
        var text = "\(rule.title) (\(rule.id), level \(rule.level))"
        if let author = rule.author, !author.isEmpty { text += " by \(author)" }
        if let license = rule.license, !license.isEmpty { text += ", licence \(license)" }
        return text
    }

    /// A length of time as a person says it: `42 seconds`, `3 hours`.
    package static func plain(_ duration: Duration) -> String {
        let seconds = max(0, duration.components.seconds)
        func several(_ count: Int64, _ unit: String) -> String { "\(count) \(unit)\(count == 1 ? "" : "s")" }
        switch seconds {
        case ..<1: return "less than a second"
        case ..<120: return several(seconds, "second")
        case ..<7200: return several(seconds / 60, "minute")
        case ..<172_800: return several(seconds / 3600, "hour")
        default: return several(seconds / 86_400, "day")
        }
    }
}
