import IronpostCore

/// Alerts for people.
enum AlertRendering {
    /// Characters of an id that tell alerts of one daemon apart.
    private static let idLength = 18
    private static let labelWidth = 11

    static func table(_ alerts: [AlertDocument], terminal: Terminal) -> [String] {
        var table = Table([
            .init("ID"), .init("TIME"), .init("SEVERITY"), .init("COUNT"), .init("FROM", canShrink: true),
            .init("TITLE", canShrink: true),
        ])
        for alert in alerts {
            table.add([
                .init(String(alert.id.prefix(idLength)), .dim), .init(shortTime(alert.time)),
                .init(alert.severity, Terminal.style(severity: alert.severity)), .init(String(alert.count)),
                .init(alert.srcIP ?? alert.container?.name ?? "-"), .init(alert.title),
            ])
        }
        return table.lines(terminal)
    }

    /// An alert's explanation, wrapped and escaped.
    static func paragraph(
        _ alert: AlertDocument, actions: [ActionDocument] = [], terminal: Terminal
    ) -> [String] {
        let explanation = AlertExplanation(alert, actions: actions)
        var lines = TextWidth.wrap(Escaping.line(explanation.summary), to: terminal.width).map {
            terminal.paint($0, Terminal.style(severity: alert.severity) ?? .bold)
        }
        for line in explanation.lines {
            let wrapped = TextWidth.wrap(Escaping.line(line.text), to: terminal.width - labelWidth - 2)
            for (index, text) in wrapped.enumerated() {
                let label = index == 0 ? line.label : ""
                let padded = label + String(repeating: " ", count: max(0, labelWidth - label.count))
                lines.append("  " + terminal.paint(padded, .dim) + text)
            }
        }
        return lines
    }

    /// One line for an alert whose explanation was shown before and that happened again.
    static func countUp(_ alert: AlertDocument, terminal: Terminal) -> String {
        let summary = Escaping.line(AlertExplanation(alert).summary)
        return terminal.paint(shortTime(alert.lastSeen), .dim) + "  " + summary
            + terminal.paint("  (\(alert.id.prefix(idLength)))", .dim)
    }

    /// `2026-11-23 01:22:37` of an RFC 3339 time.
    static func shortTime(_ time: String) -> String {
        String(time.prefix(19).map { $0 == "T" ? " " : $0 })
    }
}
