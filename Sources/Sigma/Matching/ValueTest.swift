/// The comparisons of one value with what a predicate wants.
enum ValueTest {
    static func text(
        _ code: RulePlan.Code, _ plan: RulePlan, _ bytes: borrowing Span<UInt8>, _ value: ByteSlice
    ) -> Bool {
        let count = Int(code.count)
        let start = Int(code.start)
        let bytesOfPool = plan.pool
        let pool = bytesOfPool.span
        switch code.operation {
        case .exact:
            return Int(value.length) == count
                && ByteSearch.equal(bytes, at: value.start, pool, at: start, count: count)
        case .prefix:
            return Int(value.length) >= count
                && ByteSearch.equal(bytes, at: value.start, pool, at: start, count: count)
        case .suffix:
            return Int(value.length) >= count
                && ByteSearch.equal(bytes, at: value.end - count, pool, at: start, count: count)
        case .contains:
            return ByteSearch.contains(bytes, from: value.start, to: value.end, pool, at: start, count: count)
        case .glob:
            let tokens = plan.globs[start]
            return glob(tokens.span, bytes, value)
        default:
            return false
        }
    }

    /// Matches a whole value. Only the last `*` is ever taken back, so the time is at most tokens × bytes.
    static func glob(_ tokens: borrowing Span<UInt16>, _ bytes: borrowing Span<UInt8>, _ value: ByteSlice) -> Bool {
        var token = 0
        var index = value.start
        var retryToken = -1
        var retryIndex = 0
        while index < value.end {
            if token < tokens.count {
                if tokens[token] == RulePlan.starToken {
                    retryToken = token + 1
                    retryIndex = index
                    token += 1
                    continue
                }
                let length = step(tokens[token], bytes, at: index, end: value.end)
                if length > 0 {
                    index += length
                    token += 1
                    continue
                }
            }
            guard retryToken >= 0 else { return false }
            retryIndex += characterLength(bytes, at: retryIndex, end: value.end)
            (token, index) = (retryToken, retryIndex)
        }
        while token < tokens.count, tokens[token] == RulePlan.starToken { token += 1 }
        return token == tokens.count
    }

    /// How many bytes a token takes here; 0 when it does not match.
    private static func step(_ token: UInt16, _ bytes: borrowing Span<UInt8>, at index: Int, end: Int) -> Int {
        switch token {
        case RulePlan.anyToken: return characterLength(bytes, at: index, end: end)
        case RulePlan.dashToken:
            if bytes[index] == UInt8(ascii: "-") || bytes[index] == UInt8(ascii: "/") { return 1 }
            // U+2013, U+2014 and U+2015 are E2 80 93 to 95.
            let isDash =
                end - index >= 3 && bytes[index] == 0xE2 && bytes[index + 1] == 0x80
                && (0x93...0x95).contains(bytes[index + 2])
            return isDash ? 3 : 0
        default: return bytes[index] == token ? 1 : 0
        }
    }

    /// The length of the character at `index`; a byte that is not UTF-8 counts as one.
    static func characterLength(_ bytes: borrowing Span<UInt8>, at index: Int, end: Int) -> Int {
        max(1, Folding.decode(bytes, at: index, end: end).length)
    }

    static func compare(_ operation: RulePlan.Operation, _ value: Double, _ wanted: Double) -> Bool {
        switch operation {
        case .less: value < wanted
        case .lessOrEqual: value <= wanted
        case .greater: value > wanted
        case .greaterOrEqual: value >= wanted
        default: false
        }
    }

    static func position(
        _ position: Predicate.Position, _ bytes: borrowing Span<UInt8>, _ value: ByteSlice, _ other: ByteSlice
    ) -> Bool {
        let count = Int(other.length)
        guard Int(value.length) >= count else { return false }
        switch position {
        case .whole:
            return Int(value.length) == count
                && ByteSearch.equal(bytes, at: value.start, bytes, at: other.start, count: count)
        case .start: return ByteSearch.equal(bytes, at: value.start, bytes, at: other.start, count: count)
        case .end: return ByteSearch.equal(bytes, at: value.end - count, bytes, at: other.start, count: count)
        case .anywhere:
            return ByteSearch.contains(bytes, from: value.start, to: value.end, bytes, at: other.start, count: count)
        }
    }
}

/// Numbers in values: decimal, with sign, fraction and exponent, and nothing around them.
enum Number {
    /// The nearest `Double`, as the C library reads it, so that a value and the rule's number are equal when they are
    /// written alike. No allocation.
    static func parse(_ bytes: borrowing Span<UInt8>, from start: Int, to end: Int) -> Double? {
        guard end > start, end - start <= 40 else { return nil }
        var index = start
        let isNegative = bytes[index] == UInt8(ascii: "-")
        if isNegative || bytes[index] == UInt8(ascii: "+") { index += 1 }
        // All digits as one whole number, and where its decimal point stands.
        var whole: UInt64 = 0
        var (digits, scale, isExact) = (0, 0, true)
        var isFraction = false
        while index < end {
            let byte = bytes[index]
            if byte == UInt8(ascii: "."), !isFraction {
                isFraction = true
            } else if byte &- 0x30 < 10 {
                digits += 1
                if isFraction { scale += 1 }
                let (product, overflow) = whole.multipliedReportingOverflow(by: 10)
                let (sum, carry) = product.addingReportingOverflow(UInt64(byte - 0x30))
                if overflow || carry { isExact = false } else { whole = sum }
            } else {
                break
            }
            index += 1
        }
        guard digits > 0 else { return nil }
        var exponent = 0
        if index < end, bytes[index] | 0x20 == UInt8(ascii: "e") {
            index += 1
            let isSmall = index < end && bytes[index] == UInt8(ascii: "-")
            if index < end, isSmall || bytes[index] == UInt8(ascii: "+") { index += 1 }
            let first = index
            while index < end, bytes[index] &- 0x30 < 10 {
                exponent = min(400, exponent * 10 + Int(bytes[index] - 0x30))
                index += 1
            }
            guard index > first else { return nil }
            if isSmall { exponent = -exponent }
        }
        guard index == end else { return nil }
        let power = exponent - scale
        // Both parts are exact below 2^53 and up to 10^22, so that one rounding gives the nearest number.
        if isExact, whole <= 1 << 53, (-22...22).contains(power) {
            let value = power < 0 ? Double(whole) / powers[-power] : Double(whole) * powers[power]
            return isNegative ? -value : value
        }
        return correctlyRounded(bytes, from: start, to: end)
    }

    private static let powers: [Double] = [
        1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19,
        1e20, 1e21, 1e22,
    ]

    /// The rare ones: many digits or far exponents.
    private static func correctlyRounded(_ bytes: borrowing Span<UInt8>, from start: Int, to end: Int) -> Double? {
        var text = ""
        for index in start..<end { text.unicodeScalars.append(Unicode.Scalar(bytes[index])) }
        return Double(text)
    }
}
