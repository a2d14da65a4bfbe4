/// What JSON, TOML and YAML files say, in one shape: objects, arrays and scalars over the file's own bytes.
///
/// Made by `JSONReader`, `TOMLReader` and `YAMLReader`, each bounded by `TreeLimits`. A value is an index into the tree:
/// looking at one costs no copy, and text is made only where it is asked for.
package final class Tree {
    package enum Kind: UInt8, Sendable {
        case null, boolean, number, string, array, object
    }

    struct Node {
        var kind: Kind
        /// The scalar's text lies in `decoded` instead of the file's bytes.
        var isDecoded = false
        var isKeyDecoded = false
        var start: Int32 = 0
        var count: Int32 = 0
        var keyStart: Int32 = 0
        var keyCount: Int32 = 0
        /// 0 is none: the root is nobody's child.
        var firstChild: Int32 = 0
        var lastChild: Int32 = 0
        var next: Int32 = 0
    }

    private let bytes: [UInt8]
    /// Text that had escapes in it.
    private let decoded: [UInt8]
    private let nodes: [Node]

    init(_ builder: TreeBuilder) {
        bytes = builder.bytes
        decoded = builder.decoded
        nodes = builder.nodes
    }

    package var root: Value { Value(tree: self, index: 0) }

    private func text(_ start: Int32, _ count: Int32, isDecoded: Bool) -> ArraySlice<UInt8> {
        (isDecoded ? decoded : bytes)[Int(start)..<Int(start + count)]
    }

    /// The last value of this name in an object; 0 where there is none.
    private func find(_ name: StaticString, in parent: Int32) -> Int32 {
        guard nodes[Int(parent)].kind == .object else { return 0 }
        var found: Int32 = 0
        var child = nodes[Int(parent)].firstChild
        while child != 0 {
            let node = nodes[Int(child)]
            if Int(node.keyCount) == name.utf8CodeUnitCount, isKey(node, name) { found = child }
            child = node.next
        }
        return found
    }

    private func isKey(_ node: Node, _ name: StaticString) -> Bool {
        let start = Int(node.keyStart)
        return name.withUTF8Buffer { name in
            for place in name.indices {
                let byte = node.isKeyDecoded ? decoded[start + place] : bytes[start + place]
                guard unsafe byte == name[place] else { return false }
            }
            return true
        }
    }

    /// A value of a tree.
    package struct Value {
        let tree: Tree
        let index: Int32

        private var node: Node { tree.nodes[Int(index)] }

        package var kind: Kind { node.kind }
        package var isObject: Bool { kind == .object }
        package var isArray: Bool { kind == .array }

        /// A scalar's bytes; empty for objects and arrays.
        package var utf8: ArraySlice<UInt8> {
            let node = node
            guard node.kind != .object, node.kind != .array else { return [] }
            return tree.text(node.start, node.count, isDecoded: node.isDecoded)
        }

        /// A string's text; `nil` for anything else.
        package var string: String? { kind == .string ? String(decoding: utf8, as: UTF8.self) : nil }

        /// The text of a string, number or boolean.
        package var scalar: String? {
            switch kind {
            case .string, .number, .boolean: String(decoding: utf8, as: UTF8.self)
            default: nil
            }
        }

        package var number: Double? { kind == .number ? Double(String(decoding: utf8, as: UTF8.self)) : nil }
        package var isTrue: Bool { kind == .boolean && utf8.first == 0x74 }

        /// The name under which this value stands in its object.
        package var keyUTF8: ArraySlice<UInt8> {
            let node = node
            return tree.text(node.keyStart, node.keyCount, isDecoded: node.isKeyDecoded)
        }

        package var key: String { String(decoding: keyUTF8, as: UTF8.self) }

        /// The elements of an array, or the values of an object in the file's order.
        package var children: Children {
            let node = node
            let isParent = node.kind == .object || node.kind == .array
            return Children(tree: tree, next: isParent ? node.firstChild : 0)
        }

        /// The value of this name; the last one where the file repeats it.
        package subscript(name: StaticString) -> Value? {
            let found = tree.find(name, in: index)
            return found == 0 ? nil : Value(tree: tree, index: found)
        }

        package subscript(name: String) -> Value? {
            guard kind == .object else { return nil }
            let wanted = Array(name.utf8)
            var found: Value?
            for child in children where child.keyUTF8.elementsEqual(wanted) { found = child }
            return found
        }
    }

    package struct Children: Sequence, IteratorProtocol {
        let tree: Tree
        private var index: Int32

        init(tree: Tree, next: Int32) {
            self.tree = tree
            index = next
        }

        package mutating func next() -> Value? {
            guard index != 0 else { return nil }
            defer { index = tree.nodes[Int(index)].next }
            return Value(tree: tree, index: index)
        }

        package var isEmpty: Bool { index == 0 }
    }
}

/// What a reader makes a tree of.
struct TreeBuilder {
    let bytes: [UInt8]
    var decoded: [UInt8] = []
    private(set) var nodes: [Tree.Node] = []

    init(bytes: [UInt8]) {
        self.bytes = bytes
        nodes.reserveCapacity(bytes.count / 16 + 8)
    }

    func text(_ start: Int32, _ count: Int32, isDecoded: Bool) -> ArraySlice<UInt8> {
        (isDecoded ? decoded : bytes)[Int(start)..<Int(start + count)]
    }

    /// The name under which a node stands in its object.
    func key(_ node: Int32) -> ArraySlice<UInt8> {
        let node = nodes[Int(node)]
        return text(node.keyStart, node.keyCount, isDecoded: node.isKeyDecoded)
    }

    /// - Returns: the new node's index.
    mutating func append(_ node: Tree.Node, to parent: Int32?) -> Int32 {
        let index = Int32(nodes.count)
        nodes.append(node)
        if let parent {
            let last = nodes[Int(parent)].lastChild
            if last == 0 {
                nodes[Int(parent)].firstChild = index
            } else {
                nodes[Int(last)].next = index
            }
            nodes[Int(parent)].lastChild = index
        }
        return index
    }
}

/// How much of a file is believed.
package struct TreeLimits: Sendable {
    /// Objects and arrays inside each other.
    package var depthMax: Int
    package var nodesMax: Int

    package static let standard = TreeLimits(depthMax: 128, nodesMax: 8_000_000)

    package init(depthMax: Int, nodesMax: Int) {
        self.depthMax = depthMax
        self.nodesMax = nodesMax
    }
}

/// Why a file was not read.
package struct ReadFault: Error, Sendable, Hashable, CustomStringConvertible {
    package var reason: String
    /// From 1; `nil` where lines mean nothing.
    package var line: Int?

    package init(_ reason: String, line: Int? = nil) {
        self.reason = reason
        self.line = line
    }

    package init(_ reason: String, at offset: Int, of bytes: [UInt8]) {
        self.reason = reason
        line = 1 + bytes[..<min(offset, bytes.count)].reduce(0) { $0 + ($1 == 0x0A ? 1 : 0) }
    }

    package var description: String { line.map { "line \($0): \(reason)" } ?? reason }
}

/// Appends a code point as UTF-8; what is none becomes U+FFFD.
func appendScalar(_ value: UInt32, to bytes: inout [UInt8]) {
    let scalar = Unicode.Scalar(value) ?? "\u{FFFD}"
    bytes.append(contentsOf: UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
}
