import Sigma
import Testing

@Suite struct Correlations {
    static let second: Int64 = 1_000_000_000

    static func rules(
        type: String = "event_count", condition: String = "gte: 3", groupBy: String = "[ip]", extra: String = ""
    ) -> String {
        rule("s:\n  event: fail\ncondition: s", id: "base") + "\n---\n" + """
            title: many
            id: many
            correlation:
              type: \(type)
              rules: [base]
              group-by: \(groupBy)
              timespan: 1m
              condition: {\(condition)}
            \(extra)
            """
    }

    /// Feeds failures at these seconds from these addresses, one batch each.
    static func run(
        _ engine: inout RuleEngine, _ events: [(second: Int64, ip: String?, user: String)]
    ) -> [CorrelationResult?] {
        var results: [CorrelationResult?] = []
        for (number, event) in events.enumerated() {
            var table = EventTable()
            var fields: TestFields = [("event", "fail"), ("user", event.user)]
            if let ip = event.ip { fields.append(("ip", ip)) }
            table.add(fields, names: engine.ruleSet.fieldNames, time: event.second * second, position: UInt64(number))
            var matches: [Match] = []
            engine.evaluate(table, into: &matches)
            results.append(matches.first { engine.ruleSet.rules[$0.rule].id == "many" }?.correlation)
        }
        return results
    }

    static func counts(_ rules: String, _ events: [(second: Int64, ip: String?, user: String)]) -> [Int?] {
        let ruleSet = compile(rules)
        #expect(ruleSet.faults == [])
        var engine = RuleEngine(ruleSet)
        return run(&engine, events).map { $0?.count }
    }

