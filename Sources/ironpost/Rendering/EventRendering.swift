import IronpostCore

/// Events for people: one line each, the fields in their order.
enum EventRendering {
    /// - Parameter source: where it came from, if that is worth a word.
    static func line(time: String, source: String? = nil, fields: [Field], terminal: Terminal) -> String {
        let shown = fields.map { field in
            terminal.paint(Escaping.line(field.name), .cyan) + "=" + Escaping.line(field.value)
        }
        let head = [AlertRendering.shortTime(time)] + (source.map { [terminal.paint(Escaping.line($0), .dim)] } ?? [])
        return (head + shown).joined(separator: " ")
    }
}
