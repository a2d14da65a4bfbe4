import CLinux
import Foundation
import IronpostCore
import Sigma
import Synchronization
import Testing

@testable import LogPipeline

/// The evaluation thread's loop, from raw batches to what it hands over.
struct EvaluationTests {
    /// Lines or records of one source.
    static func batch(
        _ lines: [String], format: LineFormat = .auto, origin: UInt64 = 4, received: Timestamp = Timestamp(seconds: 100)
    ) -> RawBatch {
        RawBatch(
            origin: origin, format: format, framing: .lines, bytes: Array((lines.joined(separator: "\n") + "\n").utf8),
            position: 0, lineNumber: 1, count: lines.count, received: received, checkpoints: [], place: nil
        )
    }

    struct Outcome {
        var alerts: [Alert] = []
        var ledger = Ledger()
        var canary: Canary
        var progress = EvaluationProgress()
        var losses = LogLosses()
        let budget = HandoverBudget()
    }

    /// Runs the loop over batches until all are evaluated.
    /// - Parameter isCut: whether a stop has run out of time already.
    static func run(
        rules: String, _ batches: [RawBatch], lineBytesMax: Int = 65_536, isCut: Bool = false
    ) async throws -> Outcome {
        let folder = NSTemporaryDirectory() + "rules-" + UUID().uuidString
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        try rules.write(toFile: folder + "/r.yml", atomically: true, encoding: .utf8)
        let book = RuleBook(paths: [folder], withCanary: true)
        #expect(book.faults.map(\.description) == [])
        let time = ManualTime()
        var outcome = Outcome(canary: Canary(time: time))
        let queue = SourceQueue(lanes: 2, bytesMax: 8 << 20)
        for batch in batches { #expect(await queue.push(batch, lane: batch.origin == Canary.origin ? 1 : 0)) }
        #expect(await queue.push(outcome.canary.next(), lane: 1))
        queue.close()
        let channel = BoundedChannel<CommitBatch>(name: "test", capacity: 256)
        let (ledger, canary, progress) = (outcome.ledger, outcome.canary, outcome.progress)
        let (budget, losses) = (outcome.budget, outcome.losses)
        if isCut { budget.close() }
        let thread = PlainThread(name: "detect") {
            var loop = EvaluationLoop(
                options: EvaluationLoop.Options(
                    batchSize: 4096, flushInterval: .milliseconds(5), lineBytesMax: lineBytesMax,
                    correlationGroupsMax: 1000, node: "n", generation: 1
                ),
                queue: queue, origins: OriginTable(), book: book, restored: [], alerts: channel, tap: Feed(),
                ledger: ledger, time: time, progress: progress, canary: canary, budget: budget,
                losses: losses
            )
            loop.run()
            channel.close()
        }
        while let batch = await channel.receive() {
            outcome.alerts += batch.alerts.map(\.alert)
            batch.reply?(true)
        }
        await thread.join()
        return outcome
    }

    @Test("what bounds cost is counted")
    func losses() async throws {
        let rules =
            Self.rule("{event: auth_failed}") + """

                ---
                title: c
                id: many
                correlation: {type: event_count, rules: [base], group-by: [cwd], timespan: 5m, condition: {gte: 3}}
                """
        let fields = (0..<3000).map { "\"k\($0)\":1" }.joined(separator: ",")
        let outcome = try await Self.run(
            rules: rules,
            [
                Self.batch(
                    [
                        "Nov 23 01:22:37 web1 sshd[1]: Failed password for root from 9.9.9.9 port 1 ssh2", "{\"a\":",
                        "{\(fields)}", String(repeating: "x", count: 40_001), String(repeating: "x", count: 40_000),
                    ])
            ], lineBytesMax: 40_000)
        #expect(outcome.losses[.eventsWithoutField] == 1)
        #expect(outcome.losses[.parseErrors] == 1)
        #expect(outcome.losses[.fieldsDropped] == 3000 - EventTable.fieldsPerEventMax)
        #expect(outcome.losses[.linesCut] == 1)
        #expect(outcome.losses[.alertsNotHandedOver] == 0)
        #expect(outcome.losses.details().map(\.name) == ["lost", "lost", "lost", "lost"])
        #expect(outcome.losses.figures().first { "\($0.name)" == "ironpost_log_pipeline_lines_cut_total" }?.value == 1)
    }

    @Test("what a stop leaves no time to hand over is in the ledger")
    func lostAtStop() async throws {
        let text = "sshd[1]: message repeated 3 times: [ Failed password for root from 9.9.9.9 port 1 ssh2]"
        let outcome = try await Self.run(
            rules: Self.rule("{event: auth_failed}"),
            [Self.batch(["Nov 23 01:22:37 web1 \(text)", "Nov 23 01:22:38 web1 \(text)"])], isCut: true)
        let alert = outcome.ledger.hop("alert").entry()
        #expect(alert.accepted == 6)
        #expect(alert.dropped == ["shutdown": 6])
        #expect(outcome.losses[.alertsNotHandedOver] == 2)
        #expect(outcome.ledger.entries().allSatisfy { $0.imbalance == 0 || $0.hop.hasPrefix("source") })
    }

    @Test("each datagram's evidence names who sent it")
    func senders() async throws {
        var four = ip_peer()
        four.low = UInt64(0x0907_0605_FFFF_0000).littleEndian
        var six = ip_peer()
        (six.high, six.low) = (UInt64(0x0000_0000_B80D_0120).littleEndian, UInt64(0x0100_0000_0000_0000).littleEndian)
        var batch = Self.batch([], format: .syslog)
        var records: [UInt8] = []
        for user in ["a", "b", "c"] {
            appendRecord(
                Array("<86>sshd[1]: Failed password for \(user) from 9.9.9.9 port 1 ssh2".utf8).span, to: &records)
        }
        (batch.framing, batch.bytes, batch.count, batch.senders) = (.records, records, 3, [four, six, ip_peer()])
        batch.place = "else"
        let outcome = try await Self.run(rules: Self.rule("{event: auth_failed}"), [batch])
        #expect(outcome.alerts.map(\.evidence.place) == ["5.6.7.9", "2001:db8::1", "else"])
    }

    static func rule(_ detection: String, logsource: String = "{product: linux}") -> String {
        """
        title: t
        id: base
        logsource: \(logsource)
        detection:
            s: \(detection)
            condition: s
        """
    }

    @Test("what a log says is never taken for the test event, and no rule but its own is tried on the test event")
    func canaryIsOfItsOwn() async throws {
        let beats = ["ironpost-canary[1]: beat 99", #"{"program":"ironpost-canary","message":"beat 99"}"#, "beat 99"]
        let broad = Self.rule("{message|contains: beat}", logsource: "{product: ironpost, service: canary}")
        let outcome = try await Self.run(
            rules: broad + "\n---\n" + Self.rule("{message|contains: a}").replacing("base", with: "other") + """

                ---
                title: c
                id: many
                correlation: {type: event_count, rules: [other], timespan: 5m, condition: {gte: 1}}
                """,
            [Self.batch(beats.map { "Nov 23 01:22:37 web1 " + $0 } + beats, format: .auto)]
        )
        #expect(outcome.canary.current.detected == 1)
        #expect(outcome.canary.current.durable == 1)
        // Those of the six lines, and of nothing else.
        #expect(outcome.alerts.map(\.title) == Array(repeating: "c", count: 6))
    }

    @Test("one line with a time of the future blinds nobody; the alert keeps the event's own time")
    func timeOfTheFuture() async throws {
        let rules =
            Self.rule("{event: auth_failed}") + """

                ---
                title: c
                id: many
                correlation: {type: event_count, rules: [base], group-by: [src_ip], timespan: 5m, condition: {gte: 3}}
                """
        let text = "host sshd 12 - - Failed password for root from 9.9.9.9 port 1 ssh2"
        let received = Timestamp(seconds: 1_000_000)
        let future = "<86>1 2099-01-01T00:00:00Z \(text)"
        let past = "<86>1 1970-01-12T13:45:00Z \(text)"
        let outcome = try await Self.run(
            rules: rules, [Self.batch([future, past, past, future], format: .syslog, received: received)])
        #expect(outcome.alerts.map(\.count) == [3, 1])
        #expect(outcome.alerts.last?.lastSeen == received)
        #expect(outcome.alerts.last?.event.time.rfc3339.hasPrefix("2099-01-01") == true)
    }

    @Test("a message that was repeated counts as often as it was")
    func repeatedMessages() async throws {
        let text = "Failed password for root from 9.9.9.9 port 1 ssh2"
        let outcome = try await Self.run(
            rules: Self.rule("{event: auth_failed}"),
            [
                Self.batch(
                    [
                        "Nov 23 01:22:37 web1 sshd[1]: message repeated 4 times: [ \(text)]",
                        "Nov 23 01:22:37 web1 sshd[1]: \(text)",
                    ], format: .syslog)
            ])
        #expect(outcome.alerts.map(\.count) == [4, 1])
    }
}
