import Foundation
import IronpostCore
import Sigma
import Testing

@testable import LogPipeline

/// The rules that come with Ironpost do what the lines beside them say.
struct RulePackTests {
    static let pack = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appendingPathComponent("rules").path
    static let now = Timestamp(rfc3339: "2026-11-23T12:00:00Z") ?? Timestamp(seconds: 0)

    @Test("every rule has matching and non-matching lines, and all of them hold")
    func rulesDoWhatTheirTestsSay() {
        let result = RuleTestRun.run(paths: [Self.pack], now: Self.now)
        for failure in result.failures { Issue.record("\(failure)") }
        #expect(result.untested == [])
        #expect(result.files >= 20)
        #expect(result.lines >= 100)
    }

    @Test("the pack loads without a fault, each rule with an id, an author, a licence, a level and a description")
    func metadata() {
        let book = RuleBook(paths: [Self.pack])
        #expect(book.faults.map(\.description) == [])
        #expect(book.ruleSet.rules.count >= 20)
        var ids = Set<String>()
        for rule in book.ruleSet.rules {
            let document = rule.document
            #expect(document.id.map { ids.insert($0).inserted } == true, "\(document.title) has no id of its own")
            #expect(document.author == "Ironpost" && document.license == "Apache-2.0", "\(document.title)")
            #expect(document.level != nil && document.description != nil, "\(document.title)")
            #expect(!document.tags.isEmpty, "\(document.title)")
        }
    }

    @Test("a test that says the opposite of what a rule does fails")
    func runnerCanFail() throws {
        let folder = NSTemporaryDirectory() + "rules-" + UUID().uuidString
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let rule = """
            title: t
            id: 00000000-0000-4000-8000-000000000000
            logsource: {product: linux}
            detection: {a: {message|contains: evil}, condition: a}
            """
        try rule.write(toFile: folder + "/r.yml", atomically: true, encoding: .utf8)
        let test = """
            matches:
                - 'Nov 23 01:22:37 web1 app[1]: good'
            misses:
                - 'Nov 23 01:22:37 web1 app[1]: evil'
            """
        try test.write(toFile: folder + "/r.test.yml", atomically: true, encoding: .utf8)
        let result = RuleTestRun.run(paths: [folder], now: Self.now)
        #expect(result.failures.map(\.line) == [2, 4])
    }
}
