import Glibc
import IronpostCore
import PacketDetection

/// Network rules as people write them: TOML files with `[[rules]]`, and plain lists of addresses (`.list`, `.netset`,
/// `.txt`: one a line, `#` comments), each of which blocks what it names.
package struct RuleFiles: Sendable {
    package static let fileBytesMax = 256 << 20
    package static let filesMax = 1024

    package struct Outcome: Sendable {
        package var rules: [NetworkRule] = []
        /// `file:line: what is wrong`; such rules are left out.
        package var faults: [String] = []
        /// There are more rules than may be: reading ended there, and none of them should be put in force.
        package var isTooMany = false
        fileprivate var rulesMax = Int.max

        package init() {}
    }

    /// Faults that are told of one load; more are only counted.
    static let faultsMax = 100

    /// Reads a directory, or one file.
    /// - Parameters:
    ///   - now: of CLOCK_BOOTTIME; a rule's `ttl` counts from here.
    ///   - max: rules that there may be.
    package static func read(_ path: String, now: UInt64, max: Int = .max) -> Outcome {
        var outcome = Outcome()
        outcome.rulesMax = max
        var status = stat()
        guard unsafe stat(path, &status) == 0 else {
            outcome.faults.append("\(path): \(unsafe String(cString: strerror(errno)))")
            return outcome
        }
        guard status.st_mode & S_IFMT == S_IFDIR else {
            read(file: path, now: now, into: &outcome)
            return outcome
        }
        var names = list(path)
        if names.count > filesMax {
            outcome.faults.append("\(path): more than \(filesMax) files; the rest is left out")
            names = Array(names.prefix(filesMax))
        }
        for name in names where !outcome.isTooMany { read(file: path + "/" + name, now: now, into: &outcome) }
        return outcome
    }

    private static func list(_ path: String) -> [String] {
        guard let directory = unsafe opendir(path) else { return [] }
        defer { unsafe closedir(directory) }
        var names: [String] = []
        while let entry = unsafe readdir(directory) {
            let name = unsafe withUnsafePointer(to: entry.pointee.d_name) {
                unsafe $0.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(cString: $0) }
            }
            guard !name.hasPrefix("."), kind(of: name) != nil else { continue }
            names.append(name)
        }
        return names.sorted()
    }

    private enum Kind { case rules, list }

    private static func kind(of name: String) -> Kind? {
        switch name.split(separator: ".").last {
        case "toml": .rules
        case "list", "netset", "ipset", "txt": .list
        default: nil
        }
    }

    private static func read(file path: String, now: UInt64, into outcome: inout Outcome) {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else {
            outcome.faults.append("\(path): \(unsafe String(cString: strerror(errno)))")
            return
        }
        defer { close(descriptor) }
        if let fault = FileTrust.fault(ofFile: path, descriptor: descriptor) {
            outcome.faults.append("\(path): \(fault)")
            return
        }
        guard let bytes = SmallText.bytes(of: descriptor, max: fileBytesMax) else {
            outcome.faults.append("\(path): cannot be read, or is longer than \(fileBytesMax) bytes")
            return
        }
        switch kind(of: path) {
        case .list: addList(bytes, path, &outcome)
        default: addRules(bytes, path, now: now, &outcome)
        }
    }

    // MARK: - Lists

    private static func addList(_ bytes: [UInt8], _ path: String, _ outcome: inout Outcome) {
        var (line, next) = (0, 0)
        // There may be millions of lines, and an array of them would cost more than reading them.
        while next < bytes.count, !outcome.isTooMany {
            line += 1
            var start = next
            while next < bytes.count, bytes[next] != 10 { next += 1 }
            let lineEnd = next
            next += 1
            while start < lineEnd, bytes[start] == 32 || bytes[start] == 9 { start += 1 }
            // Up to a comment or what other tools write behind the address.
            var end = start
            while end < lineEnd, bytes[end] > 32, bytes[end] != 35, bytes[end] != 59 { end += 1 }
            let word = bytes[start..<end]
            guard !word.isEmpty else { continue }
            guard let prefix = NetworkPrefix.quick(word) else {
                note("\(path):\(line): not an address or a network", &outcome)
                continue
            }
            add(NetworkRule(prefix), "\(path):\(line)", &outcome)
        }
    }

    private static func note(_ fault: String, _ outcome: inout Outcome) {
        if outcome.faults.count < faultsMax {
            outcome.faults.append(fault)
        } else if outcome.faults.count == faultsMax {
            outcome.faults.append("further faults are not told")
        }
    }

    /// Everybody at once is a mistake more often than it is meant.
    private static func add(_ rule: NetworkRule, _ place: @autoclosure () -> String, _ outcome: inout Outcome) {
        if rule.prefix.length == 0, rule.action == .block, rule.port == 0 {
            note(
                "\(place()): it would block every address, also yours; use a port, or two halves (0.0.0.0/1) if it is meant",
                &outcome)
            return
        }
        guard outcome.rules.count < outcome.rulesMax else {
            outcome.isTooMany = true
            return note("\(place()): more than \(outcome.rulesMax) rules", &outcome)
        }
        outcome.rules.append(rule)
    }

    // MARK: - TOML

    private static let keys: Set<String> = ["id", "cidr", "port", "protocol", "action", "ttl", "description"]

    private static func addRules(_ bytes: [UInt8], _ path: String, now: UInt64, _ outcome: inout Outcome) {
        let members: [TOMLNode.Member]
        do {
            members = try TOMLDocument.parse(bytes)
        } catch {
            note("\(path):\(error.position?.line ?? 1): \(error.message)", &outcome)
            return
        }
        var ids: Set<String> = []
        for member in members {
            guard member.name == "rules", case .array(let tables) = member.node.value else {
                note(
                    "\(path):\(member.node.position?.line ?? 1): unknown key \"\(member.name)\"; use [[rules]]",
                    &outcome)
                continue
            }
            for table in tables {
                let line = table.position?.line ?? 1
                guard case .table(let fields) = table.value else {
                    note("\(path):\(line): a rule is a table", &outcome)
                    continue
                }
                switch rule(fields, now: now) {
                case .success(let (id, rule)):
                    guard ids.insert(id).inserted else {
                        note("\(path):\(line): the id \"\(id)\" is there twice", &outcome)
                        continue
                    }
                    add(rule, "\(path):\(line)", &outcome)
                case .failure(let fault):
                    note("\(path):\(fault.line ?? line): \(fault.reason)", &outcome)
                }
            }
        }
    }

    private struct RuleFault: Error {
        var line: Int?
        var reason: String
    }

    private static func rule(
        _ fields: [TOMLNode.Member], now: UInt64
    ) -> Result<(String, NetworkRule), RuleFault> {
        func fault(_ member: TOMLNode.Member, _ reason: String) -> Result<(String, NetworkRule), RuleFault> {
            .failure(RuleFault(line: member.node.position?.line, reason: "\(member.name): \(reason)"))
        }
        var id: String?
        var prefix: NetworkPrefix?
        var (port, proto): (UInt16, UInt8) = (0, 0)
        var action = NetworkRule.Action.block
        var expires: UInt64 = 0
        for member in fields {
            switch (member.name, member.node.value) {
            case ("id", .string(let text)) where !text.isEmpty: id = text
            case ("cidr", .string(let text)):
                guard let found = NetworkPrefix(text) else {
                    return fault(member, "\"\(text)\" is not an address or a network such as \"203.0.113.0/24\"")
                }
                prefix = found
            case ("port", .integer(let number)):
                guard let found = UInt16(exactly: number), found > 0 else { return fault(member, "use 1 to 65535") }
                port = found
            case ("protocol", .string(let text)):
                guard let found = ["any": 0, "icmp": 1, "tcp": 6, "udp": 17, "icmpv6": 58][text] as UInt8? else {
                    return fault(member, "use \"tcp\", \"udp\", \"icmp\", \"icmpv6\" or \"any\"")
                }
                proto = found
            case ("action", .string(let text)):
                guard let found = NetworkRule.Action(word: text) else {
                    return fault(member, "use \"block\", \"monitor\" or \"allow\"")
                }
                action = found
            case ("ttl", .string(let text)):
                guard let found = DurationText.parse(text), found > .zero else {
                    return fault(member, "use a duration such as \"1h\"")
                }
                expires = now &+ UInt64(found.nanoseconds)
            case ("ttl", .integer(let seconds)):
                guard seconds > 0, seconds < 1 << 31 else { return fault(member, "use a number of seconds above 0") }
                expires = now &+ UInt64(seconds) * 1_000_000_000
            case ("description", .string): break
            default:
                return fault(
                    member,
                    keys.contains(member.name)
                        ? "its value has the wrong type"
                        : "there is no such key; there are: \(keys.sorted().joined(separator: ", "))")
            }
        }
        guard let id else { return .failure(RuleFault(reason: "a rule needs an id")) }
        guard let prefix else { return .failure(RuleFault(reason: "rule \"\(id)\" needs a cidr")) }
        if port != 0, proto == 1 || proto == 58 {
            return .failure(RuleFault(reason: "rule \"\(id)\": ICMP has no ports"))
        }
        return .success((id, NetworkRule(prefix, port: port, proto: proto, action: action, expires: expires)))
    }
}

