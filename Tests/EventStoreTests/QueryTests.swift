import EventStore
import Foundation
import GRDB
import IronpostCore
import Testing

@Suite struct QueryTests {
    let directory: TemporaryDirectory
    let store: EventStore

    init() throws {
        directory = try TemporaryDirectory()
        store = try EventStore(path: directory.database)
    }

    struct Case: Sendable, CustomTestStringConvertible {
        let name: String
        let query: AlertQuery
        let expected: [Int]
        var testDescription: String { name }
    }

    static let cases = [
        Case(name: "all", query: AlertQuery(), expected: [5, 4, 3, 2, 1, 0]),
        Case(name: "since", query: AlertQuery(since: start.advanced(by: .seconds(4))), expected: [5, 4]),
        Case(name: "severity", query: AlertQuery(minimumSeverity: .high), expected: [5, 4, 3]),
        Case(name: "rule id", query: AlertQuery(rule: "odd"), expected: [5, 3, 1]),
        Case(name: "rule title", query: AlertQuery(rule: "SSH Brute Force"), expected: [5, 4, 3, 2, 1, 0]),
        Case(name: "unknown rule", query: AlertQuery(rule: "' OR 1=1 --"), expected: []),
        Case(name: "status", query: AlertQuery(status: .acknowledged), expected: [2]),
        Case(name: "label", query: AlertQuery(labels: ["demo": "true"]), expected: [4, 0]),
        Case(name: "label with quotes", query: AlertQuery(labels: ["a\"b'c.d": "e\"f"]), expected: [4]),
        Case(name: "two labels", query: AlertQuery(labels: ["demo": "true", "none": "x"]), expected: []),
        Case(
            name: "several", query: AlertQuery(since: start, minimumSeverity: .medium, rule: "odd", status: .open),
            expected: [5, 3]
        ),
    ]

    @Test(arguments: cases)
    func filters(_ testCase: Case) throws {
        let alerts = (0..<6).map { number in
            sampleAlert(
                number, rule: number % 2 == 1 ? "odd" : "even",
                severity: [.info, .low, .medium, .high, .critical, .critical][number],
                labels: number == 4 ? ["demo": "true", "a\"b'c.d": "e\"f"] : number == 0 ? ["demo": "true"] : [:]
            )
        }
        _ = try store.commit(AlertTransaction(inserts: alerts.shuffled()))
        #expect(try store.setStatus(.acknowledged, of: alerts[2].id))
        let page = try store.alerts(testCase.query)
        #expect(page.alerts.map(\.id) == testCase.expected.map { alerts[$0].id })
        #expect(page.total == testCase.expected.count)
        var cut = testCase.query
        cut.limit = 1
        let first = try store.alerts(cut)
        #expect(first.alerts.map(\.id) == testCase.expected.prefix(1).map { alerts[$0].id })
        #expect(first.total == testCase.expected.count)
    }

    @Test func alertsOfOneMomentAreOrderedById() throws {
        let alerts = (0..<20).map { _ in
            var alert = sampleAlert()
            alert.time = start
            return alert
        }
        _ = try store.commit(AlertTransaction(inserts: alerts))
        #expect(try store.alerts(AlertQuery()).alerts.map(\.id) == alerts.reversed().map(\.id))
    }

    @Test(arguments: [
        "plain", "nul \0 in the middle\0", "quote \" ' \\ \n\r\t", "\u{1B}[31mred", "\u{202E}right to left",
        "😀é\u{301}",
        "\u{FFFD}\u{FFFF}", "'); DROP TABLE alerts; --", "", String(repeating: "ü", count: 4096),
    ])
    func hostileTextComesBackAsItWas(_ text: String) throws {
        var alert = sampleAlert(group: [Field("user", text)], labels: ["text": text], raw: text)
        alert.title = text
        alert.rule.id = text
        alert.srcIP = text
        alert.event.fields = [Field("k" + text, text), Field("message", text)]
        alert.members = [CorrelationMember(time: start, file: text, offset: 3)]
        let checkpoint = Checkpoint(key: "file:" + text, value: text)
        _ = try store.commit(AlertTransaction(inserts: [alert], checkpoints: [checkpoint]))
        let stored = try #require(try store.alert(id: alert.id))
        var expected = alert
        expected.event.fields.sort { $0.name < $1.name }
        var actual = stored
        actual.event.fields.sort { $0.name < $1.name }
        #expect(actual == expected)
        #expect(Array(actual.evidence.raw.utf8) == Array(text.utf8))
        #expect(try store.checkpoints() == [checkpoint])
        #expect(try store.alerts(AlertQuery(rule: text)).total == 1)
        let found = try store.latestAlert(
            rule: text, group: alert.group, labels: alert.labels, since: start, until: start)
        #expect(found?.id == alert.id)
    }

    @Test func aDamagedRecordHidesNoOther() throws {
        let alerts = [sampleAlert(0), sampleAlert(1)]
        _ = try store.commit(AlertTransaction(inserts: alerts))
        try DatabaseQueue(path: directory.database).write { db in
            try db.execute(
                sql: "UPDATE alerts SET record = x'7B' WHERE id = ?", arguments: [alerts[0].id.description]
            )
        }
        let page = try store.alerts(AlertQuery())
        #expect(page.alerts.map(\.id) == [alerts[1].id, alerts[0].id])
        #expect(page.alerts[1].severity == .high)
    }

    @Test func anUnknownIdIsNobody() throws {
        #expect(try store.alert(id: .make(at: start)) == nil)
        #expect(try !store.setStatus(.closed, of: .make(at: start)))
    }
}
