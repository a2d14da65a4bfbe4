/// The byte loops of matching, and the only unchecked accesses of this library: each function checks its bounds once,
/// at the top, instead of at every byte.
enum ByteSearch {
    @inline(__always)
    static func equal(
        _ left: borrowing Span<UInt8>, at leftStart: Int, _ right: borrowing Span<UInt8>, at rightStart: Int, count: Int
    ) -> Bool {
        guard leftStart >= 0, rightStart >= 0, count >= 0, leftStart + count <= left.count,
            rightStart + count <= right.count
        else { return false }
        var index = 0
        while index < count {
            if unsafe left[unchecked: leftStart + index] != right[unchecked: rightStart + index] { return false }
            index += 1
        }
        return true
    }

    /// Whether `needle[needleStart..<needleStart + count]` occurs in `bytes[start..<end]`.
    static func contains(
        _ bytes: borrowing Span<UInt8>, from start: Int, to end: Int,
        _ needle: borrowing Span<UInt8>, at needleStart: Int, count: Int
    ) -> Bool {
        guard count > 0 else { return true }
        guard start >= 0, end <= bytes.count, needleStart >= 0, needleStart + count <= needle.count else {
            return false
        }
        let first = unsafe needle[unchecked: needleStart]
        let last = unsafe needle[unchecked: needleStart + count - 1]
        var index = start
        let limit = end - count
        while index <= limit {
            if unsafe bytes[unchecked: index] == first, unsafe bytes[unchecked: index + count - 1] == last,
                equal(bytes, at: index, needle, at: needleStart, count: count)
            {
                return true
            }
            index += 1
        }
        return false
    }

    /// Sets `result` to `bytes` with ASCII letters in lower case; returns whether any byte is not ASCII.
    static func foldASCII(_ bytes: borrowing Span<UInt8>, into result: inout [UInt8]) -> Bool {
        let count = bytes.count
        result.removeAll(keepingCapacity: true)
        result.reserveCapacity(count)
        var seen: UInt8 = 0
        result.append(addingCapacity: count) { output in
            for index in 0..<count {
                let byte = unsafe bytes[unchecked: index]
                seen |= byte
                output.append(byte &- 0x41 < 26 ? byte | 0x20 : byte)
            }
        }
        return seen & 0x80 != 0
    }

    static func isASCII(_ bytes: borrowing Span<UInt8>, from start: Int, to end: Int) -> Bool {
        guard start >= 0, end <= bytes.count else { return true }
        var seen: UInt8 = 0
        var index = start
        while index < end {
            seen |= unsafe bytes[unchecked: index]
            index += 1
        }
        return seen & 0x80 == 0
    }

    /// Calls `found` with the end of every four bytes whose hash has its bit set in `filter`, and with the hash.
    @inline(__always)
    static func grams(
        _ bytes: borrowing Span<UInt8>, from start: Int, to end: Int, filter: borrowing Span<UInt64>, shift: UInt32,
        found: (_ end: Int, _ hash: UInt32) -> Void
    ) {
        guard start >= 0, end <= bytes.count, end - start >= 4, filter.count << 6 >= 1 << Int(32 - shift) else {
            return
        }
        var gram: UInt32 = 0
        var index = start
        while index < start + 3 {
            gram = gram >> 8 | UInt32(unsafe bytes[unchecked: index]) << 24
            index += 1
        }
        while index < end {
            gram = gram >> 8 | UInt32(unsafe bytes[unchecked: index]) << 24
            index += 1
            let hash = Self.hash(gram) >> shift
            if unsafe filter[unchecked: Int(hash >> 6)] >> UInt64(hash & 63) & 1 != 0 { found(index, hash) }
        }
    }

    @inline(__always)
    static func hash(_ gram: UInt32) -> UInt32 {
        (gram ^ gram >> 15) &* 0x9E37_79B1
    }
}
