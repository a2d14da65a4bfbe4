import Foundation
import IronpostCore
import Testing

@testable import Response

@Suite struct PolicyTests {
    static let whole = """
        id = "isolate-web"
        name = "Isolate the web"
        description = "d"
        enabled = true
        severity_threshold = "High"
        priority = 10
        mode = "ask"
        [match]
        rule_ids = ["rule-1", "Rule Two"]
        tags = ["attack.T1110"]
        sources = ["log-pipeline"]
        confidence = "trusted_writer"
        [target_filter]
        container_names = ["web-*"]
        image_patterns = ["nginx:*"]
        labels = ["tier=front"]
        [action]
        type = "network_disconnect"
        ttl = "30m"
        networks = ["front"]
        """

    static func load(_ files: [String: String]) throws -> Result<PolicySet, PolicyFolder.Faults> {
        let directory = try TemporaryDirectory()
        for (name, text) in files { try directory.write(text, to: name) }
        do throws(PolicyFolder.Faults) {
            return .success(try PolicyFolder.load(directory.path))
        } catch {
            var faults = error
            for index in faults.faults.indices {
                faults.faults[index].file = faults.faults[index].file.replacing(directory.path + "/", with: "")
            }
            return .failure(faults)
        }
    }

    @Test func everythingIsRead() throws {
        let policy = try #require(try Self.load(["a.toml": Self.whole]).get().policies.first)
        #expect(policy.id == "isolate-web" && policy.name == "Isolate the web" && policy.isEnabled)
        #expect(policy.severityThreshold == .high && policy.priority == 10 && policy.modeMax == .ask)
        #expect(policy.match.ruleIDs == ["rule-1", "Rule Two"] && policy.match.tags == ["attack.t1110"])
        #expect(policy.match.sources == ["log-pipeline"] && policy.match.confidence == .trustedWriter)
        #expect(policy.targetFilter.containerNames == ["web-*"] && policy.targetFilter.labels == ["tier=front"])
        #expect(policy.action == .networkDisconnect && policy.ttl == .seconds(1800) && policy.networks == ["front"])
        #expect(policy.targetFilter.matches(name: "web-1", image: "nginx:1", labels: ["tier=front"]))
        #expect(!policy.targetFilter.matches(name: "db-1", image: "nginx:1", labels: ["tier=front"]))
        #expect(!policy.targetFilter.matches(name: "web-1", image: "nginx:1", labels: []))
    }

    static let short = "id = \"x\"\nseverity_threshold = \"high\"\n"

    /// Each with the line that is named and a part of what is said.
    static let faults: [(text: String, line: Int, said: String)] = [
        ("[action]\ntype = \"block\"", 1, "id is missing"),
        (short, 1, "[action] is missing"),
        ("id = \"\"\n[action]\ntype = \"block\"", 1, "id must be"),
        ("id = \"a b\"\n[action]\ntype = \"block\"", 1, "id must be"),
        ("id = \"../x\"\n[action]\ntype = \"block\"", 1, "id must be"),
        (short + "severity = \"low\"\n[action]\ntype = \"block\"", 3, "unknown key \"severity\""),
        ("id = \"x\"\nseverity_threshold = \"worst\"\n[action]\ntype = \"block\"", 2, "severity_threshold must be"),
        (short + "enabled = 1\n[action]\ntype = \"block\"", 3, "enabled must be true or false"),
        (short + "priority = \"first\"\n[action]\ntype = \"block\"", 3, "priority must be an integer"),
        (short + "mode = \"panic\"\n[action]\ntype = \"block\"", 3, "mode must be one of"),
        (short + "[match]\nrule_ids = []\n[action]\ntype = \"block\"", 4, "match.rule_ids is empty"),
        (short + "[match]\ntags = []\n[action]\ntype = \"block\"", 4, "match.tags is empty"),
        (short + "[match]\nsources = [\"\"]\n[action]\ntype = \"block\"", 4, "match.sources has an item"),
        (short + "[match]\nrule = \"x\"\n[action]\ntype = \"block\"", 4, "unknown key \"rule\""),
        (short + "[match]\nconfidence = \"sure\"\n[action]\ntype = \"block\"", 4, "match.confidence must be one of"),
        (short + "match = 1\n[action]\ntype = \"block\"", 3, "match is a section"),
        (short + "[target_filter]\ncontainer_names = []\n[action]\ntype = \"pause\"", 4, "container_names is empty"),
        (short + "[target_filter]\n[action]\ntype = \"pause\"", 4, "needs [target_filter] with at least one list"),
        (short + "[action]\ntype = \"pause\"", 3, "needs [target_filter] with at least one list"),
        (short + "[action]\nttl = \"1h\"", 3, "type is missing"),
        (short + "[action]\ntype = \"destroy\"", 4, "action.type must be one of"),
        (short + "[action]\ntype = \"block\"\nttl = \"0s\"", 5, "every action ends"),
        (short + "[action]\ntype = \"block\"\nttl = \"soon\"", 5, "must be a duration"),
        (short + "[action]\ntype = \"block\"\nttl = \"366d\"", 5, "must be a duration"),
        (short + "[action]\ntype = \"block\"\nnetworks = [\"a\"]", 3, "networks goes with"),
        (short + "[action]\ntype = \"block\"\ntype = \"kill\"", 5, ""),
        ("id = \"x", 1, ""),
    ]

