extension ValueKind {
    /// A text that `parse` turns into a value; `parse` gives nil for what it does not accept. Control characters are
    /// never accepted, so that no value can forge a log line or cut a path short.
    static func text(
        _ noun: String,
        range: String = "",
        schema: [OrderedJSON.Member] = [],
        parse: @escaping @Sendable (String) -> Value?,
        show: @escaping @Sendable (Value) -> String
    ) -> ValueKind {
        let allowed = phrase(noun, range)
        return ValueKind(
            noun: noun,
            range: range,
            schema: .object([OrderedJSON.Member(name: "type", value: .string("string"))] + schema),
            decode: { written in
                guard let text = written.string else { return written.wrongType(use: allowed) }
                guard text.utf8.count <= ConfigurationText.valueBytesMax else {
                    return written.refused(use: "\(noun) of at most \(ConfigurationText.valueBytesMax) bytes")
                }
                guard !text.unicodeScalars.contains(where: ConfigurationText.isUnprintable) else {
                    return written.refused(use: "\(noun) without control characters")
                }
                guard let value = parse(text) else { return written.refused(use: range.isEmpty ? noun : range) }
                return .success(value)
            },
            show: { .string(show($0)) }
        )
    }
}

extension ValueKind<String> {
    /// Any text.
    static var string: ValueKind {
        .text("a string", parse: { $0 }, show: { $0 })
    }

    /// A path, absolute or relative to the working directory. `emptyMeans` says what an empty one stands for; without
    /// it an empty one is refused.
    static func path(emptyMeans: String? = nil) -> ValueKind {
        .text(
            "a path", range: emptyMeans.map { "or \"\" for \($0)" } ?? "",
            parse: { emptyMeans == nil && $0.isEmpty ? nil : $0 }, show: { $0 }
        )
    }

    /// A URL of the store; only SQLite files exist now.
    static func storageURL(emptyMeans: String) -> ValueKind {
        .text(
            "a URL", range: "sqlite: followed by a path, or \"\" for \(emptyMeans)",
            schema: [OrderedJSON.Member(name: "pattern", value: .string("^(sqlite:.+)?$"))],
            parse: { $0.isEmpty || Configuration.Storage.path(ofURL: $0) != nil ? $0 : nil }, show: { $0 }
        )
    }
}

extension ValueKind<Bool> {
    static var boolean: ValueKind {
        ValueKind(
            noun: "true or false",
            schema: .object(["type": .string("boolean")]),
            decode: { written in
                switch written {
                case .text("true"): .success(true)
                case .text("false"): .success(false)
                case .node(let node):
                    if case .boolean(let value) = node.value {
                        .success(value)
                    } else {
                        written.wrongType(use: "true or false, without quotes")
                    }
                case .text: written.refused(use: "true or false")
                }
            },
            show: { .boolean($0) }
        )
    }
}

extension ValueKind<Int> {
    /// A whole number; `zeroMeans` additionally allows 0 and says what it switches off.
    static func integer(_ bounds: ClosedRange<Int>, zeroMeans: String? = nil) -> ValueKind {
        let range = "\(bounds.lowerBound) to \(bounds.upperBound)" + (zeroMeans.map { ", or 0 for \($0)" } ?? "")
        let allowed = phrase("an integer", range)
        let minimum = zeroMeans == nil ? bounds.lowerBound : 0
        return ValueKind(
            noun: "an integer",
            range: range,
            schema: .object([
                "type": .string("integer"), "minimum": .integer(Int64(minimum)),
                "maximum": .integer(Int64(bounds.upperBound)),
            ]),
            decode: { written in
                let number: Int?
                switch written {
                case .text(let text): number = Int(text)
                case .node(let node):
                    if case .integer(let value) = node.value { number = Int(exactly: value) } else { number = nil }
                }
                guard let number else { return written.wrongType(use: allowed) }
                guard bounds.contains(number) || (zeroMeans != nil && number == 0) else {
                    return written.refused(use: range)
                }
                return .success(number)
            },
            show: { .integer(Int64($0)) }
        )
    }
}

extension ValueKind<Double> {
    /// A part of a whole, 0 to 1.
    static var share: ValueKind {
        let allowed = "a number, 0 to 1"
        return ValueKind(
            noun: "a number",
            range: "0 to 1",
            schema: .object(["type": .string("number"), "minimum": .integer(0), "maximum": .integer(1)]),
            decode: { written in
                let number: Double?
                switch written {
                case .text(let text): number = Double(text)
                case .node(let node):
                    switch node.value {
                    case .integer(let value): number = Double(value)
                    case .float(let value): number = value
                    default: return written.wrongType(use: allowed)
                    }
                }
                guard let number, (0...1).contains(number) else { return written.refused(use: allowed) }
                return .success(number)
            },
            show: { .number($0) }
        )
    }
}

