/// Named values as a JSON object: `{"name": "value", "repeated": ["a", "b"]}`.
///
/// A name that occurs several times becomes a list; the order of different names is not kept.
package struct FieldMap: Codable, Sendable, Equatable {
    package var fields: [Field]

    package init(_ fields: [Field]) {
        self.fields = fields
    }

    package subscript(name: String) -> String? {
        fields.first { $0.name == name }?.value
    }

    private struct Name: CodingKey {
        var stringValue: String
        var intValue: Int? { nil }
        init(_ name: String) { stringValue = name }
        init?(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Name.self)
        fields = []
        for name in container.allKeys.sorted(by: { $0.stringValue < $1.stringValue }) {
            if let value = try? container.decode(String.self, forKey: name) {
                fields.append(Field(name.stringValue, value))
            } else {
                fields += try container.decode([String].self, forKey: name).map { Field(name.stringValue, $0) }
            }
        }
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Name.self)
        var values: [String: [String]] = [:]
        for field in fields { values[field.name, default: []].append(field.value) }
        for (name, all) in values {
            if all.count == 1 {
                try container.encode(all[0], forKey: Name(name))
            } else {
                try container.encode(all, forKey: Name(name))
            }
        }
    }
}
