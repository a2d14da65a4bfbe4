/// A correlation group as it is saved between runs.
public struct GroupState: Hashable, Sendable {
    /// The correlation's id and the group's values: the same group has the same key in every run.
    public var key: String
    /// What `RuleEngine.restore` reads; `nil` when the group is gone.
    public var blob: [UInt8]?

    public init(key: String, blob: [UInt8]?) {
        self.key = key
        self.blob = blob
    }
}

/// The values of a group's fields as one byte string: each with its length before it.
enum CorrelationKey {
    static func append(_ bytes: borrowing Span<UInt8>, from start: Int, to end: Int, to key: inout [UInt8]) {
        let count = end - start
        key.append(UInt8(count & 0xFF))
        key.append(UInt8(count >> 8 & 0xFF))
        for index in start..<end { key.append(bytes[index]) }
    }

    /// - Returns: `nil` when the bytes are not a key.
    static func decode(_ key: [UInt8]) -> [ArraySlice<UInt8>]? {
        var values: [ArraySlice<UInt8>] = []
        var index = 0
        while index < key.count {
            guard index + 2 <= key.count else { return nil }
            let count = Int(key[index]) | Int(key[index + 1]) << 8
            index += 2
            guard index + count <= key.count else { return nil }
            values.append(key[index..<index + count])
            index += count
        }
        return values
    }

    /// `identity/value/value`, with everything but letters, digits and `.:_-` written as `%xx`.
    static func name(_ identity: String, _ key: [UInt8]) -> String {
        var text = Array(identity.utf8)
        let digits = Array("0123456789abcdef".utf8)
        for value in decode(key) ?? [] {
            text.append(UInt8(ascii: "/"))
            for byte in value {
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: ":"), UInt8(ascii: "_"),
                    UInt8(ascii: "-"):
                    text.append(byte)
                default:
                    text += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
                }
            }
        }
        return String(decoding: text, as: UTF8.self)
    }
}

/// A group's saved form, little-endian: version, definition, seed, key, entries. Anything may come back from a disk,
/// so reading checks every bound.
struct CorrelationBlob {
    /// 1 had no weights: each entry was one event.
    static let version: UInt8 = 2
    private static func entryBytes(version: UInt8) -> Int { version == 1 ? 33 : 37 }

    var definition: UInt64 = 0
    var seed: UInt64 = 0
    var key: [UInt8] = []
    var entries: [CorrelationWindow.Entry] = []

    static func encode(_ group: CorrelationGroup, definition: UInt64, seed: UInt64) -> [UInt8] {
        let entries = group.entries
        var bytes = [version]
        bytes.reserveCapacity(25 + group.key.count + entries.count * entryBytes(version: version))
        append(definition, 8, to: &bytes)
        append(seed, 8, to: &bytes)
        append(UInt64(group.key.count), 4, to: &bytes)
        bytes += group.key
        append(UInt64(entries.count), 4, to: &bytes)
        for entry in entries {
            append(UInt64(bitPattern: entry.time), 8, to: &bytes)
            append(entry.origin, 8, to: &bytes)
            append(entry.position, 8, to: &bytes)
            append(entry.value, 8, to: &bytes)
            bytes.append(entry.isReported ? 1 : 0)
            append(UInt64(entry.weight), 4, to: &bytes)
        }
        return bytes
    }

    private static func append(_ value: UInt64, _ count: UInt64, to bytes: inout [UInt8]) {
        for shift in 0..<count { bytes.append(UInt8(truncatingIfNeeded: value >> (shift * 8))) }
    }

    init?(_ bytes: [UInt8]) {
        var index = 0
        func read(_ count: Int) -> UInt64? {
            guard bytes.count - index >= count else { return nil }
            var value: UInt64 = 0
            for offset in 0..<count { value |= UInt64(bytes[index + offset]) << UInt64(offset * 8) }
            index += count
            return value
        }
        guard let version = bytes.first, version == 1 || version == Self.version, read(1) != nil,
            let definition = read(8), let seed = read(8), let keyCount = read(4),
            bytes.count - index >= Int(keyCount)
        else { return nil }
        self.definition = definition
        self.seed = seed
        key = Array(bytes[index..<index + Int(keyCount)])
        index += Int(keyCount)
        guard let count = read(4), bytes.count - index == Int(count) * Self.entryBytes(version: version) else {
            return nil
        }
        entries.reserveCapacity(Int(count))
        for _ in 0..<count {
            guard let time = read(8), let origin = read(8), let position = read(8), let value = read(8),
                let flag = read(1), let weight = version == 1 ? 1 : read(4),
                (1...UInt64(EventTable.weightMax)).contains(weight)
            else { return nil }
            entries.append(
                CorrelationWindow.Entry(
                    time: Int64(bitPattern: time), origin: origin, position: position, value: value,
                    weight: Int(weight), isReported: flag != 0
                )
            )
        }
    }
}
