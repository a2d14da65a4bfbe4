import LogPipeline
import Sigma

/// One line, parsed alone, as tests compare it.
struct ParsedLine {
    var eventClass: EventClassID
    /// Nanoseconds since 1970.
    var time: Int64
    /// All fields in order, by name.
    var fields: [(name: String, value: String)] = []
    var parseErrors: UInt64

    /// 2026-11-23T01:22:37Z.
    static let receivedAt: Int64 = 1_795_396_957_000_000_000

    init(
        _ bytes: [UInt8], format: LineFormat = .auto, receivedAt: Int64 = Self.receivedAt,
        zone: LocalZone = .offset(seconds: 0)
    ) {
        let names = FieldNames(wellKnown: Fields.names)
        var parser = LogParser(fieldNames: names, zone: zone)
        var table = EventTable()
        // Not at offset 0, so that a confusion of the line's offsets with the batch's shows.
        _ = table.append(bytes: Array("before".utf8).span)
        let line = table.append(bytes: bytes.span)
        _ = table.append(bytes: Array(" port 99 ssh2".utf8).span)
        table.beginEvent(line: line, time: receivedAt, origin: 1, position: 2)
        parser.parse(line: line, format: format, receivedAt: receivedAt, into: &table)
        eventClass = table.events[0].eventClass
        time = table.events[0].time
        parseErrors = parser.parseErrors
        for field in table.fields(of: 0) {
            let name = field.id == .unnamed ? table.text(field.name) : names.name(of: field.id)
            fields.append((name, table.text(field.value)))
        }
    }

    init(_ text: String, format: LineFormat = .auto, zone: LocalZone = .offset(seconds: 0)) {
        self.init(Array(text.utf8), format: format, zone: zone)
    }

    /// The first value of a field.
    subscript(name: String) -> String? {
        fields.first { $0.name == name }?.value
    }

    func all(_ name: String) -> [String] {
        fields.filter { $0.name == name }.map(\.value)
    }

    /// The fields read out of the message, as `name=value` sorted by name: all but those of the line's frame.
    var extracted: [String] {
        let frame: Set = [
            "message", "timestamp", "host", "program", "pid", "msgid", "facility", "severity",
        ]
        return fields.filter { !frame.contains($0.name) }.map { "\($0.name)=\($0.value)" }.sorted()
    }
}
