/// How a log record is written.
package enum LogFormat: String, CaseIterable, Sendable {
    /// A JSON object a line.
    case json
    /// A line for people.
    case pretty
}
