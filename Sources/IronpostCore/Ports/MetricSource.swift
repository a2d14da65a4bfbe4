/// Figures that a module adds to `GET /metrics`.
package protocol MetricSource: Sendable {
    func metrics() -> [MetricFamily]
}

/// One metric with its samples. Names come from the code alone; label values may come from anywhere.
package struct MetricFamily: Sendable {
    package enum Kind: String, Sendable {
        case counter, gauge
    }

    package struct Label: Sendable {
        package var name: StaticString
        package var value: String

        package init(_ name: StaticString, _ value: String) {
            self.name = name
            self.value = value
        }
    }

    package struct Sample: Sendable {
        package var labels: [Label]
        package var value: Int

        package init(_ labels: Label..., value: Int) {
            self.labels = labels
            self.value = value
        }
    }

    package var name: StaticString
    package var kind: Kind
    package var help: StaticString
    package var samples: [Sample]

    package init(_ name: StaticString, _ kind: Kind, _ help: StaticString, samples: [Sample]) {
        self.name = name
        self.kind = kind
        self.help = help
        self.samples = samples
    }

    package init(_ name: StaticString, _ kind: Kind, _ help: StaticString, _ value: Int) {
        self.init(name, kind, help, samples: [Sample(value: value)])
    }
}
