import IronpostCore

/// A snapshot of `top` for people: what is most needed first, so that a low terminal cuts the lists.
enum TopRendering {
    static func lines(_ snapshot: TopSnapshot, terminal: Terminal) -> [String] {
        let uptime = AlertExplanation.plain(.seconds(snapshot.uptimeSecs))
        var lines = [
            "ironpost \(Escaping.line(snapshot.version)) is "
                + terminal.paint(Escaping.line(snapshot.status), Terminal.style(health: snapshot.status))
                + ", up \(uptime), configuration \(snapshot.generation)  "
                + terminal.paint(AlertRendering.shortTime(snapshot.time), .dim)
        ]
        lines.append(alerts(snapshot.alerts, terminal: terminal))
        lines.append(standing(snapshot))
        for section in [
            processes(snapshot), hops(snapshot), rules(snapshot), actions(snapshot), blocks(snapshot),
        ] {
            if let section { lines += [""] + section.lines(terminal) }
        }
        return lines
    }

    /// The lines that a terminal of this height has room for; the last one says that there are more.
    static func fit(_ lines: [String], height: Int) -> [String] {
        guard lines.count > height, height > 1 else { return Array(lines.prefix(max(1, height))) }
        return lines.prefix(height - 1) + ["… \(lines.count - height + 1) more lines; a higher terminal shows them"]
    }

    private static func alerts(_ alerts: TopSnapshot.Alerts, terminal: Terminal) -> String {
        let words = Severity.allCases.sorted().reversed().map { severity in
            let count = alerts.bySeverity[severity.rawValue] ?? 0
            let style = count > 0 ? Terminal.style(severity: severity.rawValue) : nil
            return terminal.paint("\(count) \(severity.rawValue)", style)
        }
        return "alerts in \(AlertExplanation.plain(.seconds(alerts.windowSecs))): " + words.joined(separator: ", ")
    }

    private static func standing(_ snapshot: TopSnapshot) -> String {
        func count(_ state: ActionRecord.State) -> Int {
            snapshot.actions.count { $0.state == state.rawValue }
        }
        return "actions: \(count(.proposed)) to approve, \(count(.approved) + count(.running)) under way, "
            + "\(count(.done)) in force; blocks: \(snapshot.blocks.total)"
    }

    private static func processes(_ snapshot: TopSnapshot) -> Table? {
        guard !snapshot.processes.isEmpty else { return nil }
        var table = Table([.init("PROCESS"), .init("PID"), .init("CPU %"), .init("MEMORY")])
        for process in snapshot.processes {
            table.add([
                .init(process.name), .init("\(process.pid)"), .init(decimal(process.cpuPercent)),
                .init(decimal(Double(process.residentBytes) / 1_048_576) + " MiB"),
            ])
        }
        return table
    }

    private static func hops(_ snapshot: TopSnapshot) -> Table? {
        guard !snapshot.hops.isEmpty else { return nil }
        var table = Table([
            .init("HOP", canShrink: true), .init("EVENTS/S"), .init("LOST/S"), .init("EVENTS"), .init("UNDER WAY"),
            .init("LOST"), .init("CAUSES", canShrink: true),
        ])
        for hop in snapshot.hops {
            let causes = hop.dropped.filter { $0.value > 0 }.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
            table.add([
                .init(hop.hop), .init(decimal(hop.eventsPerSecond)),
                .init(decimal(hop.droppedPerSecond), hop.droppedPerSecond > 0 ? .yellow : nil),
                .init("\(hop.accepted)"), .init("\(hop.underWay)"), .init("\(hop.droppedTotal)"),
                .init(causes.map { "\($0.key) \($0.value)" }.joined(separator: ", ")),
            ])
        }
        return table
    }

    private static func rules(_ snapshot: TopSnapshot) -> Table? {
        guard !snapshot.rules.isEmpty else { return nil }
        var table = Table([
            .init("EVENTS"), .init("ALERTS"), .init("SEVERITY"), .init("RULE", canShrink: true),
        ])
        for rule in snapshot.rules {
            table.add([
                .init("\(rule.events)"), .init("\(rule.alerts)"),
                .init(rule.severity, Terminal.style(severity: rule.severity)), .init(rule.title),
            ])
        }
        return table
    }

    private static func actions(_ snapshot: TopSnapshot) -> Table? {
        guard !snapshot.actions.isEmpty else { return nil }
        var table = Table([
            .init("ACTION"), .init("STATE"), .init("KIND"), .init("TARGET", canShrink: true), .init("UNTIL"),
        ])
        for action in snapshot.actions {
            table.add([
                .init(String(action.id.prefix(18)), .dim), .init(action.state), .init(action.actionType),
                .init(action.target), .init(action.expiresAt.map(AlertRendering.shortTime) ?? "-"),
            ])
        }
        return table
    }

    private static func blocks(_ snapshot: TopSnapshot) -> Table? {
        guard !snapshot.blocks.newest.isEmpty else { return nil }
        var table = Table([
            .init("BLOCKED"), .init("ENDS IN"), .init("IN FORCE"), .init("REASON", canShrink: true),
        ])
        for block in snapshot.blocks.newest {
            table.add([
                .init(block.cidr), .init(DurationText.format(.seconds(block.ttlSecs))),
                .init(block.inForce ? "yes" : "no"), .init(block.reason),
            ])
        }
        return table
    }

    /// One digit behind the point; as many in front as it takes.
    static func decimal(_ value: Double) -> String {
        let tenths = Int(min(value * 10, 1e15).rounded())
        return "\(tenths / 10).\(tenths % 10)"
    }
}
