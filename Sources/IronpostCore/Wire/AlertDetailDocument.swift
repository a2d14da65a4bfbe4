/// An alert with its explanation: the alert's own shape and what was done about it.
package struct AlertDetailDocument: Encodable, Sendable {
    package var alert: AlertDocument
    package var actions: [ActionDocument]
    package var explanation: AlertExplanation

    private enum CodingKeys: String, CodingKey {
        case actions, explanation
    }

    private struct Explanation: Encodable {
        struct Line: Encodable {
            var label: String
            var text: String
        }

        var summary: String
        var lines: [Line]
    }

    package init(_ alert: AlertDocument, actions: [ActionDocument] = []) {
        self.alert = alert
        self.actions = actions
        explanation = AlertExplanation(alert, actions: actions)
    }

    package func encode(to encoder: any Encoder) throws {
        try alert.encode(to: encoder)
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(actions, forKey: .actions)
        try container.encode(
            Explanation(
                summary: explanation.summary,
                lines: explanation.lines.map { Explanation.Line(label: $0.label, text: $0.text) }
            ),
            forKey: .explanation
        )
    }
}

/// The same as a client reads it.
package struct AlertWithActions: Decodable, Sendable {
    package var alert: AlertDocument
    package var actions: [ActionDocument]

    private enum CodingKeys: String, CodingKey {
        case actions
    }

    package init(from decoder: any Decoder) throws {
        alert = try AlertDocument(from: decoder)
        actions =
            try decoder.container(keyedBy: CodingKeys.self).decodeIfPresent([ActionDocument].self, forKey: .actions)
            ?? []
    }
}
