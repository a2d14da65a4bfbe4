internal import Glibc

/// Reads TOML 1.0: what Cargo, Poetry, uv and pylock write. Dates are kept as text.
package enum TOMLReader {
    package static func read(_ bytes: [UInt8], limits: TreeLimits = .standard) throws(ReadFault) -> Tree {
        var parser = Parser(tree: TreeBuilder(bytes: bytes), limits: limits)
        try parser.document()
        return Tree(parser.tree)
    }

    private struct Parser {
        typealias Text = (start: Int32, count: Int32, isDecoded: Bool)

        var tree: TreeBuilder
        let limits: TreeLimits
        var index = 0
        /// Names that were compared to find a table again.
        private var compared = 0

        /// Files that many tables are found in are in order; one that is made so that each search is long is refused.
        private static let comparedMax = 50_000_000

        init(tree: TreeBuilder, limits: TreeLimits) {
            self.tree = tree
            self.limits = limits
            if tree.bytes.starts(with: [0xEF, 0xBB, 0xBF]) { index = 3 }
        }

        private func fault(_ reason: String) -> ReadFault { ReadFault(reason, at: index, of: tree.bytes) }
        @inline(__always) private var peek: UInt8 { index < tree.bytes.count ? tree.bytes[index] : 0 }
        private var isAtEnd: Bool { index >= tree.bytes.count }

        mutating func document() throws(ReadFault) {
            guard tree.bytes.count < Int(Int32.max) else { throw ReadFault("larger than 2 GiB") }
            let root = tree.append(Tree.Node(kind: .object), to: nil)
            var table = root
            while true {
                blank()
                guard !isAtEnd else { return }
                if peek == 0x5B {
                    index += 1
                    let isArray = peek == 0x5B
                    if isArray { index += 1 }
                    let path = try keyPath()
                    guard peek == 0x5D, !isArray || (index + 1 < tree.bytes.count && tree.bytes[index + 1] == 0x5D)
                    else { throw fault("\"]\" was expected") }
                    index += isArray ? 2 : 1
                    table = try open(path, under: root, isArray: isArray)
                } else {
                    try assignment(in: table, depth: 0)
                }
                try endOfLine()
            }
        }

        private mutating func assignment(in table: Int32, depth: Int) throws(ReadFault) {
            var parent = table
            var name = try key()
            var parts = 1
            while peek == 0x2E {
                index += 1
                parts += 1
                guard parts <= limits.depthMax else { throw fault("nested deeper than \(limits.depthMax)") }
                parent = try child(name, of: parent)
                name = try key()
            }
            guard peek == 0x3D else { throw fault("\"=\" was expected") }
            index += 1
            space()
            try value(named: name, in: parent, depth: depth)
        }

        private func node(_ kind: Tree.Kind, named name: Text?) -> Tree.Node {
            var node = Tree.Node(kind: kind)
            if let name { (node.keyStart, node.keyCount, node.isKeyDecoded) = name }
            return node
        }

        private mutating func add(_ node: Tree.Node, to parent: Int32) throws(ReadFault) -> Int32 {
            guard tree.nodes.count < limits.nodesMax else { throw fault("more than \(limits.nodesMax) values") }
            return tree.append(node, to: parent)
        }

        /// The last value of this name in an object; 0 where there is none.
        private mutating func find(_ name: Text, in parent: Int32) throws(ReadFault) -> Int32 {
            let wanted = tree.text(name.start, name.count, isDecoded: name.isDecoded)
            // The newest one is nearly always meant.
            let newest = tree.nodes[Int(parent)].lastChild
            if newest != 0, tree.key(newest) == wanted { return newest }
            var found: Int32 = 0
            var child = tree.nodes[Int(parent)].firstChild
            while child != 0 {
                if tree.key(child) == wanted { found = child }
                child = tree.nodes[Int(child)].next
                compared += 1
            }
            guard compared <= Self.comparedMax else { throw fault("too many tables beside each other") }
            return found
        }

        /// The table of this name; of an array of tables the last one.
        private mutating func child(_ name: Text, of parent: Int32) throws(ReadFault) -> Int32 {
            let known = try find(name, in: parent)
            return known != 0 ? try table(known) : try add(node(.object, named: name), to: parent)
        }

        private func table(_ index: Int32) throws(ReadFault) -> Int32 {
            let node = tree.nodes[Int(index)]
            if node.kind == .object { return index }
            guard node.kind == .array, node.lastChild != 0, tree.nodes[Int(node.lastChild)].kind == .object else {
                throw fault("a table has the name of a value")
            }
            return node.lastChild
        }

        private mutating func open(_ path: [Text], under root: Int32, isArray: Bool) throws(ReadFault) -> Int32 {
            guard let last = path.last, path.count <= limits.depthMax else {
                throw fault("a table's name was expected")
            }
            var parent = root
            for name in path.dropLast() { parent = try child(name, of: parent) }
            guard isArray else { return try child(last, of: parent) }
            var array = try find(last, in: parent)
            if array == 0 { array = try add(node(.array, named: last), to: parent) }
            guard tree.nodes[Int(array)].kind == .array else { throw fault("a table has the name of a value") }
            return try add(node(.object, named: nil), to: array)
        }

        private mutating func keyPath() throws(ReadFault) -> [Text] {
            var path = [try key()]
            while peek == 0x2E {
                index += 1
                path.append(try key())
                guard path.count <= limits.depthMax else { throw fault("nested deeper than \(limits.depthMax)") }
            }
            return path
        }

        /// One part of a key, and the spaces around it.
        private mutating func key() throws(ReadFault) -> Text {
            space()
            let text: Text
            switch peek {
            case 0x22, 0x27: text = try string()
            default:
                let start = index
                while !isAtEnd, isBare(peek) { index += 1 }
                guard index > start else { throw fault("a key was expected") }
                text = (Int32(start), Int32(index - start), false)
            }
            space()
            return text
        }

        private func isBare(_ byte: UInt8) -> Bool {
            byte.isDigit || byte.isLetter || byte == 0x2D || byte == 0x5F
        }

        private mutating func value(named name: Text?, in parent: Int32, depth: Int) throws(ReadFault) {
            guard depth < limits.depthMax else { throw fault("nested deeper than \(limits.depthMax)") }
            switch peek {
            case 0x22, 0x27:
                let text = try string()
                var node = node(.string, named: name)
                (node.start, node.count, node.isDecoded) = text
                _ = try add(node, to: parent)
            case 0x5B:
                index += 1
                let array = try add(node(.array, named: name), to: parent)
                while true {
                    blank()
                    if peek == 0x5D { break }
                    try value(named: nil, in: array, depth: depth + 1)
                    blank()
                    if peek == 0x2C { index += 1 } else { break }
                }
                blank()
                guard peek == 0x5D else { throw fault("\"]\" or \",\" was expected") }
                index += 1
            case 0x7B:
                index += 1
                let object = try add(node(.object, named: name), to: parent)
                blank()
                while peek != 0x7D {
                    try assignment(in: object, depth: depth + 1)
                    blank()
                    guard peek == 0x2C else { break }
                    index += 1
                    blank()
                }
                guard peek == 0x7D else { throw fault("\"}\" or \",\" was expected") }
                index += 1
            default:
                let start = index
                while !isAtEnd, isScalar(peek) { index += 1 }
                guard index > start else { throw fault("a value was expected") }
                let word = tree.bytes[start..<index]
                var kind = Tree.Kind.number
                if word.elementsEqual("true".utf8) || word.elementsEqual("false".utf8) { kind = .boolean }
                var node = node(kind, named: name)
                (node.start, node.count) = (Int32(start), Int32(index - start))
                _ = try add(node, to: parent)
            }
        }

        private func isScalar(_ byte: UInt8) -> Bool {
            isBare(byte) || byte == 0x2B || byte == 0x2E || byte == 0x3A
        }

        private mutating func string() throws(ReadFault) -> Text {
            let quote = peek
            let isMultiline =
                index + 2 < tree.bytes.count && tree.bytes[index + 1] == quote && tree.bytes[index + 2] == quote
            index += isMultiline ? 3 : 1
            if isMultiline {
                if peek == 0x0D { index += 1 }
                if peek == 0x0A { index += 1 }
            }
            let start = index
            if !isMultiline, let end = plainEnd(of: start, quote) {
                index = end + 1
                return (Int32(start), Int32(end - start), false)
            }
            let bytes = tree.bytes
            while index < bytes.count {
                let byte = bytes[index]
                if byte == quote, !isMultiline || isTriple(quote) {
                    let count = index - start
                    index += isMultiline ? 3 : 1
                    return (Int32(start), Int32(count), false)
                }
                if byte == 0x5C, quote == 0x22 { return try escaped(from: start, isMultiline: isMultiline) }
                guard isMultiline || byte != 0x0A else { throw fault("a line ends inside a string") }
                index += 1
            }
            throw fault("the file ends inside a string")
        }

        /// Where a string ends that has neither escapes nor line ends: nearly all are so, and searched many bytes at once.
        private func plainEnd(of start: Int, _ quote: UInt8) -> Int? {
            unsafe tree.bytes.withUnsafeBytes { bytes in
                guard let base = bytes.baseAddress,
                    let found = unsafe memchr(base + start, Int32(quote), bytes.count - start)
                else { return nil }
                let end = unsafe UnsafeRawPointer(found) - base
                var others: UInt8 = 0
                for place in start..<end {
                    let byte = unsafe bytes[place]
                    others |= (byte == 0x5C) || (byte == 0x0A) ? 1 : 0
                }
                return others == 0 ? end : nil
            }
        }

        private func isTriple(_ quote: UInt8) -> Bool {
            index + 2 < tree.bytes.count && tree.bytes[index + 1] == quote && tree.bytes[index + 2] == quote
        }

        private mutating func escaped(from start: Int, isMultiline: Bool) throws(ReadFault) -> Text {
            let begin = tree.decoded.count
            tree.decoded.append(contentsOf: tree.bytes[start..<index])
            while !isAtEnd {
                let byte = peek
                if byte == 0x22, !isMultiline || isTriple(0x22) {
                    index += isMultiline ? 3 : 1
                    return (Int32(begin), Int32(tree.decoded.count - begin), true)
                }
                guard isMultiline || byte != 0x0A else { throw fault("a line ends inside a string") }
                index += 1
                guard byte == 0x5C else {
                    tree.decoded.append(byte)
                    continue
                }
                let escape = peek
                index += 1
                switch escape {
                case 0x22, 0x5C: tree.decoded.append(escape)
                case 0x62: tree.decoded.append(0x08)
                case 0x66: tree.decoded.append(0x0C)
                case 0x6E: tree.decoded.append(0x0A)
                case 0x72: tree.decoded.append(0x0D)
                case 0x74: tree.decoded.append(0x09)
                case 0x65: tree.decoded.append(0x1B)
                case 0x75: try hexadecimal(4)
                case 0x55: try hexadecimal(8)
                case 0x0A, 0x0D, 0x20:
                    guard isMultiline else { throw fault("an unknown escape in a string") }
                    while !isAtEnd, peek == 0x20 || peek == 0x09 || peek == 0x0A || peek == 0x0D { index += 1 }
                default: throw fault("an unknown escape in a string")
                }
            }
            throw fault("the file ends inside a string")
        }

        private mutating func hexadecimal(_ digits: Int) throws(ReadFault) {
            guard index + digits <= tree.bytes.count,
                let value = UInt32(String(decoding: tree.bytes[index..<(index + digits)], as: UTF8.self), radix: 16)
            else { throw fault("\(digits) hexadecimal digits were expected") }
            index += digits
            appendScalar(value, to: &tree.decoded)
        }

        private mutating func space() {
            while !isAtEnd, peek == 0x20 || peek == 0x09 { index += 1 }
        }

        /// Spaces, line ends and comments.
        private mutating func blank() {
            while !isAtEnd {
                switch peek {
                case 0x20, 0x09, 0x0A, 0x0D: index += 1
                case 0x23: while !isAtEnd, peek != 0x0A { index += 1 }
                default: return
                }
            }
        }

        private mutating func endOfLine() throws(ReadFault) {
            space()
            if peek == 0x23 { while !isAtEnd, peek != 0x0A { index += 1 } }
            if peek == 0x0D { index += 1 }
            guard isAtEnd || peek == 0x0A else { throw fault("the end of the line was expected") }
        }
    }
}
