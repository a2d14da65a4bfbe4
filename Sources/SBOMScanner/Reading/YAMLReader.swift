/// Reads the YAML that pnpm, Yarn and advisory databases write: block and flow collections, all five kinds of scalars.
///
/// Anchors, aliases and tags are refused: no such file has them, and they are what makes YAML dangerous. Plain scalars are
/// strings, but for `true`, `false` and `null`. Only the first document is read.
package enum YAMLReader {
    package static func read(_ bytes: [UInt8], limits: TreeLimits = .standard) throws(ReadFault) -> Tree {
        var parser = YAMLParser(tree: TreeBuilder(bytes: bytes), limits: limits)
        try parser.document()
        return Tree(parser.tree)
    }
}

struct YAMLParser {
    typealias Text = (start: Int32, count: Int32, isDecoded: Bool)

    var tree: TreeBuilder
    let limits: TreeLimits
    var index = 0
    /// Where the content at `index` begins in its line.
    var column = 0
    var isOver = false

    init(tree: TreeBuilder, limits: TreeLimits) {
        self.tree = tree
        self.limits = limits
        if tree.bytes.starts(with: [0xEF, 0xBB, 0xBF]) { index = 3 }
    }

    func fault(_ reason: String) -> ReadFault { ReadFault(reason, at: index, of: tree.bytes) }
    var peek: UInt8 { index < tree.bytes.count ? tree.bytes[index] : 0 }
    func byte(at place: Int) -> UInt8 { place < tree.bytes.count ? tree.bytes[place] : 0x0A }
    func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 }

    mutating func document() throws(ReadFault) {
        guard tree.bytes.count < Int(Int32.max) else { throw ReadFault("larger than 2 GiB") }
        try nextContent(isFirst: true)
        if isOver {
            _ = tree.append(Tree.Node(kind: .null), to: nil)
            return
        }
        try node(named: nil, in: nil, indent: -1, depth: 0)
        guard isOver else { throw fault("the indentation fits nothing above") }
    }

    /// From the end of a line to the next content.
    mutating func nextContent(isFirst: Bool = false) throws(ReadFault) {
        if !isFirst {
            while index < tree.bytes.count, peek == 0x20 || peek == 0x09 || peek == 0x0D { index += 1 }
            if peek == 0x23 { skipLine() }
            guard index >= tree.bytes.count || peek == 0x0A else { throw fault("the end of the line was expected") }
            if peek == 0x0A { index += 1 }
        }
        while index < tree.bytes.count {
            let start = index
            while peek == 0x20 { index += 1 }
            switch peek {
            case 0x0A: index += 1
            case 0x0D, 0x09:
                while index < tree.bytes.count, isBlank(peek), peek != 0x0A { index += 1 }
                guard index >= tree.bytes.count || peek == 0x0A || peek == 0x23 else {
                    throw fault("a tab in the indentation")
                }
                if peek == 0x23 { skipLine() }
            case 0x23: skipLine()
            case 0x25 where index == start && isFirst: skipLine()
            default:
                column = index - start
                guard column == 0, isMarker(index) else {
                    isOver = index >= tree.bytes.count
                    return
                }
                guard isFirst, peek == 0x2D else {
                    isOver = true
                    return
                }
                index += 3
            }
        }
        isOver = true
    }

    private func isMarker(_ place: Int) -> Bool {
        let first = byte(at: place)
        return (first == 0x2D || first == 0x2E) && byte(at: place + 1) == first && byte(at: place + 2) == first
            && isBlank(byte(at: place + 3))
    }

    private mutating func skipLine() {
        while index < tree.bytes.count, peek != 0x0A { index += 1 }
    }

    // MARK: - Nodes

    func made(_ kind: Tree.Kind, _ name: Text?) -> Tree.Node {
        var node = Tree.Node(kind: kind)
        if let name { (node.keyStart, node.keyCount, node.isKeyDecoded) = name }
        return node
    }

    mutating func add(_ node: Tree.Node, to parent: Int32?) throws(ReadFault) -> Int32 {
        guard tree.nodes.count < limits.nodesMax else { throw fault("more than \(limits.nodesMax) values") }
        return tree.append(node, to: parent)
    }

    mutating func addText(_ text: Text, named name: Text?, to parent: Int32?) throws(ReadFault) {
        var node = made(.string, name)
        (node.start, node.count, node.isDecoded) = text
        _ = try add(node, to: parent)
    }

    /// Whatever begins at the content here; afterwards the next content that does not belong to it is at `index`.
    /// - Parameter indent: of what it belongs to; its own lines begin further to the right.
    private mutating func node(named name: Text?, in parent: Int32?, indent: Int, depth: Int) throws(ReadFault) {
        guard depth < limits.depthMax else { throw fault("nested deeper than \(limits.depthMax)") }
        if isDash {
            try sequence(named: name, in: parent, depth: depth)
        } else if isKeyAhead() {
            try mapping(named: name, in: parent, depth: depth)
        } else {
            try inline(named: name, in: parent, indent: indent, depth: depth)
        }
    }

    private var isDash: Bool { peek == 0x2D && isBlank(byte(at: index + 1)) }

    private mutating func sequence(named name: Text?, in parent: Int32?, depth: Int) throws(ReadFault) {
        let own = column
        let array = try add(made(.array, name), to: parent)
        while !isOver, column == own, isDash {
            index += 1
            let start = index
            while peek == 0x20 { index += 1 }
            if isBlank(peek) || peek == 0x23 || index >= tree.bytes.count {
                try nextContent()
                if !isOver, column > own {
                    try node(named: nil, in: array, indent: own, depth: depth + 1)
                } else {
                    _ = try add(made(.null, nil), to: array)
                }
            } else {
                column = own + 1 + (index - start)
                try node(named: nil, in: array, indent: own, depth: depth + 1)
            }
        }
        if !isOver, column > own { throw fault("the indentation fits nothing above") }
    }

    private mutating func mapping(named name: Text?, in parent: Int32?, depth: Int) throws(ReadFault) {
        let own = column
        let object = try add(made(.object, name), to: parent)
        while !isOver, column == own, !isDash {
            let key: Text
            if peek == 0x3F, byte(at: index + 1) == 0x20 {
                // A long key on a line of its own.
                index += 2
                while peek == 0x20 { index += 1 }
                key = try self.key(endsAtColon: false)
                try nextContent()
                guard !isOver, column == own, peek == 0x3A else { throw fault("\":\" was expected") }
            } else {
                guard isKeyAhead() else { throw fault("a key was expected") }
                key = try self.key(endsAtColon: true)
                while peek == 0x20 { index += 1 }
            }
            guard peek == 0x3A else { throw fault("\":\" was expected") }
            index += 1
            while peek == 0x20 || peek == 0x09 { index += 1 }
            if isBlank(peek) || index >= tree.bytes.count || peek == 0x23 {
                try nextContent()
                if !isOver, column > own || (column == own && isDash) {
                    try node(named: key, in: object, indent: own, depth: depth + 1)
                } else {
                    _ = try add(made(.null, key), to: object)
                }
            } else {
                try inline(named: key, in: object, indent: own, depth: depth + 1)
            }
        }
        if !isOver, column > own { throw fault("the indentation fits nothing above") }
    }

    /// Whether a key and its colon stand here, on this line.
    private func isKeyAhead() -> Bool {
        var place = index
        let first = byte(at: place)
        if first == 0x3F, byte(at: place + 1) == 0x20 { return true }
        if first == 0x22 || first == 0x27 {
            place += 1
            while place < tree.bytes.count, tree.bytes[place] != first, tree.bytes[place] != 0x0A {
                place += first == 0x22 && tree.bytes[place] == 0x5C ? 2 : 1
            }
            guard byte(at: place) == first else { return false }
            // '' inside single quotes.
            while first == 0x27, byte(at: place + 1) == 0x27 {
                place += 2
                while place < tree.bytes.count, tree.bytes[place] != first, tree.bytes[place] != 0x0A { place += 1 }
            }
            place += 1
            while byte(at: place) == 0x20 { place += 1 }
            return byte(at: place) == 0x3A && isBlank(byte(at: place + 1))
        }
        if first == 0x7B || first == 0x5B || first == 0x7C || first == 0x3E { return false }
        while place < tree.bytes.count, tree.bytes[place] != 0x0A {
            if tree.bytes[place] == 0x3A, isBlank(byte(at: place + 1)) { return true }
            if tree.bytes[place] == 0x23, place > index, tree.bytes[place - 1] == 0x20 { return false }
            place += 1
        }
        return false
    }

    private mutating func key(endsAtColon: Bool) throws(ReadFault) -> Text {
        switch peek {
        case 0x22, 0x27: return try quoted()
        case 0x26, 0x2A, 0x21: throw fault("anchors, aliases and tags are not read")
        default:
            let start = index
            while index < tree.bytes.count, peek != 0x0A {
                if endsAtColon, peek == 0x3A, isBlank(byte(at: index + 1)) { break }
                index += 1
            }
            var end = index
            while end > start, isBlank(tree.bytes[end - 1]) { end -= 1 }
            return (Int32(start), Int32(end - start), false)
        }
    }

    /// A scalar or flow collection that begins in the middle of a line.
    private mutating func inline(named name: Text?, in parent: Int32?, indent: Int, depth: Int) throws(ReadFault) {
        switch peek {
        case 0x22, 0x27:
            try addText(try quoted(), named: name, to: parent)
            try nextContent()
        case 0x7B, 0x5B:
            try flow(named: name, in: parent, depth: depth)
            try nextContent()
        case 0x7C, 0x3E:
            try addText(try blockScalar(indent: indent), named: name, to: parent)
        case 0x26, 0x2A, 0x21: throw fault("anchors, aliases and tags are not read")
        default:
            let text = try plain(indent: indent)
            try addPlain(text, named: name, to: parent)
        }
    }

    mutating func addPlain(_ text: Text, named name: Text?, to parent: Int32?) throws(ReadFault) {
        let word = tree.text(text.start, text.count, isDecoded: text.isDecoded)
        var node = made(.string, name)
        if word.elementsEqual("true".utf8) || word.elementsEqual("false".utf8) { node.kind = .boolean }
        if word.isEmpty || word.elementsEqual("~".utf8) || word.elementsEqual("null".utf8) { node.kind = .null }
        (node.start, node.count, node.isDecoded) = text
        _ = try add(node, to: parent)
    }
}
