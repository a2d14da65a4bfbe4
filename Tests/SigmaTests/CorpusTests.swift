import Foundation
import Sigma
import Testing

/// The rules that the public works with, if this machine has a copy: `IRONPOST_SHARED`, or `../shared`.
@Suite struct SigmaHQCorpus {
    /// The unpacked rules; `nil` with a message when there are none.
    static let load: RuleLoad? = {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let shared = ProcessInfo.processInfo.environment["IRONPOST_SHARED"] ?? root.appending(path: "../shared").path
        let archive = shared + "/corpus/sigma/sigmahq-rules.tar.xz"
        guard FileManager.default.fileExists(atPath: archive) else {
            print("no SigmaHQ rules here (set IRONPOST_SHARED): not tested")
            return nil
        }
        let directory = FileManager.default.temporaryDirectory.appending(path: "sigmahq-\(UUID())")
        defer { try? FileManager.default.removeItem(at: directory) }
        do {
            try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
            let tar = Process()
            tar.executableURL = URL(filePath: "/usr/bin/env")
            tar.arguments = ["tar", "xf", archive, "-C", directory.path]
            try tar.run()
            tar.waitUntilExit()
        } catch {
            print("cannot unpack the SigmaHQ rules: \(error)")
            return nil
        }
        return RuleLoader.load(paths: [directory.path])
    }()

    @Test(.enabled(if: load != nil, "no SigmaHQ rules on this machine"))
    func everyRuleCompiles() throws {
        let load = try #require(Self.load)
        #expect(load.documents.count == 3_780)
        #expect(load.faults == [])
        let clock = ContinuousClock()
        var ruleSet: RuleSet?
        let time = clock.measure {
            ruleSet = RuleSet.compile(load, classes: anyClass, wellKnownFields: ["message"])
        }
        let set = try #require(ruleSet)
        var reasons: [String: Int] = [:]
        for fault in set.faults { reasons[fault.message, default: 0] += 1 }
        print("SigmaHQ: \(set.rules.count) of \(load.documents.count) rules compiled in \(time)")
        for (reason, count) in reasons.sorted(by: { $0.value > $1.value }) { print("  \(count) × \(reason)") }
        // Whatever does not compile asks for placeholders, whose values only a site knows.
        #expect(set.faults.allSatisfy { $0.message.contains("placeholder") })
        #expect(set.rules.count + set.faults.count == 3_780)
    }

    /// Index and plain evaluation on events made of the rules' own values, which are the likeliest to differ.
    @Test(.enabled(if: load != nil, "no SigmaHQ rules on this machine"))
    func indexAgreesWithPlainEvaluation() throws {
        let load = try #require(Self.load)
        var part = RuleLoad()
        part.documents = load.documents.filter { document in
            document.logSource.product == "linux" || document.logSource.category == "webserver"
                || document.logSource.category == "proxy"
        }
        let ruleSet = RuleSet.compile(part, classes: anyClass, wellKnownFields: ["message"])
        print("SigmaHQ: \(ruleSet.rules.count) rules for Linux and web, each on events of its own values")
        var engine = RuleEngine(ruleSet)
        let plain = PlainEvaluator(ruleSet)
        var table = EventTable()
        for document in part.documents {
            for selection in document.detection?.selections ?? [] {
                for items in selection.alternatives {
                    for pick in 0..<2 {
                        let fields: TestFields = items.map { item in
                            let value = item.values[pick % item.values.count].text
                            let text = value.replacing("*", with: pick == 0 ? "" : "zz").replacing("\\\\", with: "\\")
                            return (item.field.isEmpty ? "message" : item.field, pick == 0 ? text : "a " + text + " b")
                        }
                        table.add(fields, names: ruleSet.fieldNames)
                    }
                }
            }
        }
        var matches: [Match] = []
        engine.evaluate(table, into: &matches)
        let found = Set(matches.map { [$0.event, $0.rule] })
        var differences = 0
        for event in 0..<table.count {
            for rule in ruleSet.rules.indices
            where plain.matches(rule: rule, table, event: event) != found.contains([event, rule]) {
                differences += 1
            }
        }
        print(
            "SigmaHQ: \(table.count) events, \(found.count) matches,",
            "\(engine.evaluations / table.count) rules tried an event"
        )
        #expect(differences == 0)
        #expect(found.count > 400)
    }
}