extension ValueKind<[IPNetwork]> {
    /// Addresses and networks.
    static var networks: ValueKind {
        .list(
            of: ValueKind<IPNetwork>.text(
                "an address or network such as 10.0.0.0/8", parse: { IPNetwork($0) }, show: { $0.description }),
            called: "addresses and networks"
        )
    }
}

extension ValueKind<Duration> {
    /// A span of time; `zeroMeans` additionally allows 0 and says what it switches off.
    static func duration(_ bounds: ClosedRange<Duration>, zeroMeans: String? = nil) -> ValueKind {
        let range =
            "\(DurationText.format(bounds.lowerBound)) to \(DurationText.format(bounds.upperBound))"
            + (zeroMeans.map { ", or 0 for \($0)" } ?? "")
        let allowed = phrase("a duration such as \"90s\" or a number of seconds", range)
        return ValueKind(
            noun: "a duration",
            range: range,
            schema: .object([
                "type": .array([.string("string"), .string("number")]),
                "pattern": .string("^([0-9]+|([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?)$"),
                "minimum": .integer(0),
            ]),
            decode: { written in
                let duration: Duration?
                switch written {
                case .text(let text): duration = DurationText.parse(text)
                case .node(let node):
                    switch node.value {
                    case .string(let text): duration = DurationText.parse(text)
                    case .integer(let seconds): duration = DurationText.parse(seconds: Double(seconds))
                    case .float(let seconds): duration = DurationText.parse(seconds: seconds)
                    case .table, .array, .boolean, .dateTime: return written.wrongType(use: allowed)
                    }
                }
                guard let duration else { return written.refused(use: allowed) }
                guard bounds.contains(duration) || (zeroMeans != nil && duration == .zero) else {
                    return written.refused(use: range)
                }
                return .success(duration)
            },
            show: { .string(DurationText.format($0)) }
        )
    }
}

extension ValueKind where Value: RawRepresentable<String> & CaseIterable {
    /// One of a fixed set of words.
    static var enumeration: ValueKind {
        let words = Value.allCases.map(\.rawValue)
        return .text(
            words.map { "\"\($0)\"" }.joined(separator: " or "),
            schema: [OrderedJSON.Member(name: "enum", value: .array(words.map { .string($0) }))],
            parse: { Value(rawValue: $0) }, show: { $0.rawValue }
        )
    }
}

extension ValueKind<ListenAddress> {
    /// Where to listen.
    static var address: ValueKind {
        .text("an address", range: ListenAddress.form, parse: { ListenAddress($0) }, show: { $0.description })
    }
}

extension ValueKind<ListenAddress?> {
    /// Where to listen, or nowhere.
    static var addressOrOff: ValueKind {
        .text(
            "an address", range: "\(ListenAddress.form), or \"\" for off",
            parse: { $0.isEmpty ? .some(nil) : ListenAddress($0).map { .some($0) } },
            show: { $0?.description ?? "" }
        )
    }
}

extension ValueKind<LogDirectives> {
    /// A log level, and exceptions to it by module.
    static var logDirectives: ValueKind {
        .text(
            "a log level", range: LogDirectives.form,
            parse: { try? LogDirectives(parsing: $0) }, show: { $0.description }
        )
    }
}

extension ValueKind<Configuration.EngineSwitch> {
    /// The switch of an engine.
    static var engineSwitch: ValueKind {
        let allowed = "\"auto\", true or false"
        return ValueKind(
            noun: allowed,
            schema: .object(["enum": .array([.string("auto"), .boolean(true), .boolean(false)])]),
            decode: { written in
                switch written {
                case .text("auto"): return .success(.auto)
                case .text("true"): return .success(.on)
                case .text("false"): return .success(.off)
                case .text: return written.refused(use: allowed)
                case .node(let node):
                    switch node.value {
                    case .string("auto"): return .success(.auto)
                    case .boolean(let isOn): return .success(isOn ? .on : .off)
                    case .string: return written.refused(use: allowed)
                    default: return written.wrongType(use: allowed)
                    }
                }
            },
            show: { $0 == .auto ? .string("auto") : .boolean($0 == .on) }
        )
    }
}
