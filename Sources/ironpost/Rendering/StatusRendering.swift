import IronpostCore

/// The daemon's state for people.
enum StatusRendering {
    static func lines(_ status: StatusDocument, isVerbose: Bool, terminal: Terminal) -> [String] {
        let uptime = AlertExplanation.plain(.seconds(status.uptimeSecs))
        var lines = [
            "ironpost \(Escaping.line(status.version)) is "
                + terminal.paint(status.status, Terminal.style(health: status.status))
                + ", pid \(status.pid), up \(uptime), configuration \(status.generation)"
        ]
        if !status.ready { lines.append("not ready yet: a module has not started") }
        lines.append("")
        var table = Table([.init("MODULE"), .init("STATE"), .init("HEALTH"), .init("REASON", canShrink: true)])
        for module in status.modules {
            let isOn = module.enabled
            table.add([
                .init(module.name), .init(isOn ? module.state : "off"),
                .init(isOn ? module.health : "-", isOn ? Terminal.style(health: module.health) : nil),
                .init(module.reason ?? ""),
            ])
        }
        lines += table.lines(terminal)
        guard isVerbose else { return lines }
        lines += details(status, terminal: terminal)
        lines += ledger(status, terminal: terminal)
        return lines
    }

    private static func details(_ status: StatusDocument, terminal: Terminal) -> [String] {
        var lines: [String] = []
        for module in status.modules where !module.details.fields.isEmpty {
            lines += ["", terminal.paint(Escaping.line(module.name), .bold)]
            let width = module.details.fields.map { TextWidth.of(Escaping.line($0.name)) }.max() ?? 0
            for field in module.details.fields {
                let name = Escaping.line(field.name)
                let padded = name + String(repeating: " ", count: width - TextWidth.of(name))
                let text = TextWidth.wrap(Escaping.line(field.value), to: max(20, terminal.width - width - 4))
                for (index, part) in text.enumerated() {
                    lines.append("  " + (index == 0 ? padded : String(repeating: " ", count: width)) + "  " + part)
                }
            }
        }
        return lines
    }

    private static func ledger(_ status: StatusDocument, terminal: Terminal) -> [String] {
        guard !status.ledger.isEmpty else { return [] }
        var table = Table([
            .init("HOP"), .init("ACCEPTED"), .init("STORED"), .init("UNDER WAY"), .init("DROPPED", canShrink: true),
        ])
        for (name, hop) in status.ledger.sorted(by: { order($0.key) < order($1.key) }) {
            let dropped = hop.dropped.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }
            table.add([
                .init(name), .init(String(hop.accepted)), .init(String(hop.stored)), .init(String(hop.imbalance)),
                .init(dropped.isEmpty ? "0" : dropped.joined(separator: ", "), dropped.isEmpty ? nil : .yellow),
            ])
        }
        return [""] + table.lines(terminal)
    }

    /// The order in which an event passes the hops.
    private static func order(_ hop: String) -> String {
        let stages = ["source:", "parse", "detect", "alert", "store", "output:", "response"]
        let stage = stages.firstIndex { hop.hasPrefix($0) } ?? stages.count
        return "\(stage) \(hop)"
    }
}
