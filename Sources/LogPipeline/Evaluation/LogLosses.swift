import IronpostCore
import Sigma
import Synchronization

/// What the bounds of the log path cost since the start: what was cut, left out or forgotten, so that nothing is lost
/// without being told.
final class LogLosses: Sendable {
    /// One kind of loss.
    enum Kind: Int, CaseIterable, Sendable {
        case parseErrors, linesCut, journalFieldsCut, fieldsDropped, regexFlushes, eventsLate, eventsWithoutField
        case groupsEvicted, statesRefused, alertsNotHandedOver

        /// The metric's name.
        var metric: StaticString {
            switch self {
            case .parseErrors: "ironpost_log_pipeline_parse_errors_total"
            case .linesCut: "ironpost_log_pipeline_lines_cut_total"
            case .journalFieldsCut: "ironpost_log_pipeline_journal_fields_cut_total"
            case .fieldsDropped: "ironpost_log_pipeline_fields_dropped_total"
            case .regexFlushes: "ironpost_log_pipeline_regex_flushes_total"
            case .eventsLate: "ironpost_log_pipeline_correlation_events_late_total"
            case .eventsWithoutField: "ironpost_log_pipeline_correlation_events_without_field_total"
            case .groupsEvicted: "ironpost_log_pipeline_correlation_groups_evicted_total"
            case .statesRefused: "ironpost_log_pipeline_correlation_states_refused_total"
            case .alertsNotHandedOver: "ironpost_log_pipeline_alerts_not_handed_over_total"
            }
        }

        var text: StaticString {
            switch self {
            case .parseErrors: "events that were not of their format, or only in part; searched as text"
            case .linesCut: "lines and messages cut at log_pipeline.line_bytes_max"
            case .journalFieldsCut: "fields of journal records cut"
            case .fieldsDropped: "fields that no rule names left out of events with too many"
            case .regexFlushes: "times a regular expression outgrew its memory and began anew"
            case .eventsLate: "events older than their correlation window, counted in one of their own"
            case .eventsWithoutField: "matches that no correlation counted for want of a field"
            case .groupsEvicted: "correlation groups forgotten to make room"
            case .statesRefused: "saved correlation groups that could not be taken over"
            case .alertsNotHandedOver: "alerts that a stop left no time to hand over"
            }
        }
    }

    private struct Counts {
        var values = [Int](repeating: 0, count: Kind.allCases.count)
        /// Of counters that others keep: what they said last.
        var known = [Int](repeating: 0, count: Kind.allCases.count)
    }

    private let counts = Mutex(Counts())

    func add(_ count: Int, _ kind: Kind) {
        guard count > 0 else { return }
        counts.withLock { $0.values[kind.rawValue] += count }
    }

    /// Takes over what the parser and the engine count themselves.
    func update(_ parser: borrowing LogParser, _ engine: borrowing RuleEngine) {
        let correlation = engine.counters
        let now: [(Kind, Int)] = [
            (.parseErrors, Int(parser.parseErrors)), (.fieldsDropped, Int(parser.fieldsDropped)),
            (.regexFlushes, engine.regexFlushes), (.eventsLate, correlation.eventsLate),
            (.eventsWithoutField, correlation.eventsWithoutField), (.groupsEvicted, correlation.groupsEvicted),
            (.statesRefused, correlation.statesRefused),
        ]
        counts.withLock { counts in
            for (kind, count) in now {
                // An engine that was replaced begins at nothing.
                let known = counts.known[kind.rawValue] <= count ? counts.known[kind.rawValue] : 0
                counts.values[kind.rawValue] += count - known
                counts.known[kind.rawValue] = count
            }
        }
    }

    /// The engine is a new one: its counters begin at nothing.
    func forgetEngine() {
        counts.withLock { counts in
            for kind in [Kind.regexFlushes, .eventsLate, .eventsWithoutField, .groupsEvicted, .statesRefused] {
                counts.known[kind.rawValue] = 0
            }
        }
    }

    subscript(kind: Kind) -> Int { counts.withLock { $0.values[kind.rawValue] } }

    /// For people: what was lost at all.
    func details() -> [Field] {
        let values = counts.withLock { $0.values }
        return Kind.allCases.filter { values[$0.rawValue] > 0 }.map {
            Field("lost", "\(values[$0.rawValue]) \($0.text)")
        }
    }

    func figures() -> [Figure] {
        let values = counts.withLock { $0.values }
        return Kind.allCases.map { Figure(name: $0.metric, help: $0.text, value: values[$0.rawValue]) }
    }
}