    @Test func countsSlideByEventTime() {
        // 50 s and 70 s lie in different clock minutes, and within one window.
        #expect(Self.counts(Self.rules(), [(50, "a", ""), (70, "a", ""), (109, "a", "")]) == [nil, nil, 3])
        // The first has left the window when the third comes.
        #expect(Self.counts(Self.rules(), [(50, "a", ""), (70, "a", ""), (110, "a", "")]) == [nil, nil, nil])
        #expect(
            Self.counts(Self.rules(), [(0, "a", ""), (1, "b", ""), (2, "a", ""), (3, "a", "")]) == [nil, nil, nil, 3])
    }

    @Test func lateEventsTakeTheirPlace() {
        #expect(Self.counts(Self.rules(), [(100, "a", ""), (90, "a", ""), (80, "a", "")]) == [nil, nil, 3])
        #expect(Self.counts(Self.rules(), [(100, "a", ""), (40, "a", ""), (101, "a", "")]) == [nil, nil, nil])
    }

    @Test func weightsCountEachEventOnce() throws {
        var engine = RuleEngine(compile(Self.rules()))
        let results = Self.run(&engine, [(0, "a", ""), (1, "a", ""), (2, "a", ""), (3, "a", ""), (90, "a", "")])
        #expect(results.map { $0?.weight } == [nil, nil, 3, 1, nil])
        let third = try #require(results[2])
        #expect(third.group.map(\.field) == ["ip"])
        #expect(third.group.map(\.value) == ["a"])
        #expect(third.first == 0)
        #expect(third.last == 2 * Self.second)
        #expect(third.members.map(\.position) == [0, 1, 2])
        #expect(third.members.map(\.origin) == [7, 7, 7])
    }

    @Test func conditionsAreConjunctions() {
        let events = (0..<5).map { (second: Int64($0), ip: "a" as String?, user: "") }
        #expect(Self.counts(Self.rules(condition: "gt: 1, lt: 4"), events) == [nil, 2, 3, nil, nil])
        #expect(Self.counts(Self.rules(condition: "eq: 2"), events) == [nil, 2, nil, nil, nil])
        #expect(Self.counts(Self.rules(condition: "neq: 2"), events) == [1, nil, 3, 4, 5])
    }

    @Test func valueCountCountsDifferentValues() {
        let rules = Self.rules(type: "value_count", condition: "field: user, gte: 3")
        var engine = RuleEngine(compile(rules))
        let events: [(second: Int64, ip: String?, user: String)] = [
            (0, "a", "x"), (1, "a", "x"), (2, "a", "y"), (3, "a", "x"), (4, "a", "z"), (64, "a", "w"),
        ]
        #expect(Self.run(&engine, events).map { $0?.distinct } == [nil, nil, nil, nil, 3, nil])
    }

    @Test func eventsWithoutTheGroupAreCountedApart() {
        var engine = RuleEngine(compile(Self.rules()))
        let results = Self.run(&engine, [(0, nil, ""), (1, nil, ""), (2, nil, "")])
        #expect(results.allSatisfy { $0 == nil })
        #expect(engine.counters.eventsWithoutField == 3)
    }

    @Test func correlatedRulesAreSilentUnlessGenerate() {
        #expect(compile(Self.rules()).rules.map(\.isEmitted) == [false, true])
        #expect(compile(Self.rules(extra: "generate: true")).rules.map(\.isEmitted) == [true, true])
    }

    /// A rule that was written to be counted once alerted by itself when its correlation could not be used.
    @Test(arguments: ["type: temporal", "condition: {gte: many}", "aliases: {a: {base: b}}"])
    func rulesOfARefusedCorrelationAreSilent(_ change: String) {
        var text = Self.rules()
        switch change.prefix(4) {
        case "type": text = text.replacing("type: event_count", with: change)
        case "cond": text = text.replacing("condition: {gte: 3}", with: change)
        default: text = text.replacing("  timespan: 1m", with: "  timespan: 1m\n  \(change)")
        }
        let ruleSet = compile(text)
        #expect(ruleSet.faults.count == 1)
        #expect(ruleSet.rules.map(\.id) == ["base"])
        #expect(ruleSet.rules.map(\.isEmitted) == [false])
    }

    @Test func groupsAreBoundedAndTheOldestGoes() {
        var engine = RuleEngine(compile(Self.rules()), limits: CorrelationLimits(groupsMax: 2))
        let results = Self.run(
            &engine,
            [(0, "a", ""), (1, "a", ""), (2, "b", ""), (3, "c", ""), (4, "a", ""), (5, "c", ""), (6, "c", "")]
        )
        #expect(results.map { $0?.count } == [nil, nil, nil, nil, nil, nil, 3])
        #expect(engine.counters.groupsEvicted == 2)
        #expect(engine.groupCount == 2)
    }

    @Test func groupsWhoseWindowPassedAreForgotten() {
        var engine = RuleEngine(compile(Self.rules()))
        _ = Self.run(&engine, (0..<100).map { (second: Int64($0), ip: "ip\($0)", user: "") })
        _ = Self.run(&engine, (0..<100).map { (second: Int64(1_000 + $0), ip: "a", user: "") })
        #expect(engine.groupCount == 1)
        #expect(engine.counters.groupsExpired == 100)
    }

    @Test func stateSurvivesARestart() {
        for type in ["event_count", "value_count"] {
            let rules = Self.rules(type: type, condition: type == "value_count" ? "field: user, gte: 3" : "gte: 3")
            var first = RuleEngine(compile(rules))
            _ = Self.run(&first, [(0, "a", "x"), (1, "a", "y"), (2, "b/%", "x")])
            let saved = first.takeChangedGroups()
            #expect(saved.map(\.key).sorted() == ["many/a", "many/b%2f%25"])
            #expect(first.takeChangedGroups() == [])
            var second = RuleEngine(compile(rules))
            second.restore(saved)
            #expect(second.counters.statesRefused == 0)
            #expect(Self.run(&second, [(3, "a", "z")]).map { $0?.count } == [3])
            var third = RuleEngine(compile(rules))
            third.adopt(from: first)
            #expect(Self.run(&third, [(3, "a", "z")]).map { $0?.count } == [3])
        }
    }

    @Test func stateOfAnotherDefinitionIsRefused() {
        var first = RuleEngine(compile(Self.rules()))
        _ = Self.run(&first, [(0, "a", ""), (1, "a", "")])
        var second = RuleEngine(compile(Self.rules(condition: "gte: 2")))
        second.restore(first.allGroups())
        #expect(second.counters.statesRefused == 1)
        #expect(second.groupCount == 0)
    }

    @Test func damagedStateIsRefused() throws {
        var first = RuleEngine(compile(Self.rules()))
        _ = Self.run(&first, [(0, "a", ""), (1, "a", "")])
        let saved = try #require(first.allGroups().first)
        let blob = try #require(saved.blob)
        for length in 0..<blob.count {
            var engine = RuleEngine(compile(Self.rules()))
            engine.restore([GroupState(key: saved.key, blob: Array(blob[..<length]))])
            #expect(engine.groupCount == 0)
        }
        var random = SystemRandomNumberGenerator()
        for _ in 0..<500 {
            var bytes = blob
            for _ in 0..<3 { bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(in: 0...255) }
            var engine = RuleEngine(compile(Self.rules()))
            engine.restore([GroupState(key: saved.key, blob: bytes)])
            _ = Self.run(&engine, [(2, "a", "")])
        }
    }

    @Test func removedGroupsAreNamed() {
        var engine = RuleEngine(compile(Self.rules()), limits: CorrelationLimits(groupsMax: 1))
        _ = Self.run(&engine, [(0, "a", "")])
        _ = engine.takeChangedGroups()
        _ = Self.run(&engine, [(1, "b", "")])
        let states = engine.takeChangedGroups()
        #expect(states.filter { $0.blob == nil }.map(\.key) == ["many/a"])
        #expect(states.filter { $0.blob != nil }.map(\.key) == ["many/b"])
    }

    @Test(arguments: [
        ("type: temporal", "'temporal' is not supported yet"), ("timespan: 5x", "timespan"),
        ("rules: [nobody]", "no usable rule"), ("condition: {gte: many}", "not a count"),
        ("condition: {over: 5}", "unknown comparison"), ("aliases: {a: {base: b}}", "aliases"),
        ("timespan: 9999999999999999999d", "timespan"), ("timespan: 400d", "longer"),
    ])
    func faults(_ change: String, message: String) {
        var parts = ["type": "event_count", "rules": "[base]", "timespan": "1m", "condition": "{gte: 2}"]
        let pieces = change.split(separator: ":", maxSplits: 1).map { $0.drop { $0 == " " } }
        parts[String(pieces[0])] = String(pieces[1])
        let lines = parts.sorted { $0.key < $1.key }.map { "  \($0.key): \($0.value)" }.joined(separator: "\n")
        let text = rule("s:\n  f: a\ncondition: s", id: "base") + "\n---\ntitle: c\ncorrelation:\n" + lines
        let ruleSet = compile(text)
        #expect(ruleSet.faults.count == 1)
        #expect(ruleSet.faults.first?.message.contains(message) == true, "\(ruleSet.faults)")
        #expect((ruleSet.faults.first?.line ?? 0) > 8)
    }
}

