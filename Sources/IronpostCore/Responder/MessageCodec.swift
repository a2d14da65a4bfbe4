/// Bytes that are not what the reader was told to expect: the other side is broken or hostile, or of another version.
package struct MessageFault: Error, Equatable, CustomStringConvertible {
    package let description: String

    package init(_ description: String) {
        self.description = description
    }
}

/// Bounds of what travels between core and responder.
package enum MessageBounds {
    /// A message, header and all.
    package static let bytesMax = 128 << 10
    /// A path or another text, unless its reader says otherwise.
    package static let textBytesMax = 4096
    /// Elements of a list, unless its reader says otherwise.
    package static let countMax = 4096
    /// Descriptors with one message.
    package static let descriptorsMax = 16
}

/// Builds a message: little-endian integers, and texts and bytes after their length in four bytes.
package struct MessageWriter {
    package private(set) var bytes: [UInt8] = []

    package init() {}

    package mutating func write(_ value: some FixedWidthInteger) {
        var rest = value.littleEndian
        unsafe withUnsafeBytes(of: &rest) { unsafe bytes.append(contentsOf: $0) }
    }

    package mutating func write(_ value: Bool) { write(UInt8(value ? 1 : 0)) }

    package mutating func write(_ value: [UInt8]) {
        write(UInt32(clamping: value.count))
        bytes += value
    }

    package mutating func write(_ value: String) { write(Array(value.utf8)) }

    /// A count, and then each element as `element` writes it.
    package mutating func write<Element>(_ list: [Element], _ element: (inout MessageWriter, Element) -> Void) {
        write(UInt32(clamping: list.count))
        for value in list { element(&self, value) }
    }

    /// Nothing, or a value as `element` writes it.
    package mutating func write<Element>(_ value: Element?, _ element: (inout MessageWriter, Element) -> Void) {
        write(value != nil)
        if let value { element(&self, value) }
    }
}

/// Reads what `MessageWriter` wrote, from somebody who is not trusted: every length is checked before it is used.
package struct MessageReader {
    private let bytes: [UInt8]
    private var at = 0

    package init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    package mutating func integer<Value: FixedWidthInteger>(_: Value.Type) throws(MessageFault) -> Value {
        let width = MemoryLayout<Value>.size
        guard bytes.count - at >= width else { throw MessageFault("ends in the middle of a number") }
        var value: Value = 0
        unsafe withUnsafeMutableBytes(of: &value) { target in
            for index in 0..<width { unsafe target[index] = bytes[at + index] }
        }
        at += width
        return Value(littleEndian: value)
    }

    package mutating func bool() throws(MessageFault) -> Bool {
        switch try integer(UInt8.self) {
        case 0: return false
        case 1: return true
        default: throw MessageFault("has a truth value that is neither 0 nor 1")
        }
    }

    package mutating func bytes(max: Int = MessageBounds.bytesMax) throws(MessageFault) -> [UInt8] {
        let count = Int(try integer(UInt32.self))
        guard count <= max else { throw MessageFault("has \(count) bytes where \(max) are allowed") }
        guard count <= bytes.count - at else { throw MessageFault("ends in the middle of a value") }
        defer { at += count }
        return Array(bytes[at..<at + count])
    }

    /// Valid UTF-8 without NUL.
    package mutating func text(max: Int = MessageBounds.textBytesMax) throws(MessageFault) -> String {
        let raw = try bytes(max: max)
        guard !raw.contains(0), let text = String(validating: raw, as: UTF8.self) else {
            throw MessageFault("has a text that is not UTF-8, or with a NUL byte")
        }
        return text
    }

    package mutating func list<Element>(
        max: Int = MessageBounds.countMax, _ element: (inout MessageReader) throws(MessageFault) -> Element
    ) throws(MessageFault) -> [Element] {
        let count = Int(try integer(UInt32.self))
        guard count <= max else { throw MessageFault("has \(count) elements where \(max) are allowed") }
        var list: [Element] = []
        for _ in 0..<count { list.append(try element(&self)) }
        return list
    }

    package mutating func optional<Element>(
        _ element: (inout MessageReader) throws(MessageFault) -> Element
    ) throws(MessageFault) -> Element? {
        try bool() ? try element(&self) : nil
    }

    /// To be called last: there must be nothing more.
    package func finish() throws(MessageFault) {
        guard at == bytes.count else { throw MessageFault("has \(bytes.count - at) bytes too many") }
    }

    /// What is left, unread.
    package var rest: [UInt8] { Array(bytes[at...]) }
}
