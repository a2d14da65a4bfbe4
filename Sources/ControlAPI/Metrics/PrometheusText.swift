import IronpostCore

/// The Prometheus text format, version 0.0.4. Names come from the code alone; label values may come from anywhere.
struct PrometheusText {
    enum Kind: String { case counter, gauge }

    struct Sample {
        var labels: [Label]
        var value: String

        init(_ labels: Label..., value: Int) {
            self.labels = labels
            self.value = String(value)
        }

        fileprivate init(bare value: String) {
            labels = []
            self.value = value
        }
    }

    struct Label {
        var name: StaticString
        var value: String

        init(_ name: StaticString, _ value: String) {
            self.name = name
            self.value = value
        }
    }

    private(set) var text = ""

    mutating func family(_ name: StaticString, _ kind: Kind, _ help: StaticString, samples: [Sample]) {
        guard !samples.isEmpty else { return }
        text += "# HELP \(name) \(help)\n# TYPE \(name) \(kind.rawValue)\n"
        for sample in samples {
            text += "\(name)"
            if !sample.labels.isEmpty {
                let labels = sample.labels.map { "\($0.name)=\"\(Self.escape($0.value))\"" }
                text += "{" + labels.joined(separator: ",") + "}"
            }
            text += " \(sample.value)\n"
        }
    }

    mutating func family(_ name: StaticString, _ kind: Kind, _ help: StaticString, _ value: Int) {
        family(name, kind, help, samples: [Sample(bare: String(value))])
    }

    mutating func family(_ name: StaticString, _ kind: Kind, _ help: StaticString, _ value: Double) {
        family(name, kind, help, samples: [Sample(bare: String(value))])
    }

    mutating func add(_ family: MetricFamily) {
        self.family(
            family.name, family.kind == .counter ? .counter : .gauge, family.help,
            samples: family.samples.map { sample in
                var made = Sample(value: sample.value)
                made.labels = sample.labels.map { Label($0.name, $0.value) }
                return made
            }
        )
    }

    static func escape(_ value: String) -> String {
        var escaped = ""
        for character in value.unicodeScalars {
            switch character {
            case "\\": escaped += "\\\\"
            case "\"": escaped += "\\\""
            case "\n": escaped += "\\n"
            default: escaped.unicodeScalars.append(character)
            }
        }
        return escaped
    }
}
