internal import IronpostCore

/// What is wrong with a policy, and where.
package struct PolicyFault: Error, Sendable, Hashable, CustomStringConvertible {
    package var file: String
    package var line: Int?
    package var message: String

    package init(file: String, line: Int?, message: String) {
        self.file = file
        self.line = line
        self.message = message
    }

    package var description: String { "\(file)\(line.map { ":\($0)" } ?? ""): \(message)" }
}

/// A policy as somebody wrote it. Reading names every fault at once, each with its line.
struct PolicyDocument {
    static let textBytesMax = 4096
    static let itemsMax = 256
    static let ttlMax = Duration.seconds(365 * 86_400)
    static let idBytesMax = 64

    private let file: String
    private(set) var faults: [PolicyFault] = []
    private var policy: Policy

    init(file: String) {
        self.file = file
        policy = Policy(
            id: "", name: "", description: "", isEnabled: true, severityThreshold: .high, priority: 100,
            match: Policy.Match(), targetFilter: Policy.TargetFilter(), action: .block, ttl: nil, networks: nil,
            modeMax: .enforce, file: file
        )
    }

    /// - Returns: the policy, when nothing is wrong with it.
    mutating func read(_ bytes: [UInt8]) -> Policy? {
        let members: [TOMLNode.Member]
        do throws(TOMLSyntaxError) {
            members = try TOMLDocument.parse(bytes)
        } catch {
            faults.append(PolicyFault(file: file, line: error.position?.line, message: error.message))
            return nil
        }
        read(members)
        return faults.isEmpty ? policy : nil
    }

    private mutating func read(_ members: [TOMLNode.Member]) {
        var seen: Set<String> = []
        var action: TOMLNode?
        for member in members {
            seen.insert(member.name)
            switch member.name {
            case "id": policy.id = identifier(member.node)
            case "name": policy.name = text(member.node, "name")
            case "description": policy.description = text(member.node, "description", canBeEmpty: true)
            case "enabled": policy.isEnabled = boolean(member.node, "enabled")
            case "severity_threshold":
                policy.severityThreshold = severity(member.node)
            case "priority": policy.priority = integer(member.node, "priority", -1_000_000...1_000_000)
            case "mode":
                policy.modeMax = word(member.node, "mode", Configuration.Response.Mode.self) ?? .observe
            case "match": readMatch(member.node)
            case "target_filter": readFilter(member.node)
            case "action":
                action = member.node
                readAction(member.node)
            default:
                unknown(
                    member,
                    among: [
                        "id", "name", "description", "enabled", "severity_threshold", "priority", "mode", "match",
                        "target_filter", "action",
                    ])
            }
        }
        if !seen.contains("id") { refuse(nil, "id is missing") }
        if !seen.contains("action") { refuse(nil, "[action] is missing") }
        if policy.name.isEmpty { policy.name = policy.id }
        guard let action, faults.isEmpty else { return }
        if policy.action.isForContainers, policy.targetFilter.isEmpty {
            refuse(
                action,
                "\(policy.action.rawValue) acts on containers and needs [target_filter] with at least one list; "
                    + "container_names = [\"*\"] means all"
            )
        }
        if policy.networks != nil, policy.action != .networkDisconnect {
            refuse(action, "networks goes with type = \"network_disconnect\" only")
        }
    }

    private mutating func readMatch(_ node: TOMLNode) {
        for member in table(node, "match") {
            switch member.name {
            case "rule_ids": policy.match.ruleIDs = texts(member.node, "match.rule_ids")
            case "tags": policy.match.tags = texts(member.node, "match.tags").map { $0.lowercased() }
            case "sources": policy.match.sources = texts(member.node, "match.sources")
            case "confidence":
                policy.match.confidence =
                    word(member.node, "match.confidence", AddressProof.Confidence.self) ?? .kernel
            default: unknown(member, among: ["rule_ids", "tags", "sources", "confidence"])
            }
        }
    }

    private mutating func readFilter(_ node: TOMLNode) {
        for member in table(node, "target_filter") {
            switch member.name {
            case "container_names":
                policy.targetFilter.containerNames = texts(member.node, "target_filter.container_names")
            case "image_patterns":
                policy.targetFilter.imagePatterns = texts(member.node, "target_filter.image_patterns")
            case "labels": policy.targetFilter.labels = texts(member.node, "target_filter.labels")
            default: unknown(member, among: ["container_names", "image_patterns", "labels"])
            }
        }
    }

    private mutating func readAction(_ node: TOMLNode) {
        var hasType = false
        for member in table(node, "action") {
            switch member.name {
            case "type":
                hasType = true
                policy.action = word(member.node, "action.type", Policy.ActionType.self) ?? .block
            case "ttl": policy.ttl = duration(member.node, "action.ttl")
            case "networks": policy.networks = texts(member.node, "action.networks")
            default: unknown(member, among: ["type", "ttl", "networks"])
            }
        }
        if !hasType { refuse(node, "type is missing in [action]; use \(Self.words(Policy.ActionType.self))") }
    }

