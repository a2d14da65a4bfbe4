/// How the versions of an ecosystem are ordered.
///
/// A version is turned into a key once; keys are compared many times. Keys of every scheme but Maven's are ordered by
/// their bytes, so that an index can hold them ready.
package enum VersionScheme: UInt8, Sendable, CaseIterable {
    case semver = 1
    case npm
    case go
    case pep440
    case maven
    case gem
    case nuget
    case composer
    case dpkg
    case rpm
    case apk

    /// Longer versions have no key: no ecosystem has them, and a key may not cost more than its package.
    package static let versionBytesMax = 250

    /// The version's place in the order; `nil` when it is none of this scheme, and so can only be compared for equality.
    package func key(_ version: some StringProtocol) -> VersionKey? {
        var text = Array(version.utf8)
        while let last = text.last, last == 0x20 || last == 0x09 || last == 0x0A || last == 0x0D { text.removeLast() }
        guard !text.isEmpty, text.count <= Self.versionBytesMax else { return nil }
        let bytes: [UInt8]? =
            switch self {
            case .semver, .npm, .go: SemanticVersion.key(text)
            case .pep440: PythonVersion.key(text)
            case .maven: MavenVersion.key(text)
            case .gem: GemVersion.key(text)
            case .nuget: NuGetVersion.key(text)
            case .composer: ComposerVersion.key(text)
            case .dpkg: DebianVersion.key(text)
            case .rpm: RPMVersion.key(text)
            case .apk: AlpineVersion.key(text)
            }
        return bytes.map { VersionKey(bytes: $0) }
    }

    /// -1, 0 or 1.
    package func compare(_ left: VersionKey, _ right: VersionKey) -> Int {
        self == .maven ? MavenVersion.compare(left.bytes, right.bytes) : VersionKey.compare(left.bytes, right.bytes)
    }

    /// -1, 0 or 1; `nil` when one of both has no key.
    package func compare(_ left: some StringProtocol, _ right: some StringProtocol) -> Int? {
        guard let left = key(left), let right = key(right) else { return nil }
        return compare(left, right)
    }
}

/// A version ready for comparison with others of its scheme.
package struct VersionKey: Hashable, Sendable {
    package var bytes: [UInt8]

    package init(bytes: [UInt8]) {
        self.bytes = bytes
    }

    /// -1, 0 or 1 by the bytes.
    static func compare(_ left: [UInt8], _ right: [UInt8]) -> Int {
        let count = min(left.count, right.count)
        for index in 0..<count where left[index] != right[index] {
            return left[index] < right[index] ? -1 : 1
        }
        return left.count == right.count ? 0 : left.count < right.count ? -1 : 1
    }
}

/// What the schemes build their keys from.
struct KeyBuilder {
    var bytes: [UInt8] = []

    init() { bytes.reserveCapacity(24) }

    mutating func tag(_ value: UInt8) { bytes.append(value) }

    /// A number of any length: how many digits without leading zeros, then the digits.
    mutating func number(_ digits: ArraySlice<UInt8>) {
        let significant = digits.drop { $0 == 0x30 }
        bytes.append(UInt8(min(significant.count, 255)))
        bytes.append(contentsOf: significant)
    }

    mutating func number(_ value: Int) {
        number(ArraySlice(String(value).utf8))
    }

    /// Text that ends before everything that continues it.
    mutating func text(_ text: some Sequence<UInt8>) {
        bytes.append(contentsOf: text)
        bytes.append(0)
    }
}

extension UInt8 {
    @inline(__always) var isDigit: Bool { self >= 0x30 && self <= 0x39 }
    @inline(__always) var isLower: Bool { self >= 0x61 && self <= 0x7A }
    @inline(__always) var isUpper: Bool { self >= 0x41 && self <= 0x5A }
    @inline(__always) var isHexadecimalDigit: Bool { isDigit || (self | 0x20 >= 0x61 && self | 0x20 <= 0x66) }
    @inline(__always) var isLetter: Bool { isLower || isUpper }
    @inline(__always) var lowercased: UInt8 { isUpper ? self | 0x20 : self }
}

/// A place in a version that moves forward.
struct VersionCursor {
    let text: [UInt8]
    var index = 0

    init(_ text: [UInt8]) { self.text = text }

    var isAtEnd: Bool { index >= text.count }
    var peek: UInt8? { index < text.count ? text[index] : nil }

    mutating func eat(_ byte: UInt8) -> Bool {
        guard peek == byte else { return false }
        index += 1
        return true
    }

    /// The digits from here; may be empty.
    mutating func digits() -> ArraySlice<UInt8> {
        let start = index
        while index < text.count, text[index].isDigit { index += 1 }
        return text[start..<index]
    }

    mutating func take(while belongs: (UInt8) -> Bool) -> ArraySlice<UInt8> {
        let start = index
        while index < text.count, belongs(text[index]) { index += 1 }
        return text[start..<index]
    }
}
