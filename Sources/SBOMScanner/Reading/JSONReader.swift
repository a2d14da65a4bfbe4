/// Reads JSON (RFC 8259), and the comments and trailing commas that some tools write into their lockfiles.
package enum JSONReader {
    package static func read(_ bytes: [UInt8], limits: TreeLimits = .standard) throws(ReadFault) -> Tree {
        var parser = Parser(tree: TreeBuilder(bytes: bytes), limits: limits)
        try parser.document()
        return Tree(parser.tree)
    }

    private struct Parser {
        var tree: TreeBuilder
        let limits: TreeLimits
        var index = 0

        private struct Open {
            var node: Int32
            var isObject: Bool
        }

        init(tree: TreeBuilder, limits: TreeLimits) {
            self.tree = tree
            self.limits = limits
            if tree.bytes.starts(with: [0xEF, 0xBB, 0xBF]) { index = 3 }
        }

        private func fault(_ reason: String) -> ReadFault { ReadFault(reason, at: index, of: tree.bytes) }

        @inline(__always) private var peek: UInt8 { index < tree.bytes.count ? tree.bytes[index] : 0 }

        mutating func document() throws(ReadFault) {
            guard tree.bytes.count < Int(Int32.max) else { throw ReadFault("larger than 2 GiB") }
            var open: [Open] = []
            try space()
            while true {
                // One value, with its name where it stands in an object.
                var node = Tree.Node(kind: .null)
                if open.last?.isObject == true {
                    guard peek == 0x22 else { throw fault("a name was expected") }
                    let name = try string()
                    (node.keyStart, node.keyCount, node.isKeyDecoded) = (name.start, name.count, name.isDecoded)
                    try space()
                    guard peek == 0x3A else { throw fault("\":\" was expected") }
                    index += 1
                    try space()
                }
                guard tree.nodes.count < limits.nodesMax else { throw fault("more than \(limits.nodesMax) values") }
                let parent = open.last?.node
                let byte = peek
                if byte == 0x7B || byte == 0x5B {
                    index += 1
                    node.kind = byte == 0x7B ? .object : .array
                    guard open.count < limits.depthMax else {
                        throw fault("nested deeper than \(limits.depthMax)")
                    }
                    open.append(Open(node: tree.append(node, to: parent), isObject: byte == 0x7B))
                    try space()
                    if !closes(peek, open) { continue }
                } else {
                    try scalar(byte, into: &node)
                    _ = tree.append(node, to: parent)
                    try space()
                }
                // What follows a value: a comma, or ends.
                while let last = open.last {
                    if closes(peek, open) {
                        index += 1
                        open.removeLast()
                        try space()
                        continue
                    }
                    guard peek == 0x2C else {
                        throw fault(last.isObject ? "\"}\" or \",\" was expected" : "\"]\" or \",\" was expected")
                    }
                    index += 1
                    try space()
                    if !closes(peek, open) { break }
                }
                if open.isEmpty { break }
            }
            guard index >= tree.bytes.count else { throw fault("something follows the end") }
        }

        private func closes(_ byte: UInt8, _ open: [Open]) -> Bool {
            open.last.map { byte == ($0.isObject ? 0x7D : 0x5D) } ?? false
        }

        private mutating func scalar(_ byte: UInt8, into node: inout Tree.Node) throws(ReadFault) {
            switch byte {
            case 0x22:
                let text = try string()
                node.kind = .string
                (node.start, node.count, node.isDecoded) = (text.start, text.count, text.isDecoded)
            case 0x74: try word("true", .boolean, into: &node)
            case 0x66: try word("false", .boolean, into: &node)
            case 0x6E: try word("null", .null, into: &node)
            case 0x2D, 0x30...0x39:
                node.kind = .number
                node.start = Int32(index)
                while index < tree.bytes.count {
                    switch tree.bytes[index] {
                    case 0x30...0x39, 0x2B, 0x2D, 0x2E, 0x65, 0x45: index += 1
                    default:
                        node.count = Int32(index) - node.start
                        return
                    }
                }
                node.count = Int32(index) - node.start
            default: throw fault(index >= tree.bytes.count ? "the file ends too early" : "a value was expected")
            }
        }

        private mutating func word(_ word: StaticString, _ kind: Tree.Kind, into node: inout Tree.Node)
            throws(ReadFault)
        {
            let count = word.utf8CodeUnitCount
            let matches =
                index + count <= tree.bytes.count
                && word.withUTF8Buffer { unsafe tree.bytes[index..<(index + count)].elementsEqual($0) }
            guard matches else { throw fault("a value was expected") }
            node.kind = kind
            node.start = Int32(index)
            node.count = Int32(count)
            index += count
        }

        private mutating func string() throws(ReadFault) -> (start: Int32, count: Int32, isDecoded: Bool) {
            index += 1
            let start = index
            let bytes = tree.bytes
            var place = index
            let count = bytes.count
            while place < count {
                let byte = bytes[place]
                if byte == 0x22 {
                    index = place + 1
                    return (Int32(start), Int32(place - start), false)
                }
                if byte == 0x5C { break }
                guard byte >= 0x20 else {
                    index = place
                    throw fault("a control character in a string")
                }
                place += 1
            }
            index = place
            return try escapedString(from: start)
        }

        private mutating func escapedString(
            from start: Int
        ) throws(ReadFault) -> (start: Int32, count: Int32, isDecoded: Bool) {
            let begin = tree.decoded.count
            tree.decoded.append(contentsOf: tree.bytes[start..<min(index, tree.bytes.count)])
            while index < tree.bytes.count {
                let byte = tree.bytes[index]
                index += 1
                if byte == 0x22 { return (Int32(begin), Int32(tree.decoded.count - begin), true) }
                guard byte == 0x5C else {
                    tree.decoded.append(byte)
                    continue
                }
                let escape = peek
                index += 1
                switch escape {
                case 0x22, 0x5C, 0x2F: tree.decoded.append(escape)
                case 0x62: tree.decoded.append(0x08)
                case 0x66: tree.decoded.append(0x0C)
                case 0x6E: tree.decoded.append(0x0A)
                case 0x72: tree.decoded.append(0x0D)
                case 0x74: tree.decoded.append(0x09)
                case 0x75:
                    var value = try hexadecimal()
                    if value >= 0xD800, value < 0xDC00, peek == 0x5C, index + 1 < tree.bytes.count,
                        tree.bytes[index + 1] == 0x75
                    {
                        index += 2
                        let low = try hexadecimal()
                        value =
                            low >= 0xDC00 && low < 0xE000
                            ? 0x10000 + (value - 0xD800) << 10 + (low - 0xDC00) : 0xFFFD
                    }
                    appendScalar(value, to: &tree.decoded)
                default: throw fault("an unknown escape in a string")
                }
            }
            throw fault("the file ends inside a string")
        }

        private mutating func hexadecimal() throws(ReadFault) -> UInt32 {
            guard index + 4 <= tree.bytes.count,
                let value = UInt32(String(decoding: tree.bytes[index..<(index + 4)], as: UTF8.self), radix: 16)
            else { throw fault("four hexadecimal digits were expected") }
            index += 4
            return value
        }

        private mutating func space() throws(ReadFault) {
            while index < tree.bytes.count {
                switch tree.bytes[index] {
                case 0x20, 0x09, 0x0A, 0x0D: index += 1
                case 0x2F:
                    let next = index + 1 < tree.bytes.count ? tree.bytes[index + 1] : 0
                    guard next == 0x2F || next == 0x2A else { throw fault("a value was expected") }
                    try comment(isBlock: next == 0x2A)
                default: return
                }
            }
        }

        private mutating func comment(isBlock: Bool) throws(ReadFault) {
            index += 2
            while index < tree.bytes.count {
                let byte = tree.bytes[index]
                index += 1
                if !isBlock, byte == 0x0A { return }
                if isBlock, byte == 0x2A, peek == 0x2F {
                    index += 1
                    return
                }
            }
            if isBlock { throw fault("the file ends inside a comment") }
        }
    }
}
