import CLinux

/// Cuts what is read from a file or a connection into whole lines, keeps the piece that has no end yet, and bounds both.
///
/// A line longer than `lineBytesMax` is given out cut to that length, once; its rest is skipped up to the line feed.
struct LineCutter {
    let lineBytesMax: Int
    /// The bytes of the line that has not ended.
    private(set) var partial: [UInt8] = []
    /// Inside the rest of a line that was cut.
    private(set) var isSkipping = false
    private(set) var linesCut = 0

    init(lineBytesMax: Int, isSkipping: Bool = false) {
        self.lineBytesMax = lineBytesMax
        self.isSkipping = isSkipping
    }

    /// Where the pieces of a read went.
    struct Cut {
        /// Whole lines, each ended by a line feed.
        var lines: [UInt8] = []
        var count = 0
        /// Bytes of the input before the first of `lines` (the rest of a cut line).
        var skipped = 0
    }

    /// Takes what was read. Everything but `partial` is either in the result or was skipped.
    mutating func push(_ bytes: Span<UInt8>) -> Cut {
        var cut = Cut()
        var start = 0
        if isSkipping {
            guard let end = Self.firstLineFeed(in: bytes) else {
                cut.skipped = bytes.count
                return cut
            }
            isSkipping = false
            start = end + 1
            cut.skipped = start
        }
        guard let last = Self.lastLineFeed(in: bytes, from: start) else {
            keep(bytes.extracting(start..<bytes.count), into: &cut)
            return cut
        }
        cut.lines = partial
        cut.lines.reserveCapacity(partial.count + last + 1 - start)
        let whole = bytes.extracting(start..<last + 1)
        unsafe whole.withUnsafeBufferPointer { unsafe cut.lines.append(contentsOf: $0) }
        cut.count = unsafe whole.withUnsafeBufferPointer { unsafe ip_count_lines($0.baseAddress, $0.count) }
        partial.removeAll(keepingCapacity: true)
        keep(bytes.extracting(last + 1..<bytes.count), into: &cut)
        return cut
    }

    /// The last line of an input that ends without a line feed.
    mutating func finish() -> [UInt8] {
        defer { partial = [] }
        isSkipping = false
        return partial
    }

    private mutating func keep(_ rest: Span<UInt8>, into cut: inout Cut) {
        let room = lineBytesMax - partial.count
        if rest.count <= room {
            unsafe rest.withUnsafeBufferPointer { unsafe partial.append(contentsOf: $0) }
            return
        }
        let head = rest.extracting(0..<room)
        unsafe head.withUnsafeBufferPointer { unsafe partial.append(contentsOf: $0) }
        cut.lines += partial
        cut.lines.append(0x0A)
        cut.count += 1
        partial.removeAll(keepingCapacity: true)
        isSkipping = true
        linesCut += 1
    }

    static func firstLineFeed(in bytes: Span<UInt8>) -> Int? {
        for index in bytes.indices where bytes[index] == 0x0A { return index }
        return nil
    }

    static func lastLineFeed(in bytes: Span<UInt8>, from start: Int) -> Int? {
        var index = bytes.count - 1
        while index >= start {
            if bytes[index] == 0x0A { return index }
            index -= 1
        }
        return nil
    }
}
