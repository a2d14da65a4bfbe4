import IronpostCore
import Testing

@testable import ironpost

struct ExplanationTests {
    private static let start = Timestamp(seconds: 1_700_000_000)

    private static func alert() -> Alert {
        Alert(
            id: UUIDv7.make(at: start), time: start, severity: .high, title: "SSH password guessing",
            description: "One address tries many passwords.", source: "log-pipeline",
            rule: RuleReference(
                id: "ssh-guess", title: "SSH guessing", author: "A. Author", level: "high",
                tags: ["attack.credential_access", "attack.t1110.001"], references: ["https://example.org/x"],
                license: "DRL-1.1"
            ),
            node: "web1", event: EventRecord(time: start, fields: []),
            evidence: Evidence(
                source: "file", file: "/var/log/auth.log", offset: 4711, line: 42,
                raw: "Failed password for root from 203.0.113.7", sha256: "00"
            ),
            group: [Field("src_ip", "203.0.113.7")], count: 8, firstSeen: start,
            lastSeen: start.advanced(by: .seconds(95)), srcIP: "203.0.113.7", traceID: "t", generation: 1,
            members: (0..<8).map {
                CorrelationMember(
                    time: start.advanced(by: .seconds($0)), file: "/var/log/auth.log", offset: UInt64($0 * 100)
                )
            }
        )
    }

    @Test func tellsWhoFromWhereHowOftenSinceWhenAndWhereTheProofIs() {
        let explanation = AlertExplanation(AlertDocument(Self.alert()))
        #expect(explanation.summary == "HIGH: SSH password guessing from 203.0.113.7 on web1, seen 8 times")
        let lines = explanation.lines.map { "\($0.label)|\($0.text)" }
        #expect(lines.contains("When|2023-11-14T22:13:20.000Z to 2023-11-14T22:14:55.000Z (95 seconds)"))
        #expect(lines.contains("From|203.0.113.7"))
        #expect(lines.contains("Counted by|src_ip=203.0.113.7"))
        #expect(lines.contains("Evidence|/var/log/auth.log, line 42 (byte 4711)"))
        #expect(lines.contains("|Failed password for root from 203.0.113.7"))
        #expect(lines.contains("Made of|2023-11-14T22:13:23.000Z  /var/log/auth.log at byte 300"))
        #expect(lines.contains("|and 3 earlier events"))
        #expect(lines.contains("Rule|SSH guessing (ssh-guess, level high) by A. Author, licence DRL-1.1"))
        #expect(lines.contains("Action|none: no policy is for alerts like this"))
        #expect(lines.contains { $0.hasPrefix("Proof|none that this address acted") })
        #expect(lines.contains { $0.hasPrefix("Next|check whether a login from this address succeeded") })
        #expect(lines.contains("|see what else came from there: ironpost events tail --where src_ip=203.0.113.7"))
        #expect(lines.contains("|background: https://example.org/x"))
    }

    @Test func aBareAlertSaysWhatItCan() {
        var alert = Self.alert()
        alert.count = 1
        alert.lastSeen = alert.firstSeen
        alert.srcIP = nil
        alert.members = []
        alert.rule.tags = []
        alert.rule.references = []
        alert.evidence = Evidence(source: "journald", place: "s=1;i=2", raw: "", sha256: "00")
        alert.container = ContainerReference(id: "c", name: "shop", image: "nginx:1", proof: "cgroup")
        let explanation = AlertExplanation(AlertDocument(alert))
        #expect(explanation.summary == "HIGH: SSH password guessing in container shop on web1, seen once")
        let lines = explanation.lines.map { "\($0.label)|\($0.text)" }
        #expect(lines.contains("When|2023-11-14T22:13:20.000Z"))
        #expect(lines.contains("Container|shop (image nginx:1), known by its cgroup"))
        #expect(lines.contains("Evidence|journald, s=1;i=2"))
        #expect(lines.contains("Next|read the line above and decide whether somebody meant to do this"))
        #expect(!lines.contains { $0.hasPrefix("From|") || $0.hasPrefix("Counted by|") || $0.hasPrefix("Made of|") })
    }

    @Test func saysWhatWasDoneOrWithheldAndWhy() {
        var alert = Self.alert()
        alert.srcIPProof = AddressProof(origin: .daemonField, confidence: .trustedWriter)
        let time = Timestamp(seconds: 1_700_000_000)
        var record = ActionRecord(
            id: .make(at: time), time: time, alertID: alert.id, policyID: "guess", actionType: "network_block",
            target: "203.0.113.7", mode: "enforce", state: .done, expiresAt: time.advanced(by: .seconds(60))
        )
        let done = ActionDocument(record)
        record.state = .withheld
        record.guardrail = "gateway"
        record.error = "203.0.113.7"
        let lines = AlertExplanation(AlertDocument(alert), actions: [done, ActionDocument(record)]).lines
            .map { "\($0.label)|\($0.text)" }
        #expect(
            lines.contains(
                "Action|network_block of 203.0.113.7: done, until 2023-11-14T22:14:20.000Z; policy guess"))
        #expect(
            lines.contains(
                "|network_block of 203.0.113.7: withheld by guardrail gateway: the address is a gateway of this host "
                    + "(203.0.113.7); policy guess"))
        #expect(lines.contains { $0.hasPrefix("Proof|the daemon wrote the address") })
    }

    @Test func aDemoAsksForNothing() {
        var alert = Self.alert()
        alert.labels = ["demo": "true"]
        let lines = AlertExplanation(AlertDocument(alert)).lines.filter { $0.label == "Next" }
        #expect(lines.count == 1 && lines[0].text.hasPrefix("nothing:"))
    }

    @Test func theParagraphIsEscapedAndFits() {
        var alert = Self.alert()
        alert.title = "evil \u{1B}[2J"
        alert.evidence.raw = String(repeating: "x\u{202E}", count: 200)
        let lines = AlertRendering.paragraph(AlertDocument(alert), terminal: Terminal(width: 60, hasColor: false))
        #expect(lines.allSatisfy { TextWidth.of($0) <= 60 })
        #expect(!lines.joined().unicodeScalars.contains { $0 == "\u{1B}" || $0 == "\u{202E}" })
        #expect(lines[0].contains("evil \\e[2J"))
    }

    @Test func whatHappensAgainIsOneLine() {
        var alert = Self.alert()
        alert.count = 12
        let line = AlertRendering.countUp(AlertDocument(alert), terminal: Terminal(width: 60, hasColor: false))
        #expect(line.contains("seen 12 times") && line.contains(String(alert.id.description.prefix(18))))
        #expect(!line.contains("\n"))
    }

    @Test func whatWasShownIsKnownAsFarBackAsItsBound() {
        var shown = RecentlyShown()
        var answers = [shown.insert("first"), shown.insert("first")]
        for number in 0..<RecentlyShown.countMax { answers.append(shown.insert("\(number)")) }
        answers.append(shown.insert("first"))
        answers.append(shown.insert("\(RecentlyShown.countMax - 1)"))
        #expect(answers.indices.filter { !answers[$0] } == [1, answers.count - 1])
    }
}
