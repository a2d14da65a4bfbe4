import EBPFEngine
import Foundation
import Testing

struct RuleFileTests {
    private func folder() throws -> URL {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent(
            "ironpost-rules-\(UUID().uuidString)")
        try FileManager.default.createDirectory(
            at: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o755])
        return folder
    }

    private func read(_ text: String, name: String = "a.toml") throws -> RuleFiles.Outcome {
        let folder = try folder()
        defer { try? FileManager.default.removeItem(at: folder) }
        try Data(text.utf8).write(to: folder.appendingPathComponent(name))
        return RuleFiles.read(folder.path, now: 1_000_000_000)
    }

    @Test("a rule file as documented")
    func rules() throws {
        let outcome = try read(
            """
            [[rules]]
            id = "ssh"
            cidr = "203.0.113.0/24"
            port = 22
            protocol = "tcp"
            ttl = "1h"
            description = "scanners"

            [[rules]]
            id = "office"
            cidr = "2001:db8::/32"
            action = "allow"
            """)
        #expect(outcome.faults == [])
        #expect(
            outcome.rules == [
                try rule("203.0.113.0/24", port: 22, proto: 6, expires: 3_601_000_000_000),
                try rule("2001:db8::/32", .allow),
            ])
    }

    @Test(
        "a rule that is wrong is left out and named with its line",
        arguments: [
            ("[[rules]]\nid = \"x\"\ncidr = \"203.0.113.0/33\"", 3, "cidr"),
            ("[[rules]]\nid = \"x\"\ncidr = \"203.0.113.0/24\"\nport = 70000", 4, "port"),
            ("[[rules]]\nid = \"x\"\ncidr = \"203.0.113.0/24\"\naction = \"drop\"", 4, "action"),
            ("[[rules]]\nid = \"x\"\ncidr = \"0.0.0.0/0\"", 1, "every address"),
            ("[[rules]]\ncidr = \"203.0.113.0/24\"", 1, "id"),
            ("[[rules]]\nid = \"x\"\ncidr = \"203.0.113.0/24\"\nports = 1", 4, "no such key"),
            ("[[rules]]\nid = \"x\"\ncidr = \"203.0.113.0/24\"\nport = 1\nprotocol = \"icmp\"", 1, "no ports"),
            ("[rules", 1, "header"),
        ]
    )
    func faults(_ text: String, _ line: Int, _ word: String) throws {
        let outcome = try read(text)
        #expect(outcome.rules == [])
        let fault = try #require(outcome.faults.first)
        #expect(fault.contains("a.toml:\(line):") && fault.contains(word), "\(fault)")
    }

    @Test("lists of addresses, with comments and what other tools write behind them")
    func lists() throws {
        let outcome = try read(
            "# drop\n203.0.113.7\n198.51.100.0/24 ; SBL1\n\n2001:db8::/48\n1.2.3\n01.2.3.4\n1.2.3.4/99\n0.0.0.0/0\n",
            name: "drop.netset")
        #expect(
            outcome.rules.map(\.prefix.description) == ["203.0.113.7/32", "198.51.100.0/24", "2001:db8::/48"])
        #expect(outcome.faults.count == 4 && outcome.faults[0].contains("drop.netset:6:"))
    }

    @Test("reading ends where there are too many, and says so")
    func tooMany() throws {
        let folder = try folder()
        defer { try? FileManager.default.removeItem(at: folder) }
        let lines = (0..<100).map { "10.0.0.\($0)" }.joined(separator: "\n")
        try Data(lines.utf8).write(to: folder.appendingPathComponent("a.list"))
        let outcome = RuleFiles.read(folder.path, now: 0, max: 50)
        #expect(outcome.isTooMany && outcome.rules.count == 50)
        #expect(outcome.faults.count == 1 && outcome.faults[0].contains("a.list:51: more than 50 rules"))
        #expect(!RuleFiles.read(folder.path, now: 0, max: 100).isTooMany)
    }

    @Test("a file that others may write is refused")
    func trust() throws {
        let folder = try folder()
        defer { try? FileManager.default.removeItem(at: folder) }
        let file = folder.appendingPathComponent("a.list")
        try Data("203.0.113.7\n".utf8).write(to: file)
        try FileManager.default.setAttributes([.posixPermissions: 0o666], ofItemAtPath: file.path)
        let outcome = RuleFiles.read(folder.path, now: 0)
        #expect(outcome.rules == [] && outcome.faults.count == 1)
    }

    @Test("quick reading of an address gives what careful reading gives, or nothing")
    func quick() throws {
        var random = SplitMix(state: 9)
        for _ in 0..<20_000 {
            let length = Int(random.next() % 33)
            let bytes = (0..<4).map { _ in String(random.next() % 256) }
            let text = bytes.joined(separator: ".") + "/\(length)"
            let folder = try #require(NetworkPrefix(text))
            #expect(folder.length == UInt8(length))
        }
        #expect(try rule("203.0.113.77/24").prefix.description == "203.0.113.0/24")
        #expect(try rule("2001:db8::1/33").prefix.description == "2001:db8::/33")
    }
}
