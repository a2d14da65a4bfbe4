internal import Glibc

/// A stretch of a line, as offsets from the line's first byte. Never out of order: an end before the start is empty.
struct Piece: Equatable, Sendable {
    var start: Int
    var end: Int

    init(_ start: Int, _ end: Int) {
        self.start = start
        self.end = end
    }

    var count: Int { end > start ? end - start : 0 }
    var isEmpty: Bool { end <= start }
}

/// The byte primitives every parser is made of, and the only place where parsing touches memory unchecked.
///
/// Each clamps the piece it is given to the span, so no offset, however wrong, reads outside; callers need no checks of
/// their own to be safe, only to be right.
extension Span where Element == UInt8 {
    var whole: Piece { Piece(0, count) }

    func clamp(_ piece: Piece) -> Piece {
        let start = Swift.min(Swift.max(piece.start, 0), count)
        return Piece(start, Swift.min(Swift.max(piece.end, start), count))
    }

    /// The byte at `index`, or 0 outside the span.
    @inline(__always)
    func byte(at index: Int) -> UInt8 {
        index >= 0 && index < count ? self[index] : 0
    }

    /// The first `byte` in `piece`.
    @inline(__always)
    func find(_ byte: UInt8, in piece: Piece) -> Int? {
        let piece = clamp(piece)
        guard !piece.isEmpty else { return nil }
        return unsafe withUnsafeBufferPointer { buffer in
            guard let base = buffer.baseAddress,
                let hit = unsafe memchr(base + piece.start, Int32(byte), piece.count)
            else { return nil }
            return unsafe UnsafeRawPointer(hit) - UnsafeRawPointer(base)
        }
    }

    /// The last `byte` in `piece`.
    @inline(__always)
    func findLast(_ byte: UInt8, in piece: Piece) -> Int? {
        let piece = clamp(piece)
        var index = piece.end
        while index > piece.start {
            index -= 1
            if unsafe self[unchecked: index] == byte { return index }
        }
        return nil
    }

    /// The first byte in `piece` that is `one` or `other`, eight at a time.
    @inline(__always)
    func find(_ one: UInt8, or other: UInt8, in piece: Piece) -> Int? {
        let piece = clamp(piece)
        let low: UInt64 = 0x0101_0101_0101_0101
        let (oneWide, otherWide) = (low &* UInt64(one), low &* UInt64(other))
        var index = piece.start
        while index &+ 8 <= piece.end {
            let word = word(at: index)
            let (left, right) = (word ^ oneWide, word ^ otherWide)
            let hits = ((left &- low) & ~left | (right &- low) & ~right) & (low &* 0x80)
            if hits != 0 { return index &+ hits.trailingZeroBitCount / 8 }
            index &+= 8
        }
        while index < piece.end {
            let byte = unsafe self[unchecked: index]
            if byte == one || byte == other { return index }
            index &+= 1
        }
        return nil
    }

    /// The eight bytes from `index`, first byte lowest; 0 when they are not all inside.
    @inline(__always)
    func word(at index: Int) -> UInt64 {
        guard index >= 0, index &+ 8 <= count else { return 0 }
        return unsafe bytes.unsafeLoadUnaligned(fromByteOffset: index, as: UInt64.self).littleEndian
    }

    /// Whether `literal` stands at `index`, all of it before `end`.
    @inline(__always)
    func has(_ literal: StaticString, at index: Int, before end: Int) -> Bool {
        let length = literal.utf8CodeUnitCount
        guard index >= 0, index &+ length <= Swift.min(end, count) else { return false }
        return unsafe withUnsafeBufferPointer { buffer in
            guard let base = buffer.baseAddress else { return length == 0 }
            return unsafe memcmp(base + index, literal.utf8Start, length) == 0
        }
    }

    /// Whether `piece` is exactly `literal`.
    @inline(__always)
    func equal(_ piece: Piece, _ literal: StaticString) -> Bool {
        piece.count == literal.utf8CodeUnitCount && has(literal, at: piece.start, before: piece.end)
    }