extension Correlations {
    /// The condition has to hold on events of a grade alone: two that nobody vouches for do not make the third proof.
    @Test func theGradeIsThatOfEventsThatSuffice() {
        var engine = RuleEngine(compile(Self.rules()))
        var grades: [UInt8?] = []
        for (number, grade) in ([1, 0, 2, 2, 1, 2] as [UInt8]).enumerated() {
            var table = EventTable()
            let fields: TestFields = [("event", "fail"), ("ip", "a")]
            table.add(
                fields, names: engine.ruleSet.fieldNames, time: Int64(number) * Self.second, position: UInt64(number))
            table.setGrade(grade)
            var matches: [Match] = []
            engine.evaluate(table, into: &matches)
            grades.append(matches.first { engine.ruleSet.rules[$0.rule].id == "many" }?.correlation?.grade)
        }
        #expect(grades == [nil, nil, 0, 1, 1, 2])
    }
}

/// One line with a time far ahead once made its group deaf to everything that came after it.
extension Correlations {
    @Test func aTimeAheadOfReceiptCountsAsReceived() {
        var engine = RuleEngine(compile(Self.rules()))
        var counts: [Int?] = []
        for (number, claimed) in ([4_000_000_000, 1, 2, 3_000_000_000, 3] as [Int64]).enumerated() {
            var table = EventTable()
            table.add(
                [("event", "fail"), ("ip", "a")], names: engine.ruleSet.fieldNames, time: claimed * Self.second,
                position: UInt64(number), latest: Int64(number) * Self.second
            )
            var matches: [Match] = []
            engine.evaluate(table, into: &matches)
            #expect(table.events[0].time == claimed * Self.second, "the event keeps its own time")
            counts.append(matches.first { engine.ruleSet.rules[$0.rule].id == "many" }?.correlation?.count)
        }
        #expect(counts == [nil, nil, 3, 4, 5])
    }

