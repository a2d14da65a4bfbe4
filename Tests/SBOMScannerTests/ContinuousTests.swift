import Foundation
import IronpostCore
import Logging
import SBOMScanner
import Synchronization
import Testing

/// What the module is connected to in a daemon, in memory.
final class RecordedStore: FindingStore {
    private struct State {
        var records: [FindingRecord.Key: FindingRecord] = [:]
        var failures = 0
    }

    private let state = Mutex(State())

    struct Full: Error {}

    func fail(times: Int) { state.withLock { $0.failures = times } }

    func put(_ findings: [FindingRecord]) throws {
        try state.withLock { state in
            if state.failures > 0, !findings.isEmpty {
                state.failures -= 1
                throw Full()
            }
            for finding in findings { state.records[finding.key] = finding }
        }
    }

    func standingFindings() throws -> [FindingRecord] { all.filter { $0.state != .fixed } }

    func findings(_ query: FindingQuery) throws -> FindingPage { FindingPage(findings: all, total: all.count) }

    var all: [FindingRecord] { state.withLock { Array($0.records.values) }.sorted { $0.purl < $1.purl } }
}

/// Where alerts arrive, and are refused for a while.
final class Desk: Sendable {
    private let state = Mutex<(told: [Alert], refusals: Int)>(([], 0))

    /// Done when an alert has come.
    let beforeAnswer = Mutex<(@Sendable () -> Void)?>(nil)

    var alerts: [Alert] { state.withLock { $0.told } }

    func refuse(times: Int) { state.withLock { $0.refusals = times } }

    func take(_ batch: CommitBatch) -> Bool {
        state.withLock { state in
            guard state.refusals == 0 else {
                state.refusals -= 1
                return false
            }
            state.told += batch.alerts.map(\.alert)
            return true
        }
    }
}

/// A module over a folder, with a consumer that stores every alert.
final class Watched: Sendable {
    let folder: String
    let store: RecordedStore
    let module: SBOMModule
    private let channel = BoundedChannel<CommitBatch>(name: "alerts", capacity: 16)
    private let desk = Desk()
    private let run: Task<Void, any Error>
    private let consumer: Task<Void, Never>

    init(
        folder: String, store: RecordedStore = RecordedStore(), isHost: Bool = false, minimum: Severity = .info,
        vex: [String] = []
    ) async throws {
        self.folder = folder
        self.store = store
        module = SBOMModule(
            options: SBOMModule.Options(
                hostRoot: isHost ? folder + "/root" : nil, directories: isHost ? [] : [folder + "/tree"],
                interval: .seconds(3600), isWatching: true, database: folder + "/db", isDatabaseExpected: true,
                vex: vex,
                minimumSeverity: minimum, format: .cyclonedx, outputDirectory: folder + "/out", node: "n", generation: 1
            ),
            alerts: channel, store: store, time: SystemTime(), logger: Logger(label: "test")
        )
        try await module.prepare()
        run = Task { [module] in try await module.run() }
        consumer = Task { [channel, desk] in
            while let batch = await channel.receive() {
                let isTaken = desk.take(batch)
                desk.beforeAnswer.withLock { $0 }?()
                batch.reply?(isTaken)
            }
        }
    }

    var alerts: [Alert] { desk.alerts }

    func beforeAnswer(_ body: @escaping @Sendable () -> Void) { desk.beforeAnswer.withLock { $0 = body } }

    func refuse(times: Int) { desk.refuse(times: times) }

    func stop() async throws {
        await module.drain(deadline: .now + .seconds(10))
        channel.close()
        await consumer.value
        try await run.value
    }

    /// Waits for a condition, not for a time.
    func eventually(_ what: String, _ condition: () throws -> Bool) async throws {
        let end = ContinuousClock.now + .seconds(30)
        while ContinuousClock.now < end {
            if try condition() { return }
            try await Task.sleep(for: .milliseconds(10))
        }
        Issue.record("never: \(what); \(module.details().map { "\($0.name) \($0.value)" }) \(module.health())")
    }
}

