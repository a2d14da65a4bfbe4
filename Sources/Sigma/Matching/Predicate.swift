/// One question about one event: the leaf of every rule, shared by all rules that ask it.
struct Predicate: Hashable, Sendable {
    /// The field asked about; `nil` for keywords, which look at every value and at the line itself.
    var field: FieldID?
    var test: Test

    enum Test: Hashable, Sendable {
        /// Bytes are already folded unless `cased`.
        case exact([UInt8], cased: Bool)
        case prefix([UInt8], cased: Bool)
        case suffix([UInt8], cased: Bool)
        case contains([UInt8], cased: Bool)
        case glob(Pattern, cased: Bool)
        case regex(RegexSource)
        /// Absent, or null.
        case null
        /// Present, whatever the value (null included).
        case exists
        case cidr(CIDR)
        case compare(Comparison, Double)
        /// Compared with the values of another field.
        case reference(FieldID, Position, cased: Bool)
    }

    enum Comparison: Hashable, Sendable { case lt, lte, gt, gte }
    enum Position: Hashable, Sendable { case whole, start, end, anywhere }

    /// How much evaluating it costs, roughly: cheap ones are tried first.
    var cost: Int {
        let base =
            switch test {
            case .null, .exists: 0
            case .exact: 1
            case .prefix, .suffix: 2
            case .compare, .cidr: 3
            case .contains: 5
            case .reference: 6
            case .glob: 10
            case .regex: 20
            }
        return field == nil ? base * 3 + 5 : base
    }
}

/// What is true of an event when a rule matches it: predicates by their number in the rule set.
indirect enum Expression: Hashable, Sendable {
    case predicate(Int)
    case and([Expression])
    case or([Expression])
    case not(Expression)
    case constant(Bool)
}

/// An address range, of IPv4 or IPv6.
struct CIDR: Hashable, Sendable {
    /// 4 or 16 bytes.
    var address: [UInt8]
    var bits: Int

    init?(_ text: String) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count <= 2, let first = parts.first else { return nil }
        let bytes = Array(first.utf8)
        var parsed = IPAddress()
        guard parsed.parse(bytes.span, from: 0, to: bytes.count) else { return nil }
        address = (0..<parsed.length).map { parsed[$0] }
        bits = address.count * 8
        if parts.count == 2 {
            guard let number = Int(parts[1]), (0...bits).contains(number) else { return nil }
            bits = number
        }
    }

    func contains(_ other: IPAddress) -> Bool {
        guard other.length == address.count else { return false }
        for index in 0..<(bits / 8) where address[index] != other[index] { return false }
        let rest = bits % 8
        guard rest > 0 else { return true }
        let mask = UInt8(truncatingIfNeeded: 0xFF00 >> rest)
        return address[bits / 8] & mask == other[bits / 8] & mask
    }
}

/// An IP address parsed from text without allocation. IPv4 written in IPv6 (`::ffff:192.0.2.1`) becomes IPv4.
struct IPAddress {
    private var high: UInt64 = 0
    private var low: UInt64 = 0
    private(set) var length = 0

    subscript(index: Int) -> UInt8 {
        if length == 4 { return UInt8(truncatingIfNeeded: low >> UInt64((3 - index) * 8)) }
        let half = index < 8 ? high : low
        return UInt8(truncatingIfNeeded: half >> UInt64((7 - index % 8) * 8))
    }

    mutating func parse(_ bytes: borrowing Span<UInt8>, from start: Int, to end: Int) -> Bool {
        guard end > start, end - start <= 64 else { return false }
        if let value = Self.parse4(bytes, from: start, to: end) {
            (low, length) = (UInt64(value), 4)
            return true
        }
        return parse6(bytes, from: start, to: end)
    }

    private static func parse4(_ bytes: borrowing Span<UInt8>, from start: Int, to end: Int) -> UInt32? {
        var value: UInt32 = 0
        var octet: UInt32 = 0
        var digits = 0
        var dots = 0
        for index in start..<end {
            let byte = bytes[index]
            if byte == UInt8(ascii: ".") {
                guard digits > 0, dots < 3 else { return nil }
                value = value << 8 | octet
                (octet, digits, dots) = (0, 0, dots + 1)
            } else {
                guard byte &- 0x30 < 10, digits < 3 else { return nil }
                octet = octet * 10 + UInt32(byte - 0x30)
                digits += 1
                guard octet <= 255 else { return nil }
            }
        }
        guard dots == 3, digits > 0 else { return nil }
        return value << 8 | octet
    }

    private mutating func parse6(_ bytes: borrowing Span<UInt8>, from start: Int, to end: Int) -> Bool {
        var groups: (UInt64, UInt64) = (0, 0)
        var count = 0
        var gap: Int?
        var index = start
        func push(_ value: UInt64, _ groups: inout (UInt64, UInt64)) {
            groups.0 = groups.0 << 16 | groups.1 >> 48
            groups.1 = groups.1 << 16 | value
        }
        if end - start >= 2, bytes[start] == UInt8(ascii: ":") {
            guard bytes[start + 1] == UInt8(ascii: ":") else { return false }
            gap = 0
            index += 2
        }
        while index < end {
            var value: UInt64 = 0
            var digits = 0
            let groupStart = index
            while index < end, let digit = Self.hex(bytes[index]) {
                value = value << 4 | UInt64(digit)
                digits += 1
                index += 1
                guard digits <= 4 else { return false }
            }
            if index < end, bytes[index] == UInt8(ascii: ".") {
                guard let tail = Self.parse4(bytes, from: groupStart, to: end), count <= 6 else { return false }
                push(UInt64(tail >> 16), &groups)
                push(UInt64(tail & 0xFFFF), &groups)
                count += 2
                index = end
                break
            }
            guard digits > 0, count < 8 else { return false }
            push(value, &groups)
            count += 1
            guard index < end else { break }
            guard bytes[index] == UInt8(ascii: ":") else { return false }
            index += 1
            guard index < end else { return false }
            if bytes[index] == UInt8(ascii: ":") {
                guard gap == nil else { return false }
                gap = count
                index += 1
            }
        }
        if let gap {
            guard count < 8 else { return false }
            // Put the groups after the gap at the end, those before it at the front.
            let after = count - gap
            let tail = Self.lowGroups(groups, after)
            let head = Self.shift(groups, right: after)
            let moved = Self.shift(head, left: 8 - gap)
            groups = (moved.0 | tail.0, moved.1 | tail.1)
        } else {
            guard count == 8 else { return false }
        }
        if groups.0 == 0, groups.1 >> 32 == 0xFFFF {
            (low, high, length) = (groups.1 & 0xFFFF_FFFF, 0, 4)
        } else {
            (high, low, length) = (groups.0, groups.1, 16)
        }
        return true
    }

    private static func shift(_ value: (UInt64, UInt64), left groups: Int) -> (UInt64, UInt64) {
        var result = value
        for _ in 0..<groups { result = (result.0 << 16 | result.1 >> 48, result.1 << 16) }
        return result
    }

    private static func shift(_ value: (UInt64, UInt64), right groups: Int) -> (UInt64, UInt64) {
        var result = value
        for _ in 0..<groups { result = (result.0 >> 16, result.1 >> 16 | result.0 << 48) }
        return result
    }

    private static func lowGroups(_ value: (UInt64, UInt64), _ count: Int) -> (UInt64, UInt64) {
        shift(shift(value, left: 8 - count), right: 8 - count)
    }

    private static func hex(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 0x30...0x39: byte - 0x30
        case 0x41...0x46: byte - 0x37
        case 0x61...0x66: byte - 0x57
        default: nil
        }
    }
}
