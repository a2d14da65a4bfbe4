/// An alert with its explanation: the alert's own shape and one field more.
package struct AlertDetailDocument: Encodable, Sendable {
    package var alert: AlertDocument
    package var explanation: AlertExplanation

    private enum CodingKeys: String, CodingKey {
        case explanation
    }

    private struct Explanation: Encodable {
        struct Line: Encodable {
            var label: String
            var text: String
        }

        var summary: String
        var lines: [Line]
    }

    package init(_ alert: AlertDocument) {
        self.alert = alert
        explanation = AlertExplanation(alert)
    }

    package func encode(to encoder: any Encoder) throws {
        try alert.encode(to: encoder)
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(
            Explanation(
                summary: explanation.summary,
                lines: explanation.lines.map { Explanation.Line(label: $0.label, text: $0.text) }
            ),
            forKey: .explanation
        )
    }
}
