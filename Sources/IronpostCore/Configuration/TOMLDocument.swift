import CTOML

/// A place in a text file; lines and columns count from 1.
package struct TextPosition: Hashable, Sendable {
    package var line: Int
    package var column: Int

    package init(line: Int, column: Int) {
        self.line = line
        self.column = column
    }
}

/// A TOML value and where it stands: for a key's value the place of the key, for a list's item its own.
package struct TOMLNode: Sendable, Equatable {
    package enum Value: Sendable, Equatable {
        case table([Member])
        case array([TOMLNode])
        case string(String)
        case integer(Int64)
        case float(Double)
        case boolean(Bool)
        case dateTime
    }

    package struct Member: Sendable, Equatable {
        package var name: String
        package var node: TOMLNode
    }

    package var value: Value
    package var position: TextPosition?
}

/// Why a text is not a TOML document.
package struct TOMLSyntaxError: Error, Equatable {
    package var message: String
    package var position: TextPosition?
}

/// Reads TOML into plain values; used for the configuration and for every other TOML file of ours.
package enum TOMLDocument {
    /// The root table's members, in no particular order.
    /// - Throws: the first syntax error, a NUL byte or invalid UTF-8, each with its line and column.
    package static func parse(_ bytes: [UInt8]) throws(TOMLSyntaxError) -> [TOMLNode.Member] {
        try validate(bytes)
        let document = unsafe bytes.withUnsafeBytes { buffer in
            unsafe ctoml_parse(buffer.baseAddress?.assumingMemoryBound(to: CChar.self), buffer.count)
        }
        guard let document = unsafe document else {
            throw TOMLSyntaxError(message: "out of memory while reading it", position: nil)
        }
        defer { unsafe ctoml_free(document) }
        if unsafe ctoml_failed(document) != 0 {
            throw unsafe TOMLSyntaxError(
                message: string(ctoml_error_message(document)),
                position: position(line: ctoml_error_line(document), column: ctoml_error_column(document))
            )
        }
        var next = 0
        guard case .table(let members) = unsafe node(document, &next).node.value else { return [] }
        return members
    }

    private static func node(_ document: OpaquePointer, _ next: inout Int) -> TOMLNode.Member {
        let raw = unsafe ctoml_node_at(document, next)
        next += 1
        let value: TOMLNode.Value
        switch unsafe raw.kind {
        case CTOML_TABLE:
            value = .table(unsafe (0..<raw.child_count).map { _ in unsafe node(document, &next) })
        case CTOML_ARRAY:
            value = .array(unsafe (0..<raw.child_count).map { _ in unsafe node(document, &next).node })
        case CTOML_STRING:
            value = .string(unsafe string(raw.string))
        case CTOML_INTEGER:
            value = .integer(unsafe raw.integer)
        case CTOML_FLOAT:
            value = .float(unsafe raw.floating)
        case CTOML_BOOLEAN:
            value = .boolean(unsafe raw.integer != 0)
        default:
            value = .dateTime
        }
        return unsafe TOMLNode.Member(
            name: string(raw.key),
            node: TOMLNode(value: value, position: position(line: raw.line, column: raw.column))
        )
    }

    private static func string(_ text: ctoml_text) -> String {
        unsafe String(decoding: UnsafeRawBufferPointer(start: text.bytes, count: text.count), as: UTF8.self)
    }

    private static func position(line: UInt32, column: UInt32) -> TextPosition? {
        line == 0 ? nil : TextPosition(line: Int(line), column: Int(column))
    }

    /// The parser's own words for these two are hard to act on, and a NUL would end its text early.
    private static func validate(_ bytes: [UInt8]) throws(TOMLSyntaxError) {
        if let offset = bytes.firstIndex(of: 0) {
            throw TOMLSyntaxError(
                message: "a NUL byte stands here; the file must be UTF-8 text",
                position: position(of: offset, in: bytes)
            )
        }
        var parser = Unicode.UTF8.ForwardParser()
        var iterator = bytes.makeIterator()
        var offset = 0
        while true {
            switch parser.parseScalar(from: &iterator) {
            case .valid(let scalar):
                offset += scalar.count
            case .emptyInput:
                return
            case .error:
                throw TOMLSyntaxError(
                    message: "the byte here is not valid UTF-8; save the file as UTF-8",
                    position: position(of: offset, in: bytes)
                )
            }
        }
    }

    private static func position(of offset: Int, in bytes: [UInt8]) -> TextPosition {
        let before = bytes[..<offset]
        let lineStart = before.lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0
        return TextPosition(
            line: before.count { $0 == UInt8(ascii: "\n") } + 1,
            column: String(decoding: bytes[lineStart..<offset], as: UTF8.self).unicodeScalars.count + 1
        )
    }
}
