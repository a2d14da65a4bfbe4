/// A value that must never be shown: every way of printing it gives `***`. `reveal` is the one way to read it, so a
/// search for that word finds every use.
package struct Secret<Value: Sendable>: Sendable, CustomStringConvertible, CustomDebugStringConvertible,
    CustomReflectable, Encodable
{
    package static var mask: String { "***" }

    private let value: Value

    package init(_ value: Value) {
        self.value = value
    }

    /// The value itself, for the call that needs it and nothing else.
    package func reveal() -> Value { value }

    package var description: String { Self.mask }
    package var debugDescription: String { Self.mask }
    package var customMirror: Mirror { Mirror(self, children: []) }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(Self.mask)
    }
}

extension Secret: Equatable where Value: Equatable {}