    @Test(arguments: faults.indices)
    func eachFaultIsNamedWithItsLine(index: Int) throws {
        let (text, line, said) = Self.faults[index]
        guard case .failure(let found) = try Self.load(["bad.toml": text]) else {
            Issue.record("was taken: \(text)")
            return
        }
        #expect(
            found.faults.contains {
                $0.file == "bad.toml" && $0.line == line && (said.isEmpty || $0.message.contains(said))
            },
            "\(text)\n\(found)"
        )
    }

    @Test func allFaultsOfAllFilesAreReportedAtOnce() throws {
        let bad = Self.short + "prio = 1\nenable = true\n[action]\ntype = \"block\""
        guard case .failure(let found) = try Self.load(["a.toml": bad, "b.toml": bad, "c.toml": Self.whole]) else {
            Issue.record("was taken")
            return
        }
        #expect(found.faults.count == 4)
        #expect(found.faults.contains { $0.message.contains("did you mean \"enabled\"?") })
    }

    @Test func twoPoliciesOfOneIDAreRefused() throws {
        guard case .failure(let found) = try Self.load(["a.toml": Self.whole, "b.toml": Self.whole]) else {
            Issue.record("was taken")
            return
        }
        #expect(
            found.faults.map(\.message) == ["the id \"isolate-web\" is that of a.toml"].map { $0 }
                || found.faults.count == 1)
    }

    @Test func aFileThatOthersCanWriteIsRefused() throws {
        let directory = try TemporaryDirectory()
        try directory.write(Self.whole, to: "a.toml")
        unsafe chmod(directory.path + "/a.toml", 0o666)
        #expect(throws: PolicyFolder.Faults.self) { try PolicyFolder.load(directory.path) }
    }

    @Test func aDirectoryThatIsNotThereIsAFault() {
        #expect(throws: PolicyFolder.Faults.self) { try PolicyFolder.load("/nowhere/policies") }
    }

    @Test func withoutPoliciesThereIsTheBuiltInOne() throws {
        #expect(try Self.load([:]).get().isBuiltIn)
        #expect(try Self.load(["readme.txt": "x", ".hidden.toml": "bad ="]).get().isBuiltIn)
    }

    @Test func theFirstByPriorityMatches() {
        var (one, two) = (Policy.builtIn, Policy.builtIn)
        (one.id, one.priority) = ("one", 20)
        (two.id, two.priority) = ("two", 10)
        #expect(PolicySet([one, two]).first(for: alert(at: start))?.id == "two")
        two.isEnabled = false
        #expect(PolicySet([one, two]).first(for: alert(at: start))?.id == "one")
        two.isEnabled = true
        two.severityThreshold = .critical
        #expect(PolicySet([one, two]).first(for: alert(at: start))?.id == "one")
        two.severityThreshold = .low
        two.match.tags = ["attack.t1111"]
        #expect(PolicySet([one, two]).first(for: alert(at: start))?.id == "one")
        two.match.tags = ["attack.t1110"]
        two.match.ruleIDs = ["another"]
        #expect(PolicySet([one, two]).first(for: alert(at: start))?.id == "one")
        two.match.ruleIDs = ["Rule One"]
        #expect(PolicySet([one, two]).first(for: alert(at: start))?.id == "two")
        // A technique is not meant by the beginning of its number.
        one.match.tags = ["attack.t111"]
        #expect(PolicySet([one]).first(for: alert(at: start)) == nil)
    }

    @Test(arguments: [
        ("*", "", true), ("a*", "abc", true), ("*c", "abc", true), ("a?c", "abc", true), ("a?c", "ac", false),
        ("", "", true), ("", "a", false), ("a*b*c", "a-b-b-c", true), ("a*b*d", "a-b-b-c", false), ("[a]", "a", false),
        ("*aaaaaaaaaaaaaaaaaaaaaaab", String(repeating: "a", count: 5000), false),
    ])
    func globs(pattern: String, text: String, expected: Bool) {
        #expect(Glob.matches(pattern, text) == expected)
    }
}
