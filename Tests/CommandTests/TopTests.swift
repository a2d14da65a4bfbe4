import Foundation
import IronpostCore
import Testing

@testable import ironpost

/// What `top` makes of two samples.
struct TopTests {
    static func sample(
        uptime: Double, accepted: Int, dropped: Int = 0, cpu: UInt64 = 0, pid: Int = 7, started: Double = 0
    ) -> TopSample {
        let status = StatusDocument(
            DaemonStatus(
                pid: pid, version: "1\u{1B}", uptime: .seconds(uptime - started), generation: 2, health: .healthy,
                modules: [],
                ledger: [
                    LedgerEntry(hop: "store", accepted: 0, stored: 0, dropped: [:]),
                    LedgerEntry(
                        hop: "detect", accepted: accepted, stored: accepted - dropped - 3,
                        dropped: dropped > 0 ? ["full": dropped] : [:]),
                    LedgerEntry(hop: "source:file", accepted: accepted, stored: accepted, dropped: [:]),
                ],
                isReady: true,
                processes: [
                    ProcessStatus(
                        name: "daemon", pid: pid,
                        usage: ProcessUsage(cpuMilliseconds: cpu, residentBytes: 3 << 19))
                ]
            )
        )
        return TopSample(
            uptime: Int64(uptime * 1e9), time: Timestamp(seconds: 1_700_000_000), status: status,
            alertsAtLeast: [(.critical, 1), (.high, 3), (.medium, 3), (.low, 2), (.info, 10)], rules: [], actions: [],
            blocks: BlockListDocument(blocks: [], total: 4)
        )
    }

    static let plain = Terminal(width: 100, hasColor: false)

    @Test func `rates are those between two samples, in the order in which events pass`() throws {
        let before = Self.sample(uptime: 100, accepted: 1000, dropped: 10, cpu: 5000)
        let now = Self.sample(uptime: 104, accepted: 1800, dropped: 18, cpu: 7000)
        let snapshot = TopSnapshot(now, since: before, window: .seconds(60))
        #expect(snapshot.intervalSecs == 4)
        #expect(snapshot.hops.map(\.hop) == ["source:file", "detect", "store"])
        let detect = snapshot.hops[1]
        #expect(detect.eventsPerSecond == 200)
        #expect(detect.droppedPerSecond == 2)
        #expect(detect.underWay == 3)
        #expect(detect.dropped == ["full": 18])
        #expect(snapshot.processes == [.init(name: "daemon", pid: 7, cpuPercent: 50, residentBytes: 3 << 19)])
    }

    @Test func `the first rates, and those after a restart, are since the daemon's start`() {
        let now = Self.sample(uptime: 110, accepted: 500, cpu: 1000, started: 100)
        let first = TopSnapshot(now, since: nil, window: .seconds(60))
        #expect(first.intervalSecs == 10)
        #expect(first.hops[0].eventsPerSecond == 50)
        #expect(first.processes[0].cpuPercent == 10)
        for other in [
            Self.sample(uptime: 108, accepted: 9000, pid: 6), Self.sample(uptime: 108, accepted: 9000, started: 0),
        ] {
            let snapshot = TopSnapshot(now, since: other, window: .seconds(60))
            #expect(snapshot.hops[0].eventsPerSecond == 50)
        }
    }

    @Test func `counts from one severity on become counts of each, never below nothing`() {
        let snapshot = TopSnapshot(Self.sample(uptime: 1, accepted: 0), since: nil, window: .seconds(60))
        #expect(snapshot.alerts.bySeverity == ["critical": 1, "high": 2, "medium": 0, "low": 0, "info": 7])
        #expect(snapshot.alerts.total == 10)
        #expect(snapshot.alerts.windowSecs == 60)
    }

    @Test func `it is readable, escaped, and fits`() {
        let snapshot = TopSnapshot(
            Self.sample(uptime: 104, accepted: 1800, dropped: 18, cpu: 7000),
            since: Self.sample(uptime: 100, accepted: 1000, dropped: 10), window: .seconds(900))
        let lines = TopRendering.lines(snapshot, terminal: Self.plain)
        #expect(lines[0].hasPrefix("ironpost 1\\e is healthy, up "))
        #expect(lines[1] == "alerts in 15 minutes: 1 critical, 2 high, 0 medium, 0 low, 7 info")
        #expect(lines[2] == "actions: 0 to approve, 0 under way, 0 in force; blocks: 4")
        #expect(lines.contains { $0.hasPrefix("detect") && $0.contains("200.0") && $0.hasSuffix("full 18") })
        #expect(lines.contains { $0.hasPrefix("daemon") && $0.contains("175.0") && $0.hasSuffix("1.5 MiB") })
        #expect(TopRendering.fit(lines, height: lines.count) == lines)
        let cut = TopRendering.fit(lines, height: 5)
        #expect(cut.count == 5)
        #expect(cut.dropLast() == lines.prefix(4))
        #expect(cut[4] == "… \(lines.count - 4) more lines; a higher terminal shows them")
        #expect(TopRendering.fit(lines, height: 0).count == 1)
    }

    @Test func `numbers have one digit behind the point`() {
        #expect([0, 0.04, 0.05, 12.34, 99.96].map(TopRendering.decimal) == ["0.0", "0.0", "0.1", "12.3", "100.0"])
        #expect(TopRendering.decimal(1e300).hasSuffix(".0"))
    }
}
