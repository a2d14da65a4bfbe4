import Glibc
import IronpostCore

/// Takes out of text what is nobody else's business: secrets always, and unless names are asked for, users of this host,
/// addresses and hosts. The same name is the same word everywhere (`user-1`, `address-2`, `host-1`), so that what
/// happened can still be followed.
struct Redaction {
    /// Users of this host that are looked for; what lies below /home is taken as a user anyway.
    static let usersMax = 10_000
    /// Ids below are the system's own users.
    private static let userIDMin: uid_t = 1000
    private static let nobody: uid_t = 65534

    private let secrets: [String]
    private let users: Set<String>
    private let keepsNames: Bool
    private var keepsHosts = false
    private var replaced: [String: String] = [:]
    private var counts: [String: Int] = [:]

    /// - Parameters:
    ///   - secrets: texts that are nowhere in the result.
    ///   - users: names of people; `nil` asks the system.
    init(secrets: [String], keepsNames: Bool, users: Set<String>? = nil) {
        // In JSON a secret may stand escaped. The longest first: one may be a part of another.
        let escaped = secrets.flatMap { [$0, Self.jsonEscaped($0)] }
        self.secrets = Set(escaped).filter { !$0.isEmpty }.sorted { ($1.utf8.count, $0) < ($0.utf8.count, $1) }
        self.keepsNames = keepsNames
        self.users = keepsNames ? [] : users ?? Self.usersOfHost()
    }

    /// - Parameter keepsHosts: only secrets and users are taken out.
    mutating func text(_ text: String, keepsHosts: Bool = false) -> String {
        self.keepsHosts = keepsHosts
        var text = text
        for secret in secrets { text = text.replacing(secret, with: Secret<String>.mask) }
        return keepsNames ? text : withoutNames(text)
    }

    private mutating func withoutNames(_ text: String) -> String {
        let bytes = Array(text.utf8)
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count)
        var start = 0
        while start < bytes.count {
            guard Self.isInWord(bytes[start]) else {
                result.append(bytes[start])
                start += 1
                continue
            }
            var end = start
            while end < bytes.count, Self.isInWord(bytes[end]) { end += 1 }
            // An escape of JSON's: its letter belongs to no word.
            if start > 0, bytes[start - 1] == UInt8(ascii: "\\") {
                result.append(bytes[start])
                start += 1
            }
            if start < end {
                let word = String(decoding: bytes[start..<end], as: UTF8.self)
                result += Array(self.word(word, after: result).utf8)
            }
            start = end
        }
        return String(decoding: result, as: UTF8.self)
    }

    /// - Parameter before: what stands before the word.
    private mutating func word(_ word: String, after before: [UInt8]) -> String {
        if before.ends(with: "/home/") { return replacement(for: word, as: "user") }
        if let address = address(word[...]) { return address }
        if !keepsHosts, before.ends(with: "://") {
            let host = word.prefix { $0 != ":" }
            let isOwn = host == "localhost" || IPAddress(host).map(Self.isOwn) ?? false
            return isOwn ? word : replacement(for: String(host), as: "host") + word.dropFirst(host.count)
        }
        // A sentence's end, or a name's; then `203.0.113.7:22`, `bob:x`.
        let core = word.dropTrailing { $0 == "." || $0 == ":" }
        if let address = address(core) { return address + word.dropFirst(core.count) }
        let parts = core.split(separator: ":", omittingEmptySubsequences: false).map { part in
            let name = part.dropTrailing { $0 == "." }
            let shown =
                address(name) ?? (users.contains(String(name)) ? replacement(for: String(name), as: "user") : nil)
            return (shown ?? String(name)) + part.dropFirst(name.count)
        }
        return parts.joined(separator: ":") + word.dropFirst(core.count)
    }

    /// What stands for an address; `nil` when the text is none.
    private mutating func address(_ text: Substring) -> String? {
        guard let address = IPAddress(text) else { return nil }
        return keepsHosts || Self.isOwn(address) ? String(text) : replacement(for: String(text), as: "address")
    }

    private mutating func replacement(for name: String, as kind: String) -> String {
        let key = "\(kind) \(name)"
        if let known = replaced[key] { return known }
        counts[kind, default: 0] += 1
        let word = "\(kind)-\(counts[kind] ?? 0)"
        replaced[key] = word
        return word
    }

    private static func isInWord(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "."), UInt8(ascii: ":"), UInt8(ascii: "_"),
            UInt8(ascii: "-"), 0x80...:
            true
        default: false
        }
    }

    /// Loopback and "any": no one's.
    private static func isOwn(_ address: IPAddress) -> Bool {
        address.isIPv4 ? address.low == 0 || address.low >> 24 == 127 : address.high == 0 && address.low <= 1
    }

    private static func jsonEscaped(_ text: String) -> String {
        var result = ""
        for character in text {
            if character == "\"" || character == "\\" { result.append("\\") }
            result.append(character)
        }
        return result
    }

    private static func usersOfHost() -> Set<String> {
        var found: Set<String> = []
        setpwent()
        defer { endpwent() }
        var seen = 0
        while seen < usersMax, let entry = unsafe getpwent() {
            seen += 1
            let id = unsafe entry.pointee.pw_uid
            guard id >= userIDMin, id != nobody, let name = unsafe entry.pointee.pw_name else { continue }
            found.insert(unsafe String(cString: name))
        }
        return found
    }
}

extension [UInt8] {
    fileprivate func ends(with text: String) -> Bool { suffix(text.utf8.count).elementsEqual(text.utf8) }
}

extension StringProtocol {
    fileprivate func dropTrailing(while isDropped: (Character) -> Bool) -> SubSequence {
        self[..<(lastIndex { !isDropped($0) }.map { index(after: $0) } ?? startIndex)]
    }
}
