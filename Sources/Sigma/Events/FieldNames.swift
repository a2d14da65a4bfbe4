/// A field name's number in one `FieldNames` table.
public struct FieldID: Hashable, Sendable {
    public let index: UInt16

    @inlinable
    public init(_ index: UInt16) {
        self.index = index
    }

    /// A field whose name no rule and no parser knows. It is searched by keywords and shown to people, never selected.
    public static let unnamed = FieldID(.max)
}

/// The names of fields, interned once: first the parsers' own (so their numbers are constants), then what rules name.
///
/// Look-up is by exact bytes. At most `countMax` names are held; interning past that returns `nil`.
public struct FieldNames: Sendable {
    public static let countMax = Int(UInt16.max)

    private var names: [String] = []
    /// Bytes of the longest name.
    public private(set) var lengthMax = 0
    private var buckets: [UInt16]
    private var mask: Int

    /// - Parameter wellKnown: names that get the numbers 0, 1, 2, … in this order; no name may occur twice.
    public init(wellKnown: [String] = []) {
        buckets = [UInt16](repeating: .max, count: 256)
        mask = 255
        for name in wellKnown {
            _ = intern(name)
        }
    }

    public var count: Int { names.count }

    /// The name behind a number, or `"?"` for `FieldID.unnamed`.
    public func name(of id: FieldID) -> String {
        Int(id.index) < names.count ? names[Int(id.index)] : "?"
    }

    /// The number of `name`, which is added if it is new; `nil` when the table is full.
    public mutating func intern(_ name: String) -> FieldID? {
        if let known = find(name) { return known }
        guard names.count < Self.countMax else { return nil }
        names.append(name)
        lengthMax = max(lengthMax, name.utf8.count)
        if names.count * 2 > buckets.count {
            rebuild(capacity: buckets.count * 2)
        } else {
            insert(UInt16(names.count - 1))
        }
        return FieldID(UInt16(names.count - 1))
    }

    public func find(_ name: String) -> FieldID? {
        find(name.utf8.span)
    }

    /// The number of the name with these bytes, if it was interned. No allocation.
    public func find(_ name: Span<UInt8>) -> FieldID? {
        var slot = Self.hash(name) & mask
        while buckets[slot] != .max {
            let candidate = buckets[slot]
            if Self.equal(names[Int(candidate)].utf8.span, name) { return FieldID(candidate) }
            slot = (slot + 1) & mask
        }
        return nil
    }

    private mutating func insert(_ index: UInt16) {
        var slot = Self.hash(names[Int(index)].utf8.span) & mask
        while buckets[slot] != .max { slot = (slot + 1) & mask }
        buckets[slot] = index
    }

    private mutating func rebuild(capacity: Int) {
        buckets = [UInt16](repeating: .max, count: capacity)
        mask = capacity - 1
        for index in names.indices { insert(UInt16(index)) }
    }

    /// FNV-1a: short keys, no seed needed since only names of rules and parsers are ever inserted.
    private static func hash(_ bytes: Span<UInt8>) -> Int {
        var value: UInt32 = 2_166_136_261
        for index in bytes.indices {
            value = (value ^ UInt32(bytes[index])) &* 16_777_619
        }
        return Int(value ^ (value >> 15))
    }

    private static func equal(_ left: Span<UInt8>, _ right: Span<UInt8>) -> Bool {
        guard left.count == right.count else { return false }
        for index in left.indices where left[index] != right[index] { return false }
        return true
    }
}