struct ContinuousTests {
    private static func lock(_ version: String) -> String {
        #"{"lockfileVersion": 3, "packages": {"": {}, "node_modules/a": {"version": "\#(version)"}}}"#
    }

    private static func advisory(
        _ id: String, name: String = "a", ecosystem: String = "npm", fixed: String = "2.0.0",
        vector: String? = nil
    ) -> String {
        let severity = vector.map { #""severity": [{"type": "CVSS_V3", "score": "\#($0)"}], "# } ?? ""
        return
            #"{"id": "\#(id)", "modified": "2024-01-01T00:00:00Z", "summary": "s", \#(severity)"affected": [{"package": {"ecosystem": "\#(ecosystem)", "name": "\#(name)"}, "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "\#(fixed)"}]}]}]}"#
    }

    private func importing(_ folder: Folder, _ text: String) throws {
        let file = try folder.write("advisory.json", text)
        _ = try VulnerabilityDatabase(folder.path + "/db").add([file], now: Int64(Date().timeIntervalSince1970))
    }

    @Test("a changed lockfile, a new advisory, a fix: each is told once, and survives a restart")
    func lives() async throws {
        let folder = try Folder()
        try folder.write("tree/app/package-lock.json", Self.lock("1.0.0"))
        try importing(folder, Self.advisory("X-1"))
        let first = try await Watched(folder: folder.path)
        try await first.eventually("the first finding is seen") { first.store.all.map(\.state) == [.seen] }
        #expect(first.alerts.map(\.rule.id) == ["sbom_vuln_scan"])
        #expect(first.alerts[0].title == "a 1.0.0 has X-1")
        // A new advisory is matched without a scan.
        try importing(folder, Self.advisory("X-2"))
        try await first.eventually("the new advisory is seen") {
            first.store.all.count == 2 && first.store.all.allSatisfy { $0.state == .seen }
        }
        #expect(first.alerts.count == 2)
        // A fix.
        try folder.write("tree/app/package-lock.json", Self.lock("2.0.0"))
        try await first.eventually("both are fixed") { first.store.all.allSatisfy { $0.state == .fixed } }
        #expect(first.alerts.count == 2)
        // A lockfile in a folder that was not there.
        try folder.write("tree/other/deep/package-lock.json", Self.lock("1.5.0"))
        try await first.eventually("the new folder is found") { first.store.all.count { $0.state == .seen } == 2 }
        #expect(first.alerts.count == 3)
        #expect(first.alerts.last?.title == "a 1.5.0 has 2 known vulnerabilities")
        let document = try #require(first.module.inventories().first?.document)
        #expect(try String(contentsOfFile: document, encoding: .utf8).contains("pkg:npm/a@1.5.0"))
        try await first.stop()
        // Another run tells nothing again.
        let second = try await Watched(folder: folder.path, store: first.store)
        try await second.eventually("the second run has looked") { !second.module.inventories().isEmpty }
        try folder.write("tree/third/package-lock.json", Self.lock("1.7.0"))
        try await second.eventually("the second run tells what is new") { second.alerts.count == 1 }
        #expect(second.alerts.first?.title == "a 1.7.0 has 2 known vulnerabilities")
        try await second.stop()
    }

    @Test("what a module needs without saying so: a change of go.sum alone is followed")
    func sums() async throws {
        let folder = try Folder()
        try folder.write("tree/go.mod", "module a\ngo 1.16\nrequire example.org/b v1.0.0\n")
        try folder.write("tree/go.sum", "example.org/c v2.0.0 h1:x=\n")
        try importing(folder, Self.advisory("X-1", name: "example.org/c", ecosystem: "Go"))
        let watched = try await Watched(folder: folder.path)
        try await watched.eventually("it has looked") { !watched.module.inventories().isEmpty }
        try folder.write("tree/go.sum", "example.org/c v1.9.0 h1:x=\n")
        try await watched.eventually("the module is found") { watched.store.all.map(\.state) == [.seen] }
        #expect(watched.store.all.first?.purl == "pkg:golang/example.org/c@v1.9.0")
        try folder.write("tree/go.sum", "example.org/c v2.0.1 h1:x=\n")
        try await watched.eventually("it is fixed") { watched.store.all.map(\.state) == [.fixed] }
        #expect(watched.alerts.count == 1)
        try await watched.stop()
    }

    @Test("an alert is as severe as the advisory's score says, and nobody's rating is medium")
    func severities() async throws {
        let folder = try Folder()
        try folder.write("tree/package-lock.json", Self.lock("1.0.0"))
        let watched = try await Watched(folder: folder.path)
        let rated: [(String?, Severity)] = [
            ("CVSS:3.1/AV:L/AC:H/PR:H/UI:R/S:U/C:L/I:N/A:N", .low),
            ("CVSS:3.0/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N", .medium),
            ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", .critical), (nil, .medium),
        ]
        for (number, (vector, severity)) in rated.enumerated() {
            try importing(folder, Self.advisory("X-\(number)", vector: vector))
            try await watched.eventually("it is told") { watched.alerts.count == number + 1 }
            #expect(watched.alerts.last?.severity == severity, "\(vector ?? "unrated")")
        }
        try await watched.stop()
    }

    private func replace(_ path: String) throws {
        _ = try Tool.run("mv", [path + "-new", path])
    }

    @Test("dpkg's database in a root: installed and upgraded")
    func host() async throws {
        let folder = try Folder()
        func status(_ version: String) -> String {
            "Package: libssl3\nStatus: install ok installed\nArchitecture: amd64\nSource: openssl\nVersion: \(version)\n\n"
        }
        try folder.write("root/etc/os-release", "ID=debian\nVERSION_ID=12\n")
        try folder.write("root/var/lib/dpkg/status", "")
        try importing(folder, Self.advisory("DSA-1", name: "openssl", ecosystem: "Debian:12", fixed: "3.0.11-1"))
        let watched = try await Watched(folder: folder.path, isHost: true)
        try await watched.eventually("it has looked") { !watched.module.inventories().isEmpty }
        // As dpkg does: a new file in the place of the old one.
        try folder.write("root/var/lib/dpkg/status-new", status("3.0.9-1"))
        try replace(folder.path + "/root/var/lib/dpkg/status")
        try await watched.eventually("the package is found") { watched.store.all.map(\.state) == [.seen] }
        #expect(watched.alerts.first?.event["fixed_version"] == "3.0.11-1")
        try folder.write("root/var/lib/dpkg/status-new", status("3.0.11-1"))
        try replace(folder.path + "/root/var/lib/dpkg/status")
        try await watched.eventually("it is fixed") { watched.store.all.map(\.state) == [.fixed] }
        #expect(watched.alerts.count == 1)
        try await watched.stop()
    }

    /// The loop once looked at the answer alone when both had come.
    @Test("a change that comes with the answer to an alert is not lost")
    func together() async throws {
        let folder = try Folder()
        let path = try folder.write("tree/app/package-lock.json", Self.lock("1.0.0"))
        try importing(folder, Self.advisory("X-1"))
        let watched = try await Watched(folder: folder.path)
        let last = 12
        watched.beforeAnswer { [weak watched] in
            guard let next = watched?.alerts.count, next <= last else { return }
            try? Self.lock("1.0.\(next)").write(toFile: path, atomically: true, encoding: .utf8)
        }
        try folder.write("tree/app/package-lock.json", Self.lock("1.0.99"))
        try await watched.eventually("each version was told of") {
            watched.store.all.contains { $0.version == "1.0.\(last)" && $0.state == .seen }
        }
        try await watched.stop()
    }

    @Test("a look while the answer to an alert is on its way tells nothing again")
    func underWay() async throws {
        let folder = try Folder()
        try folder.write("tree/app/package-lock.json", Self.lock("9.0.0"))
        try importing(folder, Self.advisory("X-1"))
        let watched = try await Watched(folder: folder.path)
        // When the second is known of, the look that found the first is over.
        let others = ["b", "c"].map { ($0, folder.path + "/tree/app/\($0)/Cargo.lock") }
        for (name, path) in others { try folder.write("tree/app/\(name)/keep", path) }
        watched.beforeAnswer { [weak watched] in
            guard let watched, watched.alerts.count == 1 else { return }
            for (place, (name, path)) in others.enumerated() {
                let text = "[[package]]\nname = \"\(name)\"\nversion = \"1\"\n"
                try? text.write(toFile: path, atomically: true, encoding: .utf8)
                let end = ContinuousClock.now + .seconds(30)
                while watched.module.inventories().first?.packages ?? 0 < place + 2, ContinuousClock.now < end {
                    usleep(10_000)
                }
            }
        }
        try folder.write("tree/app/package-lock.json", Self.lock("1.0.0"))
        try await watched.eventually("it is told") { watched.store.all.map(\.state) == [.seen] }
        try await watched.stop()
        #expect(watched.alerts.count == 1)
    }

    @Test("what an OpenVEX document rules out is kept and not told, until it is ruled out no more")
    func exceptions() async throws {
        let folder = try Folder()
        func vex(_ status: String, notes: String = "") -> String {
            #"{"@context": "https://openvex.dev/ns/v0.2.0", "statements": [{"vulnerability": {"name": "X-1"}, "status": "\#(status)", "status_notes": "\#(notes)", "products": [{"@id": "pkg:npm/a"}]}]}"#
        }
        let file = try folder.write("vex/host.json", vex("not_affected"))
        try folder.write("tree/app/package-lock.json", Self.lock("1.0.0"))
        try importing(folder, Self.advisory("X-1"))
        let watched = try await Watched(folder: folder.path, vex: [file])
        try await watched.eventually("it is ruled out") { watched.store.all.map(\.state) == [.suppressed] }
        #expect(watched.alerts.isEmpty)
        // Others could hide findings with it: it counts for nothing.
        _ = try Tool.run("chmod", ["666", file])
        try folder.write("vex/host.json", vex("not_affected"))
        try await watched.eventually("it is not believed") {
            watched.store.all.map(\.state) == [.seen] && watched.module.health().reason?.contains("host.json") == true
        }
        _ = try Tool.run("chmod", ["600", file])
        try folder.write("vex/host.json", vex("not_affected"))
        try await watched.eventually("it is ruled out again") { watched.store.all.map(\.state) == [.suppressed] }
        try folder.write("vex/host.json", vex("under_investigation"))
        try await watched.eventually("it stands again") { watched.store.all.map(\.state) == [.seen] }
        #expect(watched.alerts.count == 2)
        // A machine that is busy may read it when it is over already: then for longer.
        var wasRuledOut = false
        for seconds in [3.0, 12, 25] where !wasRuledOut {
            let end = Date() + seconds
            let soon = ISO8601DateFormatter().string(from: end)
            try folder.write("vex/host.json", vex("not_affected", notes: "expires=\(soon); until then"))
            try await watched.eventually("it is ruled out for a while, or that is over") {
                wasRuledOut = watched.store.all.map(\.state) == [.suppressed]
                return wasRuledOut || Date() > end
            }
        }
        #expect(wasRuledOut)
        try await watched.eventually("what is over is over") { watched.store.all.map(\.state) == [.seen] }
        #expect(watched.alerts.count == 3)
        try await watched.stop()
    }

    @Test("a store or hub that takes nothing for a while: told once all the same")
    func failing() async throws {
        let folder = try Folder()
        try folder.write("tree/package-lock.json", Self.lock("1.0.0"))
        try importing(folder, Self.advisory("X-1"))
        let store = RecordedStore()
        store.fail(times: 2)
        let watched = try await Watched(folder: folder.path, store: store)
        watched.refuse(times: 1)
        try await watched.eventually("it is seen in the end") { store.all.map(\.state) == [.seen] }
        #expect(watched.alerts.count == 1)
        try await watched.stop()
    }

    /// It once ran on until its time was up.
    @Test("a stop that comes before it runs is heard", .timeLimit(.minutes(1)))
    func stoppedAtOnce() async throws {
        let folder = try Folder()
        let module = SBOMModule(
            options: SBOMModule.Options(
                hostRoot: nil, directories: [], interval: .seconds(3600), isWatching: true,
                database: folder.path + "/db", isDatabaseExpected: false, minimumSeverity: .info, format: .cyclonedx,
                outputDirectory: folder.path + "/out", node: "n", generation: 1),
            alerts: BoundedChannel<CommitBatch>(name: "alerts", capacity: 16), store: RecordedStore(),
            time: SystemTime(), logger: Logger(label: "test")
        )
        try await module.prepare()
        await module.drain(deadline: .now + .seconds(10))
        try await module.run()
    }

    @Test("no database is said, a damaged one degrades, a good one heals")
    func database() async throws {
        let folder = try Folder()
        try folder.write("tree/package-lock.json", Self.lock("1.0.0"))
        let watched = try await Watched(folder: folder.path)
        try await watched.eventually("the want is said") {
            watched.module.health().reason?.contains("no vulnerability database") == true
        }
        try folder.write(
            "db/osv.index",
            "not an index, although somebody put it here, and long enough to be read as one: "
                + String(repeating: "x", count: 200))
        try await watched.eventually("the damage is said") {
            watched.module.health().reason?.contains("damaged") == true
        }
        try importing(folder, Self.advisory("X-1"))
        try await watched.eventually("it is well") { watched.module.health() == .healthy && watched.alerts.count == 1 }
        try await watched.stop()
    }

    @Test("many packages at once make few alerts; what is below the asked severity is kept, not told")
    func grouped() throws {
        let now = Timestamp(seconds: 1_700_000_000)
        func finding(_ index: Int, _ severity: Severity?) -> FindingRecord {
            FindingRecord(
                root: "/r", advisory: "X-\(index)", aliases: [], package: "p\(index)", version: "1",
                purl: "pkg:npm/p\(index)@1",
                ecosystem: "npm", severity: severity, score: nil, fixedVersion: nil, isExploited: index == 7, epss: nil,
                summary: "", file: "f", state: .new, firstSeen: now, lastSeen: now
            )
        }
        let shaper = FindingAlerts(node: "n", generation: 1, run: 1)
        let few = shaper.alerts(of: (0..<3).map { finding($0, .low) }, users: [:], now: now)
        #expect(few.count == 3)
        let many = shaper.alerts(of: (0..<300).map { finding($0, $0 % 2 == 0 ? .low : nil) }, users: [:], now: now)
        #expect(many.count == 2)
        #expect(many.flatMap(\.findings).count == 300)
        #expect(many.map(\.alert.severity).max() == .high)
        #expect(Set(few.map(\.alert.id)).count == 3)
    }

    @Test("a finding's life")
    func ledger() {
        let now = Timestamp(seconds: 1_700_000_000)
        func finding(_ state: FindingRecord.State = .new) -> FindingRecord {
            FindingRecord(
                root: "/r", advisory: "X", aliases: [], package: "p", version: "1", purl: "pkg:npm/p@1",
                ecosystem: "npm",
                severity: .high, score: nil, fixedVersion: nil, isExploited: false, epss: nil, summary: "", file: "f",
                state: state,
                firstSeen: now, lastSeen: now
            )
        }
        var ledger = FindingLedger([])
        #expect(ledger.update([finding()], roots: ["/r"], now: now).fresh.count == 1)
        #expect(ledger.untold.count == 1)
        #expect(ledger.markSeen([finding().key]).map(\.state) == [.seen])
        let later = now.advanced(by: .seconds(60))
        #expect(ledger.update([finding()], roots: ["/r"], now: later).records.isEmpty)
        #expect(ledger.update([], roots: ["/other"], now: later).records.isEmpty)
        #expect(ledger.update([finding(.suppressed)], roots: ["/r"], now: later).records.map(\.state) == [.suppressed])
        #expect(ledger.update([finding()], roots: ["/r"], now: later).fresh.count == 1)
        #expect(ledger.update([], roots: ["/r"], now: later).records.map(\.state) == [.fixed])
        #expect(ledger.standing.isEmpty)
    }
}