    /// Whether two spans hold the same bytes.
    func equal(_ piece: Piece, to other: Span<UInt8>) -> Bool {
        let piece = clamp(piece)
        guard piece.count == other.count else { return false }
        guard !piece.isEmpty else { return true }
        return unsafe withUnsafeBufferPointer { mine in
            unsafe other.withUnsafeBufferPointer { theirs in
                guard let left = mine.baseAddress, let right = theirs.baseAddress else { return false }
                return unsafe memcmp(left + piece.start, right, piece.count) == 0
            }
        }
    }

    /// Where `literal` (at least one byte) stands first in `piece`.
    func find(_ literal: StaticString, in piece: Piece) -> Int? {
        let piece = clamp(piece)
        guard literal.utf8CodeUnitCount > 0 else { return nil }
        let first = unsafe literal.utf8Start[0]
        var rest = piece
        while let hit = find(first, in: rest) {
            if has(literal, at: hit, before: piece.end) { return hit }
            rest.start = hit + 1
        }
        return nil
    }

    /// Where `literal` (at least one byte) stands last in `piece`.
    func findLast(_ literal: StaticString, in piece: Piece) -> Int? {
        let piece = clamp(piece)
        guard literal.utf8CodeUnitCount > 0 else { return nil }
        var index = piece.end - literal.utf8CodeUnitCount
        while index >= piece.start {
            if has(literal, at: index, before: piece.end) { return index }
            index -= 1
        }
        return nil
    }

    /// The value of a piece that is 1 to 18 decimal digits and nothing else.
    func decimal(_ piece: Piece) -> Int? {
        let piece = clamp(piece)
        guard (1...18).contains(piece.count) else { return nil }
        var value = 0
        for index in piece.start..<piece.end {
            let digit = unsafe self[unchecked: index] &- UInt8(ascii: "0")
            guard digit <= 9 else { return nil }
            value = value &* 10 &+ Int(digit)
        }
        return value
    }

    /// The digits that stand at `index`, at most `count` of them, and nothing after the first other byte.
    func digits(at index: Int, atMost count: Int, before end: Int) -> Piece {
        var end = Swift.min(Swift.max(index, end), self.count)
        end = Swift.min(end, index + count)
        var cursor = index
        while cursor < end, byte(at: cursor) &- UInt8(ascii: "0") <= 9 { cursor += 1 }
        return Piece(index, cursor)
    }
}

/// Reading forward and backward through a piece: what was read leaves it.
extension Piece {
    /// Takes `literal` off the front, if it stands there.
    @inline(__always)
    mutating func skip(_ literal: StaticString, in line: Span<UInt8>) -> Bool {
        guard line.has(literal, at: start, before: end) else { return false }
        start += literal.utf8CodeUnitCount
        return true
    }

    /// Takes `literal` off the end, if it stands there.
    @inline(__always)
    mutating func dropSuffix(_ literal: StaticString, in line: Span<UInt8>) -> Bool {
        let from = end - literal.utf8CodeUnitCount
        guard from >= start, line.has(literal, at: from, before: end) else { return false }
        end = from
        return true
    }

    mutating func skipSpaces(in line: Span<UInt8>) {
        while start < end, line.byte(at: start) == UInt8(ascii: " ") { start += 1 }
    }

    mutating func dropTrailingSpaces(in line: Span<UInt8>) {
        while start < end, line.byte(at: end - 1) == UInt8(ascii: " ") { end -= 1 }
    }

    /// Takes what stands before the first `delimiter` off the front, and the delimiter; `nil` if there is none.
    @inline(__always)
    mutating func take(until delimiter: UInt8, in line: Span<UInt8>) -> Piece? {
        guard let hit = line.find(delimiter, in: self) else { return nil }
        let taken = Piece(start, hit)
        start = hit + 1
        return taken
    }

    /// Takes the bytes before the first space (or all of them) off the front; the space stays.
    @inline(__always)
    mutating func takeToken(in line: Span<UInt8>) -> Piece {
        let hit = line.find(UInt8(ascii: " "), in: self) ?? end
        let taken = Piece(start, hit)
        start = hit
        return taken
    }

    /// Takes the bytes after the last space off the end, and that space; `nil` if there is no space.
    mutating func takeLastToken(in line: Span<UInt8>) -> Piece? {
        guard let hit = line.findLast(UInt8(ascii: " "), in: self) else { return nil }
        let taken = Piece(hit + 1, end)
        end = hit
        return taken
    }
}
