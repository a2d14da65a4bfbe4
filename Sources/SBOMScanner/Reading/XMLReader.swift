/// An element of XML: what a pom needs, and nothing else. Attributes are passed over.
package struct XMLElement: Sendable {
    package var name: String
    package var text = ""
    package var children: [XMLElement] = []

    package subscript(name: String) -> XMLElement? { children.first { $0.name == name } }

    /// The text of a child, without spaces around it; `nil` where there is none.
    package func value(_ name: String) -> String? {
        guard let text = self[name]?.text else { return nil }
        let trimmed = text.drop { $0.isWhitespace }
        guard let last = trimmed.lastIndex(where: { !$0.isWhitespace }) else { return nil }
        return String(trimmed[...last])
    }
}

/// Reads XML without document types: entities beyond the five of XML and numbers are refused, so nothing expands.
package enum XMLReader {
    package static func read(_ bytes: [UInt8], limits: TreeLimits = .standard) throws(ReadFault) -> XMLElement {
        var parser = Parser(bytes: bytes, limits: limits)
        return try parser.document()
    }

    private struct Parser {
        let bytes: [UInt8]
        let limits: TreeLimits
        var index = 0
        var elements = 0

        init(bytes: [UInt8], limits: TreeLimits) {
            self.bytes = bytes
            self.limits = limits
        }

        private func fault(_ reason: String) -> ReadFault { ReadFault(reason, at: index, of: bytes) }
        private func starts(_ text: StaticString) -> Bool {
            let count = text.utf8CodeUnitCount
            return index + count <= bytes.count
                && text.withUTF8Buffer { unsafe bytes[index..<(index + count)].elementsEqual($0) }
        }

        mutating func document() throws(ReadFault) -> XMLElement {
            var open: [XMLElement] = [XMLElement(name: "")]
            var text: [UInt8] = []
            while index < bytes.count {
                guard bytes[index] == 0x3C else {
                    if bytes[index] == 0x26 {
                        try entity(into: &text)
                    } else {
                        if open.count > 1 { text.append(bytes[index]) }
                        index += 1
                    }
                    continue
                }
                if starts("<!--") {
                    try skip(past: "-->")
                } else if starts("<![CDATA[") {
                    index += 9
                    let start = index
                    try skip(past: "]]>")
                    text.append(contentsOf: bytes[start..<(index - 3)])
                } else if starts("<?") {
                    try skip(past: "?>")
                } else if starts("<!") {
                    throw fault("a document type with its entities is not read")
                } else if starts("</") {
                    index += 2
                    let name = self.name()
                    guard open.count > 1, open[open.count - 1].name == name else {
                        throw fault("</\(name)> closes nothing")
                    }
                    try skip(past: ">")
                    var element = open.removeLast()
                    if element.children.isEmpty { element.text = String(decoding: text, as: UTF8.self) }
                    text = []
                    open[open.count - 1].children.append(element)
                } else {
                    index += 1
                    let name = self.name()
                    guard !name.isEmpty else { throw fault("an element's name was expected") }
                    elements += 1
                    guard elements < limits.nodesMax else { throw fault("more than \(limits.nodesMax) elements") }
                    let isEmpty = try attributes()
                    text = []
                    if isEmpty {
                        open[open.count - 1].children.append(XMLElement(name: name))
                    } else {
                        guard open.count <= limits.depthMax else {
                            throw fault("nested deeper than \(limits.depthMax)")
                        }
                        open.append(XMLElement(name: name))
                    }
                }
            }
            guard open.count == 1, let root = open[0].children.first else { throw fault("the file ends too early") }
            return root
        }

        private mutating func name() -> String {
            let start = index
            while index < bytes.count {
                switch bytes[index] {
                case 0x20, 0x09, 0x0A, 0x0D, 0x3E, 0x2F: return local(start)
                default: index += 1
                }
            }
            return local(start)
        }

        /// Without the prefix of a namespace.
        private func local(_ start: Int) -> String {
            String(String(decoding: bytes[start..<index], as: UTF8.self).split(separator: ":").last ?? "")
        }

        /// - Returns: whether the element ends in its own tag.
        private mutating func attributes() throws(ReadFault) -> Bool {
            var quote: UInt8 = 0
            while index < bytes.count {
                let byte = bytes[index]
                index += 1
                if quote != 0 {
                    if byte == quote { quote = 0 }
                } else if byte == 0x22 || byte == 0x27 {
                    quote = byte
                } else if byte == 0x3E {
                    return index >= 2 && bytes[index - 2] == 0x2F
                }
            }
            throw fault("the file ends inside a tag")
        }

        private mutating func skip(past end: StaticString) throws(ReadFault) {
            while index < bytes.count {
                if starts(end) {
                    index += end.utf8CodeUnitCount
                    return
                }
                index += 1
            }
            throw fault("the file ends too early")
        }

        private mutating func entity(into text: inout [UInt8]) throws(ReadFault) {
            let end = bytes[index...].prefix(12).firstIndex(of: 0x3B)
            guard let end else { throw fault("an entity without its end") }
            let name = String(decoding: bytes[(index + 1)..<end], as: UTF8.self)
            switch name {
            case "lt": text.append(0x3C)
            case "gt": text.append(0x3E)
            case "amp": text.append(0x26)
            case "quot": text.append(0x22)
            case "apos": text.append(0x27)
            default:
                let number =
                    name.hasPrefix("#x")
                    ? UInt32(name.dropFirst(2), radix: 16)
                    : name.hasPrefix("#") ? UInt32(name.dropFirst()) : nil
                guard let number else { throw fault("the entity &\(name); is not read") }
                appendScalar(number, to: &text)
            }
            index = end + 1
        }
    }
}