    // MARK: - Values

    private mutating func refuse(_ node: TOMLNode?, _ message: String) {
        // What is missing is missing from the whole file.
        faults.append(PolicyFault(file: file, line: node == nil ? 1 : node?.position?.line, message: message))
    }

    private mutating func unknown(_ member: TOMLNode.Member, among known: [String]) {
        let help =
            NearestName.find(member.name, among: known).map { "did you mean \"\($0)\"?" }
            ?? "keys are \(known.joined(separator: ", "))"
        refuse(member.node, "unknown key \(Self.shown(member.name)); \(help)")
    }

    /// What a person wrote, short and on one line.
    private static func shown(_ text: String) -> String {
        "\""
            + text.unicodeScalars.prefix(60).map { $0.properties.isWhitespace || $0.value < 32 ? " " : String($0) }
            .joined() + "\""
    }

    private static func words<Value: RawRepresentable<String> & CaseIterable>(_: Value.Type) -> String {
        Value.allCases.map { "\"\($0.rawValue)\"" }.joined(separator: ", ")
    }

    private mutating func table(_ node: TOMLNode, _ name: String) -> [TOMLNode.Member] {
        if case .table(let members) = node.value { return members }
        refuse(node, "\(name) is a section: write [\(name)] and its keys below it")
        return []
    }

    private mutating func text(_ node: TOMLNode, _ name: String, canBeEmpty: Bool = false) -> String {
        guard case .string(let text) = node.value, text.utf8.count <= Self.textBytesMax, canBeEmpty || !text.isEmpty
        else {
            refuse(node, "\(name) must be a text of \(canBeEmpty ? "at most" : "1 to") \(Self.textBytesMax) bytes")
            return ""
        }
        return text
    }

    private mutating func identifier(_ node: TOMLNode) -> String {
        if case .string(let text) = node.value, (1...Self.idBytesMax).contains(text.utf8.count),
            text.unicodeScalars.allSatisfy({
                $0.isASCII && ($0.properties.isAlphabetic || "0123456789._-".unicodeScalars.contains($0))
            })
        {
            return text
        }
        refuse(node, "id must be 1 to \(Self.idBytesMax) letters, digits, \".\", \"_\" or \"-\"")
        return ""
    }

    private mutating func severity(_ node: TOMLNode) -> Severity {
        if case .string(let text) = node.value, let severity = Severity(loose: text) { return severity }
        refuse(node, "severity_threshold must be one of \(Self.words(Severity.self))")
        return .critical
    }

    private mutating func boolean(_ node: TOMLNode, _ name: String) -> Bool {
        if case .boolean(let value) = node.value { return value }
        refuse(node, "\(name) must be true or false")
        return false
    }

    private mutating func integer(_ node: TOMLNode, _ name: String, _ bounds: ClosedRange<Int>) -> Int {
        if case .integer(let value) = node.value, let number = Int(exactly: value), bounds.contains(number) {
            return number
        }
        refuse(node, "\(name) must be an integer, \(bounds.lowerBound) to \(bounds.upperBound)")
        return 0
    }

    private mutating func word<Value: RawRepresentable<String> & CaseIterable>(
        _ node: TOMLNode, _ name: String, _: Value.Type
    ) -> Value? {
        if case .string(let text) = node.value, let value = Value(rawValue: text) { return value }
        refuse(node, "\(name) must be one of \(Self.words(Value.self))")
        return nil
    }

    private mutating func duration(_ node: TOMLNode, _ name: String) -> Duration? {
        let value: Duration? =
            switch node.value {
            case .string(let text): DurationText.parse(text)
            case .integer(let seconds) where (0...Int64(Int32.max)).contains(seconds): .seconds(seconds)
            default: nil
            }
        if let value, value >= .seconds(1), value <= Self.ttlMax { return value }
        refuse(node, "\(name) must be a duration such as \"4h\", 1s to 365d; every action ends")
        return nil
    }

    /// A list that stands there but is empty matches nothing; written by somebody who meant everything, or nothing, it is
    /// refused rather than guessed.
    private mutating func texts(_ node: TOMLNode, _ name: String) -> [String] {
        guard case .array(let items) = node.value else {
            refuse(node, "\(name) must be a list of texts")
            return []
        }
        guard !items.isEmpty else {
            refuse(node, "\(name) is empty, which matches nothing; leave it out to mean any")
            return []
        }
        guard items.count <= Self.itemsMax else {
            refuse(node, "\(name) has \(items.count) items where \(Self.itemsMax) are allowed")
            return []
        }
        var texts: [String] = []
        for item in items {
            guard case .string(let text) = item.value, !text.isEmpty, text.utf8.count <= Self.textBytesMax else {
                refuse(item.position == nil ? node : item, "\(name) has an item that is no text, or an empty one")
                continue
            }
            texts.append(text)
        }
        return texts
    }
}