extension NetworkPrefix {
    /// The same as from text, without making any for the common form `a.b.c.d[/n]`: lists have millions of lines.
    static func quick(_ bytes: ArraySlice<UInt8>) -> NetworkPrefix? {
        var (value, part, parts, digits): (UInt32, UInt32, Int, Int) = (0, 0, 0, 0)
        var at = bytes.startIndex
        while at < bytes.endIndex {
            let byte = bytes[at]
            if byte >= 0x30, byte <= 0x39 {
                // A leading zero has more than one meaning.
                if digits == 3 || digits > 0 && part == 0 { break }
                part = part * 10 + UInt32(byte - 0x30)
                digits += 1
            } else if byte == 0x2E, digits > 0, part < 256, parts < 3 {
                value = value << 8 | part
                (part, digits, parts) = (0, 0, parts + 1)
            } else {
                break
            }
            at += 1
        }
        guard parts == 3, digits > 0, part < 256, at == bytes.endIndex || bytes[at] == 0x2F else {
            return NetworkPrefix(String(decoding: bytes, as: UTF8.self))
        }
        value = value << 8 | part
        var length = 32
        if at < bytes.endIndex {
            let rest = bytes[(at + 1)...]
            guard (1...2).contains(rest.count), rest.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }) else { return nil }
            length = rest.reduce(0) { $0 * 10 + Int($1 - 0x30) }
            guard length <= 32 else { return nil }
        }
        let low = UInt64(UInt32(bigEndian: 0xFFFF)) | UInt64(value.bigEndian) << 32
        return NetworkPrefix(PacketAddress(high: 0, low: low), length: length)
    }
}
