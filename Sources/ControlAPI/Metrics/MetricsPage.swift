import IronpostCore

/// `GET /metrics`: the ledger, the modules, the process, and the log pipeline's figures derived from the ledger.
struct MetricsPage {
    let text: String

    init(status: DaemonStatus, rules: RuleListing, process: ProcessFigures, modules: [MetricFamily] = []) {
        var page = PrometheusText()
        Self.daemon(status, in: &page)
        Self.ledger(status.ledger, in: &page)
        Self.pipeline(status.ledger, rules: rules, in: &page)
        for figure in status.modules.flatMap(\.figures) {
            page.family(figure.name, .counter, figure.help, figure.value)
        }
        page.family("process_resident_memory_bytes", .gauge, "Resident memory.", process.residentBytes)
        page.family("process_cpu_seconds_total", .counter, "User and system CPU time.", process.cpuSeconds)
        page.family("process_open_fds", .gauge, "Open file descriptors.", process.openDescriptors)
        for family in modules { page.add(family) }
        text = page.text
    }

    private static func daemon(_ status: DaemonStatus, in page: inout PrometheusText) {
        page.family(
            "ironpost_daemon_uptime_seconds", .gauge, "Seconds since the daemon started.", status.uptime.seconds)
        page.family(
            "ironpost_daemon_build_info", .gauge, "Always 1; the version is the label.",
            samples: [.init(.init("version", status.version), value: 1)]
        )
        page.family(
            "ironpost_daemon_modules", .gauge, "Enabled modules by state.",
            samples: ModuleState.allCases.map { state in
                let count = status.modules.count { $0.isEnabled && $0.state == state }
                return .init(.init("state", state.rawValue), value: count)
            }
        )
        page.family(
            "ironpost_module_health", .gauge, "0 healthy, 1 degraded, 2 unhealthy.",
            samples: status.modules.filter(\.isEnabled).map { .init(.init("module", $0.name), value: rank($0.health)) }
        )
    }

    private static func ledger(_ ledger: [LedgerEntry], in page: inout PrometheusText) {
        page.family(
            "ironpost_ledger_accepted_total", .counter, "What came in at a hop.",
            samples: ledger.map { .init(.init("hop", $0.hop), value: $0.accepted) }
        )
        page.family(
            "ironpost_ledger_stored_total", .counter, "What a hop evaluated or handed on durably.",
            samples: ledger.map { .init(.init("hop", $0.hop), value: $0.stored) }
        )
        page.family(
            "ironpost_ledger_dropped_total", .counter, "What a hop dropped, by cause.",
            samples: ledger.flatMap { entry in
                entry.dropped.sorted { $0.key < $1.key }.map { cause, count in
                    .init(.init("hop", entry.hop), .init("cause", cause), value: count)
                }
            }
        )
    }

    private static func pipeline(_ ledger: [LedgerEntry], rules: RuleListing, in page: inout PrometheusText) {
        let sources = ledger.filter { $0.hop.hasPrefix("source:") }
        func hop(_ name: String) -> LedgerEntry? { ledger.first { $0.hop == name } }
        func dropped(_ entries: [LedgerEntry]) -> Int {
            entries.reduce(0) { $0 + $1.dropped.values.reduce(0, +) }
        }
        page.family(
            "ironpost_log_pipeline_logs_collected_total", .counter, "Log events taken in by all sources.",
            sources.reduce(0) { $0 + $1.accepted }
        )
        page.family(
            "ironpost_log_pipeline_logs_processed_total", .counter, "Log events evaluated by detection.",
            hop("detect")?.stored ?? 0
        )
        page.family(
            "ironpost_log_pipeline_rule_matches_total", .counter, "Matches of all rules.",
            rules.entries.reduce(0) { $0 + $1.matches }
        )
        page.family(
            "ironpost_log_pipeline_alerts_sent_total", .counter, "Alerts that were stored.",
            hop("store")?.stored ?? 0
        )
        page.family(
            "ironpost_log_pipeline_logs_dropped_total", .counter, "Log events that sources dropped.", dropped(sources)
        )
    }

    private static func rank(_ health: Health) -> Int {
        switch health {
        case .healthy: 0
        case .degraded: 1
        case .unhealthy: 2
        }
    }
}
