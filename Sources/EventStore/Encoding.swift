internal import Crypto
internal import FoundationEssentials
internal import IronpostCore

/// SQLite's text functions end at a NUL: in the columns that repeat a value for queries it stands as U+2400 (␀).
func searchable(_ text: String) -> String {
    text.utf8.contains(0) ? String(text.map { $0 == "\0" ? "\u{2400}" : $0 }) : text
}

/// A rule's group as one text, the same whatever the order of the fields and whatever their values hold.
///
/// `demo` alerts have keys of their own: practice never folds into the real thing. A long key, or one with a NUL, is
/// the SHA-256 of itself.
func makeGroupKey(group: [Field], labels: [String: String]) -> String {
    var key = ""
    if let demo = labels["demo"] { key += "demo \(demo.utf8.count):\(demo) " }
    let ordered = group.count < 2 ? group : group.sorted { ($0.name, $0.value) < ($1.name, $1.value) }
    for field in ordered {
        key += "\(field.name.utf8.count):\(field.name)=\(field.value.utf8.count):\(field.value) "
    }
    guard key.utf8.count > groupKeyBytesMax || key.utf8.contains(0) else { return key }
    return "sha256 " + hexadecimal(SHA256.hash(data: Array(key.utf8)))
}

private let groupKeyBytesMax = 256

func hexadecimal(_ bytes: some Sequence<UInt8>) -> String {
    var text = ""
    for byte in bytes {
        if byte < 16 { text.append("0") }
        text += String(byte, radix: 16)
    }
    return text
}

/// The columns of an alert's row, made outside the write transaction.
struct AlertRow {
    let alert: Alert
    let groupKey: String
    let labels: String?
    let record: Data

    init(_ alert: Alert, encoder: JSONEncoder) throws {
        self.alert = alert
        groupKey = makeGroupKey(group: alert.foldingGroup, labels: alert.labels)
        labels = alert.labels.isEmpty ? nil : String(decoding: try encoder.encode(alert.labels), as: UTF8.self)
        record = try encoder.encode(AlertDocument(alert))
    }
}