    @Test func aTimeFarAheadDoesNotBlindItsGroup() {
        let far: Int64 = 4_000_000_000
        for type in ["event_count", "value_count"] {
            let rules = Self.rules(type: type, condition: type == "value_count" ? "field: user, gte: 3" : "gte: 3")
            #expect(
                Self.counts(rules, [(far, "a", "x"), (0, "a", "x"), (1, "a", "y"), (2, "a", "z"), (3, "a", "z")])
                    == [nil, nil, nil, 3, 4])
            // Nor when it comes again and again.
            #expect(
                Self.counts(
                    rules,
                    [
                        (0, "a", "x"), (far, "a", "x"), (1, "a", "y"), (far, "a", "x"), (2, "a", "z"),
                        (3, "a", "x"),
                    ]) == [nil, nil, nil, nil, nil, 3])
        }
    }

    @Test func whatCatchesUpIsOneWindowAgain() {
        var engine = RuleEngine(compile(Self.rules(condition: "gte: 4")))
        let results = Self.run(
            &engine, [(1_000, "a", ""), (900, "a", ""), (935, "a", ""), (945, "a", ""), (950, "a", "")])
        // 935 and 900 lie before the window of 1000; 945 and 950 within.
        #expect(results.map { $0?.count } == [nil, nil, nil, nil, nil])
        #expect(engine.counters.eventsLate == 2)
        #expect(Self.run(&engine, [(960, "a", "")]).map { $0?.count } == [4])
    }

    @Test func restoredTimesFarAheadDoNotBlind() {
        var old = RuleEngine(compile(Self.rules()))
        _ = Self.run(&old, [(4_000_000_000, "a", ""), (5, "a", ""), (6, "a", "")])
        var engine = RuleEngine(compile(Self.rules()))
        engine.restore(old.allGroups())
        #expect(engine.counters.statesRefused == 0)
        #expect(Self.run(&engine, [(7, "a", "")]).map { $0?.count } == [3])
    }

    @Test func groupsOfTheFutureKeepNoOthersAlive() {
        var engine = RuleEngine(compile(Self.rules()))
        _ = Self.run(&engine, (0..<3).map { (second: 4_000_000_000, ip: "future\($0)", user: "") })
        _ = Self.run(&engine, (0..<100).map { (second: Int64($0), ip: "ip\($0)", user: "") })
        _ = Self.run(&engine, (0..<200).map { (second: Int64(1_000 + $0), ip: "a", user: "") })
        #expect(engine.counters.groupsExpired == 100)
        #expect(engine.groupCount == 4)
    }
}

/// `message repeated 5 times` once counted as one event.
extension Correlations {
    @Test func oneLineMayStandForMany() throws {
        for (weight, isSaved) in [(2, false), (2, true), (5, false), (50_000, true)] {
            var engine = RuleEngine(compile(Self.rules(condition: "gte: 4")))
            var counts: [Int?] = []
            var weights: [Int?] = []
            for second in 0..<3 {
                var table = EventTable()
                table.add(
                    [("event", "fail"), ("ip", "a")], names: engine.ruleSet.fieldNames,
                    time: Int64(second) * Self.second, weight: weight)
                var matches: [Match] = []
                engine.evaluate(table, into: &matches)
                let result = matches.first { engine.ruleSet.rules[$0.rule].id == "many" }?.correlation
                counts.append(result?.count)
                weights.append(result?.weight)
                guard isSaved else { continue }
                let saved = engine.allGroups()
                engine = RuleEngine(compile(Self.rules(condition: "gte: 4")))
                engine.restore(saved)
                #expect(engine.counters.statesRefused == 0)
            }
            switch weight {
            case 2:
                #expect(counts == [nil, 4, 6])
                #expect(weights == [nil, 4, 2])
            case 5:
                #expect(counts == [5, 10, 15])
                #expect(weights == [5, 5, 5])
            default: #expect(weights == [1_000, 1_000, 1_000], "it is bounded")
            }
        }
    }
}
