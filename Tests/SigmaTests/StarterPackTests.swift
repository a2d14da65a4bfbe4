import Foundation
import Sigma
import Testing

/// What can be said of our own rules without parsing a line.
@Suite struct StarterPack {
    static let directory = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "rules").path

    @Test func everyRuleCompilesAndSaysWhatItIs() {
        let load = RuleLoader.load(paths: [Self.directory])
        let ruleSet = RuleSet.compile(load, classes: anyClass, wellKnownFields: ["message"])
        #expect(ruleSet.faults == [])
        #expect(ruleSet.rules.count { $0.isEmitted } >= 24)
        for rule in ruleSet.rules {
            let document = rule.document
            #expect(document.id.flatMap { UUID(uuidString: $0) } != nil, "\(document.file)")
            #expect(document.author == "Ironpost")
            #expect(document.license == "Apache-2.0")
            #expect(document.level != nil && document.description != nil, "\(document.file)")
            #expect(!document.falsePositives.isEmpty, "\(document.file)")
            #expect(document.tags.contains { $0.hasPrefix("attack.t") }, "\(document.file)")
        }
    }

    @Test func everyRuleHasTests() {
        let tests = RuleTests.load(paths: [Self.directory])
        #expect(tests.faults == [])
        let files = RuleLoader.load(paths: [Self.directory]).files
        #expect(Set(tests.cases.map(\.ruleFile)) == Set(files))
        for test in tests.cases {
            #expect(test.misses.count >= 2, "\(test.file)")
            #expect(test.matches.count + test.sequences.count { $0.count > 0 } >= 1, "\(test.file)")
        }
    }
}
