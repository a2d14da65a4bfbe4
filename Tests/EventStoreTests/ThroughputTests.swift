import Foundation
import IronpostCore
import Testing

@testable import EventStore

/// Small in the ordinary run, which only proves that it works; `IRONPOST_BENCH=1` with an optimised build measures.
@Suite(.serialized) struct ThroughputTests {
    let isMeasuring = ProcessInfo.processInfo.environment["IRONPOST_BENCH"] != nil

    @Test(arguments: [1, 64, 256, 1024])
    func commits(batch: Int) throws {
        let directory = try TemporaryDirectory()
        let store = try EventStore(path: directory.database)
        let rounds = isMeasuring ? (batch == 1 ? 300 : 40_960 / batch) : 2
        let batches = (0..<rounds).map { round in
            AlertTransaction(
                inserts: (0..<batch).map { number in
                    sampleAlert(round * batch + number, group: [Field("src_ip", "10.\(round).\(number % 250).1")])
                },
                checkpoints: [Checkpoint(key: "file:/var/log/auth.log", value: "\(round)")]
            )
        }
        var times: [Duration] = []
        let clock = ContinuousClock()
        for batch in batches { times.append(try clock.measure { _ = try store.commit(batch) }) }
        times.sort()
        let total = times.reduce(.zero, +)
        report(
            "commit of \(batch): \(Int(Double(rounds * batch) / total.seconds)) alerts/s, "
                + "p50 \(times[times.count / 2]), p99 \(times[times.count * 99 / 100])"
        )
        #expect(try store.alerts(AlertQuery(limit: 1)).total == rounds * batch)
    }

    @Test func encodesAndLooksUp() throws {
        let directory = try TemporaryDirectory()
        let store = try EventStore(path: directory.database)
        let alerts = (0..<(isMeasuring ? 20_000 : 20)).map { sampleAlert($0, group: [Field("n", "\($0)")]) }
        let encoder = JSONEncoder()
        let clock = ContinuousClock()
        let encoding = try clock.measure { for alert in alerts { _ = try AlertRow(alert, encoder: encoder) } }
        _ = try store.commit(AlertTransaction(inserts: alerts))
        let looking = try clock.measure {
            for alert in alerts {
                _ = try store.latestAlert(
                    rule: alert.rule.id, group: alert.group, labels: [:], since: alert.firstSeen, until: alert.lastSeen
                )
            }
        }
        let listing = try clock.measure { _ = try store.alerts(AlertQuery(rule: "none", limit: 100)) }
        let page = try clock.measure { _ = try store.alerts(AlertQuery(limit: 100)) }
        report(
            "encode \(encoding / alerts.count), look-up \(looking / alerts.count), page of 100 \(page), none \(listing)"
        )
    }

    private func report(_ text: String) {
        if isMeasuring { print("BENCH", text) }
    }
}
